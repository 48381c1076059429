//! Shows the files of a shard's journal, and what recovery would make of them.

use super::Depth;
use super::batch;
use super::data_folder::DataFolders;
use super::manifest::{self, Follows};
use super::pieces::Pieces;
use super::report::{Line, Report, Stop};
use record::BatchView;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use storage::inspect::journal::{
    JournalFile, JournalRun, Wholeness, commit_at, commit_entries, judge,
};
use storage::inspect::{BLOCK_BYTES, journal_file_number};
use storage::{
    AtBlock, COMMIT_HEADER_BYTES, CommitHeader, CommitKind, ENTRY_HEADER_BYTES, EntryHeader,
    EntryKind, LogId, ReadHeader, Rot,
};

/// All journal files of a folder together.
#[derive(Debug)]
pub(super) struct JournalFolder {
    /// What all headers of this journal carry: the one at a file's front tells it.
    id: Option<u64>,
    /// Of each file, where which commit stands.
    files: BTreeMap<u32, Vec<CommitHeader>>,
    /// The logs that any whole commit deletes: an id is not given again.
    tombstones: BTreeSet<LogId>,
    verdict: Verdict,
}

/// What recovery would say.
#[derive(Debug)]
enum Verdict {
    /// Only a manifest tells where the journal begins.
    NoManifest,
    Run(JournalRun),
    Rot(Rot),
    /// The journal knows of a manifest record that is not there.
    ManifestBehind {
        synced: u64,
        last: u64,
    },
}

/// What stands at a place.
enum Found<'a> {
    Commit {
        read: ReadHeader,
        /// None if they are torn.
        entries: Option<Vec<(EntryHeader, &'a [u8])>>,
    },
    /// So many bytes without a commit.
    Gap {
        bytes: u64,
        fill: Fill,
    },
    Newer {
        version: u16,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Zeros,
    Other,
}

/// Every commit and entry of one file.
pub(super) fn dump<W: Write>(
    path: &Path,
    file: &mut Pieces,
    depth: Depth,
    folders: &mut DataFolders,
    report: &mut Report<W>,
) -> Result<(), Stop> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let (folder, is_new) = folders.journal(dir)?;
    if is_new {
        report.line(folder.line())?;
    }
    let number = file_number(path);
    let known = number.and_then(|number| folder.files.get(&number));
    let id = match known {
        Some(_) => folder.id,
        None => front(file).map_err(Stop::Read)?.map(|header| header.journal_id),
    };
    let headers = known.map(Vec::as_slice).unwrap_or_default();
    let mut shown = Shown { report, depth, headers, run: Run::Begins };
    walk(file, number, id, |position, found| shown.add(position, found))?;
    shown.end_of_file(file.size_bytes())
}

impl JournalFolder {
    /// Reads all journal files of a folder, and its manifest.
    pub(super) fn read(dir: &Path) -> Result<JournalFolder, Stop> {
        let mut paths = BTreeMap::new();
        for entry in std::fs::read_dir(dir).map_err(Stop::Read)? {
            let path = entry.map_err(Stop::Read)?.path();
            if let Some(number) = file_number(&path) {
                paths.insert(number, path);
            }
        }
        let mut id = None;
        for (number, path) in &paths {
            let header = Pieces::open(path).and_then(|mut file| front(&mut file));
            let header = header.map_err(Stop::Read)?.filter(|header| header.file == *number);
            id = id.or(header.map(|header| header.journal_id));
        }
        let (mut files, mut found) = (BTreeMap::new(), Vec::new());
        let mut tombstones = BTreeSet::new();
        for (number, path) in paths {
            let mut file = Pieces::open(&path).map_err(Stop::Read)?;
            let mut journal_file = JournalFile::new(number, file.size_bytes());
            let mut headers = Vec::new();
            walk(&mut file, Some(number), id, |_, found| {
                if let Found::Commit { read, entries } = found {
                    headers.push(read.header);
                    let entries_there = entries.iter().flatten().map(|(entry, _)| entry);
                    let gone = entries_there.filter(|entry| entry.kind == EntryKind::Tombstone);
                    tombstones.extend(gone.map(|entry| entry.log));
                    journal_file.add(&read, entries.as_deref());
                }
                Ok(())
            })?;
            files.insert(number, headers);
            found.push(journal_file);
        }
        Ok(JournalFolder { id, files, tombstones, verdict: verdict(dir, &found)? })
    }

    /// The logs that any whole commit deletes.
    pub(super) fn tombstones(&self) -> impl Iterator<Item = LogId> + '_ {
        self.tombstones.iter().copied()
    }

    fn line(&self) -> Line {
        let line = Line::new("journal").field("files", self.files.len());
        match &self.verdict {
            Verdict::NoManifest => {
                line.field("note", "no sound manifest beside it tells where it begins: not judged")
            }
            Verdict::Rot(rot) => line.fault(Some(rot.to_string())),
            Verdict::ManifestBehind { synced, last } => line.fault(Some(format!(
                "manifest record {synced} was synced and the manifest ends with {last}: restore \
                 the shard's folder from a copy"
            ))),
            Verdict::Run(run) => {
                let next = match run.end {
                    Some((file, position)) => format!("journal-{file:05}.rj at {position}"),
                    None => "nowhere yet".to_owned(),
                };
                line.field("generation", run.generation)
                    .field("replay_from", run.first_sequence)
                    .field("last", run.last_sequence)
                    .field("goes_on", next)
            }
        }
    }
}

fn verdict(dir: &Path, files: &[JournalFile]) -> Result<Verdict, Stop> {
    let Some(path) = manifest::newest(dir).map_err(Stop::Read)? else {
        return Ok(Verdict::NoManifest);
    };
    let end = manifest::walk_path(&path, |_, _| Ok(()))?;
    let is_sound = matches!(end.follows, Follows::Nothing | Follows::Zeros | Follows::Torn);
    let Some(last) = end.last.filter(|_| is_sound) else { return Ok(Verdict::NoManifest) };
    Ok(match judge(files, Some(last.replay)) {
        Err(rot) => Verdict::Rot(rot),
        Ok(run) if run.manifest_mark > last.number => {
            Verdict::ManifestBehind { synced: run.manifest_mark, last: last.number }
        }
        Ok(run) => Verdict::Run(run),
    })
}

fn file_number(path: &Path) -> Option<u32> {
    journal_file_number(path.file_name()?.to_str()?)
}

/// The header that a file begins with.
fn front(file: &mut Pieces) -> std::io::Result<Option<CommitHeader>> {
    Ok(match commit_at(file.at(0, COMMIT_HEADER_BYTES as u64)?) {
        AtBlock::Header(read) if read.header.position == 0 => Some(read.header),
        _ => None,
    })
}

/// Calls `visit` with everything that stands in a file, from front to back.
fn walk(
    file: &mut Pieces,
    number: Option<u32>,
    id: Option<u64>,
    mut visit: impl FnMut(u64, Found<'_>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut gap: Option<(u64, Fill)> = None;
    let mut position = 0;
    while position < file.size_bytes() {
        let at = commit_at(file.at(position, BLOCK_BYTES as u64).map_err(Stop::Read)?);
        let is_ours = |read: &ReadHeader, size_bytes: u64| {
            let header = &read.header;
            header.position == position
                && number.is_none_or(|number| header.file == number)
                && id.is_none_or(|id| header.journal_id == id)
                && header.size_on_disk() <= size_bytes - position
        };
        let fill = match at {
            AtBlock::Header(read) if is_ours(&read, file.size_bytes()) => {
                end_gap(&mut gap, position, &mut visit)?;
                let length = u64::from(read.header.length);
                let bytes = file.at(position, length).map_err(Stop::Read)?;
                let entries = commit_entries(&read, bytes);
                // Behind a torn header anything may stand, at the next block already.
                let size =
                    entries.as_ref().map_or(BLOCK_BYTES as u64, |_| read.header.size_on_disk());
                visit(position, Found::Commit { read, entries })?;
                position += size;
                continue;
            }
            AtBlock::Newer { version, .. } => {
                end_gap(&mut gap, position, &mut visit)?;
                visit(position, Found::Newer { version })?;
                position += BLOCK_BYTES as u64;
                continue;
            }
            _ => {
                let block = file.at(position, BLOCK_BYTES as u64).map_err(Stop::Read)?;
                if block.iter().all(|byte| *byte == 0) { Fill::Zeros } else { Fill::Other }
            }
        };
        if gap.is_none_or(|(_, of)| of != fill) {
            end_gap(&mut gap, position, &mut visit)?;
            gap = Some((position, fill));
        }
        position += BLOCK_BYTES as u64;
    }
    end_gap(&mut gap, file.size_bytes(), &mut visit)
}

fn end_gap(
    gap: &mut Option<(u64, Fill)>,
    end: u64,
    visit: &mut impl FnMut(u64, Found<'_>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    match gap.take() {
        Some((start, fill)) => visit(start, Found::Gap { bytes: end - start, fill }),
        None => Ok(()),
    }
}

/// Shows what is found, and where the run of commits from the file's front ends.
struct Shown<'a, W> {
    report: &'a mut Report<W>,
    depth: Depth,
    /// All headers of the file.
    headers: &'a [CommitHeader],
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Begins,
    GoesOn { last: CommitHeader, crc: u32 },
    Ended,
}

impl<W: Write> Shown<'_, W> {
    fn add(&mut self, position: u64, found: Found<'_>) -> Result<(), Stop> {
        match found {
            Found::Commit { read, entries } => self.commit(&read, entries),
            Found::Gap { bytes, fill } => {
                let follows = match fill {
                    Fill::Zeros => "zeros: never written",
                    Fill::Other => "no commit: bytes of an earlier round, or a torn write",
                };
                self.end_run(position, follows)?;
                let what = match fill {
                    Fill::Zeros => "zeros",
                    Fill::Other => "no-commit",
                };
                Ok(self.report.line(Line::new(what).at(position).field("bytes", bytes))?)
            }
            Found::Newer { version } => {
                let why = format!(
                    "format version {version} at {position}: use the newer ringmain that wrote it"
                );
                Ok(self.report.unreadable(&why)?)
            }
        }
    }

    fn commit(
        &mut self,
        read: &ReadHeader,
        entries: Option<Vec<(EntryHeader, &[u8])>>,
    ) -> Result<(), Stop> {
        let header = &read.header;
        let chain = match self.judge(header) {
            ControlFlow::Continue(chain) if entries.is_some() => {
                self.run = Run::GoesOn { last: *header, crc: read.crc };
                chain
            }
            ControlFlow::Continue(_) => {
                self.end_run(header.position, "a torn commit")?;
                "torn"
            }
            ControlFlow::Break(chain) => {
                self.end_run(header.position, chain)?;
                chain
            }
        };
        let whole = if entries.is_some() { Wholeness::Whole } else { Wholeness::Torn };
        self.report.line(commit_line(header, chain, whole))?;
        let mut position = header.position + COMMIT_HEADER_BYTES as u64;
        for (entry, payload) in entries.iter().flatten() {
            self.entry(position, entry, payload)?;
            position += (ENTRY_HEADER_BYTES + payload.len()) as u64;
        }
        Ok(())
    }

    /// Whether a commit continues the run, and what it is called if it does or does not.
    fn judge(&self, header: &CommitHeader) -> ControlFlow<&'static str, &'static str> {
        match self.run {
            Run::Begins if header.position == 0 => ControlFlow::Continue("begins the file"),
            Run::Begins | Run::Ended => ControlFlow::Break("an earlier round, or a ghost"),
            Run::GoesOn { last, crc } => {
                let generation_fits = match header.kind {
                    CommitKind::Opening => header.generation > last.generation,
                    _ => header.generation == last.generation,
                };
                if header.sequence <= last.sequence {
                    ControlFlow::Break("an earlier round")
                } else if header.sequence - last.sequence == 1
                    && header.previous_crc == crc
                    && generation_fits
                {
                    ControlFlow::Continue("ok")
                } else {
                    ControlFlow::Break("a ghost: it continues another chain")
                }
            }
        }
    }

    /// Says once where the run of commits from the file's front ends, and why.
    fn end_run(&mut self, position: u64, follows: &'static str) -> Result<(), Stop> {
        let last = match self.run {
            Run::Ended => return Ok(()),
            Run::Begins => None,
            Run::GoesOn { last, .. } => Some(last.sequence),
        };
        self.run = Run::Ended;
        let fault = last.and_then(|last| self.rot(last, position));
        let line = Line::new("end").at(position).field("last_sequence", last);
        Ok(self.report.line(line.field("follows", follows).fault(fault))?)
    }

    /// A later commit behind the end that knows the next one synced: a commit of this round, for
    /// what an earlier one left has smaller numbers.
    fn rot(&self, last: u64, position: u64) -> Option<String> {
        let next = last.saturating_add(1);
        let mut behind = self.headers.iter().filter(|header| header.position > position);
        let witness = behind.find(|header| header.sequence > next && header.mark >= next)?;
        Some(format!(
            "commit {next} is damaged: commit {} at {} knows that it was synced",
            witness.sequence, witness.position
        ))
    }

    fn end_of_file(&mut self, position: u64) -> Result<(), Stop> {
        self.end_run(position, "the file's end: the journal goes on in another file")
    }

    fn entry(&mut self, position: u64, entry: &EntryHeader, payload: &[u8]) -> Result<(), Stop> {
        let line = Line::new("entry")
            .at(position)
            .field("kind", entry_kind(entry.kind))
            .field("log", entry.log.to_string())
            .field("offset", entry.offset)
            .field("leader_epoch", entry.leader_epoch)
            .field("size", payload.len());
        match entry.kind {
            EntryKind::Creation => {
                let label = String::from_utf8_lossy(payload).into_owned();
                self.report.line(line.field("label", label))?;
            }
            EntryKind::Batch => match BatchView::parse(payload) {
                Ok((batch, _)) => {
                    let line = line.field("last_offset", batch.last_offset().0);
                    let crc = batch.validate_crc().err().map(|error| batch::damage(&error));
                    let line = line.field("records", batch.record_count());
                    self.report.line(line.fault(crc))?;
                    batch::dump_records(&batch, self.depth, self.report)?;
                }
                Err(error) => self.report.line(line.fault(Some(batch::damage(&error))))?,
            },
            _ => self.report.line(line)?,
        }
        Ok(())
    }
}

fn commit_line(header: &CommitHeader, chain: &'static str, whole: Wholeness) -> Line {
    let kind = match header.kind {
        CommitKind::Entries => "entries",
        CommitKind::Opening => "opening",
        CommitKind::Mark => "mark",
    };
    Line::new("commit")
        .at(header.position)
        .field("kind", kind)
        .field("generation", header.generation)
        .field("sequence", header.sequence)
        .field("mark", header.mark)
        .field("manifest_mark", header.manifest_mark)
        .field("begun_ms", header.begun_ms)
        .field("length", header.length)
        .field("entries", header.entry_count)
        .field("whole", whole == Wholeness::Whole)
        .field("chain", chain)
}

fn entry_kind(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Batch => "batch",
        EntryKind::Truncation => "truncation",
        EntryKind::LogStart => "log start",
        EntryKind::EpochStart => "epoch start",
        EntryKind::Creation => "creation",
        EntryKind::Tombstone => "tombstone",
    }
}
