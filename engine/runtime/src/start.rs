//! Starts the shards of a process, each on its core, and waits for their end.

use crate::bell::{Bell, CORES_MAX};
use crate::cpu;
use crate::descriptors;
use crate::driver::{Driver, DriverConfig};
use crate::log::{self, Level};
use crate::probe::KernelOffer;
use crate::shard::{Core, MayWait, Shard, ShardId};
use crate::shutdown::Shutdown;
use crate::task::{JoinHandle, TaskClass};
use crate::uring::Got;
use core_affinity::CoreId;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

pub(crate) mod choice;
mod signals;

pub(crate) use signals::eventfd;

use choice::{DriverWanted, announce, choose};
use signals::Signals;

/// The exit code of a fail-stop.
pub(crate) const FATAL_EXIT: i32 = 70;

/// How many shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardsWanted {
    /// One for every core that the process may use.
    Auto,
    /// So many, whatever cores there are.
    Exactly(u16),
}

/// How shards run.
#[derive(Clone, Debug)]
pub struct RuntimeConfig {
    /// How many.
    pub shards: ShardsWanted,
    /// Who serves their operations.
    pub driver: DriverWanted,
    /// Places for submissions in each ring.
    pub ring_entries: u32,
    /// A poll that takes longer is named in the log.
    pub stall_warning: Duration,
    /// What the chunk pools of all shards may hold together. It is registered if the limit on
    /// locked memory allows all of it, else none.
    pub chunk_memory_bytes: u64,
    /// Buffers of 4 KiB that each shard's small receives share; a power of two. Receives that find
    /// none bring their own.
    pub receive_buffers: u16,
}

impl Default for RuntimeConfig {
    fn default() -> RuntimeConfig {
        RuntimeConfig {
            shards: ShardsWanted::Auto,
            driver: DriverWanted::Auto,
            ring_entries: 512,
            stall_warning: Duration::from_millis(50),
            chunk_memory_bytes: 256 << 20,
            receive_buffers: 128,
        }
    }
}

/// Why the shards did not start.
#[derive(Debug)]
pub enum StartError {
    /// `init` has not one value for each shard.
    Init {
        /// Values given.
        given: usize,
        /// Shards to start.
        shards: u16,
    },
    /// One process has no more than 4096 shards.
    TooMany {
        /// Shards to start.
        shards: u16,
    },
    /// The kernel gives no ring.
    Ring(io::Error),
    /// The kernel gives no thread, signal or event descriptor.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Init { given, shards } => {
                write!(f, "{given} values to start {shards} shards with: give one for each")
            }
            StartError::TooMany { shards } => {
                write!(f, "{shards} shards are more than a process has: start at most {CORES_MAX}")
            }
            StartError::Ring(e) => write!(
                f,
                "the kernel gives no io_uring ({e}): allow it (sysctl kernel.io_uring_disabled=0, \
                 the seccomp profile), give it memory (ulimit -l), use Linux 6.1 or newer"
            ),
            StartError::System(e) => {
                write!(f, "the kernel refuses a thread or a descriptor ({e}): raise `ulimit -n -u`")
            }
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Init { .. } | StartError::TooMany { .. } => None,
            StartError::Ring(e) | StartError::System(e) => Some(e),
        }
    }
}

/// Starts the shards, pinned to their cores; shard `i` runs `main` with `init[i]`. The calling
/// thread waits: for SIGTERM and SIGINT, which request the shutdown (a second one changes nothing),
/// and for the shards to end. A shard ends when its `main` does: what still runs then is aborted.
///
/// A panic on a shard's thread aborts the process.
pub fn run_shards<T, F, Fut>(
    config: RuntimeConfig,
    shutdown: Shutdown,
    init: Vec<T>,
    main: F,
) -> Result<(), StartError>
where
    T: Send + 'static,
    F: Fn(Shard, T) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    let count = cpu::shard_count(config.shards);
    if init.len() != usize::from(count) {
        return Err(StartError::Init { given: init.len(), shards: count });
    }
    if usize::from(count) > CORES_MAX {
        return Err(StartError::TooMany { shards: count });
    }
    let open_files = descriptors::raise();
    let offer = KernelOffer::probe(config.driver);
    let driver = choose(&config, &offer);
    let signals = Signals::catch().map_err(StartError::System)?;
    let hung = Hung::hang(count).map_err(StartError::System)?;
    let bells = &hung.0;
    let (ready, started) = channel();
    let cores = cpu::cores();
    let mut threads = Vec::new();
    for (at, value) in init.into_iter().enumerate() {
        let plan = Plan {
            id: ShardId(at as u16),
            bells: bells.clone(),
            driver,
            stall: config.stall_warning,
            pin: cores.get(at % cores.len().max(1)).copied(),
            ready: ready.clone(),
            ended: signals.end_notice(),
        };
        let main = main.clone();
        let thread = thread::Builder::new().name(format!("shard-{at}"));
        let thread = thread.spawn(move || abort_on_panic(|| plan.run(|shard| main(shard, value))));
        threads.push(thread.map_err(StartError::System)?);
    }
    drop(ready);
    let announce = |got: &[_]| announce(config.driver, &offer, got, open_files);
    let outcome = wait_for_drivers(started, count, driver, announce);
    if outcome.is_ok() {
        shutdown.tell(bells);
        signals.wait_for(threads.len(), &shutdown);
    }
    for thread in threads {
        thread.join().expect("a panic on a shard's thread has ended the process");
    }
    shutdown.forget(bells);
    log::flush();
    outcome
}

/// SIGTERM and SIGINT for a program without shards: while it lives they end nothing.
pub struct Interrupts(Signals);

impl Interrupts {
    /// Catches them from now on.
    pub fn catch() -> io::Result<Interrupts> {
        Signals::catch().map(Interrupts)
    }

    /// Waits for the first of them.
    pub fn wait(&self) {
        self.0.wait();
    }
}

/// The bells of the shards. They are taken down at the latest when this goes, by whichever way the
/// start or the run has ended.
struct Hung(Arc<[Arc<Bell>]>);

impl Hung {
    fn hang(count: u16) -> io::Result<Hung> {
        let wires: Vec<_> = (0..count).map(|_| eventfd()).collect::<io::Result<_>>()?;
        Ok(Hung(wires.into_iter().map(|wire| Bell::hang(Some(wire))).collect()))
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        self.0.iter().for_each(|bell| bell.take_down());
    }
}

/// Every shard says whether it has its driver; the first error is the start's. The others then go
/// by themselves: the word to go on, for which they wait, can never come once this has returned.
fn wait_for_drivers(
    started: Receiver<Result<Ready, io::Error>>,
    count: u16,
    driver: DriverConfig,
    announce: impl FnOnce(&[Option<Got>]),
) -> Result<(), StartError> {
    let refused = match driver {
        DriverConfig::Uring(_) => StartError::Ring,
        DriverConfig::Posix => StartError::System,
    };
    let (mut go, mut got) = (Vec::new(), Vec::new());
    for _ in 0..count {
        match started.recv() {
            Ok(Ok(ready)) => {
                go.push(ready.go);
                got.push(ready.got);
            }
            Ok(Err(e)) => return Err(refused(e)),
            Err(_) => return Err(refused(io::ErrorKind::BrokenPipe.into())),
        }
    }
    announce(&got);
    for sender in go {
        sender.send(()).expect("a shard that has its driver waits for the word");
    }
    Ok(())
}

/// A shard has its driver, and waits for the word to go on.
struct Ready {
    go: Sender<()>,
    got: Option<Got>,
}

/// What one shard's thread is to do.
struct Plan {
    id: ShardId,
    bells: Arc<[Arc<Bell>]>,
    driver: DriverConfig,
    stall: Duration,
    pin: Option<CoreId>,
    ready: Sender<Result<Ready, io::Error>>,
    ended: signals::EndNotice,
}

impl Plan {
    fn run<Fut: Future<Output = ()> + 'static>(self, main: impl FnOnce(Shard) -> Fut) {
        let pinned = self.pin.is_none_or(cpu::pin);
        let bell = &self.bells[usize::from(self.id.0)];
        let driver = match Driver::new(self.id, bell, self.driver) {
            Ok(driver) => driver,
            Err(e) => {
                bell.take_down();
                // The starter may have given up already, after another shard's error.
                let _ = self.ready.send(Err(e));
                return;
            }
        };
        let (go, told) = channel();
        let _ = self.ready.send(Ok(Ready { go, got: driver.got() }));
        drop(self.ready);
        if told.recv().is_err() {
            bell.take_down();
            return; // another shard got no driver
        }
        let core = Core::new(self.id, self.bells.clone(), driver, self.stall);
        let shard = Shard::new(core.clone());
        if !pinned {
            shard.log(Level::Warn, format_args!("the kernel refuses to pin this shard to a core"));
        }
        let main = JoinHandle::spawn(&core.exec, TaskClass::Foreground, "main", main(shard));
        loop {
            core.poll_some();
            if main.is_finished() {
                break;
            }
            core.turn(MayWait::Yes);
        }
        drop(main);
        core.end();
        drop(self.ended);
    }
}

pub(crate) fn abort_on_panic(f: impl FnOnce()) {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if thread::panicking() {
                // The message is out already; shard state is half changed and nobody may see it.
                std::process::abort();
            }
        }
    }
    let bomb = Bomb;
    f();
    drop(bomb);
}
