//! One shard's journal: a ring of files in which every append of the shard becomes durable.

mod format;

pub use format::{COMMIT_HEADER_BYTES, ENTRY_HEADER_BYTES, EntryHeader, EntryKind};
