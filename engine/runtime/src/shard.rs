//! The handle of the shard that the code runs on: tasks, time, entropy; the way to disk and net.

mod owned;

pub(crate) use owned::{Core, MayWait};

use crate::disk::Disk;
use crate::lock::DirLock;
use crate::log::Level;
use crate::net::Net;
use crate::sync::first;
use crate::task::{JoinHandle, TaskClass, TaskUse};
use crate::time::Instant;
use crate::timer::Sleep;
use std::fmt::{self, Display};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

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
        let end = Sleep::new(&self.core, self.now() + d);
        let over = async {
            end.await;
            Err(Elapsed)
        };
        first(async { Ok(f.await) }, over).await
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
        // The words are the caller's code, and may ask the shard something: no borrow meanwhile.
        let reason = reason.to_string();
        let core = self.core.clone();
        core.driver().fatal(&reason)
    }

    /// One line on stderr: time, level, shard. In the simulator it goes to the trace.
    pub fn log(&self, level: Level, line: fmt::Arguments<'_>) {
        let line = line.to_string(); // as in `fatal`
        self.core.driver().log(level, format_args!("{line}"));
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

    /// How many files and sockets this shard may have open: its part of the process's limit.
    pub fn open_files_max(&self) -> usize {
        crate::descriptors::share(self.core.driver().open_files_max(), self.count())
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
