//! What a store tells those who watch it: one value, taken when somebody asks.

use runtime::DurationCounts;

use crate::journal::Pressure;
use crate::store::Store;
use crate::traffic::LogTraffic;

/// A store at one moment. What is counted begins at nothing with each start.
#[derive(Clone, Debug)]
pub struct StoreReading {
    /// How full journal and tail are.
    pub pressure: Pressure,
    /// Journal commits that were written and synced.
    pub commits: u64,
    /// Their bytes, padding included.
    pub commit_bytes: u64,
    /// From a commit's first entry until its write began.
    pub journal_wait: DurationCounts,
    /// From there until it was durable.
    pub sync: DurationCounts,
    /// What rounds of the settler took.
    pub settle: DurationCounts,
    /// Synced commits that segments and manifest do not reflect yet: what a start would replay.
    pub settle_lag_commits: u64,
    /// Logs, that of the cluster's metadata included.
    pub logs: usize,
    /// Idempotent producers that all logs remember; who writes to several counts in each.
    pub producers: usize,
    /// How many they may remember.
    pub producers_max: usize,
    /// Logs of which a file is lost.
    pub quarantined_logs: usize,
    /// Open files of segments and indexes.
    pub open_files: usize,
    /// What all logs took and gave.
    pub traffic: LogTraffic,
}

impl Store {
    /// What there is to tell now. Looks at every log's state, and at none of their records.
    pub fn reading(&self) -> StoreReading {
        let core = &self.0;
        let journal = core.journal().reading();
        let replays_from = core.manifest.replay().sequence;
        let (logs, quarantined_logs) = core.count_logs();
        StoreReading {
            pressure: core.journal().pressure(),
            commits: journal.commits,
            commit_bytes: journal.commit_bytes,
            journal_wait: journal.wait,
            sync: journal.sync,
            settle: core.settle_durations.counts(),
            settle_lag_commits: (core.journal().synced() + 1).saturating_sub(replays_from),
            logs,
            producers: core.producers.count(),
            producers_max: core.producers.producers_max(),
            quarantined_logs,
            open_files: core.files.open_files(),
            traffic: core.traffic.get(),
        }
    }
}
