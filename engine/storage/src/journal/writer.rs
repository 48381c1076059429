//! The tasks that write commits, acknowledge them in order, and mark an idle journal.

use super::commits::{Submission, Waiting};
use super::format::CommitKind;
use super::purpose::Purpose;
use super::{Inner, keeper};
use runtime::TaskClass;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;

/// Starts one lane for each commit that may be in flight, and the tasks beside them.
pub(super) fn start(inner: &Rc<Inner>) {
    let mut tasks = inner.tasks.borrow_mut();
    for _ in 0..inner.config.in_flight_max {
        let lane = lane(inner.clone());
        tasks.push(inner.shard.spawn(TaskClass::Foreground, "journal lane", lane));
    }
    let marks = mark_when_idle(inner.clone());
    tasks.push(inner.shard.spawn(TaskClass::Foreground, "journal marks", marks));
    let keeper = keeper::keep(inner.clone());
    tasks.push(inner.shard.spawn(TaskClass::Background, "journal ring", keeper));
}

/// Writes one commit after the other.
async fn lane(inner: Rc<Inner>) {
    loop {
        if inner.wait_for_work().await == Waiting::Open {
            // What the tasks that are ready now append shall go along: one sync for all of them.
            inner.shard.yield_now().await;
        }
        let submission = inner.commits.borrow_mut().submit();
        if let Some(submission) = submission {
            inner.write(submission).await;
        }
    }
}

/// An idle journal ends with a mark, so that rot in what was acknowledged last can be told from a
/// torn tail.
async fn mark_when_idle(inner: Rc<Inner>) {
    loop {
        let wanted = || inner.commits.borrow().wants_mark().then_some(());
        inner.quiet.wait_until(wanted).await;
        let due = inner.last_sync.get() + inner.config.mark_delay;
        inner.shard.sleep_until(due).await;
        let still_due = inner.last_sync.get() + inner.config.mark_delay <= inner.shard.now();
        if still_due && wanted().is_some() {
            let was_added =
                inner.commits.borrow_mut().add_empty(CommitKind::Mark, Purpose::Control);
            if was_added {
                inner.begun();
            } else {
                // A full ring has no room for a mark: the next sync asks again.
                let synced = inner.commits.borrow().synced();
                let moved = || (inner.commits.borrow().synced() > synced).then_some(());
                inner.quiet.wait_until(moved).await;
            }
        }
    }
}

impl Inner {
    /// Wakes one lane that waits. If none does, all are busy, and will look by themselves.
    pub(super) fn wake_lane(&self) {
        let lane = self.idle_lanes.borrow_mut().pop_front();
        if let Some(waker) = lane {
            waker.wake();
        }
    }

    async fn wait_for_work(&self) -> Waiting {
        poll_fn(|cx| match self.commits.borrow().waiting() {
            Waiting::Nothing => {
                self.idle_lanes.borrow_mut().push_back(cx.waker().clone());
                Poll::Pending
            }
            work => Poll::Ready(work),
        })
        .await
    }

    async fn write(&self, submission: Submission) {
        let Submission { sequence, file, position, bytes, begun_at } = submission;
        let (size, submitted_at) = (bytes.len(), self.shard.now());
        #[cfg(feature = "known-bad-ack-before-sync")]
        self.acknowledge(sequence);
        if let Err(error) = file.write_durably(bytes, position).await {
            self.shard.fatal(&WriteFailed { sequence, error });
        }
        if let Some(begun_at) = begun_at {
            self.meters.wait.record(submitted_at.since(begun_at));
            self.meters.sync.record(self.shard.now().since(submitted_at));
            self.meters.count_commit(size);
        }
        #[cfg(not(feature = "known-bad-ack-before-sync"))]
        self.acknowledge(sequence);
    }

    fn acknowledge(&self, sequence: u64) {
        let advanced = self.commits.borrow_mut().complete(sequence);
        let Some(synced) = advanced else { return };
        if self.commits.borrow_mut().ring.free_unneeded(synced) {
            self.freed();
        }
        self.last_sync.set(self.shard.now());
        let hook = self.on_synced.borrow().clone();
        if let Some(hook) = hook {
            hook(synced);
        }
        let mut waiters = self.waiters.borrow_mut();
        let later = waiters.split_off(&(synced + 1));
        let woken = std::mem::replace(&mut *waiters, later);
        drop(waiters);
        for waker in woken.into_values().flatten() {
            waker.wake();
        }
        if self.commits.borrow().is_quiet() {
            self.quiet.wake_all();
        }
    }

    /// See [`Journal::stop`](super::Journal::stop).
    pub(super) async fn stop(&self) {
        self.commits.borrow_mut().stopping = true;
        self.wait_quiet().await;
        let was_added = {
            let mut commits = self.commits.borrow_mut();
            !commits.ends_with_mark() && commits.add_empty(CommitKind::Mark, Purpose::FreesJournal)
        };
        if was_added {
            self.wake_lane();
            self.wait_quiet().await;
        }
        for task in self.tasks.take() {
            task.abort();
        }
        // The hook's owner has us, and we have the hook.
        *self.on_synced.borrow_mut() = None;
    }

    async fn wait_quiet(&self) {
        self.quiet.wait_until(|| self.commits.borrow().is_quiet().then_some(())).await;
    }
}

/// Why the shard's life ends here.
struct WriteFailed {
    sequence: u64,
    error: io::Error,
}

impl fmt::Display for WriteFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "writing journal commit {}: {}; it is not retried: check the disk, then start again",
            self.sequence, self.error
        )
    }
}
