//! What a simulated shard's ring talks to: operations go to the world, completions come back.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::rc::Rc;

use super::SimDriver;
use super::node::NodeStopped;
use super::world::Universe;
use crate::bell::Bell;
use crate::lock::DirLock;
use crate::log::Level;
use crate::op::{Beside, Completion, Fd, Key, Op, Wait};
use crate::time::Instant;

/// Completions that a shard has not fetched yet.
pub(crate) type Mailbox = Rc<RefCell<Vec<Completion>>>;

/// A shard of one process of one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) node: usize,
    pub(crate) incarnation: u64,
    pub(crate) shard: u16,
}

/// Who asked for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) shard: Address,
    pub(crate) key: Key,
}

impl SimDriver {
    pub(crate) fn push(&mut self, key: Key, op: Op) {
        let Some(universe) = self.living() else { return };
        let caller = Caller { shard: self.shard, key };
        let op = match universe.state.borrow_mut().net_op(caller, op) {
            None => return,
            Some(op) => op,
        };
        universe.disk_op(caller, op);
    }

    /// The world turns its shards itself and never lets one wait.
    pub(crate) fn turn(&mut self, _: Wait, done: &mut Vec<Completion>) {
        done.append(&mut self.mailbox.borrow_mut());
    }

    pub(crate) fn now(&self) -> Instant {
        let ns = self.world.upgrade().map_or(0, |universe| universe.state.borrow().now_ns);
        Instant::from_nanos(ns)
    }

    pub(crate) fn wall_ms(&self) -> i64 {
        let Some(universe) = self.world.upgrade() else { return 0 };
        let state = universe.state.borrow();
        let offset = state.machines[self.shard.node].wall_offset_ms;
        state.options.wall_start_ms + (state.now_ns / 1_000_000) as i64 + offset
    }

    pub(crate) fn random_u64(&mut self) -> u64 {
        self.world.upgrade().map_or(0, |universe| universe.state.borrow_mut().rng.next_u64())
    }

    pub(crate) fn choose(&mut self, ready: usize) -> usize {
        self.world.upgrade().map_or(0, |universe| universe.state.borrow_mut().rng.index(ready))
    }

    pub(crate) fn socket(&mut self, _: &SocketAddr) -> io::Result<Fd> {
        let universe = self.living().ok_or(io::ErrorKind::NotConnected)?;
        let raw = universe.state.borrow_mut().new_socket(self.shard);
        Ok(Fd::plain(raw))
    }

    pub(crate) fn listen(
        &mut self,
        at: &SocketAddr,
        beside: Beside,
    ) -> io::Result<(Fd, SocketAddr)> {
        let universe = self.living().ok_or(io::ErrorKind::NotConnected)?;
        let (raw, addr) = universe.state.borrow_mut().listen(self.shard, *at, beside)?;
        Ok((Fd::plain(raw), addr))
    }

    pub(crate) fn send_room(&self, fd: Fd) -> u64 {
        let Some(universe) = self.living() else { return 0 };
        universe.state.borrow_mut().send_room(self.shard, fd)
    }

    /// A simulated node never runs out of them by itself: a test says so by a fault.
    pub(crate) fn open_files_max(&self) -> u32 {
        1 << 20
    }

    pub(crate) fn pipe(&mut self) -> io::Result<(Fd, Fd)> {
        let universe = self.living().ok_or(io::ErrorKind::NotConnected)?;
        let (from, to) = universe.state.borrow_mut().new_pipe(self.shard.node);
        Ok((Fd::plain(from), Fd::plain(to)))
    }

    pub(crate) fn adopt(&mut self, raw: i32) -> Fd {
        Fd::plain(raw)
    }

    pub(crate) fn disown(&mut self, _: Fd) {}

    /// A simulated shard never sleeps in a kernel: the world looks at every bell.
    pub(crate) fn wake(&mut self, _: &Bell) {}

    /// The world keeps the lock itself: see [`Node::start`](super::Node::start).
    pub(crate) fn hold(&mut self, _: &DirLock) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn register(&mut self, _: *mut u8, _: usize) -> Option<u16> {
        None
    }

    pub(crate) fn unregister(&mut self, _: u16) {}

    pub(crate) fn log(&self, level: Level, line: fmt::Arguments<'_>) {
        if let Some(universe) = self.world.upgrade() {
            let shard = self.shard.shard;
            let mut state = universe.state.borrow_mut();
            state.line(self.shard.node, format_args!("shard {shard} {level} {line}"));
        }
    }

    pub(crate) fn fatal(&self, reason: &dyn fmt::Display) -> ! {
        if let Some(universe) = self.world.upgrade() {
            universe.state.borrow_mut().set_fatal_reason(self.shard.node, reason);
        }
        resume_unwind(Box::new(NodeStopped(self.shard)))
    }

    /// The world, if this process still runs in it.
    fn living(&self) -> Option<Rc<Universe>> {
        let universe = self.world.upgrade()?;
        let lives = universe.state.borrow().lives(self.shard);
        lives.then_some(universe)
    }
}
