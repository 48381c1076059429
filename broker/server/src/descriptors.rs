//! Divides what a shard may have open between its storage and its connections, so that no number of
//! clients takes what the storage needs.

use runtime::Shard;
use storage::{JournalConfig, open_files_wanted};

/// What a shard has open for itself: its ring and bell, two listeners at the start, and 16 pipes of
/// two ends each for what is sent from files.
const OF_SHARD: usize = 40;
/// Connections of one shard at most.
const CONNECTIONS_MAX: usize = 20_000;

/// How many of each a shard may have open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// Files of the storage.
    pub(crate) store_max: usize,
    /// Connections of clients.
    pub(crate) connections_max: usize,
}

impl Descriptors {
    /// What this shard has, by the limit of the process.
    pub(crate) fn of(shard: &Shard, journal: &JournalConfig) -> Descriptors {
        Descriptors::divide(shard.open_files_max(), open_files_wanted(journal))
    }

    /// The storage has what it wants, or half; at least one client is let in.
    fn divide(share: usize, store_wants: usize) -> Descriptors {
        let rest = share.saturating_sub(OF_SHARD);
        let store_max = store_wants.min(rest / 2);
        let connections_max = (rest - store_max).clamp(1, CONNECTIONS_MAX);
        Descriptors { store_max, connections_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_never_take_what_the_storage_needs() {
        for (share, store_max, connections_max) in [
            (0, 0, 1),
            (120, 40, 40),
            (504, 232, 232),
            (8_000, 3_600, 4_360),
            (1 << 20, 3_600, CONNECTIONS_MAX),
        ] {
            let expected = Descriptors { store_max, connections_max };
            assert_eq!(Descriptors::divide(share, 3_600), expected, "{share}");
        }
    }
}
