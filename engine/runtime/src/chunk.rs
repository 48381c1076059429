//! A shard's pool of large aligned pieces of memory, bounded, whose pieces any shard may give back.

pub(crate) mod writer;

use crate::memory::{DIRECT_ALIGN, Memory, Piece};
use crate::shard::Shard;
use crate::waiters::{Kept, Place, Waiters};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use writer::ChunkWriter;

/// The chunks of one shard, within a limit.
///
/// A chunk counts with its whole size from [`take`](ChunkPool::take) until its writer and its last
/// lease are gone, whichever shard dropped that; then its memory waits for the next writer. Memory
/// is allocated, and made known to the ring, when it is first needed.
pub struct ChunkPool {
    shard: Shard,
    ledger: Arc<Ledger>,
}

impl ChunkPool {
    /// Chunks of `chunk_bytes` (a multiple of 4096), in all at most `limit_bytes`.
    pub fn new(shard: &Shard, chunk_bytes: usize, limit_bytes: u64) -> ChunkPool {
        assert!(
            chunk_bytes > 0 && chunk_bytes.is_multiple_of(DIRECT_ALIGN),
            "a chunk of {chunk_bytes} bytes is no multiple of {DIRECT_ALIGN}"
        );
        let ledger = Ledger {
            chunk_bytes,
            limit: limit_bytes,
            used: AtomicU64::new(0),
            open: AtomicBool::new(true),
            free: Mutex::default(),
            waiting: Mutex::default(),
        };
        ChunkPool { shard: shard.clone(), ledger: Arc::new(ledger) }
    }

    /// A chunk with room for at least `min_bytes`: an ordinary one, or a jumbo of its own size
    /// (rounded up to 4096). None if that would pass the limit.
    pub fn take(&self, min_bytes: usize) -> Option<ChunkWriter> {
        let len = if min_bytes <= self.ledger.chunk_bytes {
            self.ledger.chunk_bytes
        } else {
            min_bytes.checked_next_multiple_of(DIRECT_ALIGN)?
        };
        self.ledger.charge(len as u64)?;
        let piece = self.piece(len);
        Some(ChunkWriter::new(Memory::lent(piece, self.ledger.clone())))
    }

    /// Bytes of chunks that are being written or read.
    pub fn used_bytes(&self) -> u64 {
        self.ledger.used.load(Ordering::Relaxed)
    }

    /// Returns when a chunk of `bytes` would fit. Another task may take the room first: call
    /// [`take`](ChunkPool::take) again, and wait again if it gives none.
    pub async fn wait_for_room(&self, bytes: u64) {
        let ledger = &self.ledger;
        assert!(bytes <= ledger.limit, "{bytes} bytes never fit in a pool of {}", ledger.limit);
        let mut place = Place::new(&ledger.waiting);
        poll_fn(|cx| {
            if ledger.has_room(bytes) {
                return Poll::Ready(());
            }
            place.stay(cx.waker());
            // What was given back since the first look has found nobody to wake.
            if ledger.has_room(bytes) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn piece(&self, len: usize) -> Piece {
        if len == self.ledger.chunk_bytes {
            if let Some(piece) = locked(&self.ledger.free).pop() {
                return piece;
            }
            let memory = Memory::zeroed(len, DIRECT_ALIGN);
            let core = self.shard.core();
            let index = core.driver().register(memory.as_ptr(), len);
            return Piece { memory, fixed: index.map(|i| (core.number, i)) };
        }
        // A jumbo is rare and short-lived: it is not worth a place in the ring's table. The free
        // chunks make room for it, so that the limit bounds real memory.
        let real = |free: usize| self.used_bytes() + (free * self.ledger.chunk_bytes) as u64;
        let mut free = locked(&self.ledger.free);
        while !free.is_empty() && real(free.len()) > self.ledger.limit {
            self.forget(free.pop());
        }
        Piece { memory: Memory::zeroed(len, DIRECT_ALIGN), fixed: None }
    }

    fn forget(&self, piece: Option<Piece>) {
        if let Some((_, index)) = piece.and_then(|p| p.fixed) {
            self.shard.core().driver().unregister(index);
        }
    }
}

impl Drop for ChunkPool {
    fn drop(&mut self) {
        self.ledger.open.store(false, Ordering::Release);
        let free = std::mem::take(&mut *locked(&self.ledger.free));
        for piece in free {
            self.forget(Some(piece));
        }
    }
}

/// What leases on any shard need to give memory back.
#[derive(Debug)]
pub(crate) struct Ledger {
    chunk_bytes: usize,
    limit: u64,
    used: AtomicU64,
    open: AtomicBool,
    free: Mutex<Vec<Piece>>,
    waiting: Mutex<Waiters>,
}

impl Ledger {
    fn has_room(&self, bytes: u64) -> bool {
        bytes <= self.limit.saturating_sub(self.used.load(Ordering::SeqCst))
    }

    fn charge(&self, bytes: u64) -> Option<()> {
        // Only the pool's own shard adds, so what was room a moment ago still is.
        self.has_room(bytes).then(|| self.used.fetch_add(bytes, Ordering::SeqCst))?;
        Some(())
    }

    /// Called on whichever thread held the last lease.
    pub(crate) fn give_back(&self, piece: Piece) {
        let len = piece.memory.len();
        if len == self.chunk_bytes && self.open.load(Ordering::Acquire) {
            locked(&self.free).push(piece);
        } else {
            // The ring may still know the memory: it keeps the pages, we give back the addresses.
            drop(piece);
        }
        let len = len as u64;
        let before = self.used.fetch_sub(len, Ordering::SeqCst);
        assert!(before >= len, "gave back {len} of {before} bytes");
        self.waiting.with(|waiters| waiters.wake_all());
    }
}

/// A poisoned lock guards nothing here that a panic could leave half done.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
