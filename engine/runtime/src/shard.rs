//! The handle of the shard that the code runs on: tasks, time, entropy, and the way to disk and net.

use crate::bell::{Bell, Letter};
use crate::disk::Disk;
use crate::driver::Driver;
use crate::exec::Exec;
use crate::lock::DirLock;
use crate::log::Level;
use crate::net::Net;
use crate::op::{CloseKind, Fd, Op, Wait};
use crate::pipe::Pipes;
use crate::ring::{Holder, Keep, Ring, Ticket};
use crate::sync::Signal;
use crate::task::{JoinHandle, TaskClass, TaskUse};
use crate::time::Instant;
use crate::timer::{Sleep, Timers};
use std::cell::{Cell, RefMut};
use std::fmt::{self, Display};
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Polls between two looks at the ring, so that completions never wait for a long run of tasks.
const POLLS_PER_TURN: usize = 128;

/// Which shard of the process: 0 to count - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}", self.0)
    }
}

/// The time given to [`Shard::timeout`] is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed;

impl Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time given to the operation is over")
    }
}

/// The shard we run on. Cloning copies three counted pointers; it never leaves its thread.
#[derive(Clone)]
pub struct Shard {
    core: Rc<Core>,
    disk: Disk,
    net: Net,
}

impl Shard {
    /// Which shard this is.
    pub fn id(&self) -> ShardId {
        self.core.id
    }

    /// How many shards the process has.
    pub fn count(&self) -> u16 {
        self.core.count
    }

    /// Starts a task. `name` is what a stall warning and the task list call it.
    pub fn spawn<T: 'static>(
        &self,
        class: TaskClass,
        name: &'static str,
        f: impl Future<Output = T> + 'static,
    ) -> JoinHandle<T> {
        JoinHandle::spawn(&self.core.exec, class, name, f)
    }

    /// Lets the other ready tasks run first.
    pub async fn yield_now(&self) {
        let mut yielded = false;
        poll_fn(move |cx| {
            if yielded {
                return Poll::Ready(());
            }
            yielded = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    /// The monotonic clock.
    pub fn now(&self) -> Instant {
        self.core.now()
    }

    /// Unix time in milliseconds. It may jump: never use it to measure.
    pub fn wall_ms(&self) -> i64 {
        self.core.driver().wall_ms()
    }

    /// Returns after `d`.
    pub async fn sleep(&self, d: Duration) {
        Sleep::new(&self.core, self.now() + d).await;
    }

    /// Returns at `at`, at once if that is past.
    pub async fn sleep_until(&self, at: Instant) {
        Sleep::new(&self.core, at).await;
    }

    /// The future's result, or `Elapsed` after `d`; then the future is dropped, which cancels its
    /// operations. After a receive was cancelled the connection must be closed.
    pub async fn timeout<T>(&self, d: Duration, f: impl Future<Output = T>) -> Result<T, Elapsed> {
        let mut f = pin!(f);
        let mut end = pin!(Sleep::new(&self.core, self.now() + d));
        poll_fn(|cx| {
            if let Poll::Ready(value) = f.as_mut().poll(cx) {
                return Poll::Ready(Ok(value));
            }
            end.as_mut().poll(cx).map(|()| Err(Elapsed))
        })
        .await
    }

    /// Entropy of the operating system; in the simulator, of the seed.
    pub fn random_u64(&self) -> u64 {
        self.core.driver().random_u64()
    }

    /// Returns when the process shall end gracefully.
    pub async fn shutdown_requested(&self) {
        self.core.shutdown.wait_until(|| self.is_shutting_down().then_some(())).await;
    }

    /// Whether the process shall end gracefully.
    pub fn is_shutting_down(&self) -> bool {
        self.core.ending.get()
    }

    /// Fail-stop: one line on stderr, and the process exits with 70. In the simulator the node
    /// stops, and the reason is kept for the test.
    pub fn fatal(&self, reason: &dyn Display) -> ! {
        let core = self.core.clone();
        core.driver().fatal(reason)
    }

    /// One line on stderr: time, level, shard. In the simulator it goes to the trace.
    pub fn log(&self, level: Level, line: fmt::Arguments<'_>) {
        self.core.driver().log(level, line);
    }

    /// Files and directories.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Sockets.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// Registers the lock's description in this shard's ring: direct writes that are in flight when
    /// the process is killed keep the lock until they have landed.
    pub fn hold(&self, lock: &DirLock) -> io::Result<()> {
        self.core.driver().hold(lock)
    }

    /// What every living task of this shard has used.
    pub fn tasks(&self) -> Vec<TaskUse> {
        self.core.exec.uses()
    }

    /// Operations that the world still owns, or whose result nobody took yet.
    pub fn operations_in_flight(&self) -> usize {
        self.core.ring.in_flight()
    }

    pub(crate) fn new(core: Rc<Core>) -> Shard {
        let (disk, net) = (Disk::new(core.clone()), Net::new(core.clone()));
        Shard { core, disk, net }
    }

    pub(crate) fn core(&self) -> &Rc<Core> {
        &self.core
    }
}

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
    shutdown: Signal,
    ending: Cell<bool>,
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
