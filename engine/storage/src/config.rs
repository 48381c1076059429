//! What one shard's storage is run with.

use crate::journal::JournalConfig;
use crate::manifest::ManifestConfig;
use crate::open_files::open_files_wanted;
use crate::producer_state::ProducerLimits;
use crate::segment::SegmentConfig;

/// Everything that a store can be told. Values are the shard's own share of what the broker has.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The journal and the tail in front of it.
    pub journal: JournalConfig,
    /// The manifest.
    pub manifest: ManifestConfig,
    /// Free space of the file system below which records are refused, in bytes.
    pub disk_reserve_bytes: u64,
    /// How many files a settle syncs one by one before it syncs the whole file system instead.
    pub sync_each_max: usize,
    /// How many files it may have open, of all kinds ([`crate::open_files_wanted`]).
    pub open_files_max: usize,
    /// How many idempotent producers all logs may remember together; one that writes to several
    /// counts in each. With what the manifest has of it and what a round of the settler holds
    /// meanwhile, one takes up to 1.5 KiB of memory.
    pub producers_max: usize,
    /// What the logs that a start finds follow until they are told otherwise: a replay settles, and
    /// forgets producers, before anybody can tell them.
    pub log: LogConfig,
}

/// What one log follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogConfig {
    /// When its segments end and how they are indexed.
    pub segment: SegmentConfig,
    /// How its idempotent producers are remembered.
    pub producers: ProducerLimits,
}

impl Default for StoreConfig {
    fn default() -> StoreConfig {
        let journal = JournalConfig::default();
        StoreConfig {
            open_files_max: open_files_wanted(&journal),
            journal,
            manifest: ManifestConfig::default(),
            disk_reserve_bytes: 0,
            // A syncfs costs about as much as syncing a few files.
            sync_each_max: 8,
            producers_max: 100_000,
            log: LogConfig::default(),
        }
    }
}
