//! The ring of files: which is written now, which come next, and where every commit stands.
//!
//! ```text
//! used:  [ oldest … │ … │ current: ■■■■■■■□□□□ ]      free: [ □□□□□ │ □□□□□ ]
//!          first commit of `index`        ^ position
//! ```

mod make;

pub(super) use make::make_file;

use super::chain::Chain;
use super::config::JournalConfig;
use super::error::NoRoom;
use super::place::{Place, ReplayFrom};
use super::purpose::Purpose;
use super::scan::ScannedFile;
use crate::block::{BLOCK_BYTES, padded};
use runtime::File;
use std::collections::VecDeque;

/// Bytes that not even what frees space may use: a start needs a block for its opening, and one for
/// the mark behind it, before anything can settle. This is enough for two starts.
pub(super) const OPENING_RESERVE_BYTES: u64 = 4 * BLOCK_BYTES as u64;

/// One file of the ring.
#[derive(Clone)]
pub(super) struct RingFile {
    pub(super) number: u32,
    pub(super) size_bytes: u64,
    pub(super) file: File,
    /// The first and the last commit that stand in it, of this round; 0 if none.
    first_sequence: u64,
    last_sequence: u64,
}

/// The files in the order of their use, and the places of all commits not yet recycled.
///
/// Invariant: the last of `used` is the current one; sequences rise along `used`, and `index` holds
/// every commit from `first_sequence` on without a gap.
pub(super) struct Ring {
    file_bytes: u64,
    files_min: u32,
    files_max: u32,
    reserve_bytes: u64,
    used: VecDeque<RingFile>,
    free: VecDeque<RingFile>,
    position: u64,
    next_number: u32,
    first_sequence: u64,
    index: VecDeque<IndexEntry>,
    /// Files of a size that is not set any more, or too many, to be removed.
    retired: Vec<RingFile>,
    /// The file that the last replay place is in, and the one that the manifest names: it stays,
    /// because a replay file that is missing means that somebody has removed acknowledged bytes.
    last_named: Option<u32>,
    named: Option<u32>,
}

/// 16 bytes for each commit, so at most 0.4 % of the ring.
#[derive(Clone, Copy)]
struct IndexEntry {
    file: u32,
    block: u32,
    length: u32,
    previous_crc: u32,
}

/// Where a commit of the journal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CommitAt {
    pub(super) place: Place,
    pub(super) length: u32,
}

impl Ring {
    /// The ring as the scan found it.
    pub(super) fn new(config: &JournalConfig, files: Vec<ScannedFile>, chain: &Chain) -> Ring {
        let next_number = files.iter().map(|f| f.number + 1).max().unwrap_or(0);
        let mut ring = Ring {
            file_bytes: config.file_bytes,
            files_min: config.files_min,
            files_max: config.files_max,
            reserve_bytes: config.reserve_bytes,
            used: VecDeque::new(),
            free: files.into_iter().map(RingFile::new).collect(),
            position: 0,
            next_number,
            first_sequence: chain.first_sequence,
            index: VecDeque::with_capacity(chain.commits.len()),
            retired: Vec::new(),
            last_named: None,
            named: chain.start_file,
        };
        for (i, link) in chain.commits.iter().enumerate() {
            if ring.used.back().is_none_or(|f| f.number != link.place.file) {
                ring.use_file(link.place.file);
            }
            let current = ring.used.back_mut().expect("a commit's file was found by the scan");
            current.last_sequence = chain.first_sequence + i as u64;
            if current.first_sequence == 0 {
                current.first_sequence = current.last_sequence;
            }
            ring.index.push_back(IndexEntry {
                file: link.place.file,
                block: link.place.block(),
                length: link.length,
                previous_crc: link.previous_crc,
            });
        }
        if let Some(end) = chain.end {
            if ring.used.is_empty() {
                ring.use_file(end.file);
            }
            ring.position = end.position;
        }
        let free = std::mem::take(&mut ring.free).into_iter();
        let (fit, odd): (Vec<_>, Vec<_>) = free.partition(|f| f.size_bytes == ring.file_bytes);
        (ring.free, ring.retired) = (fit.into(), odd);
        ring
    }

    fn use_file(&mut self, number: u32) {
        if let Some(at) = self.free.iter().position(|f| f.number == number) {
            let file = self.free.remove(at).expect("found a moment ago");
            self.used.push_back(file);
        }
    }

    /// Whether a commit of `len` bytes may follow one of `taken` bytes that was begun and not
    /// ended (0 if there is none).
    pub(super) fn fit(&self, taken: usize, len: usize, purpose: Purpose) -> Result<(), NoRoom> {
        let remaining = self.remaining().saturating_sub(padded(taken) as u64);
        let keep = match purpose {
            // A file beyond the maximum is for what had no place else: openings, and what frees.
            Purpose::Records | Purpose::Metadata => {
                OPENING_RESERVE_BYTES + self.reserve_bytes + self.excess_bytes()
            }
            Purpose::Control => OPENING_RESERVE_BYTES + self.reserve_bytes / 2,
            Purpose::FreesJournal => OPENING_RESERVE_BYTES,
        };
        let len = padded(len) as u64;
        let left = if len <= remaining {
            (remaining + self.free_file_bytes()).checked_sub(len)
        } else {
            // The rest of the current file stays unused until it comes round again.
            let next = self.free.front().map_or(0, |f| f.size_bytes);
            self.free_file_bytes().checked_sub(len).filter(|_| len <= next)
        };
        if left.is_some_and(|left| left >= keep) { Ok(()) } else { Err(NoRoom::Journal) }
    }

    /// Whether a commit of `len` bytes fits at all, reserves aside.
    pub(super) fn has_place(&self, len: usize) -> bool {
        let len = padded(len) as u64;
        len <= self.remaining() || self.free.front().is_some_and(|f| len <= f.size_bytes)
    }

    /// The place of the next commit, of `len` bytes now; it may grow to the end of its file.
    ///
    /// Panics if there is none: the caller asked first.
    pub(super) fn begin(&mut self, len: usize) -> Place {
        if padded(len) as u64 > self.remaining() {
            let next = self.free.pop_front().expect("a file that the caller asked for");
            assert!(padded(len) as u64 <= next.size_bytes, "{len} bytes in one file");
            self.used.push_back(next);
            self.position = 0;
        }
        let current = self.used.back().expect("a place is in a file");
        Place { file: current.number, position: self.position }
    }

    /// The commit that was begun is `len` bytes long. Returns the file to write it to.
    pub(super) fn end(&mut self, sequence: u64, len: usize) -> File {
        assert_eq!(sequence, self.next_sequence(), "commits follow each other");
        let block = (self.position / BLOCK_BYTES as u64) as u32;
        let current = self.used.back_mut().expect("a commit was begun in it");
        let length = u32::try_from(len).expect("a commit fits a file");
        let entry = IndexEntry { file: current.number, block, length, previous_crc: 0 };
        self.index.push_back(entry);
        current.last_sequence = sequence;
        if current.first_sequence == 0 {
            current.first_sequence = sequence;
        }
        self.position += padded(len) as u64;
        assert!(self.position <= current.size_bytes, "a commit ends in its file");
        current.file.clone()
    }

    /// The chain's value before that commit is known.
    pub(super) fn chain(&mut self, sequence: u64, previous_crc: u32) {
        let at = usize::try_from(sequence - self.first_sequence).expect("an index in memory");
        self.index[at].previous_crc = previous_crc;
    }

    /// Bytes from the current position to the end of the current file.
    pub(super) fn remaining(&self) -> u64 {
        self.used.back().map_or(0, |f| f.size_bytes.saturating_sub(self.position))
    }

    /// The sequence that follows all commits in the index.
    pub(super) fn next_sequence(&self) -> u64 {
        self.first_sequence + self.index.len() as u64
    }

    /// Where a replay from that commit begins. `last_crc` is the chain's value behind the last
    /// commit whose value is known; a commit that is not there yet is expected at the end.
    pub(super) fn replay_place(&self, sequence: u64, next: &NextLink) -> ReplayFrom {
        assert!(
            (self.first_sequence..=next.sequence).contains(&sequence),
            "commit {sequence} of {} to {}",
            self.first_sequence,
            next.sequence
        );
        let at = (sequence - self.first_sequence) as usize;
        let entry = self.index.get(at);
        let previous_crc = match entry {
            Some(entry) if sequence < next.sequence => entry.previous_crc,
            _ => next.previous_crc,
        };
        let (file, block) = match entry {
            Some(entry) => (entry.file, entry.block),
            None => {
                let current = self.used.back().expect("an open journal has a current file");
                (current.number, (self.position / BLOCK_BYTES as u64) as u32)
            }
        };
        ReplayFrom { sequence, file, block, previous_crc }
    }

    /// The manifest is going to name this place.
    pub(super) fn will_be_named(&mut self, place: &ReplayFrom) {
        self.last_named = Some(place.file);
    }

    /// Where a commit stands, and the file.
    pub(super) fn commit_at(&self, sequence: u64) -> Option<(CommitAt, &RingFile)> {
        let at = usize::try_from(sequence.checked_sub(self.first_sequence)?).ok()?;
        let entry = self.index.get(at)?;
        let file = self.used.iter().find(|f| f.number == entry.file)?;
        let position = u64::from(entry.block) * BLOCK_BYTES as u64;
        let place = Place { file: entry.file, position };
        Some((CommitAt { place, length: entry.length }, file))
    }

    /// The first commit that was not recycled.
    #[cfg(test)]
    pub(super) fn first_sequence(&self) -> u64 {
        self.first_sequence
    }

    /// The last commit of the oldest file, if that is not the current one: when all up to it are
    /// unneeded, a file comes free.
    pub(super) fn oldest_file_ends(&self) -> Option<u64> {
        (self.used.len() > 1).then(|| self.used.front().map(|f| f.last_sequence)).flatten()
    }

    /// Forgets commits below `sequence`, and frees files that hold no others.
    pub(super) fn recycle_before(&mut self, sequence: u64, synced: u64) {
        let drop = sequence.saturating_sub(self.first_sequence).min(self.index.len() as u64);
        self.index.drain(..drop as usize);
        self.first_sequence += drop;
        self.named = self.last_named.or(self.named);
        self.free_unneeded(synced);
    }

    /// Frees files that hold only what was recycled. True if there were any.
    ///
    /// A file waits until another one's first commit is synced: the header at the front of a file
    /// is what tells a start whose journal this is, so at any moment one must be whole.
    pub(super) fn free_unneeded(&mut self, synced: u64) -> bool {
        let before = self.used.len();
        while self.used.len() > 1
            && self.used[0].last_sequence < self.first_sequence
            && self.used.iter().skip(1).any(|f| (1..=synced).contains(&f.first_sequence))
        {
            let mut file = self.used.pop_front().expect("there are two");
            (file.first_sequence, file.last_sequence) = (0, 0);
            if file.size_bytes == self.file_bytes && self.count() < self.files_max {
                self.free.push_back(file);
            } else {
                self.retired.push(file);
            }
        }
        self.used.len() < before
    }

    /// A file of that size was made.
    pub(super) fn add(&mut self, number: u32, size_bytes: u64, file: File) {
        self.free.push_back(RingFile {
            number,
            size_bytes,
            file,
            first_sequence: 0,
            last_sequence: 0,
        });
    }

    /// Whether another file should be made: there are fewer than the minimum, or, below the
    /// maximum, so few are free that one is to be made while another is being filled.
    pub(super) fn wants_file(&self) -> bool {
        let few = self.file_bytes + OPENING_RESERVE_BYTES + self.reserve_bytes;
        self.count() < self.files_min
            || (self.free_file_bytes() < few && self.count() < self.files_max)
    }

    /// A number that no file has had.
    pub(super) fn take_number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number = number.checked_add(1).expect("fewer than 4 billion files");
        number
    }

    /// Files to be removed.
    pub(super) fn take_retired(&mut self) -> Vec<RingFile> {
        let retired = std::mem::take(&mut self.retired).into_iter();
        let (named, others) = retired.partition(|f| Some(f.number) == self.named);
        self.retired = named;
        others
    }

    /// Whether there are files to be removed.
    pub(super) fn has_retired(&self) -> bool {
        self.retired.iter().any(|f| Some(f.number) != self.named)
    }

    /// Files that hold commits still needed.
    pub(super) fn used_files(&self) -> impl Iterator<Item = &RingFile> {
        self.used.iter()
    }

    /// Bytes between the front of the oldest file and the current position.
    pub(super) fn used_bytes(&self) -> u64 {
        let all: u64 = self.used.iter().map(|f| f.size_bytes).sum();
        all - self.remaining()
    }

    /// Bytes of the files that there are, or will be without any growth.
    pub(super) fn capacity_bytes(&self) -> u64 {
        let all: u64 = self.used.iter().map(|f| f.size_bytes).sum();
        (all + self.free_file_bytes()).max(u64::from(self.files_min) * self.file_bytes)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.used.len() + self.free.len()).expect("fewer than 4 billion files")
    }

    fn excess_bytes(&self) -> u64 {
        u64::from(self.count().saturating_sub(self.files_max)) * self.file_bytes
    }

    fn free_file_bytes(&self) -> u64 {
        self.free.iter().map(|f| f.size_bytes).sum()
    }
}

/// The next commit that will join the chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct NextLink {
    pub(super) sequence: u64,
    pub(super) previous_crc: u32,
}

impl RingFile {
    fn new(found: ScannedFile) -> RingFile {
        let ScannedFile { number, size_bytes, file } = found;
        RingFile { number, size_bytes, file, first_sequence: 0, last_sequence: 0 }
    }
}
