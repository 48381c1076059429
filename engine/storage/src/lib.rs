//! One shard's storage: what is appended is laid into memory once, written to the shard's journal
//! and synced, and only then acknowledged; later it settles in bulk into Kafka's segment files.
//!
//! The bytes are described in `docs/storage-format.md`. All I/O goes through `runtime`, so the same
//! code runs in the simulator. The crate knows logs by [`LogId`]; a topic's name is only a label.

mod log;

mod store;

mod recovery;
mod settler;

mod log_id;

mod config;
mod disk_reserve;
mod error;
mod layout;
mod open_files;
mod reading;
mod shortage;
mod traffic;

mod journal;

mod block_file;
mod file_cache;
mod index_file;
mod lost_file;
mod offset_index;
mod segment;
mod segments;
mod time_index;

mod leader_epochs;
mod manifest;
mod producer_state;

mod block;
mod fields;

pub mod inspect;

#[cfg(test)]
mod testing;

#[cfg(all(
    not(debug_assertions),
    any(
        feature = "known-bad-ack-before-sync",
        feature = "known-bad-recycle-before-flush",
        feature = "known-bad-serve-before-recovery-sync",
        feature = "known-bad-skip-syncfs",
        feature = "known-bad-skip-dir-sync",
        feature = "known-bad-forget-producer-state",
    )
))]
compile_error!("a known-bad build is there to be caught by a test: never build it with --release");

pub use block_file::{FileState, PrepareError, Unsynced};
pub use config::{LogConfig, StoreConfig};
pub use error::{AppendError, CreateError, DeleteError};
pub use file_cache::FileCache;
pub use journal::config::{ConfigError, JournalConfig};
pub use journal::error::{NoRoom, OpenError, ReplayError, Rot, ScanError};
pub use journal::format::{
    AtBlock, COMMIT_HEADER_BYTES, CommitHeader, CommitKind, ENTRY_HEADER_BYTES, EntryHeader,
    EntryKind, ReadHeader,
};
pub use journal::place::{EntryPlace, ReplayFrom};
pub use journal::purpose::Purpose;
pub use journal::replay::{CommitEntries, JournalEntry, Replay};
pub use journal::scan::Scanned;
pub use journal::{Journal, Pressure};
pub use layout::{Layout, LayoutFault};
pub use leader_epochs::{EpochEnd, EpochStart, LeaderEpochs};
pub use log::read::LogReadError;
pub use log::replay::Misfit;
pub use log::{Appended, Log, Stamp};
pub use log_id::LogId;
pub use lost_file::LostFile;
pub use manifest::format::{AtRecord, RecordHeader};
pub use manifest::format::{Change, LogEntry, ManifestEntry};
pub use manifest::read_back::ReadBack;
pub use manifest::table::{SettledLog, Table, UnknownLog};
pub use manifest::{Manifest, ManifestConfig, ManifestError};
pub use open_files::open_files_wanted;
pub use producer_state::tally::ProducerTally;
pub use producer_state::{
    Producer, ProducerBatch, ProducerChanges, ProducerCheck, ProducerLimits, ProducerState,
};
pub use reading::StoreReading;
pub use recovery::StoreError;
pub use segment::Segment;
pub use segment::read::{AtLeast, ReadError, ReadPart, ReadPlan, ReadRequest};
pub use segment::roll::{RollReason, SegmentConfig};
pub use segment::state::{SegmentState, Stage};
pub use segment::timestamp::RecordAtTimestamp;
pub use shortage::Shortage;
pub use store::Store;
pub use traffic::{LogTraffic, Traffic};
