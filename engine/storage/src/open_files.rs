//! How one shard's storage divides the files that it may have open.

use crate::journal::JournalConfig;

/// What is open beside segments and the journal's ring: the manifest, its successor and the ring's
/// next file while they are made, retired files, folders that are synced, probes of the disk.
const OF_STORE: usize = 16;
/// How many segment files a shard keeps open at most. A partition takes up to six (three files,
/// each open for writing and for reading), so 10,000 partitions would want 60,000; opening again
/// costs some microseconds.
const CACHED_MAX: usize = 512;
/// Fewer would be opened again for every read of a batch: three files, for a few readers.
const CACHED_MIN: usize = 8;
/// Logs in one round of the settler: with three remainders of up to 4 KiB each, the round's record
/// takes at most 12 MiB.
const ROUND_LOGS_MAX: usize = 1024;
/// Fewer would make every record of the manifest one of a log or two.
const ROUND_LOGS_MIN: usize = 4;
/// What a round writes of a log is open until it is synced: log, offset index, time index.
const FILES_OF_LOG: usize = 3;

/// What may be open for which purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenFiles {
    /// Segment files that are kept open.
    pub(crate) cached_max: usize,
    /// Logs in one round of the settler.
    pub(crate) round_logs_max: usize,
}

impl OpenFiles {
    /// A quarter of what the journal leaves is for reading, the rest for settling. Where that is
    /// too little for either, both go on with little, and wait for each other.
    pub(crate) fn divide(open_files_max: usize, journal: &JournalConfig) -> OpenFiles {
        let rest = open_files_max.saturating_sub(of_journal(journal));
        let cached_max = (rest / 4).clamp(CACHED_MIN, CACHED_MAX);
        let round_logs_max = rest.saturating_sub(cached_max) / FILES_OF_LOG;
        let round_logs_max = round_logs_max.clamp(ROUND_LOGS_MIN, ROUND_LOGS_MAX);
        OpenFiles { cached_max, round_logs_max }
    }
}

/// With so many files a store with that journal has no need to divide.
pub fn open_files_wanted(journal: &JournalConfig) -> usize {
    of_journal(journal) + CACHED_MAX + ROUND_LOGS_MAX * FILES_OF_LOG
}

fn of_journal(journal: &JournalConfig) -> usize {
    OF_STORE + journal.files_max as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(open_files_max: usize) -> OpenFiles {
        OpenFiles::divide(open_files_max, &JournalConfig::default())
    }

    #[test]
    fn what_is_divided_is_all_of_what_is_wanted_and_never_more_than_there_is() {
        let journal = JournalConfig::default();
        let most = OpenFiles { cached_max: CACHED_MAX, round_logs_max: ROUND_LOGS_MAX };
        assert_eq!(divided(open_files_wanted(&journal)), most);
        assert_eq!(divided(1 << 20), most);
        for max in 100..5_000 {
            let OpenFiles { cached_max, round_logs_max } = divided(max);
            let taken = of_journal(&journal) + cached_max + round_logs_max * FILES_OF_LOG;
            assert!(taken <= max, "{taken} of {max}");
        }
        let least = OpenFiles { cached_max: CACHED_MIN, round_logs_max: ROUND_LOGS_MIN };
        assert_eq!(divided(0), least);
    }
}
