//! A shard's own threads for what may block: a few for what clients' acknowledgements wait for, a
//! few for everything else, so that neither waits behind the other.

use super::file_calls::perform;
use crate::bell::{Bell, Letter};
use crate::op::{Completion, Key, Op};
use crate::shard::ShardId;
use crate::start::abort_on_panic;
use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Threads of one shard. Writes to one file go side by side.
pub(crate) const THREADS: usize = DURABLE + OTHERS;
/// For durable writes: as many as a journal has in flight.
const DURABLE: usize = 4;
/// For reads, other writes, syncs, names and sizes.
const OTHERS: usize = 4;
/// They make one system call after the other.
const STACK_BYTES: usize = 128 * 1024;

/// See the module. Dropping it ends the threads, once they have finished what they have begun.
pub(super) struct Crew {
    durable: Arc<Jobs>,
    others: Arc<Jobs>,
    threads: Vec<JoinHandle<()>>,
}

/// One queue, and whoever serves it.
///
/// The queue is not bounded by itself: each job is an operation in flight, and those are bounded by
/// the tasks that wait for them.
struct Jobs {
    queue: Mutex<Queue>,
    filled: Condvar,
}

struct Queue {
    waiting: VecDeque<Job>,
    is_open: bool,
}

struct Job {
    key: Key,
    op: Op,
}

// SAFETY: what an operation's pointers point to is plain bytes without ties to a thread. Its slot
// keeps them until the completion (`ring.rs`), which follows the only call that uses them, and the
// locks of the queue and of the bell put all of that in order.
unsafe impl Send for Job {}

impl Crew {
    /// Starts the threads. They run on the cores that the calling thread may use: the shard's.
    pub(super) fn start(shard: ShardId, bell: &Arc<Bell>) -> io::Result<Crew> {
        let (durable, others) = (Jobs::none(), Jobs::none());
        let mut crew = Crew { durable, others, threads: Vec::new() };
        for _ in 0..DURABLE {
            crew.threads.push(serve(&crew.durable, format!("shard-{}-log", shard.0), bell)?);
        }
        for _ in 0..OTHERS {
            crew.threads.push(serve(&crew.others, format!("shard-{}-file", shard.0), bell)?);
        }
        Ok(crew)
    }

    /// Takes an operation; its completion comes as a letter.
    pub(super) fn take(&self, key: Key, op: Op) {
        let jobs = match op {
            Op::WriteDurable { .. } => &self.durable,
            _ => &self.others,
        };
        jobs.lock().waiting.push_back(Job { key, op });
        jobs.filled.notify_one();
    }

    /// Takes back one that no thread has begun. False if there is none of that key.
    pub(super) fn cancel(&self, key: Key) -> bool {
        self.durable.cancel(key) || self.others.cancel(key)
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for jobs in [&self.durable, &self.others] {
            jobs.lock().is_open = false;
            jobs.filled.notify_all();
        }
        for thread in self.threads.drain(..) {
            thread.join().expect("a panic on a shard's thread has ended the process");
        }
    }
}

fn serve(jobs: &Arc<Jobs>, name: String, bell: &Arc<Bell>) -> io::Result<JoinHandle<()>> {
    let (jobs, bell) = (jobs.clone(), bell.clone());
    let thread = thread::Builder::new().name(name).stack_size(STACK_BYTES);
    thread.spawn(move || {
        abort_on_panic(|| {
            block_signals();
            while let Some(Job { key, op }) = jobs.next() {
                let completion = Completion::number(key, perform(op));
                // A shard that has ended is not waiting.
                let _ = bell.post(Letter::Done(completion));
            }
        });
    })
}

/// A signal would interrupt calls that no other driver knows to be interrupted. Other threads of
/// the process take it.
fn block_signals() {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: fills a set of ours, which is then read; the mask is the calling thread's own.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), ptr::null_mut());
    }
}

impl Jobs {
    fn none() -> Arc<Jobs> {
        let queue = Mutex::new(Queue { waiting: VecDeque::new(), is_open: true });
        Arc::new(Jobs { queue, filled: Condvar::new() })
    }

    /// The next job; none once the crew has been dropped.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        while queue.is_open {
            match queue.waiting.pop_front() {
                Some(job) => return Some(job),
                None => queue = self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
        None
    }

    fn cancel(&self, key: Key) -> bool {
        let waiting = &mut self.lock().waiting;
        let at = waiting.iter().position(|job| job.key == key);
        at.and_then(|at| waiting.remove(at)).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
