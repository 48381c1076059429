//! Puts checksums and places right in what a fuzzer has changed, and makes whole blocks of it.
//!
//! An input has no padding: a block begins wherever the magic of a header does.
//!
//! ```text
//! input   mending u8 │ magic … entries │ magic … entries │ …
//! file                 ├─ whole blocks ─┤├─ whole blocks ─┤
//! ```

use storage::inspect::BLOCK_BYTES;

/// What is put right in an input before a decoder sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mending {
    /// Nothing.
    None,
    /// Checksums.
    Checksums,
    /// Checksums, lengths, and what ties a block to its place and to the one before it.
    All,
}

impl Mending {
    /// The input that asks for this.
    pub(crate) fn before(self, bytes: &[u8]) -> Vec<u8> {
        let code = match self {
            Mending::None => 0,
            Mending::Checksums => 1,
            Mending::All => 2,
        };
        [&[code], bytes].concat()
    }
}

/// What an input asks for, and the rest of it.
pub(crate) fn mending(input: &[u8]) -> (Mending, &[u8]) {
    match input.split_first() {
        Some((code, rest)) => {
            let all = [Mending::None, Mending::Checksums, Mending::All, Mending::All];
            (all[usize::from(code % 4)], rest)
        }
        None => (Mending::None, input),
    }
}

/// The parts of `bytes`, each but perhaps the first beginning with `magic`.
pub(crate) fn parts<'a>(bytes: &'a [u8], magic: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let next = rest.windows(magic.len()).skip(1).position(|window| window == magic);
        let (part, behind) = rest.split_at(next.map_or(rest.len(), |at| at + 1));
        parts.push(part);
        rest = behind;
    }
    parts
}

/// Adds a part to a file in whole blocks; the place where it begins.
pub(crate) fn push_padded(file: &mut Vec<u8>, part: &[u8]) -> usize {
    let position = file.len();
    file.extend_from_slice(part);
    file.resize(file.len().next_multiple_of(BLOCK_BYTES), 0);
    position
}

/// A header's fields in a block, little endian.
pub(crate) struct Fields<'a>(pub(crate) &'a mut [u8]);

impl Fields<'_> {
    pub(crate) fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(*self.0[at..].first_chunk().expect("a whole block"))
    }

    pub(crate) fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(*self.0[at..].first_chunk().expect("a whole block"))
    }

    pub(crate) fn put(&mut self, at: usize, field: &[u8]) {
        self.0[at..at + field.len()].copy_from_slice(field);
    }

    /// Makes the length at `at` one that the bytes can hold: at most the `length` of the part.
    pub(crate) fn mend_length(&mut self, at: usize, header_bytes: usize, length: usize) {
        let stated = usize::try_from(self.u32(at)).unwrap_or(usize::MAX);
        if !(header_bytes..=self.0.len()).contains(&stated) {
            let length = u32::try_from(length.max(header_bytes)).expect("an input is small");
            self.put(at, &length.to_le_bytes());
        }
    }

    /// Writes the checksum of the entries, and of the header in front of it, if its length at
    /// `length_at` is one that the bytes hold. The header's own, which the next one carries.
    pub(crate) fn seal(&mut self, length_at: usize, header_bytes: usize) -> u32 {
        let length = usize::try_from(self.u32(length_at)).unwrap_or(usize::MAX);
        if let Some(entries) = self.0.get(header_bytes..length) {
            let crc = crc32c::crc32c(entries);
            self.put(header_bytes - 8, &crc.to_le_bytes());
        }
        let crc = crc32c::crc32c(&self.0[..header_bytes - 4]);
        self.put(header_bytes - 4, &crc.to_le_bytes());
        crc
    }
}

#[cfg(test)]
mod tests {
    use super::{Mending, mending, parts, push_padded};

    #[test]
    fn parts_begin_at_every_magic() {
        let of = |bytes: &'static str| {
            let parts = parts(bytes.as_bytes(), b"AB");
            parts.iter().map(|part| str::from_utf8(part).expect("text")).collect::<Vec<_>>()
        };
        assert_eq!(of("ABxABAByyAB"), ["ABx", "AB", "AByy", "AB"]);
        assert_eq!(of("xxABy"), ["xx", "ABy"]);
        assert_eq!(of(""), [""; 0]);
        assert_eq!(of("A"), ["A"]);
    }

    #[test]
    fn an_input_asks_for_what_it_was_made_with() {
        for wanted in [Mending::None, Mending::Checksums, Mending::All] {
            assert_eq!(mending(&wanted.before(b"abc")), (wanted, &b"abc"[..]));
        }
    }

    #[test]
    fn parts_take_whole_blocks() {
        let mut file = Vec::new();
        assert_eq!(push_padded(&mut file, &[7; 10]), 0);
        assert_eq!(push_padded(&mut file, &[8; 4097]), 4096);
        assert_eq!((file.len(), file[10], file[4096]), (3 * 4096, 0, 8));
    }
}
