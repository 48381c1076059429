//! An append-only file of whole blocks on the disk, its last bytes in memory.
//!
//! ```text
//! on the disk          remainder     pending
//! ├──────┬──────┬──────┼────────┼──────────────────┤
//! └ whole blocks       └ < 4 KiB, also in the manifest
//!                               └ appended, not written yet: also in the journal
//! ```
//!
//! A write takes the remainder and what is pending and writes the whole blocks of it. So a block
//! that is being written holds nothing that is not also in the manifest or in the journal, and a
//! power cut in that moment loses nothing. No block that is behind another start's state is read.

use crate::block::BLOCK_BYTES;
use crate::file_cache::{Access, FileCache, FileId};
use crate::lost_file::{LostFile, is_gone};
use crate::shortage::Shortage;
use runtime::{Buffer, File, Lease, Open, Shard};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Writes go to the disk in pieces of this size: one in flight moves 1.3 GB/s (measured), and a
/// piece is all the memory that a settle needs.
const PIECE_BYTES: usize = 256 << 10;
/// Space is taken ahead of the writes in steps that double with the file, between these bounds, so
/// that ten thousand small logs do not take gigabytes.
const STEP_MIN_BYTES: u64 = 64 << 10;
const STEP_MAX_BYTES: u64 = 16 << 20;

/// What the manifest knows of a file.
#[derive(Clone)]
pub struct FileState {
    /// How many bytes of it are on the disk: whole blocks while its segment is active, all of it
    /// once that is sealed.
    pub size_bytes: u64,
    /// What follows them, less than a block, and nothing once the segment is sealed.
    pub remainder: Lease,
}

impl FileState {
    /// A file without bytes.
    pub fn empty() -> FileState {
        FileState { size_bytes: 0, remainder: Lease::empty() }
    }

    /// All of the file: on the disk and in the remainder.
    pub fn total_bytes(&self) -> u64 {
        self.size_bytes + self.remainder.len() as u64
    }
}

/// How a write ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    /// The remainder stays in memory.
    KeepRemainder,
    /// The remainder is written too and the file ends with it, as Kafka's tools want it, but the
    /// state is as before: a start goes on from the last whole block.
    Trim,
    /// As Trim, and for good: nothing will be appended any more.
    Seal,
}

/// Why a file cannot be written now. Nothing was written.
#[derive(Debug)]
pub enum PrepareError {
    /// Space or descriptors are short. It passes: the call may be repeated.
    Short {
        /// The file that wanted to grow or to be opened.
        path: PathBuf,
        /// What is short.
        shortage: Shortage,
    },
    /// What had settled in the file is not there: only its log is affected.
    Lost(LostFile),
    /// The file could not be opened, or no space be taken for it, for a reason that time does not
    /// mend: the shard ends.
    Io {
        /// That file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl PrepareError {
    /// What an error of the disk at that path means.
    pub(crate) fn at(path: &Path, error: io::Error) -> PrepareError {
        let path = path.to_path_buf();
        match Shortage::of(&error) {
            Some(shortage) => PrepareError::Short { path, shortage },
            None => PrepareError::Io { path, error },
        }
    }
}

/// One file of a segment. It belongs to one shard; one task at a time appends and writes, any
/// number read what is written.
pub(crate) struct BlockFile {
    shard: Shard,
    files: FileCache,
    id: FileId,
    path: PathBuf,
    /// Whole blocks on the disk, or all of a sealed file.
    written_bytes: Cell<u64>,
    remainder: RefCell<Lease>,
    pending: RefCell<Vec<Lease>>,
    pending_bytes: Cell<u64>,
    /// How far space was taken by this process.
    allocated_bytes: Cell<u64>,
    presence: Cell<Presence>,
    /// Whether the disk holds the remainder too.
    trimmed: Cell<bool>,
    /// What was written to and must be synced.
    unsynced: RefCell<Option<Unsynced>>,
    /// What the last open has missed.
    lost: RefCell<Option<LostFile>>,
}

/// A file that a settle must make durable.
#[derive(Clone)]
pub struct Unsynced {
    /// The file.
    pub file: File,
    /// Where it is, for its folder's sync and for messages.
    pub path: PathBuf,
    /// It was made or changed its size: its inode and its name must be synced too.
    pub is_new: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// Nothing durable mentions the file: if there is one, it is an orphan and will be emptied.
    Absent,
    Present,
}

/// A settle write that failed. Nothing is known about the file any more: the shard ends.
struct WriteFailed<'a> {
    path: &'a Path,
    position: u64,
    error: io::Error,
}

impl BlockFile {
    /// A file in the state in which the manifest knows it. Nothing is opened yet.
    pub(crate) fn new(
        shard: &Shard,
        files: &FileCache,
        path: PathBuf,
        state: FileState,
    ) -> BlockFile {
        let presence = if state.size_bytes > 0 { Presence::Present } else { Presence::Absent };
        BlockFile {
            shard: shard.clone(),
            files: files.clone(),
            id: files.new_id(),
            path,
            written_bytes: Cell::new(state.size_bytes),
            remainder: RefCell::new(state.remainder),
            pending: RefCell::new(Vec::new()),
            pending_bytes: Cell::new(0),
            allocated_bytes: Cell::new(state.size_bytes),
            presence: Cell::new(presence),
            trimmed: Cell::new(false),
            unsynced: RefCell::new(None),
            lost: RefCell::new(None),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn id(&self) -> FileId {
        self.id
    }

    /// What an open has missed of the settled bytes.
    pub(crate) fn lost(&self) -> Option<LostFile> {
        self.lost.borrow().clone()
    }

    /// What the manifest should say, without what is pending.
    pub(crate) fn state(&self) -> FileState {
        FileState {
            size_bytes: self.written_bytes.get(),
            remainder: self.remainder.borrow().clone(),
        }
    }

    /// How far the file can be read.
    pub(crate) fn readable_bytes(&self) -> u64 {
        self.written_bytes.get() + self.remainder.borrow().len() as u64
    }

    /// How long the file is with everything that was appended.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.readable_bytes() + self.pending_bytes.get()
    }

    /// Adds bytes behind the last ones. They are written by the next write, and read from then on.
    pub(crate) fn append(&self, bytes: Lease) {
        self.pending_bytes.set(self.pending_bytes.get() + bytes.len() as u64);
        self.pending.borrow_mut().push(bytes);
    }

    /// Opens the file and takes space for what the next write writes.
    pub(crate) async fn prepare(&self, finish: Finish) -> Result<(), PrepareError> {
        if finish == Finish::Trim && self.has_work(finish) && self.ends_with_remainder().await {
            self.trimmed.set(true);
        }
        if !self.has_work(finish) {
            return Ok(());
        }
        let file = self.open_for_writing().await.map_err(|error| match self.lost() {
            Some(lost) => PrepareError::Lost(lost),
            None => PrepareError::at(&self.path, error),
        })?;
        let end = match finish {
            Finish::KeepRemainder => whole_blocks(self.appended_bytes()),
            Finish::Trim | Finish::Seal => self.appended_bytes().next_multiple_of(BLOCK),
        };
        let allocated = self.allocated_bytes.get();
        if end > allocated {
            let step = allocated.clamp(STEP_MIN_BYTES, STEP_MAX_BYTES);
            let wanted = match finish {
                Finish::KeepRemainder => end.max(allocated + step),
                Finish::Trim | Finish::Seal => end,
            };
            file.allocate(allocated, wanted - allocated)
                .await
                .map_err(|error| PrepareError::at(&self.path, error))?;
            self.allocated_bytes.set(wanted);
        }
        Ok(())
    }

    /// Writes what is pending. The file was prepared for the same finish; an error ends the shard.
    pub(crate) async fn write(&self, finish: Finish) {
        let appended = self.appended_bytes();
        if self.has_work(finish) {
            let outcome = match self.open_for_writing().await {
                Ok(file) => self.write_to(&file, finish).await,
                Err(error) => Err(WriteFailed { path: &self.path, position: 0, error }),
            };
            if let Err(failed) = outcome {
                self.shard.fatal(&failed);
            }
        }
        assert_eq!(appended, self.appended_bytes(), "an append during a write");
        self.settle_memory(finish);
    }

    /// What was written to since the last call.
    pub(crate) fn take_unsynced(&self) -> Option<Unsynced> {
        self.unsynced.borrow_mut().take()
    }

    /// Reads `len` bytes at `position`; the caller keeps within [`BlockFile::readable_bytes`].
    pub(crate) async fn read(&self, position: u64, len: usize) -> io::Result<Lease> {
        // Both are taken before the first wait: a write that ends meanwhile moves them together.
        let (written, remainder) = (self.written_bytes.get(), self.remainder.borrow().clone());
        let end = position + len as u64;
        assert!(end <= written + remainder.len() as u64, "{position} + {len} in {:?}", self.path);
        if position >= written {
            return Ok(remainder.slice(index(position - written)..index(end - written)));
        }
        let from_disk = index(end.min(written) - position);
        let file = self.open_for_reading().await?;
        let (got, buffer) = file.read(Buffer::plain(from_disk), position).await;
        if got? < from_disk {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = buffer.freeze();
        if from_disk == len {
            return Ok(bytes);
        }
        Ok(Lease::from([&bytes[..], &remainder[..len - from_disk]].concat()))
    }

    /// The bytes of the range that lie on the disk, as a range, and those in the remainder.
    pub(crate) fn split(&self, position: u64, len: u64) -> (u64, Option<Lease>) {
        let written = self.written_bytes.get();
        let on_disk = written.saturating_sub(position).min(len);
        let remainder = self.remainder.borrow();
        let from = index(position.max(written) - written);
        let in_memory = (on_disk < len).then(|| remainder.slice(from..from + index(len - on_disk)));
        (on_disk, in_memory)
    }

    /// The file as readers and other shards may use it.
    pub(crate) async fn open_for_reading(&self) -> io::Result<File> {
        self.open(Access::Read, Open::read()).await
    }

    /// Whether the last start has left the file trimmed already, and nothing came since. The size
    /// alone does not tell: a trim that was cut before its record may have left other bytes, as
    /// many as there are now.
    async fn ends_with_remainder(&self) -> bool {
        let Ok(file) = self.open_for_reading().await else { return false };
        let remainder = self.remainder.borrow().clone();
        let appended = self.appended_bytes();
        if self.pending_bytes.get() > 0 || !file.size_bytes().await.is_ok_and(|s| s == appended) {
            return false;
        }
        let plain = Buffer::plain(remainder.len());
        let (got, found) = file.read(plain, self.written_bytes.get()).await;
        got.is_ok_and(|got| found[..got] == *remainder)
    }

    fn has_work(&self, finish: Finish) -> bool {
        match finish {
            Finish::KeepRemainder => whole_blocks(self.appended_bytes()) > self.written_bytes.get(),
            Finish::Trim | Finish::Seal => !self.trimmed.get() || self.pending_bytes.get() > 0,
        }
    }

    async fn write_to(&self, file: &File, finish: Finish) -> Result<(), WriteFailed<'_>> {
        let start = self.written_bytes.get();
        let appended = self.appended_bytes();
        let end = match finish {
            Finish::KeepRemainder => whole_blocks(appended),
            Finish::Trim | Finish::Seal => appended.next_multiple_of(BLOCK),
        };
        let mut source = Source::new(self.remainder.borrow().clone(), &self.pending.borrow());
        let mut position = start;
        let failed = |position, error| WriteFailed { path: &self.path, position, error };
        while position < end {
            let mut piece = Buffer::aligned_with_capacity(index(end - position).min(PIECE_BYTES));
            source.fill(&mut piece);
            // The last block of a file that is trimmed may have more room than there are bytes.
            piece.pad_to(piece.capacity());
            let len = piece.len() as u64;
            file.write(piece.freeze(), position).await.map_err(|error| failed(position, error))?;
            position += len;
        }
        let mut is_new = self.unsynced.borrow().as_ref().is_some_and(|before| before.is_new);
        is_new |= start == 0;
        if finish != Finish::KeepRemainder {
            file.truncate(appended).await.map_err(|error| failed(appended, error))?;
            self.allocated_bytes.set(whole_blocks(appended));
            is_new = true;
        }
        self.trimmed.set(finish != Finish::KeepRemainder);
        let (file, path) = (file.clone(), self.path.clone());
        *self.unsynced.borrow_mut() = Some(Unsynced { file, path, is_new });
        Ok(())
    }

    /// Moves what was written out of the pending bytes, in one step for readers.
    fn settle_memory(&self, finish: Finish) {
        let appended = self.appended_bytes();
        let start = self.written_bytes.get();
        let end = whole_blocks(appended);
        let mut source =
            Source::new(self.remainder.borrow().clone(), &self.pending.borrow_mut().split_off(0));
        self.pending_bytes.set(0);
        if finish == Finish::Seal {
            self.written_bytes.set(appended);
            *self.remainder.borrow_mut() = Lease::empty();
            self.files.forget(self.id, Access::Write);
            return;
        }
        source.skip(index(end - start));
        let mut remainder = Buffer::with_capacity(index(appended - end));
        source.fill(&mut remainder);
        self.written_bytes.set(end);
        *self.remainder.borrow_mut() = remainder.freeze();
    }

    /// Makes the file if there is none, and its folder: nothing durable names the folder before it
    /// holds a file, so a power cut takes an empty one away.
    async fn open_for_writing(&self) -> io::Result<File> {
        let how = match self.presence.get() {
            Presence::Present => Open::read().write().direct(),
            Presence::Absent => Open::read().write().direct().create().truncate(),
        };
        let open = || self.open(Access::Write, how);
        let mut opened = open().await;
        if self.presence.get() == Presence::Absent
            && opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            && let Some(folder) = self.path.parent()
        {
            self.shard.disk().create_dir(folder).await?;
            opened = open().await;
        }
        let file = opened?;
        self.presence.set(Presence::Present);
        Ok(file)
    }

    /// Opens the file if it is not open, and looks whether it has what was settled in it.
    async fn open(&self, access: Access, how: Open) -> io::Result<File> {
        if let Some(file) = self.files.opened(self.id, access) {
            return Ok(file);
        }
        let settled_bytes = self.written_bytes.get();
        let opened = self.files.open(&self.shard, self.id, access, &self.path, how).await;
        if settled_bytes == 0 {
            return opened;
        }
        let (file, size_bytes) = match opened {
            Ok(file) => {
                let size_bytes = file.size_bytes().await;
                (Ok(file), size_bytes)
            }
            Err(error) => (Err(io::Error::from(error.kind())), Err(error)),
        };
        let lost = LostFile::of(&self.path, settled_bytes, &size_bytes);
        let is_lost = lost.is_some();
        *self.lost.borrow_mut() = lost;
        match (file, size_bytes) {
            (Ok(file), Ok(_)) if !is_lost => Ok(file),
            (_, Err(error)) => Err(error),
            _ => {
                self.files.forget(self.id, access);
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}

impl Drop for BlockFile {
    fn drop(&mut self) {
        self.files.forget(self.id, Access::Write);
        self.files.forget(self.id, Access::Read);
    }
}

const BLOCK: u64 = BLOCK_BYTES as u64;

fn whole_blocks(bytes: u64) -> u64 {
    bytes / BLOCK * BLOCK
}

/// A distance within one file or buffer of ours, which memory can hold.
fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a range in memory")
}

/// The remainder and the pending bytes as one stream.
struct Source {
    parts: VecDeque<Lease>,
    part: Lease,
}

impl Source {
    fn new(remainder: Lease, pending: &[Lease]) -> Source {
        Source { parts: pending.iter().cloned().collect(), part: remainder }
    }

    /// Puts into `out` what it has room for, or all there is.
    fn fill(&mut self, out: &mut Buffer) {
        while out.room() > 0 && self.advance() {
            let len = self.part.len().min(out.room());
            out.extend_from_slice(&self.part[..len]);
            self.part = self.part.slice(len..self.part.len());
        }
    }

    fn skip(&mut self, mut len: usize) {
        while len > 0 && self.advance() {
            let skipped = self.part.len().min(len);
            self.part = self.part.slice(skipped..self.part.len());
            len -= skipped;
        }
    }

    /// Whether there is a byte left.
    fn advance(&mut self) -> bool {
        while self.part.is_empty() {
            match self.parts.pop_front() {
                Some(next) => self.part = next,
                None => return false,
            }
        }
        true
    }
}

impl fmt::Display for WriteFailed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "writing {} at {} failed: {}; {}, then start again{}",
            self.path.display(),
            self.position,
            self.error,
            remedy(&self.error),
            comfort(&self.error)
        )
    }
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PrepareError::Short { path, shortage } => f.write_str(&shortage.for_file(path)),
            PrepareError::Lost(lost) => lost.fmt(f),
            PrepareError::Io { path, error } => write!(
                f,
                "{} cannot be opened or grown: {error}; {}, then start again{}",
                path.display(),
                remedy(error),
                comfort(error)
            ),
        }
    }
}

impl std::error::Error for PrepareError {}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "let the broker's user own the data folder",
        io::ErrorKind::ReadOnlyFilesystem => "mount the file system for writing",
        io::ErrorKind::UnexpectedEof => "find out who changed the data folder",
        _ if is_gone(error) => "find out who changed the data folder",
        _ => "check the disk",
    }
}

/// What failed is in the journal still; but who knows what else went with a file that is gone.
fn comfort(error: &io::Error) -> &'static str {
    if is_gone(error) || error.kind() == io::ErrorKind::UnexpectedEof {
        return "";
    }
    " (what was not written is in the journal)"
}

#[cfg(test)]
mod tests;
