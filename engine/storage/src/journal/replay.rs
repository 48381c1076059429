//! Reads the commits of earlier generations back, entry by entry, in bounded memory.

use super::Journal;
use super::error::{ReplayError, file_path};
use super::format::{
    AtBlock, COMMIT_HEADER_BYTES, EntryHeader, entries_are_whole, read_entries, read_header,
};
use super::place::{EntryPlace, Place};
use super::ring::RingFile;
use crate::block::padded;
use record::Timestamp;
use runtime::{Buffer, Lease};
use std::io;
use std::ops::Range;

/// What is read at once: many small commits, or one large one.
const WINDOW_BYTES: u64 = 512 << 10;

/// The commits that the scan found, from the manifest's replay place on.
pub struct Replay {
    journal: Journal,
    sequences: Range<u64>,
    window: Option<Window>,
}

/// A piece of a file. Entries are slices of it, and keep it in memory.
struct Window {
    start: Place,
    bytes: Lease,
}

/// The entries of one commit.
pub struct CommitEntries {
    /// The commit.
    pub sequence: u64,
    /// When its first entry came; none if a version of the broker wrote it that did not say so.
    pub begun: Option<Timestamp>,
    /// What it holds, in order; at least one.
    pub entries: Vec<JournalEntry>,
}

/// One entry, read back.
pub struct JournalEntry {
    /// Where it stands.
    pub place: EntryPlace,
    /// What it does.
    pub header: EntryHeader,
    /// A slice of up to 512 KiB (or of one commit, if that is larger), which it keeps in memory.
    pub payload: Lease,
}

impl Replay {
    pub(super) fn new(journal: &Journal, sequences: Range<u64>) -> Replay {
        Replay { journal: journal.clone(), sequences, window: None }
    }

    /// The next commit that has entries; none at the end.
    ///
    /// Commits may be recycled as soon as they have been given out, not before.
    pub async fn next_commit(&mut self) -> Result<Option<CommitEntries>, ReplayError> {
        while let Some(sequence) = self.sequences.next() {
            let commit = self.read(sequence).await?;
            if !commit.entries.is_empty() {
                return Ok(Some(commit));
            }
        }
        Ok(None)
    }

    async fn read(&mut self, sequence: u64) -> Result<CommitEntries, ReplayError> {
        let (at, file) = {
            let commits = self.journal.0.commits.borrow();
            let (at, file) = commits
                .ring
                .commit_at(sequence)
                .unwrap_or_else(|| panic!("commit {sequence} was recycled before it was replayed"));
            (at, file.clone())
        };
        let path = file_path(&self.journal.0.dir, file.number);
        let commit = match self.cut(at.place, at.length) {
            Some(commit) => commit,
            None => {
                let window = Window::read(&file, at.place, at.length).await;
                let path = path.clone();
                self.window = Some(window.map_err(|error| ReplayError::Io { path, error })?);
                self.cut(at.place, at.length).expect("a window holds the commit it is read for")
            }
        };
        let changed = ReplayError::Changed { path, position: at.place.position };
        entries(sequence, &commit).ok_or(changed)
    }

    fn cut(&self, place: Place, length: u32) -> Option<Lease> {
        let window = self.window.as_ref().filter(|w| w.start.file == place.file)?;
        let from = usize::try_from(place.position.checked_sub(window.start.position)?).ok()?;
        let to = from + length as usize;
        (to <= window.bytes.len()).then(|| window.bytes.slice(from..to))
    }
}

impl Window {
    async fn read(file: &RingFile, start: Place, length: u32) -> io::Result<Window> {
        let needed = padded(length as usize);
        let rest = file.size_bytes - start.position;
        let wished = (rest.min(WINDOW_BYTES) as usize).max(needed);
        // Behind the journal's end there may be blocks that cannot be read: those are not needed.
        let bytes = match exactly(file, start.position, wished).await {
            Err(_) if wished > needed => exactly(file, start.position, needed).await?,
            other => other?,
        };
        Ok(Window { start, bytes })
    }
}

async fn exactly(file: &RingFile, position: u64, len: usize) -> io::Result<Lease> {
    let (result, buffer) = file.file.read(Buffer::aligned(len), position).await;
    if result? == len { Ok(buffer.freeze()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The entries of a whole commit; none if it is not that commit, or not whole.
fn entries(sequence: u64, commit: &Lease) -> Option<CommitEntries> {
    let AtBlock::Header(read) = read_header(commit) else { return None };
    let body = commit.get(COMMIT_HEADER_BYTES..)?;
    if read.header.sequence != sequence || !entries_are_whole(&read, body) {
        return None;
    }
    let entries = read_entries(read.header.entry_count, body)?.into_iter().zip(0..);
    let with_place = entries.map(|((header, payload), entry)| JournalEntry {
        place: EntryPlace { sequence, entry },
        header,
        payload: commit.slice_of(payload),
    });
    let begun = Some(Timestamp(read.header.begun_ms)).filter(|begun| begun.0 > 0);
    Some(CommitEntries { sequence, begun, entries: with_place.collect() })
}
