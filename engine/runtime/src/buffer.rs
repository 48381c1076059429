//! Owned, mutable bytes that go into an operation and come back with its result.

use crate::lease::Lease;
use crate::memory::{DIRECT_ALIGN, Memory};
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Bytes with one owner. While an operation runs the ring is that owner.
pub struct Buffer {
    memory: Memory,
    len: usize,
}

impl Buffer {
    /// `len` zeroed bytes anywhere.
    pub fn plain(len: usize) -> Buffer {
        Buffer { memory: Memory::zeroed(len, 1), len }
    }

    /// `len` zeroed bytes at an address that direct I/O accepts (4 KiB aligned).
    pub fn aligned(len: usize) -> Buffer {
        Buffer { memory: Memory::zeroed(len, DIRECT_ALIGN), len }
    }

    /// Forgets the bytes from `len` on. The memory stays.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// How many bytes the memory could hold.
    pub fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// Ends the time of change: from here on everybody may read.
    pub fn freeze(self) -> Lease {
        Lease::of(self.memory, self.len)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len` is within the region, its bytes are initialised, and we are its only owner.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.memory.as_ptr(), self.len) }
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Buffer {
        let len = bytes.len();
        Buffer { memory: Memory::from_vec(bytes), len }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} of {} bytes)", self.len, self.memory.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aligned_buffer_starts_at_a_block_and_is_zero() {
        let b = Buffer::aligned(8192);
        assert_eq!(b.as_ptr() as usize % DIRECT_ALIGN, 0);
        assert!(b.iter().all(|x| *x == 0));
    }

    #[test]
    fn a_frozen_buffer_keeps_only_what_truncate_left() {
        let mut b = Buffer::plain(10);
        b.copy_from_slice(b"0123456789");
        b.truncate(4);
        assert_eq!((&*b, b.capacity()), (&b"0123"[..], 10));
        assert_eq!(&*b.freeze(), b"0123");
    }
}
