//! One shard's storage: what is appended is laid into memory once, written to the shard's journal
//! and synced, and only then acknowledged; later it settles in bulk into Kafka's segment files.
//!
//! The bytes are described in `docs/storage-format.md`. All I/O goes through `runtime`, so the same
//! code runs in the simulator. The crate knows logs by [`LogId`]; a topic's name is only a label.

mod log_id;

mod config;

mod journal;

mod block;
mod fields;

pub use config::{ConfigError, JournalConfig, StoreConfig};
pub use journal::{
    Appended, COMMIT_HEADER_BYTES, CommitEntries, ENTRY_HEADER_BYTES, EntryHeader, EntryKind,
    EntryPlace, Journal, JournalEntry, NoRoom, OpenError, Pressure, Purpose, Replay, ReplayError,
    ReplayFrom, Rot, ScanError, Scanned,
};
pub use log_id::LogId;
