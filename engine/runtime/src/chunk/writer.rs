//! The one writer of a chunk: fills it from front to back and freezes what is filled.

use crate::lease::Lease;
use crate::memory::Memory;
use std::ops::Range;
use std::sync::Arc;

/// Append-only memory, 4 KiB aligned.
///
/// Invariant: bytes before `position` are frozen, but for the `open` reservations, which no lease
/// covers until they are filled.
pub struct ChunkWriter {
    memory: Arc<Memory>,
    position: usize,
    open: Vec<Range<usize>>,
}

/// A place kept free for bytes that are known later, for instance a header with a checksum.
#[derive(Debug)]
#[must_use = "a reserved place must be filled before it can be leased"]
pub struct Reserved {
    start: usize,
    len: usize,
    owner: usize,
}

impl ChunkWriter {
    pub(super) fn new(memory: Memory) -> ChunkWriter {
        ChunkWriter { memory: Arc::new(memory), position: 0, open: Vec::new() }
    }

    /// Bytes of the whole chunk.
    pub fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// Where the next byte goes.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Bytes that still fit.
    pub fn remaining(&self) -> usize {
        self.capacity() - self.position
    }

    /// Lets `fill` write `len` fresh bytes (their content is unspecified), and freezes them.
    ///
    /// Panics if they do not fit: the caller looked at [`remaining`](ChunkWriter::remaining).
    pub fn append_with(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) -> Lease {
        let range = self.advance(len);
        fill(self.fresh(&range));
        Lease::part(&self.memory, range)
    }

    /// Keeps `len` bytes for later. Panics if they do not fit.
    pub fn reserve(&mut self, len: usize) -> Reserved {
        let range = self.advance(len);
        let start = range.start;
        if len > 0 {
            self.open.push(range);
        }
        Reserved { start, len, owner: self.memory.as_ptr() as usize }
    }

    /// Fills a reserved place. Panics if it is another chunk's, or of another length.
    pub fn fill(&mut self, place: Reserved, bytes: &[u8]) {
        assert_eq!(place.owner, self.memory.as_ptr() as usize, "a place in another chunk");
        assert_eq!(place.len, bytes.len(), "the reserved length and the bytes'");
        if place.len == 0 {
            return;
        }
        let range = place.start..place.start + place.len;
        let at = self.open.iter().position(|r| *r == range).expect("a place is filled once");
        self.open.swap_remove(at);
        self.fresh(&range).copy_from_slice(bytes);
    }

    /// Writes zeroes up to the next multiple of `align`. Panics if that is beyond the end.
    pub fn pad_to(&mut self, align: usize) {
        let end = self.position.next_multiple_of(align);
        let range = self.advance(end - self.position);
        self.fresh(&range).fill(0);
    }

    /// A lease of filled bytes. Panics if any of them is not filled yet.
    pub fn lease(&self, range: Range<usize>) -> Lease {
        assert!(range.end <= self.position, "{range:?} beyond {}", self.position);
        let unfilled = self.open.iter().find(|r| r.start < range.end && range.start < r.end);
        assert!(unfilled.is_none(), "{range:?} covers the unfilled {unfilled:?}");
        Lease::part(&self.memory, range)
    }

    fn advance(&mut self, len: usize) -> Range<usize> {
        assert!(len <= self.remaining(), "{len} bytes into {} of a chunk", self.remaining());
        let start = self.position;
        self.position += len;
        start..self.position
    }

    /// The bytes of a range that no lease covers yet.
    fn fresh(&mut self, range: &Range<usize>) -> &mut [u8] {
        // SAFETY: the range was just passed by `advance`, or is a reservation that was open until
        // now: either way it is inside the region, initialised (regions start zeroed), and no
        // lease covers it; `&mut self` keeps a second writer out.
        unsafe {
            std::slice::from_raw_parts_mut(self.memory.as_ptr().add(range.start), range.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::DIRECT_ALIGN;

    fn writer(len: usize) -> ChunkWriter {
        ChunkWriter::new(Memory::zeroed(len, DIRECT_ALIGN))
    }

    #[test]
    fn a_header_can_be_filled_after_its_body() {
        let mut w = writer(4096);
        let header = w.reserve(4);
        let body = w.append_with(4, |b| b.copy_from_slice(b"body"));
        w.fill(header, b"head");
        w.pad_to(16);
        assert_eq!(&*body, b"body");
        assert_eq!(&*w.lease(0..16), b"headbody\0\0\0\0\0\0\0\0");
        assert_eq!(w.remaining(), 4080);
    }

    #[test]
    fn an_unfilled_place_is_never_leased() {
        let mut w = writer(4096);
        let _later = w.reserve(8);
        w.append_with(8, |b| b.fill(1));
        let caught = std::panic::catch_unwind(|| w.lease(4..12));
        assert!(caught.is_err());
        assert_eq!(w.lease(8..16).len(), 8);
    }

    #[test]
    fn a_lease_outlives_its_writer() {
        let mut w = writer(4096);
        let lease = w.append_with(3, |b| b.copy_from_slice(b"abc"));
        drop(w);
        assert_eq!(&*lease, b"abc");
    }
}
