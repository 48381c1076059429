//! The journal: tools and recovery come to the same verdict, and recovery comes to it again.

use std::path::{Path, PathBuf};

use runtime::sim::DiskImage;
use storage::inspect::journal::{JournalFile, JournalRun, commit_at, commit_entries, judge};
use storage::inspect::{BLOCK_BYTES, journal_file_number};
use storage::{
    AtBlock, COMMIT_HEADER_BYTES, ENTRY_HEADER_BYTES, EntryHeader, Journal, ReadHeader, Rot,
    ScanError,
};

use crate::lives::{self, Outcome};
use crate::machine::{Machine, SHARD_DIR};
use crate::sample;
use crate::sealed::{Fields, Mending, mending, parts, push_padded};

const MAGIC: &[u8] = b"RMJOURNL";
/// As many files as a ring may have here, by the numbers in their names.
const FILES: usize = 3;
/// The id of every journal whose places are put right.
const JOURNAL_ID: u64 = 7;
const VERSION_AT: usize = 8;
const SHARD_AT: usize = 10;
const SEQUENCE_AT: usize = 24;
const FILE_AT: usize = 32;
const POSITION_AT: usize = 40;
const LENGTH_AT: usize = 48;
const PREVIOUS_CRC_AT: usize = 52;
const MARK_AT: usize = 56;
const MANIFEST_MARK_AT: usize = 64;
const JOURNAL_ID_AT: usize = 72;
const BEGUN_AT: usize = 80;

/// A commit whose entries are whole.
type Entries<'a> = Vec<(EntryHeader, &'a [u8])>;

pub(crate) fn run(input: &[u8]) {
    let (mending, bytes) = mending(input);
    let files = files(mending, bytes);
    let verdict = inspect(&files);
    let machine = Machine::new();
    let numbered = (0_u32..).zip(files).filter(|(_, bytes)| !bytes.is_empty());
    machine.put(numbered.map(|(number, bytes)| (path(number), bytes)).collect());
    is_recoverys(&machine, &verdict);
    match lives::live(&machine) {
        Outcome::Opened(_) => assert!(verdict.is_ok(), "a store is open in spite of {verdict:?}"),
        Outcome::Rot => assert!(verdict.is_err(), "tools see no rot: {verdict:?}"),
        Outcome::Refused(reason) => assert!(!reason.is_empty()),
    }
}

fn path(number: u32) -> PathBuf {
    Path::new(SHARD_DIR).join(format!("journal-{number:05}.rj"))
}

/// The files of the ring: a commit goes into the one that it names, behind those that are there.
fn files(mending: Mending, bytes: &[u8]) -> [Vec<u8>; FILES] {
    let mut files: [Vec<u8>; FILES] = Default::default();
    let (mut sequence, mut previous_crc) = (0, 0);
    for part in parts(bytes, MAGIC) {
        let number = part.get(FILE_AT).map_or(0, |byte| usize::from(*byte) % FILES);
        let position = push_padded(&mut files[number], part);
        let mut commit = Fields(&mut files[number][position..]);
        if mending == Mending::All && part.starts_with(MAGIC) {
            sequence += 1;
            commit.put(SHARD_AT, &0_u16.to_le_bytes());
            commit.put(SEQUENCE_AT, &u64::to_le_bytes(sequence));
            commit.put(FILE_AT, &u32::try_from(number).expect("a few").to_le_bytes());
            commit.put(POSITION_AT, &(position as u64).to_le_bytes());
            commit.mend_length(LENGTH_AT, COMMIT_HEADER_BYTES, part.len());
            commit.put(PREVIOUS_CRC_AT, &u32::to_le_bytes(previous_crc));
            let mark = commit.u64(MARK_AT).min(sequence - 1);
            commit.put(MARK_AT, &mark.to_le_bytes());
            commit.put(MANIFEST_MARK_AT, &0_u64.to_le_bytes());
            commit.put(JOURNAL_ID_AT, &JOURNAL_ID.to_le_bytes());
            if commit.u32(VERSION_AT) as u16 == 1 {
                commit.put(BEGUN_AT, &[0; 8]);
            }
        }
        if mending != Mending::None && part.starts_with(MAGIC) {
            previous_crc = commit.seal(LENGTH_AT, COMMIT_HEADER_BYTES);
        }
    }
    files
}

/// What a tool says that recovery will do.
fn inspect(files: &[Vec<u8>]) -> Result<JournalRun, Rot> {
    let id = files.iter().find_map(|bytes| match commit_at(bytes) {
        AtBlock::Header(read) => Some(read.header.journal_id),
        _ => None,
    });
    let mut found = Vec::new();
    for (number, bytes) in (0_u32..).zip(files).filter(|(_, bytes)| !bytes.is_empty()) {
        let mut file = JournalFile::new(number, bytes.len() as u64);
        for position in (0..bytes.len()).step_by(BLOCK_BYTES) {
            let here = &bytes[position..];
            let AtBlock::Header(read) = commit_at(here) else { continue };
            let entries = commit_entries(&read, here);
            if let Some(entries) = &entries {
                are_within(&read, here, entries);
            }
            let header = read.header;
            let in_place = (header.shard, header.position) == (0, position as u64);
            if in_place && Some(header.journal_id) == id {
                file.add(&read, entries.as_deref());
            }
        }
        found.push(file);
    }
    judge(&found, None)
}

/// The entries are as many as were stated, and take what stands behind the header.
fn are_within(read: &ReadHeader, bytes: &[u8], entries: &Entries<'_>) {
    let header = read.header;
    assert_eq!(u32::try_from(entries.len()), Ok(header.entry_count));
    let payloads: usize = entries.iter().map(|(_, payload)| payload.len()).sum();
    let length = COMMIT_HEADER_BYTES + entries.len() * ENTRY_HEADER_BYTES + payloads;
    assert_eq!(u32::try_from(length), Ok(header.length));
    assert!(length <= bytes.len(), "{length} of {} bytes", bytes.len());
}

/// Recovery's first pass finds the run that the tool has found.
fn is_recoverys(machine: &Machine, verdict: &Result<JournalRun, Rot>) {
    let scanned = machine.run(|shard| async move {
        let config = lives::config().journal;
        let scanned = Journal::scan(&shard, Path::new(SHARD_DIR), &config, None, 0).await;
        scanned.map(|scanned| (scanned.last_sequence(), scanned.generation()))
    });
    match (scanned, verdict) {
        (Ok(scanned), Ok(run)) => assert_eq!(scanned, (run.last_sequence, run.generation)),
        (Ok(_), Err(rot)) => panic!("recovery does not see that {rot:?}"),
        (Err(ScanError::Rot { rot, .. }), verdict) => assert_eq!(*verdict, Err(rot)),
        // Of another format or journal, or the manifest of a fresh folder is behind it.
        (Err(_), _) => {}
    }
}

/// The commits of every journal file on a disk, without their padding.
fn commits(image: &DiskImage) -> Vec<u8> {
    let mut commits = Vec::new();
    for (path, _) in image.files() {
        let name = path.file_name().and_then(|name| name.to_str());
        if name.and_then(journal_file_number).is_none() {
            continue;
        }
        let bytes = image.read(&path).expect("a readable file");
        for position in (0..bytes.len()).step_by(BLOCK_BYTES) {
            let here = &bytes[position..];
            let AtBlock::Header(read) = commit_at(here) else { continue };
            let length = usize::try_from(read.header.length).expect("in memory");
            commits.extend_from_slice(&here[..length]);
        }
    }
    commits
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let golden = include_bytes!("../../../engine/storage/tests/golden/journal-commit.bin");
    let busy = commits(&sample::busy_disk());
    vec![
        Mending::None.before(golden),
        Mending::All.before(golden),
        Mending::None.before(&busy),
        Mending::Checksums.before(&busy),
        Mending::All.before(&busy),
        Mending::All.before(&commits(&sample::settled_disk())),
    ]
}
