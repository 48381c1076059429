//! The io_uring driver: one ring a shard, every operation one submission on it.
//!
//! `SINGLE_ISSUER | DEFER_TASKRUN | TASKRUN_FLAG`: completions run when this thread asks for them,
//! and the ring says when it is worth asking. Files are registered always, memory if the limit on
//! locked memory allows. Other shards wake this one by a message to its ring, foreign threads by an
//! eventfd whose poll stands in the ring. The idle point is one `io_uring_enter` that waits, with
//! the first timer as its limit; a shard that nobody wants anything from makes no system call.

mod entry;
mod recv_pool;
mod table;

use crate::bell::Bell;
use crate::calls;
use crate::helper;
use crate::host::Host;
use crate::lock::DirLock;
use crate::log::Level;
use crate::op::{Beside, Completion, Fd, Key, Op, Payload, Wait};
use crate::shard::ShardId;
use crate::time::Instant;
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use recv_pool::RecvPool;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use table::{FileTable, MemoryTable};

/// Keys with the highest bit are the driver's own; a slot's generation never has it.
const OWN: u64 = 1 << 63;
/// The poll of the bell's eventfd.
const WIRE: u64 = OWN | 1 << 32;
/// A message from a peer: that it came is all it says.
const POKE: u64 = OWN | 2 << 32;
/// A message to the core in the low bits failed.
const POKE_FAILED: u64 = OWN | 3 << 32;

/// The kernel's workers of one ring: for files (bounded) and for splices (unbounded). A core has no
/// use for more of them, and each is a thread.
const WORKERS: [u32; 2] = [8, 16];

/// How long a shard sleeps when the kernel has no memory for its operations, and how long it bears
/// that in all.
const SHORTAGE_PAUSE: Duration = Duration::from_millis(1);
const SHORTAGE_MAX: Duration = Duration::from_secs(10);

const ENTER_GETEVENTS: u32 = 1 << 0;
const ENTER_EXT_ARG: u32 = 1 << 3;

/// `struct io_uring_getevents_arg`: how a wait is given its limit.
#[repr(C)]
struct GetEventsArg {
    sigmask: u64,
    sigmask_size: u32,
    pad: u32,
    timespec: u64,
}

/// What a ring is built with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UringConfig {
    /// Places for submissions; completions have four times as many.
    pub(crate) entries: u32,
    /// Whether memory is to be registered.
    pub(crate) registers_memory: bool,
    /// Buffers of 4 KiB for small receives, a power of two.
    pub(crate) recv_buffers: u16,
}

/// What the kernel has given to a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    /// Places for registered files.
    pub(crate) files: u32,
    /// A table for registered memory.
    pub(crate) memory: bool,
    /// Receives that pick their memory.
    pub(crate) pooled_receives: bool,
}

/// See the module.
pub(crate) struct Uring {
    pub(crate) host: Host,
    ring: IoUring,
    bell: Arc<Bell>,
    files: FileTable,
    memory: MemoryTable,
    recv: Option<RecvPool>,
    /// Completions that were taken early, to make room.
    early: Vec<Completion>,
    truncates: bool,
    wire_armed: bool,
    /// Since when the kernel takes nothing and has nothing for us.
    short_since: Option<Instant>,
}

impl Uring {
    /// A ring for the calling thread, which must be the shard's.
    pub(crate) fn new(shard: ShardId, bell: &Arc<Bell>, config: UringConfig) -> io::Result<Uring> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(config.entries * 4).setup_clamp().setup_submit_all();
        builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag();
        let ring = builder.build(config.entries)?;
        let submitter = ring.submitter();
        submitter.register_iowq_max_workers(&mut WORKERS.clone())?;
        let files = FileTable::new(&submitter)?;
        let memory = MemoryTable::new(&submitter, config);
        let recv = RecvPool::new(&submitter, config.recv_buffers);
        let mut probe = io_uring::Probe::new();
        submitter.register_probe(&mut probe)?;
        let truncates = probe.is_supported(opcode::Ftruncate::CODE);
        bell.ring.store(ring.as_raw_fd(), Ordering::SeqCst);
        Ok(Uring {
            host: Host::new(shard),
            bell: bell.clone(),
            files,
            memory,
            recv,
            early: Vec::new(),
            truncates,
            wire_armed: false,
            short_since: None,
            ring,
        })
    }

    pub(crate) fn got(&self) -> Got {
        Got {
            files: self.files.size(),
            memory: self.memory.is_in_use(),
            pooled_receives: self.recv.is_some(),
        }
    }

    pub(crate) fn push(&mut self, key: Key, op: Op) {
        match op {
            Op::Blocking(what) => helper::run(&self.bell, key, what),
            Op::Truncate { fd, len } if !self.truncates => {
                let what = crate::op::Blocking::Truncate { raw: fd.raw, len };
                helper::run(&self.bell, key, what);
            }
            Op::RecvPooled { fd } => {
                let Some(pool) = &self.recv else {
                    // A kernel that has no such memory always answers that it has run out.
                    let completion = Completion::number(key, -libc::ENOBUFS);
                    let _ = self.bell.post(crate::bell::Letter::Done(completion));
                    return;
                };
                let entry = entry::on(fd, pool.recv());
                self.make_room();
                self.put(entry.user_data(key.0));
            }
            Op::Close { fd, .. } => {
                // No operation that names the table's place is in flight or queued: their slots
                // would keep the handle open.
                self.files.remove(&self.ring.submitter(), fd);
                self.make_room();
                self.put(entry::of(op).user_data(key.0));
            }
            op => {
                self.make_room();
                self.put(entry::of(op).user_data(key.0));
            }
        }
    }

    pub(crate) fn turn(&mut self, wait: Wait, done: &mut Vec<Completion>) {
        self.arm_wire();
        done.append(&mut self.early);
        let ready = !done.is_empty() || !self.ring.completion().is_empty();
        let queue = self.ring.submission();
        let wants = !queue.is_empty() || queue.taskrun() || queue.cq_overflow();
        drop(queue);
        let limit = match wait {
            _ if ready => None,
            Wait::No => None,
            Wait::Forever => Some(None),
            Wait::Until(at) => Some(Some(at)),
        };
        if wants || limit.is_some() {
            self.enter(limit);
        }
        self.reap(done);
    }

    pub(crate) fn socket(&mut self, to: &SocketAddr) -> io::Result<Fd> {
        calls::socket(to).map(|raw| self.adopt(raw))
    }

    pub(crate) fn listen(
        &mut self,
        at: &SocketAddr,
        beside: Beside,
    ) -> io::Result<(Fd, SocketAddr)> {
        calls::listen(at, beside).map(|(raw, local)| (self.adopt(raw), local))
    }

    pub(crate) fn pipe(&mut self) -> io::Result<(Fd, Fd)> {
        calls::pipe().map(|(read, write)| (Fd::plain(read), Fd::plain(write)))
    }

    pub(crate) fn adopt(&mut self, raw: i32) -> Fd {
        self.files.add(&self.ring.submitter(), raw)
    }

    pub(crate) fn disown(&mut self, fd: Fd) {
        self.files.remove(&self.ring.submitter(), fd);
    }

    pub(crate) fn wake(&mut self, bell: &Bell) {
        let ring = bell.ring.load(Ordering::SeqCst);
        let message = opcode::MsgRingData::new(types::Fd(ring), 0, POKE, None).build();
        let failed = POKE_FAILED | u64::from(bell.core);
        self.make_room();
        self.put(message.flags(squeue::Flags::SKIP_SUCCESS).user_data(failed));
    }

    pub(crate) fn hold(&mut self, lock: &DirLock) -> io::Result<()> {
        match self.files.add(&self.ring.submitter(), lock.raw()).slot {
            Some(_) => Ok(()), // never removed: the ring holds it to its end
            None => Err(io::Error::other("the ring's table of files is full: raise `ulimit -n`")),
        }
    }

    pub(crate) fn register(&mut self, memory: *mut u8, len: usize) -> Option<u16> {
        let submitter = self.ring.submitter();
        let added = self.memory.add(&submitter, memory, len);
        added.unwrap_or_else(|e| {
            let line = format_args!(
                "registers no more memory, as the kernel refuses it ({e}): raise `ulimit -l`"
            );
            self.host.log(Level::Warn, line);
            None
        })
    }

    pub(crate) fn unregister(&mut self, index: u16) {
        self.memory.remove(&self.ring.submitter(), index);
    }

    /// Submits until an entry fits.
    fn make_room(&mut self) {
        loop {
            let queue = self.ring.submission();
            if !queue.is_full() {
                return;
            }
            drop(queue);
            self.enter(None);
            // The kernel takes nothing while it cannot get rid of completions.
            let mut early = std::mem::take(&mut self.early);
            self.reap(&mut early);
            self.early = early;
        }
    }

    fn put(&mut self, entry: squeue::Entry) {
        // SAFETY: what the entry points to is kept by the operation's slot until its
        // completion (`ring.rs`), or the entry points to nothing.
        unsafe { self.ring.submission().push(&entry) }.expect("`make_room` was called before");
    }

    /// Keeps a poll of the bell's eventfd in the ring, for threads that have no ring themselves.
    fn arm_wire(&mut self) {
        if let (false, Some(wire)) = (self.wire_armed, self.bell.wire()) {
            self.make_room();
            let poll = opcode::PollAdd::new(types::Fd(wire), libc::POLLIN as u32).build();
            self.put(poll.user_data(WIRE));
            self.wire_armed = true;
        }
    }

    /// Hands over what is queued and runs what has completed. With a limit it waits for one
    /// completion; the inner limit is the moment at which it gives up waiting.
    fn enter(&mut self, wait: Option<Option<Instant>>) {
        let wait = wait.map(|until| until.map(|at| at.since(calls::monotonic())));
        let entries = self.ring.submission().len() as u32;
        let entered = self.call_enter(entries, wait);
        let Err(e) = entered else {
            self.short_since = None;
            return;
        };
        match e.raw_os_error() {
            // A signal, or the limit is over. The turn goes on with what there is.
            Some(libc::EINTR | libc::ETIME) => {}
            // Completions must be taken first, or memory is short: the next turn tries again.
            Some(libc::EBUSY | libc::EAGAIN) => self.bear_shortage(&e),
            _ => self.host.fatal(&format_args!("io_uring_enter failed: {e}; restart the broker")),
        }
    }

    /// The system call. None does not wait, the inner limit is for how long it waits at most.
    fn call_enter(&self, entries: u32, wait: Option<Option<Duration>>) -> io::Result<usize> {
        let limit = wait.flatten();
        let time = limit.unwrap_or_default();
        let timespec = types::Timespec::new().sec(time.as_secs()).nsec(time.subsec_nanos());
        let arg = GetEventsArg {
            sigmask: 0,
            sigmask_size: 0,
            pad: 0,
            timespec: if limit.is_some() { &raw const timespec as u64 } else { 0 },
        };
        let want = u32::from(wait.is_some());
        let flags = ENTER_GETEVENTS | ENTER_EXT_ARG;
        // SAFETY: the argument is the structure that EXT_ARG announces, and it and the time it
        // points to live until the call returns.
        unsafe { self.ring.submitter().enter(entries, want, flags, Some(&arg)) }
    }

    /// The kernel took nothing. If there is no completion to make room with either, the shard
    /// sleeps for a moment instead of asking again and again; for ever it does not ask.
    fn bear_shortage(&mut self, e: &io::Error) {
        if !self.ring.completion().is_empty() {
            return;
        }
        let now = calls::monotonic();
        let since = *self.short_since.get_or_insert(now);
        if now.since(since) >= SHORTAGE_MAX {
            let time = SHORTAGE_MAX.as_secs();
            let line = format_args!("the kernel took no operation for {time} s: {e}; add memory");
            self.host.fatal(&line);
        }
        // Whatever ends it, the caller looks again.
        let _ = self.call_enter(0, Some(Some(SHORTAGE_PAUSE)));
    }

    fn reap(&mut self, done: &mut Vec<Completion>) {
        let Uring { ring, bell, recv, wire_armed, .. } = self;
        for cqe in ring.completion() {
            let (key, result) = (Key(cqe.user_data()), cqe.result());
            if key == Key::NOBODY {
                continue;
            }
            if key.0 & OWN != 0 {
                match key.0 {
                    WIRE => {
                        *wire_armed = false;
                        bell.wire().into_iter().for_each(calls::empty_eventfd);
                    }
                    POKE => {}
                    // An old kernel, or a ring that has ended: the eventfd reaches all who live.
                    failed => {
                        let _ = Bell::of(failed as u16).inspect(|bell| bell.pull());
                    }
                }
                continue;
            }
            let payload = match (cqueue::buffer_select(cqe.flags()), &mut *recv) {
                (Some(id), Some(pool)) => pool.take(id, result),
                _ => Payload::None,
            };
            done.push(Completion { key, result, payload });
        }
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        self.bell.ring.store(-1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
