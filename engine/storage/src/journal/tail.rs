//! The tail: memory that appended bytes are laid into once, written from, and served from.

use super::config::JournalConfig;
use super::error::NoRoom;
use super::purpose::Purpose;
use crate::block::{BLOCK_BYTES, padded};
use runtime::{ChunkPool, ChunkWriter, Shard};
use std::cell::RefCell;
use std::rc::Rc;

/// A chunk that a commit, or several one after the other, are laid into.
pub(super) type SharedChunk = Rc<RefCell<ChunkWriter>>;

/// Chunks that only entries which free space, and marks, may take beyond the tail's limit. Such
/// entries are small: each chunk holds at least one commit of them, a default one 64.
const RESERVE_CHUNKS: u64 = 2;

/// One shard's tail. Chunks stay charged until the last lease of them is gone, so what has not
/// settled is bounded, padding included.
pub(super) struct Tail {
    pool: Rc<ChunkPool>,
    chunk_bytes: usize,
    limit_bytes: u64,
    reserve_bytes: u64,
    /// The chunk that has room for another commit.
    current: Option<SharedChunk>,
}

impl Tail {
    pub(super) fn new(shard: &Shard, config: &JournalConfig) -> Tail {
        let reserve_bytes = RESERVE_CHUNKS * config.chunk_bytes as u64;
        let limit_bytes = config.tail_bytes;
        let pool = ChunkPool::new(shard, config.chunk_bytes, limit_bytes + reserve_bytes);
        let pool = Rc::new(pool);
        Tail { pool, chunk_bytes: config.chunk_bytes, limit_bytes, reserve_bytes, current: None }
    }

    /// A chunk with room for a commit of `len` bytes, and the padding behind it.
    pub(super) fn chunk(&mut self, len: usize, purpose: Purpose) -> Result<SharedChunk, NoRoom> {
        let len = padded(len);
        if let Some(current) = self.current_with(len) {
            return Ok(current.clone());
        }
        if !self.has_room(len, purpose) {
            return Err(NoRoom::Tail);
        }
        let chunk = self.pool.take(len).ok_or(NoRoom::Tail)?;
        let chunk = Rc::new(RefCell::new(chunk));
        // A jumbo is for one commit: the chunk before it keeps what room it has.
        if len <= self.chunk_bytes {
            self.current = Some(chunk.clone());
        }
        Ok(chunk)
    }

    /// Whether [`chunk`](Tail::chunk) would give one.
    pub(super) fn fits(&self, len: usize, purpose: Purpose) -> bool {
        self.current_with(padded(len)).is_some() || self.has_room(padded(len), purpose)
    }

    /// The current chunk, if whole blocks of `len` bytes are left in it.
    fn current_with(&self, len: usize) -> Option<&SharedChunk> {
        let blocks = |c: &SharedChunk| c.borrow().remaining() / BLOCK_BYTES * BLOCK_BYTES;
        self.current.as_ref().filter(|c| blocks(c) >= len)
    }

    fn has_room(&self, len: usize, purpose: Purpose) -> bool {
        let limit = match purpose {
            Purpose::Records | Purpose::Metadata => self.limit_bytes,
            Purpose::Control => self.limit_bytes + self.reserve_bytes / 2,
            Purpose::FreesJournal => self.limit_bytes + self.reserve_bytes,
        };
        let charge = len.max(self.chunk_bytes) as u64;
        self.used_bytes().saturating_add(charge) <= limit
    }

    /// Bytes that are charged.
    pub(super) fn used_bytes(&self) -> u64 {
        self.pool.used_bytes()
    }

    /// Whether the reserve is in use: until it is not, records may not even have the rest of a
    /// chunk, else they would use it up.
    pub(super) fn is_over_limit(&self) -> bool {
        self.used_bytes() > self.limit_bytes
    }

    /// What the pool must have free before a commit of `len` bytes finds room.
    pub(super) fn wanted_bytes(&self, len: usize, purpose: Purpose) -> u64 {
        let chunk = padded(len).max(self.chunk_bytes) as u64;
        match purpose {
            Purpose::Records | Purpose::Metadata => chunk + self.reserve_bytes,
            Purpose::Control => chunk + self.reserve_bytes / 2,
            Purpose::FreesJournal => chunk,
        }
    }

    /// To be waited at without borrowing the tail.
    pub(super) fn pool(&self) -> Rc<ChunkPool> {
        self.pool.clone()
    }
}
