//! Recovery's decision: which of the commits that stand in the files are the journal.
//!
//! Pure: what was found goes in, the chain or the reason to refuse comes out.

use super::error::Rot;
use super::format::{CommitHeader, CommitKind, EntryHeader, EntryKind};
use super::place::{Place, ReplayFrom};
use crate::log_id::LogId;
use std::collections::BTreeMap;

/// What one file of the ring holds.
#[derive(Clone, Debug)]
pub(crate) struct FileFound {
    pub(crate) number: u32,
    pub(crate) size_bytes: u64,
    /// Every whole header, in order of position. Earlier rounds and ghosts are among them.
    pub(crate) commits: Vec<CommitFound>,
    /// Position of the commit, and the log that it deletes.
    pub(crate) tombstones: Vec<(u64, LogId)>,
    /// Where, which log, to which offset.
    pub(crate) truncations: Vec<(u64, LogId, i64)>,
}

/// A whole header, and what is behind it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitFound {
    pub(crate) header: CommitHeader,
    pub(crate) crc: u32,
    pub(crate) entries: EntriesFound,
}

/// Whether the entries are the ones that the header was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntriesFound {
    Whole,
    Torn,
}

/// The journal from the replay place on.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// Sequence of the first of `commits`, or of the next to be written if there are none.
    pub(crate) first_sequence: u64,
    pub(crate) commits: Vec<Link>,
    /// The file that the manifest names, if there is a manifest.
    pub(crate) start_file: Option<u32>,
    /// The chain value that the next commit carries.
    pub(crate) last_crc: u32,
    /// The highest generation that any whole header tells.
    pub(crate) generation: u64,
    /// Where the next commit goes; none if the journal has not begun.
    pub(crate) end: Option<Place>,
    /// By commit: which log was deleted.
    pub(crate) tombstones: Vec<(u64, LogId)>,
    /// By commit: which log was cut to which offset.
    pub(crate) truncations: Vec<(u64, LogId, i64)>,
    /// The highest synced manifest record that any whole header tells.
    pub(crate) manifest_mark: u64,
}

/// One commit of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) place: Place,
    pub(crate) length: u32,
    pub(crate) previous_crc: u32,
}

impl Chain {
    /// The last commit's sequence; 0 if there never was one.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.first_sequence + self.commits.len() as u64 - 1
    }
}

impl FileFound {
    /// A file in which nothing was found yet.
    pub(crate) fn new(number: u32, size_bytes: u64) -> FileFound {
        let (commits, tombstones, truncations) = (Vec::new(), Vec::new(), Vec::new());
        FileFound { number, size_bytes, commits, tombstones, truncations }
    }

    /// Notes an entry of the commit at that position, if recovery must know of it beforehand.
    pub(crate) fn note(&mut self, position: u64, entry: &EntryHeader) {
        match entry.kind {
            EntryKind::Tombstone => self.tombstones.push((position, entry.log)),
            EntryKind::Truncation => self.truncations.push((position, entry.log, entry.offset)),
            _ => {}
        }
    }
}

/// Follows the chain from `start`, or from the journal's very first commit.
pub(crate) fn follow(files: &[FileFound], start: Option<ReplayFrom>) -> Result<Chain, Rot> {
    let found = Found::new(files);
    let first_sequence = start.map_or(1, |s| s.sequence);
    let mut chain = Chain {
        first_sequence,
        commits: Vec::new(),
        start_file: start.map(|s| s.file),
        last_crc: start.map_or(0, |s| s.previous_crc),
        generation: 0,
        end: start.map(|s| s.place()),
        tombstones: Vec::new(),
        truncations: Vec::new(),
        manifest_mark: found.headers().map(|h| h.manifest_mark).max().unwrap_or(0),
    };
    // Before the replay place the generation is unknown: there the chain's value alone decides.
    let mut generation = None;
    loop {
        let next = Expected {
            sequence: chain.first_sequence + chain.commits.len() as u64,
            previous_crc: chain.last_crc,
            generation,
        };
        let Some((file, commit)) = found.next(chain.end, &next) else { break };
        let header = &commit.header;
        let place = Place { file: header.file, position: header.position };
        chain.commits.push(Link {
            place,
            length: header.length,
            previous_crc: header.previous_crc,
        });
        let here = |t: &&(u64, LogId)| t.0 == header.position;
        let deleted = file.tombstones.iter().filter(here);
        chain.tombstones.extend(deleted.map(|t| (header.sequence, t.1)));
        let cut = file.truncations.iter().filter(|t| t.0 == header.position);
        chain.truncations.extend(cut.map(|t| (header.sequence, t.1, t.2)));
        chain.end = Some(Place { file: header.file, position: header.end() });
        chain.last_crc = commit.crc;
        generation = Some(header.generation);
    }
    let marked = found.headers().map(|h| h.mark).max().unwrap_or(0);
    if chain.last_sequence() < marked {
        let sequence = chain.last_sequence() + 1;
        return Err(Rot { place: found.blame(chain.end, sequence), sequence, marked });
    }
    chain.generation = found.headers().map(|h| h.generation).max().unwrap_or(0);
    Ok(chain)
}

/// What the next commit must carry.
struct Expected {
    sequence: u64,
    previous_crc: u32,
    generation: Option<u64>,
}

impl Expected {
    fn is(&self, commit: &CommitFound) -> bool {
        let header = &commit.header;
        let generation_fits = match (self.generation, header.kind) {
            (None, _) => true,
            (Some(current), CommitKind::Opening) => header.generation > current,
            (Some(current), _) => header.generation == current,
        };
        header.sequence == self.sequence
            && header.previous_crc == self.previous_crc
            && generation_fits
            && commit.entries == EntriesFound::Whole
    }
}

/// The files, ready to be asked.
struct Found<'a> {
    files: BTreeMap<u32, &'a FileFound>,
    /// By sequence, the files that begin with that commit.
    beginnings: BTreeMap<u64, Vec<&'a FileFound>>,
}

impl<'a> Found<'a> {
    fn new(files: &'a [FileFound]) -> Found<'a> {
        let mut beginnings: BTreeMap<u64, Vec<&FileFound>> = BTreeMap::new();
        for file in files {
            if let Some(first) = file.at(0) {
                beginnings.entry(first.header.sequence).or_default().push(file);
            }
        }
        Found { files: files.iter().map(|f| (f.number, f)).collect(), beginnings }
    }

    fn headers(&self) -> impl Iterator<Item = &'a CommitHeader> + '_ {
        self.files.values().flat_map(|f| f.commits.iter().map(|c| &c.header))
    }

    /// The commit that continues the chain: behind the last one, or at the front of a file. Of two
    /// that fit, which takes a read error that healed, the one of the later generation counts.
    fn next(
        &self,
        end: Option<Place>,
        expected: &Expected,
    ) -> Option<(&'a FileFound, &'a CommitFound)> {
        let behind = end
            .and_then(|e| Some((*self.files.get(&e.file)?, e.position)))
            .and_then(|(file, position)| Some((file, file.at(position)?)));
        let fronts = self.beginnings.get(&expected.sequence).into_iter().flatten();
        let fronts = fronts.filter_map(|file| Some((*file, file.at(0)?)));
        behind
            .into_iter()
            .chain(fronts)
            .filter(|(_, commit)| expected.is(commit))
            .max_by_key(|(_, commit)| commit.header.generation)
    }

    /// Where a marked commit is missing: behind the chain's end if something fits there, else at
    /// the front of a file that has lost its first header.
    fn blame(&self, end: Option<Place>, sequence: u64) -> Place {
        let torn_front = self.beginnings.get(&sequence).and_then(|files| files.first());
        let headless = || self.files.values().find(|f| f.at(0).is_none());
        let room =
            end.filter(|e| self.files.get(&e.file).is_some_and(|f| e.position < f.size_bytes));
        match (torn_front, room) {
            (Some(file), _) => Place { file: file.number, position: 0 },
            (None, Some(place)) => place,
            (None, None) => match (headless(), end) {
                (Some(file), _) => Place { file: file.number, position: 0 },
                (None, Some(place)) => place,
                (None, None) => Place { file: 0, position: 0 },
            },
        }
    }
}

impl FileFound {
    fn at(&self, position: u64) -> Option<&CommitFound> {
        let index = self.commits.binary_search_by_key(&position, |c| c.header.position).ok()?;
        Some(&self.commits[index])
    }
}

#[cfg(test)]
mod tests;
