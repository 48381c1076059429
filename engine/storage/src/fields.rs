//! Little-endian fields of our own formats, read without ever trusting a length.

/// The highest number of a commit, a generation or a record that is believed. What rises by one a
/// billion times a second gets there in 292 years: whatever is counted on from it stays a number.
pub(crate) const COUNT_MAX: u64 = u64::MAX / 2;

/// A cursor over bytes from the disk: `None` means that they end too early.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Begins at the front of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Fields<'a> {
        Fields { bytes }
    }

    /// What has not been taken yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    /// The next `N` bytes as an array.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*taken)
    }

    /// `N` bytes that must be zero.
    pub(crate) fn zeros<const N: usize>(&mut self) -> Option<()> {
        (self.array::<N>()? == [0; N]).then_some(())
    }

    /// One byte.
    pub(crate) fn u8(&mut self) -> Option<u8> {
        Some(u8::from_le_bytes(self.array()?))
    }

    /// Two bytes.
    pub(crate) fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.array()?))
    }

    /// Two bytes, signed.
    pub(crate) fn i16(&mut self) -> Option<i16> {
        Some(i16::from_le_bytes(self.array()?))
    }

    /// Four bytes.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.array()?))
    }

    /// Four bytes, signed.
    pub(crate) fn i32(&mut self) -> Option<i32> {
        Some(i32::from_le_bytes(self.array()?))
    }

    /// Eight bytes.
    pub(crate) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.array()?))
    }

    /// Eight bytes, signed.
    pub(crate) fn i64(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.array()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_beyond_the_end_is_none_and_takes_nothing() {
        let mut f = Fields::new(&[1, 0, 2, 0, 0]);
        assert_eq!(f.u16(), Some(1));
        assert_eq!(f.u32(), None);
        assert_eq!(f.rest(), [2, 0, 0]);
        assert_eq!((f.u8(), f.zeros::<2>(), f.take(1)), (Some(2), Some(()), None));
    }
}
