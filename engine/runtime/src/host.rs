//! What shards on real kernels have in common, whichever driver serves their operations.

use crate::calls;
use crate::log::{self, Level, write_line};
use crate::op::Fd;
use crate::shard::ShardId;
use crate::start::FATAL_EXIT;
use crate::time::Instant;
use std::cell::Cell;
use std::fmt;

/// The machine as a shard sees it beside its operations: clocks, entropy, the way to the operator.
pub(crate) struct Host {
    shard: ShardId,
    entropy: Cell<Vec<u64>>,
}

impl Host {
    pub(crate) fn new(shard: ShardId) -> Host {
        Host { shard, entropy: Cell::default() }
    }

    pub(crate) fn now(&self) -> Instant {
        calls::monotonic()
    }

    pub(crate) fn wall_ms(&self) -> i64 {
        calls::unix_ms()
    }

    pub(crate) fn random_u64(&self) -> u64 {
        let mut words = self.entropy.take();
        if words.is_empty() {
            match calls::entropy() {
                Ok(fresh) => words = fresh,
                Err(e) => self.fatal(&format_args!("the kernel gives no entropy: {e}")),
            }
        }
        let word = words.pop().expect("filled on the lines above");
        self.entropy.set(words);
        word
    }

    /// First come, first served.
    pub(crate) fn choose(&self, _ready: usize) -> usize {
        0
    }

    pub(crate) fn send_room(&self, fd: Fd) -> u64 {
        calls::send_room(fd.raw)
    }

    pub(crate) fn open_files_max(&self) -> u32 {
        calls::open_files_max()
    }

    pub(crate) fn log(&self, level: Level, line: fmt::Arguments<'_>) {
        write_line(self.wall_ms(), level, &self.shard, &line);
    }

    pub(crate) fn fatal(&self, reason: &dyn fmt::Display) -> ! {
        log::write_last(self.wall_ms(), &self.shard, &format_args!("fatal: {reason}"));
        calls::exit_now(FATAL_EXIT)
    }
}
