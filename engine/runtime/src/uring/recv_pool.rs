//! Memory that the kernel picks from when bytes arrive, so that an idle connection holds none.
//!
//! ```text
//! the ring of places, 16 bytes each        the buffers, 4 KiB each
//! ┌──────────┬─────┬────┬───────────────┐  ┌────────┬────────┬─ ─
//! │ addr  u64│ len │ id │ tail (first)  │─►│ 0      │ 1      │
//! └──────────┴─────┴────┴───────────────┘  └────────┴────────┴─ ─
//! ```

use crate::lease::Lease;
use crate::memory::Memory;
use crate::op::Payload;
use io_uring::types::{self, BufRingEntry};
use io_uring::{Submitter, opcode, squeue};
use std::sync::atomic::{AtomicU16, Ordering};

const BUFFER_BYTES: usize = 4096;
const GROUP: u16 = 0;
const PAGE: usize = 4096;

/// See the module. What was received is copied out at once, so the buffers are the kernel's but for
/// the moment of that copy.
pub(super) struct RecvPool {
    places: Memory,
    buffers: Memory,
    /// How many: a power of two. All together are the shard's whole memory for small receives.
    count: u16,
    tail: u16,
}

impl RecvPool {
    /// None if the kernel has no such thing: receives then bring their own memory.
    pub(super) fn new(submitter: &Submitter<'_>, count: u16) -> Option<RecvPool> {
        let places = Memory::zeroed(usize::from(count) * size_of::<BufRingEntry>(), PAGE);
        let buffers = Memory::zeroed(usize::from(count) * BUFFER_BYTES, PAGE);
        let address = places.as_ptr() as u64;
        // SAFETY: page-aligned memory for so many places, which lives as long as the ring (it is
        // dropped after it, or with the process).
        unsafe { submitter.register_buf_ring_with_flags(address, count, GROUP, 0) }.ok()?;
        let mut pool = RecvPool { places, buffers, count, tail: 0 };
        (0..count).for_each(|id| pool.give(id));
        Some(pool)
    }

    /// Builds a receive that picks its memory when bytes are there.
    pub(super) fn recv(&self) -> impl FnOnce(types::Fd) -> squeue::Entry + use<> {
        |fd| {
            let recv = opcode::Recv::new(fd, std::ptr::null_mut(), BUFFER_BYTES as u32);
            recv.buf_group(GROUP).build().flags(squeue::Flags::BUFFER_SELECT)
        }
    }

    /// What the kernel put into a buffer, which is free again.
    pub(super) fn take(&mut self, id: u16, result: i32) -> Payload {
        let n = usize::try_from(result).unwrap_or(0);
        assert!(id < self.count && n <= BUFFER_BYTES, "{n} bytes in buffer {id}");
        let payload = if n > 0 {
            // SAFETY: buffer `id` is inside the region (checked above), and the kernel gave it to
            // us with this completion.
            let bytes = unsafe { std::slice::from_raw_parts(self.buffer(id), n) };
            Payload::Bytes(Lease::from(bytes))
        } else {
            Payload::None
        };
        self.give(id);
        payload
    }

    fn buffer(&self, id: u16) -> *mut u8 {
        // SAFETY: the caller's id is below `count`, so the address is inside the region.
        unsafe { self.buffers.as_ptr().add(usize::from(id) * BUFFER_BYTES) }
    }

    fn give(&mut self, id: u16) {
        let base = self.places.as_ptr().cast::<BufRingEntry>();
        // SAFETY: the place is inside the ring, and the kernel does not read it before the tail
        // moves past it. The tail lies in the first place, in a field that `set_*` never touches.
        unsafe {
            let place = &mut *base.add(usize::from(self.tail % self.count));
            place.set_addr(self.buffer(id) as u64);
            place.set_len(BUFFER_BYTES as u32);
            place.set_bid(id);
            self.tail = self.tail.wrapping_add(1);
            let tail = BufRingEntry::tail(base).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }
}
