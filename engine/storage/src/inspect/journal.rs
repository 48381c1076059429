//! A journal's commits from plain bytes, and recovery's verdict on all of them.

use crate::journal::chain::{CommitFound, EntriesFound, FileFound, follow};
use crate::journal::format::{
    AtBlock, COMMIT_HEADER_BYTES, EntryHeader, ReadHeader, entries_are_whole, read_entries,
    read_header,
};
use crate::journal::{ReplayFrom, Rot};

/// What stands at a place, a block's begin, where a commit could stand. 96 bytes of it suffice.
pub fn commit_at(bytes: &[u8]) -> AtBlock {
    read_header(bytes)
}

/// The entries of the commit that begins `bytes` with the header `read`, each with its payload;
/// none if they are not the ones that it was written with, or the bytes end before they do.
pub fn commit_entries<'a>(
    read: &ReadHeader,
    bytes: &'a [u8],
) -> Option<Vec<(EntryHeader, &'a [u8])>> {
    let length = usize::try_from(read.header.length).ok()?;
    let entries = bytes.get(COMMIT_HEADER_BYTES..length)?;
    entries_are_whole(read, entries).then(|| read_entries(read.header.entry_count, entries))?
}

/// Whether a commit's entries are the ones that its header was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wholeness {
    /// They are.
    Whole,
    /// They are not: a torn write, or damage.
    Torn,
}

/// What was found in one file of a journal.
#[derive(Clone, Debug)]
pub struct JournalFile(FileFound);

/// The commits that a start of the broker would find and replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalRun {
    /// Where it begins: the manifest's replay place, or the very first commit.
    pub first_sequence: u64,
    /// Its last commit; one less than the first if it is empty.
    pub last_sequence: u64,
    /// The highest generation that any header tells.
    pub generation: u64,
    /// The file and position where the next commit goes; none if there never was one.
    pub end: Option<(u32, u64)>,
    /// The highest manifest record that any header tells to have been synced.
    pub manifest_mark: u64,
}

impl JournalFile {
    /// A file of which nothing has been found yet.
    pub fn new(number: u32, size_bytes: u64) -> JournalFile {
        JournalFile(FileFound::new(number, size_bytes))
    }

    /// Adds a header that stands in its own place, behind those that were added before, with its
    /// entries if they are whole; whether they are.
    ///
    /// Headers that contradict the file (of another number, before the last one, beyond its end)
    /// are left out.
    pub fn add(
        &mut self,
        read: &ReadHeader,
        entries: Option<&[(EntryHeader, &[u8])]>,
    ) -> Wholeness {
        let header = read.header;
        let last = self.0.commits.last().map(|c| c.header.position);
        let whole = if entries.is_some() { Wholeness::Whole } else { Wholeness::Torn };
        let fits = header.file == self.0.number
            && last.is_none_or(|last| last < header.position)
            && header.position < self.0.size_bytes
            && header.size_on_disk() <= self.0.size_bytes - header.position;
        if fits {
            for (entry, _) in entries.into_iter().flatten() {
                self.0.note(header.position, entry);
            }
            let entries = match whole {
                Wholeness::Whole => EntriesFound::Whole,
                Wholeness::Torn => EntriesFound::Torn,
            };
            self.0.commits.push(CommitFound { header, crc: read.crc, entries });
        }
        whole
    }
}

/// Decides as recovery does (`docs/storage-format.md`, 3.3) which commits are the journal.
///
/// `files` are all files of the ring, with the headers of this journal's id alone; `replay_from` is
/// what the manifest's last record says; a sequence that no journal reaches says nothing.
pub fn judge(files: &[JournalFile], replay_from: Option<ReplayFrom>) -> Result<JournalRun, Rot> {
    let files: Vec<FileFound> = files.iter().map(|file| file.0.clone()).collect();
    let is_possible = |from: &ReplayFrom| (1..u64::MAX / 2).contains(&from.sequence);
    let chain = follow(&files, replay_from.filter(is_possible))?;
    Ok(JournalRun {
        first_sequence: chain.first_sequence,
        last_sequence: chain.last_sequence(),
        generation: chain.generation,
        end: chain.end.map(|place| (place.file, place.position)),
        manifest_mark: chain.manifest_mark,
    })
}
