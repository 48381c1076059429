//! Everything that one shard owns, and how its thread turns it.

use super::ShardId;
use crate::bell::{Bell, Letter};
use crate::driver::Driver;
use crate::exec::Exec;
use crate::log::Level;
use crate::op::{CloseKind, Fd, Op, Wait};
use crate::pipe::Pipes;
use crate::ring::{Holder, Keep, Ring, Ticket};
use crate::sync::Signal;
use crate::time::Instant;
use crate::timer::Timers;
use std::cell::{Cell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Polls between two looks at the ring, so that completions never wait for a long run of tasks.
const POLLS_PER_TURN: usize = 128;

/// Everything that one shard owns. Its thread (in the simulator: the world) turns it:
/// [`Core::poll_one`] until nothing is ready, then [`Core::turn`].
pub(crate) struct Core {
    pub(crate) id: ShardId,
    pub(crate) count: u16,
    /// The process-wide number, which wakers carry.
    pub(crate) number: u16,
    pub(crate) exec: Rc<Exec>,
    pub(crate) ring: Ring,
    pub(crate) timers: Timers,
    pub(crate) bell: Arc<Bell>,
    /// The bells of all shards of this process, by shard.
    pub(crate) peers: Arc<[Arc<Bell>]>,
    /// Woken when the bell was rung: something may be in a mesh ring.
    pub(crate) rung: Signal,
    pub(crate) pipes: Pipes,
    pub(super) shutdown: Signal,
    pub(super) ending: Cell<bool>,
    stall: Duration,
}

impl Core {
    /// The core of shard `id`, whose bell hangs in `peers` already.
    pub(crate) fn new(
        id: ShardId,
        peers: Arc<[Arc<Bell>]>,
        driver: Driver,
        stall: Duration,
    ) -> Rc<Core> {
        let bell = peers[usize::from(id.0)].clone();
        Rc::new(Core {
            id,
            count: u16::try_from(peers.len()).expect("at most 4096 shards"),
            number: bell.core,
            exec: Exec::new(bell.core),
            ring: Ring::new(driver),
            timers: Timers::default(),
            bell,
            peers,
            rung: Signal::new(),
            pipes: Pipes::default(),
            shutdown: Signal::new(),
            ending: Cell::new(false),
            stall,
        })
    }

    /// Polls one ready task. False if none was ready.
    pub(crate) fn poll_one(&self) -> bool {
        let choose = |ready| self.driver().choose(ready);
        let Some((name, took)) = self.exec.poll_one(choose, || self.now()) else { return false };
        if took >= self.stall {
            let line = format_args!("task {name} held the shard for {} ms", took.as_millis());
            self.driver().log(Level::Warn, line);
        }
        true
    }

    /// Polls a bounded run of ready tasks.
    pub(crate) fn poll_some(&self) {
        for _ in 0..POLLS_PER_TURN {
            if !self.poll_one() {
                return;
            }
        }
    }

    /// Whether a turn without waiting could do anything, but for completions.
    pub(crate) fn has_work(&self) -> bool {
        self.exec.has_ready() || self.bell.was_rung()
    }

    /// Hands over operations, books completions, answers the bell, fires timers. Waits for one of
    /// these if no task is ready and `may_wait`.
    pub(crate) fn turn(self: &Rc<Self>, may_wait: MayWait) {
        let waits = may_wait == MayWait::Yes && !self.exec.has_ready() && self.bell.lie_down();
        let wait = match (waits, self.timers.next()) {
            (false, _) => Wait::No,
            (true, Some(at)) => Wait::Until(at),
            (true, None) => Wait::Forever,
        };
        let stray = self.ring.turn(wait);
        if waits {
            self.bell.get_up();
        }
        stray.into_iter().for_each(|fd| self.close_stray(fd));
        self.answer_bell();
        self.timers.fire(|| self.now());
    }

    fn answer_bell(self: &Rc<Self>) {
        let Some(letters) = self.bell.answer() else { return };
        for letter in letters {
            match letter {
                Letter::Wake(word) => self.exec.wake(word),
                Letter::Close(raw) => self.close(Fd::plain(raw), CloseKind::MayBlock),
                Letter::Done(completion) => {
                    if let Some(fd) = self.ring.complete(completion) {
                        self.close_stray(fd);
                    }
                }
                Letter::Shutdown => self.request_shutdown(),
            }
        }
        self.rung.wake_all();
    }

    /// From here on the shard's tasks know that they shall end.
    pub(crate) fn request_shutdown(&self) {
        self.ending.set(true);
        self.shutdown.wake_all();
    }

    /// Drops every task, cancels and closes everything, and turns until nothing is in flight.
    pub(crate) fn end(self: &Rc<Self>) {
        loop {
            self.drop_tasks();
            self.turn(MayWait::No); // letters may ask for more to be closed
            if self.ring.in_flight() > 0 {
                self.turn(MayWait::Yes);
            } else if !self.has_work() {
                break;
            }
        }
        self.take_down();
    }

    /// The first part of the end: what was in flight is cancelled, and still has to complete.
    pub(crate) fn drop_tasks(&self) {
        self.exec.clear();
        self.pipes.clear();
    }

    /// The end of a simulated node that was killed: everything is dropped, nothing is waited for.
    #[cfg(feature = "sim")]
    pub(crate) fn abandon(&self) {
        self.drop_tasks();
        self.ring.abandon();
        self.drop_tasks();
        self.take_down();
    }

    /// The last part of the end: wakers and letters find nobody from now on.
    pub(crate) fn take_down(&self) {
        self.bell.take_down();
        self.exec.take_down();
    }

    /// Wakes another shard of the process, which finds what it is to find by itself.
    pub(crate) fn ring_peer(&self, to: ShardId) {
        let bell = &self.peers[usize::from(to.0)];
        if bell.ring() {
            self.driver().wake(bell);
        }
    }

    pub(crate) fn driver(&self) -> RefMut<'_, Driver> {
        self.ring.driver.borrow_mut()
    }

    pub(crate) fn now(&self) -> Instant {
        self.ring.driver.borrow().now()
    }

    pub(crate) fn submit(self: &Rc<Self>, op: Op, keep: Keep, holder: Holder) -> Ticket {
        Ticket::new(self, op, keep, holder)
    }

    /// Closes through the ring; nobody waits for it.
    pub(crate) fn close(&self, fd: Fd, kind: CloseKind) {
        self.ring.start_detached(Op::Close { fd, kind }, Holder::Nobody);
    }

    /// Closes a descriptor that came for a future that was gone.
    pub(crate) fn close_stray(&self, raw: i32) {
        self.close(Fd::plain(raw), CloseKind::MayBlock);
    }
}

/// Whether a turn may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MayWait {
    Yes,
    No,
}
