//! One manifest file: made as a whole, grown in zero-written steps, appended to by synced records.

use super::format::{MAGIC, ManifestEntry, RECORD_HEADER_SIZE_BYTES, RecordHeader};
use super::table::Table;
use super::{ManifestConfig, ManifestError, record_size_bytes};
use crate::block::{BLOCK_BYTES, crc};
use crate::journal::ReplayFrom;
use runtime::{Buffer, File, Open, Shard};
use std::collections::VecDeque;
use std::fmt;
use std::io;
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
    pub(super) size_bytes: u64,
    pub(super) previous_crc: u32,
}

/// Records on their way into a file: entries are encoded here, places and chain are filled in by
/// the file.
pub(super) struct RecordWriter {
    records: VecDeque<Record>,
    last_number: u64,
    replay: ReplayFrom,
}

struct Record {
    number: u64,
    entry_count: u32,
    replay: ReplayFrom,
    entries: Vec<u8>,
}

/// A manifest write that failed: the shard ends.
struct WriteFailed<'a> {
    path: &'a Path,
    error: io::Error,
}

impl ManifestFile {
    /// Opens a file that was read, and makes durable what was read.
    pub(super) async fn reopen(
        shard: &Shard,
        dir: &Path,
        place: Place,
    ) -> Result<ManifestFile, ManifestError> {
        let path = dir.join(file_name(place.number));
        let how = Open::read().write().direct();
        let file = shard.disk().open(&path, how).await.map_err(at(&path))?;
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

    /// Makes a file with these records under its `.new` name, and renames it when it is durable.
    pub(super) async fn create(
        shard: &Shard,
        dir: &Path,
        number: u64,
        config: &ManifestConfig,
        records: &mut RecordWriter,
    ) -> Result<ManifestFile, ManifestError> {
        let path = dir.join(file_name(number));
        let new_path = dir.join(format!("manifest-{number:020}{NEW_SUFFIX}"));
        let how = Open::read().write().direct().create().truncate();
        let file = shard.disk().open(&new_path, how).await.map_err(at(&new_path))?;
        let mut made = ManifestFile { file, path, number, end: 0, grown_to: 0, previous_crc: 0 };
        made.write(shard, config, records, SyncWhen::Later).await?;
        made.file.sync_all().await.map_err(at(&new_path))?;
        shard.disk().rename(&new_path, &made.path).await.map_err(at(&new_path))?;
        shard.disk().sync_dir(dir).await.map_err(at(dir))?;
        Ok(made)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Behind the last record.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Appends all records. Space is taken first, so that a full disk is an error that changes
    /// nothing.
    pub(super) async fn write(
        &mut self,
        shard: &Shard,
        config: &ManifestConfig,
        records: &mut RecordWriter,
        when: SyncWhen,
    ) -> Result<(), ManifestError> {
        self.grow(shard, config, records.size_bytes()).await?;
        while let Some(record) = records.records.pop_front() {
            let bytes = self.lay_out(shard, &record);
            let (position, len) = (self.end, bytes.len() as u64);
            let outcome = match when {
                SyncWhen::EachRecord => self.file.write_then_sync(bytes.freeze(), position).await,
                SyncWhen::Later => self.file.write(bytes.freeze(), position).await,
            };
            if let Err(error) = outcome {
                shard.fatal(&WriteFailed { path: &self.path, error });
            }
            self.end += len;
        }
        Ok(())
    }

    /// Makes room for so many bytes behind the end, written with zeros and synced.
    async fn grow(
        &mut self,
        shard: &Shard,
        config: &ManifestConfig,
        bytes: u64,
    ) -> Result<(), ManifestError> {
        if self.end + bytes <= self.grown_to {
            return Ok(());
        }
        let start = self.grown_to;
        let wanted = (self.end + bytes - start).next_multiple_of(config.step_bytes);
        self.file.allocate(start, wanted).await.map_err(at(&self.path))?;
        let mut position = start;
        while position < start + wanted {
            let len = (start + wanted - position).min(ZEROS_BYTES);
            let zeros = Buffer::aligned(usize::try_from(len).expect("at most a piece")).freeze();
            if let Err(error) = self.file.write(zeros, position).await {
                shard.fatal(&WriteFailed { path: &self.path, error });
            }
            position += len;
        }
        if let Err(error) = self.file.sync_all().await {
            shard.fatal(&WriteFailed { path: &self.path, error });
        }
        self.grown_to = start + wanted;
        Ok(())
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

impl RecordWriter {
    /// Records behind the one with that number, whose replay place was that.
    pub(super) fn new(last_number: u64, replay: ReplayFrom) -> RecordWriter {
        RecordWriter { records: VecDeque::new(), last_number, replay }
    }

    /// The number of the last record pushed, or before them.
    pub(super) fn last_number(&self) -> u64 {
        self.last_number
    }

    /// A record without entries: the beginning of an empty table.
    pub(super) fn push_empty(&mut self) {
        self.push(0, Vec::new());
    }

    /// The whole table. Only the file as a whole is ever read, so it may be cut anywhere.
    pub(super) fn push_table(&mut self, table: &Table, target_bytes: usize) {
        let (mut bytes, mut count) = (Vec::new(), 0);
        for entry in table.entries() {
            entry.encode(&mut bytes);
            count += 1;
            if bytes.len() >= target_bytes {
                self.push(std::mem::take(&mut count), std::mem::take(&mut bytes));
            }
        }
        if count > 0 || self.records.is_empty() {
            self.push(count, bytes);
        }
    }

    /// Entries that are applied all or none log by log; the new place of the replay comes with the
    /// last of them.
    pub(super) fn push_split(
        &mut self,
        entries: &[ManifestEntry],
        replay: ReplayFrom,
        target_bytes: usize,
    ) {
        let (mut bytes, mut count) = (Vec::new(), 0);
        for of_one_log in entries.chunk_by(|a, b| a.log == b.log) {
            if bytes.len() >= target_bytes {
                self.push(std::mem::take(&mut count), std::mem::take(&mut bytes));
            }
            for entry in of_one_log {
                entry.encode(&mut bytes);
                count += 1;
            }
        }
        self.replay = replay;
        self.push(count, bytes);
    }

    fn push(&mut self, entry_count: u32, entries: Vec<u8>) {
        self.last_number += 1;
        let (number, replay) = (self.last_number, self.replay);
        self.records.push_back(Record { number, entry_count, replay, entries });
    }

    fn size_bytes(&self) -> u64 {
        self.records.iter().map(|record| record_size_bytes(record.length())).sum()
    }
}

impl Record {
    fn length(&self) -> u32 {
        u32::try_from(RECORD_HEADER_SIZE_BYTES + self.entries.len())
            .expect("a record stays far below 4 GiB")
    }
}

/// The name of the file with that number.
pub(super) fn file_name(number: u64) -> String {
    format!("manifest-{number:020}{SUFFIX}")
}

/// The number of a manifest file; none if the name is another file's.
pub(super) fn file_number(name: &str) -> Option<u64> {
    let number = name.strip_prefix("manifest-")?.strip_suffix(SUFFIX)?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// Removes what is left of a file that was not finished.
pub(super) async fn remove_new(shard: &Shard, dir: &Path, number: u64) {
    let path = dir.join(format!("manifest-{number:020}{NEW_SUFFIX}"));
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
    |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ManifestError::NoSpace { path }
        }
        _ => ManifestError::Io { path, error },
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
