//! The ring's tables of registered files and registered memory, with their free places.

use super::UringConfig;
use crate::op::Fd;
use io_uring::Submitter;
use std::io;

/// More files than a shard is likely to have open; a place costs the kernel 8 bytes.
const FILES_MAX: u32 = 32 * 1024;
/// Chunks of memory that a ring knows; the kernel allows 16384.
const MEMORY_MAX: u16 = 8 * 1024;

/// Places of registered files.
pub(super) struct FileTable {
    free: Vec<u32>,
    /// Places from here on were never used.
    fresh: u32,
    size: u32,
}

impl FileTable {
    /// A sparse table, as large as the limit on open files allows.
    pub(super) fn new(submitter: &Submitter<'_>) -> io::Result<FileTable> {
        let size = crate::calls::open_files_max().min(FILES_MAX);
        submitter.register_files_sparse(size)?;
        Ok(FileTable { free: Vec::new(), fresh: 0, size })
    }

    /// How many places it has.
    pub(super) fn size(&self) -> u32 {
        self.size
    }

    /// Registers a descriptor; without a place if the table is full, which is only slower.
    pub(super) fn add(&mut self, submitter: &Submitter<'_>, raw: i32) -> Fd {
        let Some(slot) = self.free.pop().or_else(|| self.take_fresh()) else {
            return Fd::plain(raw);
        };
        match submitter.register_files_update(slot, &[raw]) {
            Ok(_) => Fd { raw, slot: Some(slot) },
            Err(_) => {
                self.free.push(slot);
                Fd::plain(raw)
            }
        }
    }

    /// Frees the place of a descriptor that no operation names any more.
    pub(super) fn remove(&mut self, submitter: &Submitter<'_>, fd: Fd) {
        let Some(slot) = fd.slot else { return };
        // A place that could not be emptied keeps its file open, and is not used again.
        if submitter.register_files_update(slot, &[-1]).is_ok() {
            self.free.push(slot);
        }
    }

    fn take_fresh(&mut self) -> Option<u32> {
        (self.fresh < self.size).then(|| {
            self.fresh += 1;
            self.fresh - 1
        })
    }
}

/// Places of registered memory.
pub(super) struct MemoryTable {
    free: Vec<u16>,
    enabled: bool,
}

impl MemoryTable {
    pub(super) fn new(submitter: &Submitter<'_>, config: UringConfig) -> MemoryTable {
        let enabled =
            config.registers_memory && submitter.register_buffers_sparse(MEMORY_MAX.into()).is_ok();
        let free = if enabled { (0..MEMORY_MAX).rev().collect() } else { Vec::new() };
        MemoryTable { free, enabled }
    }

    /// Whether the kernel knows memory by it.
    pub(super) fn is_in_use(&self) -> bool {
        self.enabled
    }

    /// Registers memory; none if the table is full or not in use. An error ends its use.
    pub(super) fn add(
        &mut self,
        submitter: &Submitter<'_>,
        memory: *mut u8,
        len: usize,
    ) -> io::Result<Option<u16>> {
        if !self.enabled {
            return Ok(None);
        }
        let Some(index) = self.free.pop() else { return Ok(None) };
        let vector = [libc::iovec { iov_base: memory.cast(), iov_len: len }];
        // SAFETY: the kernel pins the pages: it never touches freed memory. That no operation uses
        // the index once its owner gave the memory back is the owner's care (`chunk.rs`).
        let updated = unsafe { submitter.register_buffers_update(index.into(), &vector, None) };
        match updated {
            Ok(_) => Ok(Some(index)),
            Err(e) => {
                self.enabled = false;
                self.free.push(index);
                Err(e)
            }
        }
    }

    /// Forgets memory.
    pub(super) fn remove(&mut self, submitter: &Submitter<'_>, index: u16) {
        let vector = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }];
        // SAFETY: an empty vector points to nothing.
        let updated = unsafe { submitter.register_buffers_update(index.into(), &vector, None) };
        if updated.is_ok() {
            self.free.push(index);
        }
    }
}
