//! The small sizes and the odd machines that a seed draws, so that a short life meets every rare
//! branch.

use std::path::{Path, PathBuf};
use std::time::Duration;

use record::ReadLimits;
use runtime::sim::{Options, Rng};
use runtime::{FileSystemKind, Shard};
use storage::{JournalConfig, LogConfig, ManifestConfig, SegmentConfig, StoreConfig};

/// Where the stores live on the simulated disk.
pub const DATA_DIR: &str = "/data";
/// Where their segments are.
pub const PARTITIONS_DIR: &str = "/data/partitions";

/// The folder of a shard's journal and manifest.
pub fn shard_dir(shard: u16) -> PathBuf {
    PathBuf::from(format!("{DATA_DIR}/shard-{shard:03}"))
}

/// The shard whose folder that is.
pub fn shard_of_dir(dir: &Path) -> Option<u16> {
    dir.file_name()?.to_str()?.strip_prefix("shard-")?.parse().ok()
}

/// What a seed decided once for all lives of its store.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Shards, each with a store of its own on the same disk.
    pub shards: u16,
    /// What each store is told.
    pub store: StoreConfig,
    /// What each log is told.
    pub log: LogConfig,
    /// The largest value of a record, in bytes.
    pub value_max_bytes: u64,
    /// Of 24 steps of a worker, how many move the high watermark; if none does, it moves when there
    /// is no room any more, and the journal is full.
    pub watermark_steps: u64,
    /// The machine.
    pub options: Options,
}

/// No batch of these tests is compressed or large.
pub const READ_LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 1 << 20 };

impl Sizes {
    /// Draws sizes: rings of a few blocks, segments of a few batches, records of one log.
    pub fn draw(rng: &mut Rng) -> Sizes {
        let journal = JournalConfig {
            file_bytes: 4096 * rng.pick(8..24),
            files_min: 2,
            files_max: rng.pick(3..7) as u32,
            reserve_bytes: 4 * 4096,
            chunk_bytes: 4096 * rng.pick(2..8) as usize,
            tail_bytes: 4096 * rng.pick(32..120),
            in_flight_max: rng.pick(1..5) as usize,
            mark_delay: Duration::from_millis(rng.pick(1..20)),
        };
        let manifest = ManifestConfig {
            record_target_bytes: 4096 * rng.pick(1..8) as usize,
            step_bytes: 4096 * rng.pick(1..9),
            compact_min_bytes: 4096 * rng.pick(4..40),
        };
        let segment = SegmentConfig {
            segment_bytes: 4096 * rng.pick(2..20) as u32,
            segment_ms: [604_800_000, 50][rng.pick(0..4) as usize / 3],
            segment_index_bytes: 4096,
            index_interval_bytes: rng.pick(0..3000) as u32,
        };
        let systems = [FileSystemKind::Ext4, FileSystemKind::Xfs, FileSystemKind::Other];
        let file_system = systems[rng.pick(0..3) as usize];
        Sizes {
            shards: rng.pick(1..3) as u16,
            store: StoreConfig {
                journal,
                manifest,
                disk_reserve_bytes: 4096 * [0, rng.pick(1..64)][rng.pick(0..2) as usize],
                sync_each_max: rng.pick(0..6) as usize,
                log: LogConfig::default(),
                ..StoreConfig::default()
            },
            log: LogConfig { segment, ..LogConfig::default() },
            value_max_bytes: [1_800, 4_000][rng.pick(0..2) as usize],
            watermark_steps: [5, 5, 0][rng.pick(0..3) as usize],
            options: Options { file_system, ..Options::default() },
        }
    }

    /// The same store after its operator has set other sizes: memory and journal files may be
    /// smaller than what they have to take.
    pub fn redraw(&mut self, rng: &mut Rng) {
        let journal = &mut self.store.journal;
        journal.chunk_bytes = 4096 * rng.pick(2..6) as usize;
        journal.tail_bytes = 4096 * [20, rng.pick(32..120)][rng.pick(0..2) as usize];
        journal.files_max = rng.pick(3..7) as u32;
        if rng.chance(1, 2) {
            journal.file_bytes = 4096 * rng.pick(8..24);
        }
        self.store.sync_each_max = rng.pick(0..6) as usize;
        self.log.segment.segment_bytes = 4096 * rng.pick(2..20) as u32;
    }
}

/// Small draws, for tests that read better with them.
pub trait Draw {
    /// A number of the range, evenly.
    fn pick(&mut self, range: std::ops::Range<u64>) -> u64;
}

impl Draw for Rng {
    fn pick(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }
}

impl Draw for &Shard {
    fn pick(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.random_u64() % (range.end - range.start)
    }
}
