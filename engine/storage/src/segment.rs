//! One segment of a log: a stretch of settled batches in Kafka's three files.
//!
//! **Contract.** A segment belongs to one shard. One task, the settler, appends:
//! [`Segment::append`] as often as it likes (memory only), then [`Segment::prepare`] (which may
//! fail and be repeated, nothing being changed) and [`Segment::write`] (which ends the shard if it
//! fails). Then the files of [`Segment::take_unsynced`] are synced, and [`Segment::state`] goes
//! into the manifest. A crash at any moment leaves a segment that the last state in the manifest
//! describes, and to which the same batches can be appended again. Any number of tasks read, at any
//! time, what is written.

mod batch_header;
pub(crate) mod read;
pub(crate) mod roll;
pub(crate) mod state;
pub(crate) mod timestamp;

pub(crate) use crate::block_file::{PrepareError, Unsynced};
pub(crate) use read::{AtLeast, ReadError, ReadPart, ReadPlan, ReadRequest};
pub(crate) use roll::SegmentConfig;
pub(crate) use state::{SegmentState, Stage};
pub(crate) use timestamp::{RecordAtTimestamp, TimestampTarget, find_record};

use crate::block_file::{BlockFile, Finish};
use crate::file_cache::FileCache;
use crate::lost_file::LostFile;
use crate::offset_index::{OffsetEntry, OffsetIndex};
use crate::time_index::{TimeEntry, TimeIndex};
use record::{BatchView, LeaderEpoch, Offset, Timestamp};
use runtime::{Lease, Shard};
use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};

/// One segment. See the module for the contract.
pub struct Segment {
    files: FileCache,
    base_offset: Offset,
    /// By this broker's clock; the age of a segment without timestamps counts from here.
    opened_at: Timestamp,
    stage: Cell<Stage>,
    finish: Cell<Finish>,
    /// It was sealed, and the manifest does not know yet.
    seal_is_unrecorded: Cell<bool>,
    tip: Cell<Tip>,
    /// Behind the last batch that can be read, and the bytes of `.log` up to there. Both move when
    /// a write has gone through all three files, so that a reader never sees one without the other.
    readable: Cell<Readable>,
    log: BlockFile,
    offset_index: OffsetIndex,
    time_index: TimeIndex,
}

/// How far a segment can be read.
#[derive(Clone, Copy, Debug)]
struct Readable {
    end_offset: Offset,
    log_bytes: u64,
}

/// What the rules of indexes and rolling count, with the batches that are not written yet.
#[derive(Clone, Copy, Debug)]
struct Tip {
    end_offset: Offset,
    bytes_since_index_entry: u32,
    first_timestamp: Timestamp,
    max: TimeEntry,
}

/// The base offset that a segment's files are named after, in what stands before their ending.
pub(crate) fn base_offset_in_name(stem: &str) -> Option<Offset> {
    let all_digits = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { stem.parse().ok().map(Offset) } else { None }
}

impl Segment {
    /// A segment without batches. Nothing is written: its files come with the first whole block.
    pub async fn create(
        shard: &Shard,
        files: &FileCache,
        dir: &Path,
        base_offset: Offset,
    ) -> io::Result<Segment> {
        Segment::reopen(shard, files, dir, SegmentState::empty(base_offset)).await
    }

    /// A segment as the manifest knows it. It reads at most 12 bytes.
    pub async fn reopen(
        shard: &Shard,
        files: &FileCache,
        dir: &Path,
        state: SegmentState,
    ) -> io::Result<Segment> {
        let base_offset = state.base_offset;
        let file = |suffix, state| {
            let path = dir.join(format!("{:020}{suffix}", base_offset.0));
            BlockFile::new(shard, files, path, state)
        };
        let max = TimeEntry { timestamp: state.max_timestamp, offset: state.max_timestamp_offset };
        let readable =
            Readable { end_offset: state.end_offset, log_bytes: state.log.total_bytes() };
        Ok(Segment {
            files: files.clone(),
            base_offset,
            opened_at: Timestamp(shard.wall_ms()),
            stage: Cell::new(state.stage),
            finish: Cell::new(Finish::KeepRemainder),
            seal_is_unrecorded: Cell::new(false),
            tip: Cell::new(Tip {
                end_offset: state.end_offset,
                bytes_since_index_entry: state.bytes_since_index_entry,
                first_timestamp: state.first_timestamp,
                max,
            }),
            readable: Cell::new(readable),
            log: file(".log", state.log),
            offset_index: OffsetIndex::new(base_offset, file(".index", state.offset_index)),
            time_index: TimeIndex::open(base_offset, file(".timeindex", state.time_index)).await?,
        })
    }

    /// The offset that its files are named after.
    pub fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// Behind the last batch that can be read here.
    pub fn end_offset(&self) -> Offset {
        self.readable.get().end_offset
    }

    /// Behind the last batch that was appended, written or not.
    pub fn appended_end_offset(&self) -> Offset {
        self.tip.get().end_offset
    }

    /// Whether it still grows.
    pub fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// The size of its `.log` with what is not written yet.
    pub fn size_bytes(&self) -> u64 {
        self.log.appended_bytes()
    }

    /// The size of its three files: what removing it frees.
    pub fn total_bytes(&self) -> u64 {
        self.block_files().iter().map(|file| file.appended_bytes()).sum()
    }

    /// The largest timestamp in it; -1 without one.
    pub fn max_timestamp(&self) -> Timestamp {
        self.tip.get().max.timestamp
    }

    /// The last offset of the first batch that has the largest timestamp.
    pub fn max_timestamp_offset(&self) -> Offset {
        self.tip.get().max.offset
    }

    /// Adds a whole batch behind the last one, in memory. Index entries are made by Kafka's rules:
    /// one in each index before a batch as soon as more than `index.interval.bytes` were appended
    /// since the last.
    ///
    /// It panics on bytes that are not one batch, or lie before the end: the journal lets none in.
    pub fn append(&self, batch: Lease, config: &SegmentConfig) {
        assert_eq!(self.stage.get(), Stage::Active, "an append to a sealed segment");
        let (view, rest) = BatchView::parse(&batch).expect("the journal holds whole batches");
        let facts = view.facts().expect("the journal holds checked batches");
        assert!(rest.is_empty(), "{} bytes behind a batch", rest.len());
        let mut tip = self.tip.get();
        let (base_offset, last_offset) = (view.base_offset(), view.last_offset());
        assert!(tip.end_offset <= base_offset, "{base_offset} after {}", tip.end_offset);

        if tip.end_offset == self.base_offset && self.log.appended_bytes() == 0 {
            tip.first_timestamp = facts.max_timestamp;
        }
        if facts.max_timestamp > tip.max.timestamp {
            tip.max = TimeEntry { timestamp: facts.max_timestamp, offset: last_offset };
        }
        if tip.bytes_since_index_entry > config.index_interval_bytes {
            let position = self.log.appended_bytes();
            self.offset_index.append(OffsetEntry { last_offset, position });
            self.time_index.append_if_later(tip.max);
            tip.bytes_since_index_entry = 0;
        }
        let size = u32::try_from(facts.size_bytes).expect("a batch's size is an i32");
        tip.bytes_since_index_entry = tip.bytes_since_index_entry.saturating_add(size);
        tip.end_offset = last_offset.plus(1);
        self.tip.set(tip);
        self.log.append(batch);
    }

    /// The next write is the last: it makes the files exactly as long as their content.
    pub fn seal(&self) {
        self.time_index.append_if_later(self.tip.get().max);
        self.finish.set(Finish::Seal);
        self.seal_is_unrecorded.set(true);
    }

    /// Whether a settle has to go on with it though no batch was added: the last write of a sealed
    /// segment, or its record, is still to come.
    pub fn has_unrecorded_seal(&self) -> bool {
        self.seal_is_unrecorded.get()
    }

    /// The manifest has its state.
    pub fn recorded(&self) {
        self.seal_is_unrecorded.set(false);
    }

    /// The next write makes the files exactly as long as their content, as Kafka's tools want to
    /// find them while the broker is stopped. The segment stays active. One without batches needs
    /// no files.
    pub fn trim(&self) {
        let is_active = self.stage.get() == Stage::Active && self.finish.get() != Finish::Seal;
        if is_active && self.log.appended_bytes() > 0 {
            self.time_index.append_if_later(self.tip.get().max);
            self.finish.set(Finish::Trim);
        }
    }

    /// Opens the files that the next write needs, and takes space for it.
    pub async fn prepare(&self) -> Result<(), PrepareError> {
        if self.stage.get() == Stage::Sealed {
            return Ok(());
        }
        for file in self.block_files() {
            file.prepare(self.finish.get()).await?;
        }
        Ok(())
    }

    /// Writes the whole blocks of what was appended, after [`Segment::prepare`]. Readers find it
    /// from then on. A write that fails ends the shard.
    pub async fn write(&self) {
        if self.stage.get() == Stage::Sealed {
            return;
        }
        let (finish, tip) = (self.finish.get(), self.tip.get());
        for file in self.block_files() {
            file.write(finish).await;
        }
        let log_bytes = self.log.readable_bytes();
        self.readable.set(Readable { end_offset: tip.end_offset, log_bytes });
        if finish == Finish::Seal {
            self.stage.set(Stage::Sealed);
        }
        self.finish.set(Finish::KeepRemainder);
    }

    /// The files that were written to since the last call: to be synced before the state is
    /// recorded.
    pub fn take_unsynced(&self) -> Vec<Unsynced> {
        self.block_files().iter().filter_map(|file| file.take_unsynced()).collect()
    }

    /// What the manifest must say after the last write was synced.
    pub fn state(&self) -> SegmentState {
        let tip = self.tip.get();
        assert_eq!(tip.end_offset, self.end_offset(), "a state with unwritten batches");
        SegmentState {
            base_offset: self.base_offset,
            end_offset: tip.end_offset,
            stage: self.stage.get(),
            bytes_since_index_entry: tip.bytes_since_index_entry,
            first_timestamp: tip.first_timestamp,
            max_timestamp: tip.max.timestamp,
            max_timestamp_offset: tip.max.offset,
            log: self.log.state(),
            offset_index: self.offset_index.file().state(),
            time_index: self.time_index.file().state(),
        }
    }

    /// One of its files that lacks settled bytes, as far as they were opened.
    pub fn lost(&self) -> Option<LostFile> {
        self.block_files().iter().find_map(|file| file.lost())
    }

    /// The path of its `.log`.
    pub fn log_path(&self) -> PathBuf {
        self.log.path().to_path_buf()
    }

    fn block_files(&self) -> [&BlockFile; 3] {
        [&self.log, self.offset_index.file(), self.time_index.file()]
    }
}

/// The epoch of a batch that a look-up found; none for a batch without one.
fn known_epoch(epoch: LeaderEpoch) -> Option<LeaderEpoch> {
    (epoch >= LeaderEpoch(0)).then_some(epoch)
}

#[cfg(test)]
mod tests;
