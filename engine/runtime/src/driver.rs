//! The closed list of worlds that a shard can run in, and what each must be able to do.

use crate::bell::Bell;
use crate::lock::DirLock;
use crate::log::Level;
use crate::op::{Completion, Fd, Key, Op, Wait};
#[cfg(feature = "sim")]
use crate::sim::SimDriver;
use crate::time::Instant;
use crate::uring::Uring;
use std::fmt;
use std::io;
use std::net::SocketAddr;

/// One shard's access to the world. Only the shard's own thread calls it, and never re-entrantly.
pub(crate) enum Driver {
    /// Linux's io_uring: the product.
    Uring(Box<Uring>),
    /// The simulated world of tests.
    #[cfg(feature = "sim")]
    Sim(SimDriver),
}

macro_rules! each {
    ($driver:expr, $d:ident => $call:expr) => {
        match $driver {
            Driver::Uring($d) => $call,
            #[cfg(feature = "sim")]
            Driver::Sim($d) => $call,
        }
    };
}

impl Driver {
    /// Takes an operation; it is handed to the world at the latest in the next turn.
    pub(crate) fn push(&mut self, key: Key, op: Op) {
        each!(self, d => d.push(key, op));
    }

    /// Hands over what was pushed, waits as told, and appends every completion that is there.
    /// It may return with none. Only the uring driver is ever told to wait: the simulated world
    /// turns all its shards itself and moves its clock when none of them has anything to do.
    pub(crate) fn turn(&mut self, wait: Wait, done: &mut Vec<Completion>) {
        each!(self, d => d.turn(wait, done));
    }

    /// The monotonic clock.
    pub(crate) fn now(&self) -> Instant {
        each!(self, d => d.now())
    }

    /// Unix time in milliseconds.
    pub(crate) fn wall_ms(&self) -> i64 {
        each!(self, d => d.wall_ms())
    }

    /// Entropy.
    pub(crate) fn random_u64(&mut self) -> u64 {
        each!(self, d => d.random_u64())
    }

    /// Which of `ready` tasks (at least 1) of a queue runs next: 0 is the one that waited longest.
    pub(crate) fn choose(&mut self, ready: usize) -> usize {
        each!(self, d => d.choose(ready))
    }

    /// A new socket to connect with, of the address's family, non-blocking, without Nagle's delay.
    pub(crate) fn socket(&mut self, to: &SocketAddr) -> io::Result<Fd> {
        each!(self, d => d.socket(to))
    }

    /// A listening socket with `SO_REUSEPORT`, and the address it got.
    pub(crate) fn listen(&mut self, at: &SocketAddr) -> io::Result<(Fd, SocketAddr)> {
        each!(self, d => d.listen(at))
    }

    /// About how many bytes a connected socket takes now. It may take less.
    pub(crate) fn send_room(&self, fd: Fd) -> u64 {
        each!(self, d => d.send_room(fd))
    }

    /// How many files the process may have open.
    pub(crate) fn open_files_max(&self) -> u32 {
        match self {
            Driver::Uring(_) => crate::uring::calls::open_files_max(),
            // A simulated node never runs out of them by itself: a test says so by a fault.
            #[cfg(feature = "sim")]
            Driver::Sim(_) => 1 << 20,
        }
    }

    /// A new pipe: the end to read from and the end to write to.
    pub(crate) fn pipe(&mut self) -> io::Result<(Fd, Fd)> {
        each!(self, d => d.pipe())
    }

    /// Makes a descriptor that `Open` or `Accept` brought known to this ring.
    pub(crate) fn adopt(&mut self, raw: i32) -> Fd {
        each!(self, d => d.adopt(raw))
    }

    /// Gives back the place in the table without closing: somebody else keeps the file open.
    pub(crate) fn disown(&mut self, fd: Fd) {
        each!(self, d => d.disown(fd));
    }

    /// Wakes the shard of that bell, which sleeps.
    pub(crate) fn wake(&mut self, bell: &Bell) {
        each!(self, d => d.wake(bell));
    }

    /// Keeps the lock's description alive as long as operations of this ring may be in flight.
    pub(crate) fn hold(&mut self, lock: &DirLock) -> io::Result<()> {
        each!(self, d => d.hold(lock))
    }

    /// Makes memory known to the ring; its index, or none if memory is not registered here.
    pub(crate) fn register(&mut self, memory: *mut u8, len: usize) -> Option<u16> {
        each!(self, d => d.register(memory, len))
    }

    /// The memory of that index goes away.
    pub(crate) fn unregister(&mut self, index: u16) {
        each!(self, d => d.unregister(index));
    }

    /// Writes one line for the operator.
    pub(crate) fn log(&self, level: Level, line: fmt::Arguments<'_>) {
        each!(self, d => d.log(level, line));
    }

    /// Ends the process (in the simulator: the node), saying why.
    pub(crate) fn fatal(&self, reason: &dyn fmt::Display) -> ! {
        each!(self, d => d.fatal(reason))
    }
}
