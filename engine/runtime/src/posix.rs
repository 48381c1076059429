//! The driver where io_uring is forbidden: epoll for sockets, threads for files.
//!
//! ```text
//!               ┌─ at once ────────────────► done                       the next turn books them
//! push(key, op) ┼─ would wait ─► sockets ──► done                       when epoll says so
//!               └─ may block ──► crew ─────► a letter in the shard's bell
//! ```
//!
//! An operation on a socket is tried when it is pushed; one that would have to wait is parked until
//! epoll reports an edge of its socket. One that may block goes to the shard's own threads. The
//! idle point is one `epoll_wait`; foreign threads, the shard's own among them, end it by the
//! bell's eventfd.
//!
//! The kernel gets pointers only in the middle of a call here, and who makes the call is this
//! thread or one of the crew's. So the argument of `ring.rs` holds as it stands: an operation's
//! memory is its slot's until its completion, which follows the call.

mod attempt;
mod crew;
mod file_calls;
mod poller;
mod sockets;

use crate::bell::Bell;
use crate::calls;
use crate::helper;
use crate::host::Host;
use crate::lock::DirLock;
use crate::op::{Beside, CloseKind, Completion, Fd, Key, Op, Wait};
use crate::shard::ShardId;
use crew::Crew;
use poller::{Poller, Ready};
use sockets::Sockets;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) use crew::THREADS;

/// See the module.
pub(crate) struct Posix {
    pub(crate) host: Host,
    bell: Arc<Bell>,
    poller: Poller,
    sockets: Sockets,
    crew: Crew,
    /// Completions that the next turn hands over.
    done: Vec<Completion>,
}

impl Posix {
    /// A driver for the calling thread, which must be the shard's: its threads run on the cores
    /// that this one may use.
    pub(crate) fn new(shard: ShardId, bell: &Arc<Bell>) -> io::Result<Posix> {
        Ok(Posix {
            host: Host::new(shard),
            bell: bell.clone(),
            poller: Poller::new(bell.wire())?,
            sockets: Sockets::default(),
            crew: Crew::start(shard, bell)?,
            done: Vec::new(),
        })
    }

    pub(crate) fn push(&mut self, key: Key, op: Op) {
        match op {
            Op::Accept { .. }
            | Op::Connect { .. }
            | Op::Recv { .. }
            | Op::RecvPooled { .. }
            | Op::Send { .. }
            | Op::PollWritable { .. }
            | Op::PollEnd { .. } => {
                self.done.extend(self.sockets.start(&self.poller, key, op));
            }
            // Neither waits: who asks for them polls the socket before.
            Op::TrySendMsg { .. } | Op::Shutdown { .. } | Op::Splice { position: None, .. } => {
                self.done.push(attempt::attempt(key, &op));
            }
            Op::Close { fd, kind: CloseKind::Quick } => {
                self.sockets.forget(fd.raw);
                self.done.push(Completion::number(key, file_calls::perform(op)));
            }
            Op::Blocking(what) => helper::run(&self.bell, key, what),
            Op::Cancel { key } => self.cancel(key),
            op => self.crew.take(key, op),
        }
    }

    pub(crate) fn turn(&mut self, wait: Wait, done: &mut Vec<Completion>) {
        let wait = if self.done.is_empty() { wait } else { Wait::No };
        if let Err(e) = self.poller.wait(wait) {
            self.host.fatal(&format_args!("epoll_wait failed: {e}; restart the broker"));
        }
        for Ready { fd, events } in self.poller.ready() {
            self.sockets.wake(fd, events, &mut self.done);
        }
        done.append(&mut self.done);
    }

    pub(crate) fn socket(&mut self, to: &SocketAddr) -> io::Result<Fd> {
        calls::socket(to).map(Fd::plain)
    }

    pub(crate) fn listen(
        &mut self,
        at: &SocketAddr,
        beside: Beside,
    ) -> io::Result<(Fd, SocketAddr)> {
        calls::listen(at, beside).map(|(raw, local)| (Fd::plain(raw), local))
    }

    pub(crate) fn pipe(&mut self) -> io::Result<(Fd, Fd)> {
        calls::pipe().map(|(read, write)| (Fd::plain(read), Fd::plain(write)))
    }

    /// There is no table.
    pub(crate) fn adopt(&mut self, raw: i32) -> Fd {
        Fd::plain(raw)
    }

    pub(crate) fn disown(&mut self, _: Fd) {}

    pub(crate) fn wake(&mut self, bell: &Bell) {
        bell.pull();
    }

    /// A thread that writes past the page cache can't be killed before the write has landed, and a
    /// process keeps its descriptors, and by them its lock, until its last thread is gone.
    pub(crate) fn hold(&mut self, _: &DirLock) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn register(&mut self, _: *mut u8, _: usize) -> Option<u16> {
        None
    }

    pub(crate) fn unregister(&mut self, _: u16) {}

    /// Ends what waits; what a thread of the crew has begun ends by itself.
    fn cancel(&mut self, key: Key) {
        if self.sockets.cancel(key) || self.crew.cancel(key) {
            self.done.push(Completion::number(key, -libc::ECANCELED));
        }
    }
}

#[cfg(test)]
mod tests;
