//! What a journal counts of its commits: how many, how large, how long they took.

use std::cell::Cell;

use runtime::{DurationCounts, Durations};

/// Counts. Commits without entries, such as marks, are no request's and do not count.
#[derive(Default)]
pub(super) struct Meters {
    commits: Cell<u64>,
    commit_bytes: Cell<u64>,
    /// From a commit's first entry until its write began.
    pub(super) wait: Durations,
    /// From there until it was durable.
    pub(super) sync: Durations,
}

/// What was counted.
pub(crate) struct JournalReading {
    pub(crate) commits: u64,
    pub(crate) commit_bytes: u64,
    pub(crate) wait: DurationCounts,
    pub(crate) sync: DurationCounts,
}

impl Meters {
    /// A commit of so many bytes is durable.
    pub(super) fn count_commit(&self, bytes: usize) {
        self.commits.set(self.commits.get() + 1);
        self.commit_bytes.set(self.commit_bytes.get() + bytes as u64);
    }

    pub(super) fn read(&self) -> JournalReading {
        JournalReading {
            commits: self.commits.get(),
            commit_bytes: self.commit_bytes.get(),
            wait: self.wait.counts(),
            sync: self.sync.counts(),
        }
    }
}
