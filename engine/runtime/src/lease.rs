//! Read-only, counted bytes: the one thing that two shards may hold at once.

use crate::memory::Memory;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A range of bytes that will not change as long as somebody holds it. Cloning and slicing count,
/// they do not copy; the memory goes home (to the heap or its pool) with the last one.
#[derive(Clone)]
pub struct Lease {
    memory: Arc<Memory>,
    start: usize,
    len: usize,
}

impl Lease {
    /// No bytes.
    pub fn empty() -> Lease {
        Lease::of(Memory::zeroed(0, 1), 0)
    }

    /// The first `len` bytes of a region that nobody changes any more.
    pub(crate) fn of(memory: Memory, len: usize) -> Lease {
        assert!(len <= memory.len(), "{len} bytes of a region of {}", memory.len());
        Lease { memory: Arc::new(memory), start: 0, len }
    }

    /// A frozen part of a region whose other parts may still be written.
    pub(crate) fn part(memory: &Arc<Memory>, range: Range<usize>) -> Lease {
        let Range { start, end } = range;
        assert!(start <= end && end <= memory.len(), "{start}..{end} of {}", memory.len());
        Lease { memory: memory.clone(), start, len: end - start }
    }

    /// The bytes of `range`, counted within this lease.
    pub fn slice(&self, range: Range<usize>) -> Lease {
        let Range { start, end } = range;
        assert!(start <= end && end <= self.len, "{start}..{end} of a lease of {}", self.len);
        Lease { memory: self.memory.clone(), start: self.start + start, len: end - start }
    }

    /// The lease of a subslice that was borrowed from this one, for instance by a decoder.
    ///
    /// Panics if `bytes` lies elsewhere.
    pub fn slice_of(&self, bytes: &[u8]) -> Lease {
        if bytes.is_empty() {
            return self.slice(0..0);
        }
        let base = self.as_ptr() as usize;
        let start = (bytes.as_ptr() as usize).wrapping_sub(base);
        assert!(
            start <= self.len && bytes.len() <= self.len - start,
            "{} bytes that are not part of this lease of {}",
            bytes.len(),
            self.len
        );
        self.slice(start..start + bytes.len())
    }

    /// The index under which the ring of `core` knows the memory.
    pub(crate) fn fixed_in(&self, core: u16) -> Option<u16> {
        self.memory.fixed_in(core)
    }
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the range is within the region (checked when the lease was made), initialised,
        // and frozen: whoever still writes the region (`ChunkWriter`) does so outside of it.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().add(self.start), self.len) }
    }
}

impl AsRef<[u8]> for Lease {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Vec<u8>> for Lease {
    fn from(bytes: Vec<u8>) -> Lease {
        let len = bytes.len();
        Lease::of(Memory::from_vec(bytes), len)
    }
}

impl From<&[u8]> for Lease {
    fn from(bytes: &[u8]) -> Lease {
        Lease::from(bytes.to_vec())
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lease({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_of_a_slice_is_counted_from_its_own_start() {
        let all = Lease::from(b"0123456789".to_vec());
        let part = all.slice(2..8).slice(1..3);
        drop(all);
        assert_eq!(&*part, b"34");
    }

    #[test]
    fn a_borrowed_subslice_becomes_a_lease_of_the_same_memory() {
        let all = Lease::from(b"header-body".to_vec());
        let body = all.slice_of(&all[7..]);
        assert_eq!((&*body, body.as_ptr()), (&b"body"[..], all[7..].as_ptr()));
        assert!(all.slice_of(&[]).is_empty());
    }

    #[test]
    fn foreign_bytes_never_become_a_lease() {
        let all = Lease::from(vec![0; 100]);
        let other = vec![0; 100];
        let caught = std::panic::catch_unwind(|| all.slice_of(&other));
        assert!(caught.is_err());
        let part = all.slice(10..20);
        let caught = std::panic::catch_unwind(|| part.slice_of(&all[15..25]));
        assert!(caught.is_err());
    }
}
