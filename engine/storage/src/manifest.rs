//! The manifest: the durable table of one shard's logs, and from where the journal is replayed.
//!
//! **Contract.** One manifest a shard. What [`Manifest::append`] returned is there after any crash;
//! what it had not returned is there as a whole or not at all, log by log. Nothing is overwritten
//! that a start could need.

mod file;
pub(crate) mod format;
pub(crate) mod read_back;
pub(crate) mod table;

pub(crate) use format::{Change, LogEntry, ManifestEntry};
pub(crate) use read_back::ReadBack;
pub(crate) use table::{SettledLog, Table, UnknownLog};

use crate::block::{BLOCK_BYTES, padded};
use crate::journal::ReplayFrom;
use crate::shortage::Shortage;
use file::{ManifestFile, Record, SyncWhen};
use runtime::{Budget, Shard};
use std::cell::{Cell, Ref, RefCell};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A record's entries are cut at about this size, between two logs: so much memory a record takes.
const RECORD_TARGET_BYTES: usize = 1 << 20;
/// A file is not worth replacing below this size.
const COMPACT_MIN_BYTES: u64 = 1 << 20;

/// Sizes of a manifest, small ones for tests.
#[derive(Clone, Copy, Debug)]
pub struct ManifestConfig {
    /// About how long a record becomes, in bytes.
    pub record_target_bytes: usize,
    /// By how much a file grows, in bytes; whole blocks.
    pub step_bytes: u64,
    /// What was appended must be at least so long before the file is replaced, in bytes.
    pub compact_min_bytes: u64,
}

/// One shard's manifest. See the module for the contract.
pub struct Manifest {
    shard: Shard,
    dir: PathBuf,
    config: ManifestConfig,
    /// One append or compaction at a time, in the order of the calls.
    turn: Budget,
    is_writing: Cell<bool>,
    state: RefCell<State>,
}

struct State {
    table: Table,
    file: ManifestFile,
    /// The length of the file when it held the table and nothing else.
    table_end: u64,
    last_number: u64,
    replay: ReplayFrom,
}

/// Why a manifest cannot be read, opened or appended to.
#[derive(Debug)]
pub enum ManifestError {
    /// What stands there is damaged, and cannot be a write that was cut.
    Rot {
        /// The file.
        path: PathBuf,
        /// Where in it.
        position: u64,
    },
    /// A newer version of the broker wrote this.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u16,
    },
    /// The record says what contradicts the records before it.
    Contradiction {
        /// The file.
        path: PathBuf,
        /// Where in it.
        position: u64,
        /// Which log it is about.
        unknown: UnknownLog,
    },
    /// Space or descriptors are short. It passes, and nothing was changed.
    Short {
        /// The file that wanted to grow or to be made.
        path: PathBuf,
        /// What is short.
        shortage: Shortage,
    },
    /// The disk refuses.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Default for ManifestConfig {
    fn default() -> ManifestConfig {
        ManifestConfig {
            record_target_bytes: RECORD_TARGET_BYTES,
            step_bytes: 1 << 20,
            compact_min_bytes: COMPACT_MIN_BYTES,
        }
    }
}

impl Manifest {
    /// Reads the manifest in a shard's folder: the first pass of recovery. Nothing is written.
    pub async fn read(shard: &Shard, dir: &Path) -> Result<ReadBack, ManifestError> {
        read_back::read(shard, dir).await
    }

    /// Goes on with a manifest that was read: syncs what a killed process may have left in the
    /// device's cache, removes what is left of compactions, and makes the first file in a fresh
    /// folder.
    pub async fn open(
        shard: &Shard,
        dir: &Path,
        config: ManifestConfig,
        read_back: ReadBack,
    ) -> Result<Manifest, ManifestError> {
        assert!(
            config.step_bytes > 0 && config.step_bytes.is_multiple_of(BLOCK_BYTES as u64),
            "manifest steps of {} bytes",
            config.step_bytes
        );
        let mut last_number = read_back.last_number;
        let file = match read_back.place {
            Some(place) => ManifestFile::reopen(shard, dir, place).await?,
            None => {
                last_number += 1;
                let mut file = ManifestFile::create(shard, dir, 1).await?;
                let record = Record::new(last_number, read_back.replay, &[]);
                file.grow(shard, &config, record.size_bytes(), SyncWhen::Later).await?;
                file.write(shard, &record, SyncWhen::Later).await;
                file.finish(shard, dir).await?;
                file
            }
        };
        file::remove_others(shard, dir, file.number()).await?;
        let state = State {
            table: read_back.table,
            table_end: file.end(),
            file,
            last_number,
            replay: read_back.replay,
        };
        Ok(Manifest {
            shard: shard.clone(),
            dir: dir.to_path_buf(),
            config,
            turn: Budget::new("manifest", 1),
            is_writing: Cell::new(false),
            state: RefCell::new(state),
        })
    }

    /// Writes down entries, and that replay begins at `replay` from now on. It is durable on
    /// return; the answer is the number of the last record, for the journal's headers.
    ///
    /// Entries about one log must follow each other: they are applied all or none. A failed write
    /// or sync ends the shard. A call that was begun must be waited for to its end: what it wrote
    /// would be unknown.
    pub async fn append(
        &self,
        replay: ReplayFrom,
        entries: Vec<ManifestEntry>,
    ) -> Result<u64, ManifestError> {
        let _turn = self.turn.acquire(1).await.expect("one of one");
        assert!(!self.is_writing.replace(true), "an append was dropped half-way");
        let outcome = self.append_in_turn(replay, entries).await;
        self.is_writing.set(false);
        outcome
    }

    /// What was written down.
    pub fn table(&self) -> Ref<'_, Table> {
        Ref::map(self.state.borrow(), |state| &state.table)
    }

    /// The number of the last record.
    pub fn last_number(&self) -> u64 {
        self.state.borrow().last_number
    }

    /// Where the replay of the journal begins by the last record.
    pub fn replay(&self) -> ReplayFrom {
        self.state.borrow().replay
    }

    async fn append_in_turn(
        &self,
        replay: ReplayFrom,
        entries: Vec<ManifestEntry>,
    ) -> Result<u64, ManifestError> {
        if self.is_compaction_due() {
            match self.compact().await {
                // The old file does meanwhile: what frees space must go on.
                Ok(()) | Err(ManifestError::Short { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        // The file is taken out of the state for the time of the writes, so that nothing is
        // borrowed across a wait; the turn is ours.
        let (mut file, mut number, old_replay) = {
            let state = self.state.borrow();
            (state.file.clone(), state.last_number, state.replay)
        };
        let (ranges, size_bytes) = file::cut(&entries, self.config.record_target_bytes);
        file.grow(&self.shard, &self.config, size_bytes, SyncWhen::EachRecord).await?;
        let mut rest = entries.into_iter();
        for range in ranges {
            number += 1;
            let part: Vec<_> = rest.by_ref().take(range.len()).collect();
            // The new place of the replay holds when all entries do.
            let replay = if rest.len() == 0 { replay } else { old_replay };
            let record = Record::new(number, replay, &part);
            file.write(&self.shard, &record, SyncWhen::EachRecord).await;
            // A part at a time: ten thousand logs at once would hold up the shard.
            let mut state = self.state.borrow_mut();
            state.file = file.clone();
            state.last_number = number;
            state.replay = replay;
            for entry in part {
                let outcome = state.table.apply(entry);
                assert_eq!(outcome, Ok(()), "a log is introduced before anything is said of it");
            }
        }
        Ok(number)
    }

    /// Whether what was appended has outgrown the table.
    fn is_compaction_due(&self) -> bool {
        let state = self.state.borrow();
        let appended = state.file.end() - state.table_end;
        appended >= state.table_end.max(self.config.compact_min_bytes)
    }

    /// Writes the table into a new file and goes on there.
    async fn compact(&self) -> Result<(), ManifestError> {
        let old = self.state.borrow().file.number();
        match self.write_table(old + 1).await {
            Ok((file, last_number)) => {
                let mut state = self.state.borrow_mut();
                state.table_end = file.end();
                state.file = file;
                state.last_number = last_number;
            }
            Err(error) => {
                file::remove_new(&self.shard, &self.dir, old + 1).await;
                return Err(error);
            }
        }
        file::remove(&self.shard, &self.dir, old).await
    }

    /// Makes a file of the table, a record at a time, so that it takes memory for one of them. The
    /// table does not change meanwhile: the turn is ours.
    async fn write_table(&self, file_number: u64) -> Result<(ManifestFile, u64), ManifestError> {
        let mut file = ManifestFile::create(&self.shard, &self.dir, file_number).await?;
        let mut number = self.last_number();
        let mut after = None;
        loop {
            number += 1;
            let (record, last) = {
                let state = self.state.borrow();
                let (entries, last) = state.table.part(after, self.config.record_target_bytes);
                (Record::new(number, state.replay, &entries), last)
            };
            file.grow(&self.shard, &self.config, record.size_bytes(), SyncWhen::Later).await?;
            file.write(&self.shard, &record, SyncWhen::Later).await;
            after = last;
            if after.is_none() {
                break;
            }
        }
        file.finish(&self.shard, &self.dir).await?;
        Ok((file, number))
    }
}

/// The bytes that a record takes in a file.
fn record_size_bytes(length: u32) -> u64 {
    padded(usize::try_from(length).expect("a record in memory")) as u64
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ManifestError::Rot { path, position } => write!(
                f,
                "{} is damaged at {position}: restore this broker's data from a replica or a \
                 backup",
                path.display()
            ),
            ManifestError::Newer { path, version } => write!(
                f,
                "{} has format {version}: start the version of the broker that wrote it",
                path.display()
            ),
            ManifestError::Contradiction { path, position, unknown } => write!(
                f,
                "{} speaks at {position} of log {}, which it never introduced: restore this \
                 broker's data from a replica or a backup",
                path.display(),
                unknown.log
            ),
            ManifestError::Short { path, shortage } => f.write_str(&shortage.for_file(path)),
            ManifestError::Io { path, error } => {
                write!(f, "{}: {error}; check the disk and the permissions", path.display())
            }
        }
    }
}

impl std::error::Error for ManifestError {}

#[cfg(test)]
mod tests;
