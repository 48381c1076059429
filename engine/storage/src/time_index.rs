//! A segment's `.timeindex`: how large the timestamps have become by which offset.

use crate::block_file::BlockFile;
use crate::index_file::IndexFile;
use record::{Offset, Timestamp};
use std::cell::Cell;
use std::io;

/// ```text
///  0  8  timestamp: the largest so far
///  8  4  relative offset: of the last record of the batch that has it
/// ```
/// Both big endian: Kafka's format.
const ENTRY_BYTES: usize = 12;

/// The time index of one segment.
pub(crate) struct TimeIndex {
    base_offset: Offset,
    entries: IndexFile<ENTRY_BYTES>,
    /// The last entry's timestamp; -1 without one. Timestamps rise strictly.
    last_timestamp: Cell<Timestamp>,
}

/// An entry of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    /// The largest timestamp so far.
    pub(crate) timestamp: Timestamp,
    /// The last offset of the first batch that has it.
    pub(crate) offset: Offset,
}

impl TimeIndex {
    /// The index of a segment that begins or goes on. Reads the last entry, which is on the disk
    /// only if the remainder holds less than one. One that is lost has no last entry: its file
    /// says so, and nothing may be appended.
    pub(crate) async fn open(base_offset: Offset, file: BlockFile) -> io::Result<TimeIndex> {
        let last_timestamp = Cell::new(Timestamp::NONE);
        let index = TimeIndex { base_offset, entries: IndexFile::new(file), last_timestamp };
        match index.entries.last().await {
            Ok(Some(entry)) => index.last_timestamp.set(index.decode(&entry).timestamp),
            Ok(None) => {}
            Err(_) if index.file().lost().is_some() => {}
            Err(error) => return Err(error),
        }
        Ok(index)
    }

    pub(crate) fn file(&self) -> &BlockFile {
        &self.entries.file
    }

    /// How many entries it has, with those that are not written yet.
    pub(crate) fn appended_entries(&self) -> u64 {
        self.entries.appended_entries()
    }

    /// Adds an entry if its timestamp is above the last one's.
    pub(crate) fn append_if_later(&self, entry: TimeEntry) {
        if entry.timestamp <= self.last_timestamp.get() {
            return;
        }
        self.last_timestamp.set(entry.timestamp);
        let relative = i32::try_from(entry.offset.0 - self.base_offset.0)
            .expect("a segment rolls before an offset leaves an i32");
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..8].copy_from_slice(&entry.timestamp.0.to_be_bytes());
        bytes[8..].copy_from_slice(&relative.to_be_bytes());
        self.entries.append(bytes);
    }

    /// The last entry with a timestamp of at most `target`: no batch before the one that it names
    /// reaches the target.
    pub(crate) async fn floor(&self, target: Timestamp) -> io::Result<Option<TimeEntry>> {
        let floor =
            self.entries.floor(None, |entry| self.decode(entry).timestamp <= target).await?;
        Ok(floor.entry.map(|entry| self.decode(&entry)))
    }

    fn decode(&self, bytes: &[u8; ENTRY_BYTES]) -> TimeEntry {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
        TimeEntry {
            timestamp: Timestamp(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
            offset: self.base_offset.plus(i32::from_be_bytes([i, j, k, l])),
        }
    }
}
