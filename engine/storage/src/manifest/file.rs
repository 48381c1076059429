//! One manifest file: made as a whole, grown in zero-written steps, appended to by synced records.

use super::format::{MAGIC, ManifestEntry, RECORD_HEADER_SIZE_BYTES, RecordHeader};
use super::{ManifestConfig, ManifestError, record_size_bytes};
use crate::block::{BLOCK_BYTES, crc};
use crate::journal::ReplayFrom;
use crate::shortage::{Shortage, sync_dir};
use runtime::{Buffer, File, Open, Shard};
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Zeros are written in pieces of this size.
const ZEROS_BYTES: u64 = 256 << 10;
const SUFFIX: &str = ".rm";
const NEW_SUFFIX: &str = ".rm.new";

/// When records become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncWhen {
    /// Each before the next is written: so what is whole behind a record that is not was never
    /// promised, nor left by an earlier write.
    EachRecord,
    /// By the caller, before anybody may read the file.
    Later,
}

/// An open manifest file and where its next record goes.
#[derive(Clone)]
pub(super) struct ManifestFile {
    file: File,
    path: PathBuf,
    number: u64,
    end: u64,
    /// How far it was written with zeros, or records.
    grown_to: u64,
    previous_crc: u32,
}

/// Where a manifest that was read goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) end: u64,
    /// Up to there stands what a cut has left of a record, or of a step.
    pub(super) leftover_end: u64,
    pub(super) size_bytes: u64,
    pub(super) previous_crc: u32,
}

/// A record on its way into a file, which fills in place and chain.
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) replay: ReplayFrom,
    entry_count: u32,
    entries: Vec<u8>,
}

/// A manifest write that failed: the shard ends.
struct WriteFailed<'a> {
    path: &'a Path,
    error: io::Error,
}

impl ManifestFile {
    /// Opens a file that was read, and makes durable what was read: the records, and that nothing
    /// stands behind them. What is left of a record that was cut would be whole again if the one
    /// bad sector of it were mended by a write that is cut in its turn.
    pub(super) async fn reopen(
        shard: &Shard,
        dir: &Path,
        place: Place,
    ) -> Result<ManifestFile, ManifestError> {
        let path = dir.join(file_name(place.number));
        let how = Open::read().write().direct();
        let file = shard.disk().open(&path, how).await.map_err(at(&path))?;
        write_zeros(&file, place.end..place.leftover_end).await.map_err(at(&path))?;
        file.sync_all().await.map_err(at(&path))?;
        shard.disk().sync_dir(dir).await.map_err(at(dir))?;
        Ok(ManifestFile {
            file,
            path,
            number: place.number,
            end: place.end,
            grown_to: place.size_bytes / BLOCK_BYTES as u64 * BLOCK_BYTES as u64,
            previous_crc: place.previous_crc,
        })
    }

    /// Begins a file under its `.new` name.
    pub(super) async fn create(
        shard: &Shard,
        dir: &Path,
        number: u64,
    ) -> Result<ManifestFile, ManifestError> {
        let path = dir.join(new_file_name(number));
        let how = Open::read().write().direct().create().truncate();
        let file = shard.disk().open(&path, how).await.map_err(at(&path))?;
        Ok(ManifestFile { file, path, number, end: 0, grown_to: 0, previous_crc: 0 })
    }

    /// Makes a begun file durable and gives it its name: from now on it is the one that counts. An
    /// error leaves it unfinished. One of saving its name ends the shard, whatever it says: nobody
    /// knows then which file the next start reads, so nothing may be appended to either. A lack of
    /// descriptors is waited out.
    pub(super) async fn finish(&mut self, shard: &Shard, dir: &Path) -> Result<(), ManifestError> {
        let path = dir.join(file_name(self.number));
        self.file.sync_all().await.map_err(at(&self.path))?;
        shard.disk().rename(&self.path, &path).await.map_err(at(&self.path))?;
        self.path = path;
        if let Err(error) = sync_dir(shard, dir).await {
            shard.fatal(&WriteFailed { path: &self.path, error });
        }
        Ok(())
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Behind the last record.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Makes room for so many bytes behind the end, written with zeros, and synced if records will
    /// be. A full disk is an error that changes nothing.
    pub(super) async fn grow(
        &mut self,
        shard: &Shard,
        config: &ManifestConfig,
        bytes: u64,
        when: SyncWhen,
    ) -> Result<(), ManifestError> {
        if self.end + bytes <= self.grown_to {
            return Ok(());
        }
        let start = self.grown_to;
        let wanted = (self.end + bytes - start).next_multiple_of(config.step_bytes);
        self.file.allocate(start, wanted).await.map_err(at(&self.path))?;
        let zeroed = match (write_zeros(&self.file, start..start + wanted).await, when) {
            (Ok(()), SyncWhen::EachRecord) => self.file.sync_all().await,
            (zeroed, _) => zeroed,
        };
        if let Err(error) = zeroed {
            shard.fatal(&WriteFailed { path: &self.path, error });
        }
        self.grown_to = start + wanted;
        Ok(())
    }

    /// Appends a record, for which there is room.
    pub(super) async fn write(&mut self, shard: &Shard, record: &Record, when: SyncWhen) {
        let bytes = self.lay_out(shard, record);
        let (position, len) = (self.end, bytes.len() as u64);
        assert!(position + len <= self.grown_to, "no room was made for {len} bytes");
        let outcome = match when {
            SyncWhen::EachRecord => self.file.write_durably(bytes.freeze(), position).await,
            SyncWhen::Later => self.file.write(bytes.freeze(), position).await,
        };
        if let Err(error) = outcome {
            shard.fatal(&WriteFailed { path: &self.path, error });
        }
        self.end += len;
    }

    /// The bytes of a record at the end of this file, and the chain moved on.
    fn lay_out(&mut self, shard: &Shard, record: &Record) -> Buffer {
        let length = record.length();
        let header = RecordHeader {
            shard: shard.id().0,
            entry_count: record.entry_count,
            number: record.number,
            file: self.number,
            position: self.end,
            length,
            previous_crc: self.previous_crc,
            replay: record.replay,
            entries_crc: crc(&record.entries),
        };
        let header = header.encode();
        let size = usize::try_from(record_size_bytes(length)).expect("a record in memory");
        let mut bytes = Buffer::aligned(size);
        let entries_end = RECORD_HEADER_SIZE_BYTES + record.entries.len();
        bytes[..RECORD_HEADER_SIZE_BYTES].copy_from_slice(&header);
        bytes[RECORD_HEADER_SIZE_BYTES..entries_end].copy_from_slice(&record.entries);
        self.previous_crc = RecordHeader::crc_of(&header);
        bytes
    }
}

impl Record {
    pub(super) fn new(number: u64, replay: ReplayFrom, entries: &[ManifestEntry]) -> Record {
        let mut bytes = Vec::with_capacity(entries.iter().map(ManifestEntry::encoded_bytes).sum());
        entries.iter().for_each(|entry| entry.encode(&mut bytes));
        let entry_count = u32::try_from(entries.len()).expect("a record stays far below 4 GiB");
        Record { number, replay, entry_count, entries: bytes }
    }

    /// The bytes that it takes in a file.
    pub(super) fn size_bytes(&self) -> u64 {
        record_size_bytes(self.length())
    }

    fn length(&self) -> u32 {
        record_length(self.entries.len())
    }
}

async fn write_zeros(file: &File, range: Range<u64>) -> io::Result<()> {
    let mut position = range.start;
    while position < range.end {
        let len = (range.end - position).min(ZEROS_BYTES);
        let zeros = Buffer::aligned(usize::try_from(len).expect("at most a piece")).freeze();
        file.write(zeros, position).await?;
        position += len;
    }
    Ok(())
}

/// Where to cut entries into records: whole logs, about `target_bytes` each; and what all of them
/// take in a file.
pub(super) fn cut(entries: &[ManifestEntry], target_bytes: usize) -> (Vec<Range<usize>>, u64) {
    let (mut ranges, mut size) = (Vec::new(), 0);
    let (mut start, mut end, mut record_bytes) = (0, 0, 0);
    for of_one_log in entries.chunk_by(|a, b| a.log == b.log) {
        if record_bytes >= target_bytes {
            size += record_size_bytes(record_length(record_bytes));
            ranges.push(start..end);
            (start, record_bytes) = (end, 0);
        }
        end += of_one_log.len();
        record_bytes += of_one_log.iter().map(ManifestEntry::encoded_bytes).sum::<usize>();
    }
    size += record_size_bytes(record_length(record_bytes));
    ranges.push(start..end);
    (ranges, size)
}

fn record_length(entries_bytes: usize) -> u32 {
    u32::try_from(RECORD_HEADER_SIZE_BYTES + entries_bytes).expect("a record stays far below 4 GiB")
}

/// The name of the file with that number.
pub(super) fn file_name(number: u64) -> String {
    format!("manifest-{number:020}{SUFFIX}")
}

/// The name that it has before it is finished.
fn new_file_name(number: u64) -> String {
    format!("manifest-{number:020}{NEW_SUFFIX}")
}

/// The number of a manifest file; none if the name is another file's.
pub(super) fn file_number(name: &str) -> Option<u64> {
    let number = name.strip_prefix("manifest-")?.strip_suffix(SUFFIX)?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// Removes what is left of a file that was not finished.
pub(super) async fn remove_new(shard: &Shard, dir: &Path, number: u64) {
    let path = dir.join(new_file_name(number));
    // If it cannot be removed, the next attempt or the next start empties or removes it.
    let _ = shard.disk().remove_file(&path).await;
}

/// Removes the file with that number.
pub(super) async fn remove(shard: &Shard, dir: &Path, number: u64) -> Result<(), ManifestError> {
    let path = dir.join(file_name(number));
    shard.disk().remove_file(&path).await.map_err(at(&path))
}

/// Removes all manifest files but one, finished and unfinished.
pub(super) async fn remove_others(
    shard: &Shard,
    dir: &Path,
    kept: u64,
) -> Result<(), ManifestError> {
    for entry in shard.disk().list(dir).await.map_err(at(dir))? {
        let is_old = file_number(&entry.name).is_some_and(|number| number != kept);
        let is_new = entry.name.starts_with("manifest-") && entry.name.ends_with(NEW_SUFFIX);
        if is_old || is_new {
            let path = dir.join(&entry.name);
            shard.disk().remove_file(&path).await.map_err(at(&path))?;
        }
    }
    Ok(())
}

/// Whether a block begins with a record's magic, so that its header is worth a look.
pub(super) fn may_be_header(block: &[u8]) -> bool {
    block.starts_with(&MAGIC)
}

/// Makes an error of the disk one about that path.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> ManifestError {
    let path = path.to_path_buf();
    |error| match Shortage::of(&error) {
        Some(shortage) => ManifestError::Short { path, shortage },
        None => ManifestError::Io { path, error },
    }
}

impl fmt::Display for WriteFailed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "writing {} failed: {}; check the disk, then start again",
            self.path.display(),
            self.error
        )
    }
}
