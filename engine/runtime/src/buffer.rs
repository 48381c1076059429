//! Owned, mutable bytes that go into an operation and come back with its result.

use crate::lease::Lease;
use crate::memory::{DIRECT_ALIGN, Memory};
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Bytes with one owner. While an operation runs the ring is that owner.
///
/// Invariant: the first `len` bytes of the memory are initialised.
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

    /// No bytes yet, and room for `capacity` of them anywhere. Nothing is spent on zeroing it.
    pub fn with_capacity(capacity: usize) -> Buffer {
        Buffer { memory: Memory::uninitialised(capacity, 1), len: 0 }
    }

    /// No bytes yet, and room for `capacity` of them at an address that direct I/O accepts.
    pub fn aligned_with_capacity(capacity: usize) -> Buffer {
        Buffer { memory: Memory::uninitialised(capacity, DIRECT_ALIGN), len: 0 }
    }

    /// Puts `bytes` behind those that are there. Panics if there is no room for them.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.room(), "{} bytes into {self:?}", bytes.len());
        // SAFETY: the room is ours and large enough, and `bytes` is no part of it.
        unsafe { self.end().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.len += bytes.len();
    }

    /// Puts zeroes behind the bytes until they are `len`. Panics if there is no room for them.
    pub fn pad_to(&mut self, len: usize) {
        assert!(len <= self.capacity(), "{self:?} padded to {len}");
        if len > self.len {
            // SAFETY: the room is ours, and reaches up to `len`.
            unsafe { self.end().write_bytes(0, len - self.len) };
            self.len = len;
        }
    }

    /// How many bytes more the memory can hold.
    pub fn room(&self) -> usize {
        self.capacity() - self.len
    }

    /// Where the next byte goes.
    pub(crate) fn end(&mut self) -> *mut u8 {
        // SAFETY: `len` is within the region, or just behind it.
        unsafe { self.memory.as_ptr().add(self.len) }
    }

    /// Counts bytes that somebody else has put behind the others, as the kernel does.
    ///
    /// # Safety
    /// The `count` bytes from [`Buffer::end`] on are initialised.
    pub(crate) unsafe fn filled(&mut self, count: usize) {
        assert!(count <= self.room(), "{count} bytes came into {self:?}");
        self.len += count;
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
    fn a_buffer_grows_within_its_room_and_never_beyond() {
        let mut b = Buffer::aligned_with_capacity(10);
        assert_eq!((b.len(), b.room(), b.as_ptr() as usize % DIRECT_ALIGN), (0, 10, 0));
        b.extend_from_slice(b"abc");
        b.pad_to(5);
        b.pad_to(4);
        b.extend_from_slice(b"d");
        assert_eq!((&*b, b.room()), (&b"abc\0\0d"[..], 4));
        let caught = std::panic::catch_unwind(move || b.extend_from_slice(b"12345"));
        assert!(caught.is_err());
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
