//! Recovery's first pass over the journal: reads every file, decides, writes nothing.

use super::chain::{Chain, CommitFound, EntriesFound, FileFound, follow};
use super::config::JournalConfig;
use super::error::{Rot, ScanError, file_path};
use super::format::{
    AtBlock, COMMIT_HEADER_BYTES, CommitHeader, entries_are_whole, read_entries, read_header,
};
use super::place::{Place, ReplayFrom, file_number};
use crate::block::BLOCK_BYTES;
use crate::log_id::LogId;
use runtime::{Buffer, File, Open, Shard};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Where a file cannot be read in one go, it is read in pieces of this size, and where one of them
/// cannot, block by block.
const PIECE_BYTES: usize = 256 << 10;

/// What the first pass found. Nothing has been written; scanning again gives the same.
pub struct Scanned {
    pub(super) shard: Shard,
    pub(super) dir: PathBuf,
    pub(super) config: JournalConfig,
    pub(super) files: Vec<ScannedFile>,
    pub(super) chain: Chain,
    /// None if no commit was ever whole.
    pub(super) journal_id: Option<u64>,
    /// Names of files whose making was cut short.
    pub(super) unfinished: Vec<String>,
}

/// One file of the ring, open.
pub(super) struct ScannedFile {
    pub(super) number: u32,
    pub(super) size_bytes: u64,
    pub(super) file: File,
}

impl Scanned {
    /// The last commit of the journal; 0 if there never was one.
    pub fn last_sequence(&self) -> u64 {
        self.chain.last_sequence()
    }

    /// The chain's value: the last commit's CRC.
    pub fn last_crc(&self) -> u32 {
        self.chain.last_crc
    }

    /// The generation that wrote last; 0 if there never was one.
    pub fn generation(&self) -> u64 {
        self.chain.generation
    }

    /// Logs that a commit from the replay place on deletes, in order.
    pub fn tombstones(&self) -> &[(u64, LogId)] {
        &self.chain.tombstones
    }

    /// Commits from the replay place on that cut a log back: which one, to which offset. What is
    /// replayed before such a commit may not settle beyond that offset.
    pub fn truncations(&self) -> &[(u64, LogId, i64)] {
        &self.chain.truncations
    }
}

/// See [`Journal::scan`](super::Journal::scan).
pub(super) async fn scan(
    shard: &Shard,
    dir: &Path,
    config: &JournalConfig,
    replay_from: Option<ReplayFrom>,
    manifest_last: u64,
) -> Result<Scanned, ScanError> {
    let (files, unfinished) = open_files(shard, dir).await?;
    let journal_id = journal_id(shard, dir, &files, replay_from).await?;
    let mut found = Vec::with_capacity(files.len());
    let mut memory = Buffer::aligned(0);
    for file in &files {
        let read = read_whole(file, memory).await;
        let commits = find_commits(&read, shard.id().0, file.number, journal_id);
        found.push(commits.map_err(|version| {
            let path = file_path(dir, file.number);
            ScanError::Newer { path, version }
        })?);
        memory = read.bytes;
    }
    let chain = follow(&found, replay_from)
        .map_err(|rot| ScanError::Rot { dir: dir.to_path_buf(), rot })?;
    if let Some(missing) = chain.start_file
        && chain.commits.is_empty()
        && files.iter().all(|f| f.number != missing)
    {
        // The manifest names a file for as long as it is in the ring: somebody has removed it.
        return Err(ScanError::Missing { path: file_path(dir, missing) });
    }
    if chain.manifest_mark > manifest_last {
        let (synced, last) = (chain.manifest_mark, manifest_last);
        return Err(ScanError::ManifestBehind { dir: dir.to_path_buf(), synced, last });
    }
    let (shard, dir, config) = (shard.clone(), dir.to_path_buf(), config.clone());
    Ok(Scanned { shard, dir, config, files, chain, journal_id, unfinished })
}

/// Opens what is named like a file of the ring, and names what was not finished.
async fn open_files(
    shard: &Shard,
    dir: &Path,
) -> Result<(Vec<ScannedFile>, Vec<String>), ScanError> {
    let failed = |doing, path: &Path| {
        let path = path.to_path_buf();
        move |error| ScanError::Io { doing, path, error }
    };
    let (mut files, mut unfinished) = (Vec::new(), Vec::new());
    let names = shard.disk().list(dir).await.map_err(failed("listing", dir))?;
    for entry in names {
        if entry.name.strip_suffix(".new").is_some_and(|name| file_number(name).is_some()) {
            unfinished.push(entry.name);
        } else if let Some(number) = file_number(&entry.name) {
            let path = file_path(dir, number);
            let how = Open::read().write().direct();
            let file = shard.disk().open(&path, how).await.map_err(failed("opening", &path))?;
            let size_bytes = file.size_bytes().await.map_err(failed("measuring", &path))?;
            files.push(ScannedFile { number, size_bytes, file });
        }
    }
    Ok((files, unfinished))
}

/// The id of this journal, which is the one that files begin with: there no client's bytes stand.
async fn journal_id(
    shard: &Shard,
    dir: &Path,
    files: &[ScannedFile],
    replay_from: Option<ReplayFrom>,
) -> Result<Option<u64>, ScanError> {
    let mut id = None;
    for file in files {
        let path = || file_path(dir, file.number);
        let first = read_piece(&file.file, 0, BLOCK_BYTES.min(file.size_bytes as usize)).await;
        match first.map_or(AtBlock::NoHeader, |block| read_header(&block)) {
            AtBlock::NoHeader => {}
            AtBlock::Newer { version, .. } => {
                return Err(ScanError::Newer { path: path(), version });
            }
            AtBlock::Header(read) => {
                let theirs = is_in_place(&read.header, shard.id().0, file.number, 0);
                if !theirs || id.is_some_and(|id| id != read.header.journal_id) {
                    return Err(ScanError::Foreign { path: path() });
                }
                id = Some(read.header.journal_id);
            }
        }
    }
    match replay_from {
        // No file is given up before another one's first commit is synced: one is whole.
        Some(from) if id.is_none() && from.sequence > 1 => {
            if files.iter().all(|f| f.number != from.file) {
                return Err(ScanError::Missing { path: file_path(dir, from.file) });
            }
            let place = Place { file: from.file, position: 0 };
            let rot = Rot { place, sequence: from.sequence - 1, marked: from.sequence - 1 };
            Err(ScanError::Rot { dir: dir.to_path_buf(), rot })
        }
        _ => Ok(id),
    }
}

/// What a file holds.
struct FileRead {
    bytes: Buffer,
    /// Positions of blocks that could not be read, rising; `bytes` has zeros there, which a commit
    /// of zeros could be mistaken for.
    unreadable: Vec<usize>,
}

impl FileRead {
    fn is_readable(&self, range: Range<usize>) -> bool {
        let first = self.unreadable.partition_point(|at| *at < range.start);
        self.unreadable.get(first).is_none_or(|at| *at >= range.end)
    }
}

/// Reads what can be read: a power cut leaves unreadable blocks where a write was in flight, and
/// the chain tells whether they matter. `memory` is used if it fits: files of one size need one.
async fn read_whole(file: &ScannedFile, memory: Buffer) -> FileRead {
    let size = usize::try_from(file.size_bytes).expect("a journal file has at most 1 GiB");
    let size = size / BLOCK_BYTES * BLOCK_BYTES;
    let memory = if memory.len() == size { memory } else { Buffer::aligned(size) };
    let (result, mut bytes) = file.file.read(memory, 0).await;
    let mut unreadable = Vec::new();
    if !result.is_ok_and(|read| read == size) {
        for (i, piece) in bytes.chunks_mut(PIECE_BYTES).enumerate() {
            read_what_is_readable(&file.file, i * PIECE_BYTES, piece, &mut unreadable).await;
        }
    }
    FileRead { bytes, unreadable }
}

/// Fills a piece of a file of which some blocks cannot be read; those become zeros.
async fn read_what_is_readable(
    file: &File,
    position: usize,
    into: &mut [u8],
    unreadable: &mut Vec<usize>,
) {
    if let Ok(read) = read_piece(file, position as u64, into.len()).await {
        into.copy_from_slice(&read);
        return;
    }
    for (k, block) in into.chunks_mut(BLOCK_BYTES).enumerate() {
        let position = position + k * BLOCK_BYTES;
        match read_piece(file, position as u64, BLOCK_BYTES).await {
            Ok(read) => block.copy_from_slice(&read),
            Err(_) => {
                block.fill(0);
                unreadable.push(position);
            }
        }
    }
}

/// Exactly `len` bytes.
async fn read_piece(file: &File, position: u64, len: usize) -> io::Result<Buffer> {
    if len < BLOCK_BYTES {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (result, buffer) = file.read(Buffer::aligned(len), position).await;
    if result? == len { Ok(buffer) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// Every whole header of this journal that stands in its own place. An error is the format of a
/// commit of this journal that a newer version of the broker has written.
fn find_commits(
    read: &FileRead,
    shard: u16,
    number: u32,
    journal_id: Option<u64>,
) -> Result<FileFound, u16> {
    let bytes = &read.bytes;
    let size_bytes = bytes.len() as u64;
    let mut found = FileFound::new(number, size_bytes);
    for position in (0..bytes.len()).step_by(BLOCK_BYTES) {
        let at = match read_header(&bytes[position..]) {
            AtBlock::Header(at) => at,
            AtBlock::Newer { version, journal_id: id } if Some(id) == journal_id => {
                return Err(version);
            }
            AtBlock::Newer { .. } | AtBlock::NoHeader => continue,
        };
        let header = at.header;
        let ours = Some(header.journal_id) == journal_id
            && is_in_place(&header, shard, number, position as u64)
            && header.end() <= size_bytes;
        if !ours {
            continue;
        }
        let end = position + header.length as usize;
        let body = &bytes[position + COMMIT_HEADER_BYTES..end];
        let is_whole = read.is_readable(position..end) && entries_are_whole(&at, body);
        let entries = is_whole.then(|| read_entries(header.entry_count, body)).flatten();
        for (entry, _) in entries.iter().flatten() {
            found.note(position as u64, entry);
        }
        let entries = if entries.is_some() { EntriesFound::Whole } else { EntriesFound::Torn };
        found.commits.push(CommitFound { header, crc: at.crc, entries });
    }
    Ok(found)
}

fn is_in_place(header: &CommitHeader, shard: u16, file: u32, position: u64) -> bool {
    header.shard == shard && header.file == file && header.position == position
}
