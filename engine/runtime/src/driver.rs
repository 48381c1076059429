//! The closed list of worlds that a shard can run in, and what each must be able to do.

use crate::bell::Bell;
use crate::lock::DirLock;
use crate::log::Level;
use crate::op::{Beside, Completion, Fd, Key, Op, Wait};
use crate::posix::Posix;
use crate::shard::ShardId;
#[cfg(feature = "sim")]
use crate::sim::SimDriver;
use crate::time::Instant;
use crate::uring::{Got, Uring, UringConfig};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// One shard's access to the world. Only the shard's own thread calls it, and never re-entrantly.
pub(crate) enum Driver {
    /// Linux's io_uring: the product.
    Uring(Box<Uring>),
    /// Epoll and threads, where io_uring is forbidden.
    Posix(Box<Posix>),
    /// The simulated world of tests.
    #[cfg(feature = "sim")]
    Sim(SimDriver),
}

/// Which driver a shard of a process gets, and how it is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DriverConfig {
    Uring(UringConfig),
    Posix,
}

macro_rules! each {
    ($driver:expr, $d:ident => $call:expr) => {
        match $driver {
            Driver::Uring($d) => $call,
            Driver::Posix($d) => $call,
            #[cfg(feature = "sim")]
            Driver::Sim($d) => $call,
        }
    };
}

/// What all drivers on a real kernel do alike.
macro_rules! each_host {
    ($driver:expr, $h:ident => $call:expr) => {
        match $driver {
            Driver::Uring(d) => {
                let $h = &d.host;
                $call
            }
            Driver::Posix(d) => {
                let $h = &d.host;
                $call
            }
            #[cfg(feature = "sim")]
            Driver::Sim($h) => $call,
        }
    };
}

impl Driver {
    /// A driver for the calling thread, which must be the shard's.
    pub(crate) fn new(
        shard: ShardId,
        bell: &Arc<Bell>,
        config: DriverConfig,
    ) -> io::Result<Driver> {
        Ok(match config {
            DriverConfig::Uring(config) => {
                Driver::Uring(Box::new(Uring::new(shard, bell, config)?))
            }
            DriverConfig::Posix => Driver::Posix(Box::new(Posix::new(shard, bell)?)),
        })
    }

    /// What the kernel has given to the ring; none without a ring.
    pub(crate) fn got(&self) -> Option<Got> {
        match self {
            Driver::Uring(d) => Some(d.got()),
            Driver::Posix(_) => None,
            #[cfg(feature = "sim")]
            Driver::Sim(_) => None,
        }
    }

    /// Takes an operation; it is handed to the world at the latest in the next turn.
    pub(crate) fn push(&mut self, key: Key, op: Op) {
        each!(self, d => d.push(key, op));
    }

    /// Hands over what was pushed, waits as told, and appends every completion that is there.
    /// It may return with none. Only real drivers are ever told to wait: the simulated world
    /// turns all its shards itself and moves its clock when none of them has anything to do.
    pub(crate) fn turn(&mut self, wait: Wait, done: &mut Vec<Completion>) {
        each!(self, d => d.turn(wait, done));
    }

    /// The monotonic clock.
    pub(crate) fn now(&self) -> Instant {
        each_host!(self, h => h.now())
    }

    /// Unix time in milliseconds.
    pub(crate) fn wall_ms(&self) -> i64 {
        each_host!(self, h => h.wall_ms())
    }

    /// Entropy.
    pub(crate) fn random_u64(&mut self) -> u64 {
        each_host!(self, h => h.random_u64())
    }

    /// Which of `ready` tasks (at least 1) of a queue runs next: 0 is the one that waited longest.
    pub(crate) fn choose(&mut self, ready: usize) -> usize {
        each_host!(self, h => h.choose(ready))
    }

    /// A new socket to connect with, of the address's family, non-blocking, without Nagle's delay.
    pub(crate) fn socket(&mut self, to: &SocketAddr) -> io::Result<Fd> {
        each!(self, d => d.socket(to))
    }

    /// A listening socket, beside which other shards of the process may listen, and the address it
    /// got.
    pub(crate) fn listen(
        &mut self,
        at: &SocketAddr,
        beside: Beside,
    ) -> io::Result<(Fd, SocketAddr)> {
        each!(self, d => d.listen(at, beside))
    }

    /// About how many bytes a connected socket takes now. It may take less.
    pub(crate) fn send_room(&self, fd: Fd) -> u64 {
        each_host!(self, h => h.send_room(fd))
    }

    /// How many files the process may have open.
    pub(crate) fn open_files_max(&self) -> u32 {
        each_host!(self, h => h.open_files_max())
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
        each_host!(self, h => h.log(level, line));
    }

    /// Ends the process (in the simulator: the node), saying why.
    pub(crate) fn fatal(&self, reason: &dyn fmt::Display) -> ! {
        each_host!(self, h => h.fatal(reason))
    }
}
