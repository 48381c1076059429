//! Opens a shard's storage: what was acknowledged is found again, whatever stopped the last broker.
//!
//! ```text
//! pass 1   read manifest and journal, decide; nothing is written
//! pass 2   sync what a killed process left in the device's cache, write a new generation's opening
//! then     reopen logs, drop tombstoned ones, replay the journal, settling when memory is full
//! ```
//!
//! It reads the manifest and the journal, never the segments, so a start is bounded by the
//! journal's size.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use record::Offset;
use runtime::{DirEntry, FileSystem, Shard};

use crate::config::StoreConfig;
use crate::disk_reserve::DiskReserve;
use crate::journal::{EntryKind, Journal, JournalEntry, OpenError, Replay, ReplayError, ScanError};
use crate::log::replay::Misfit;
use crate::log::{Log, Trim};
use crate::log_id::LogId;
use crate::manifest::{Manifest, ManifestError, Table};
use crate::settler::forgetting;
use crate::settler::{self, Round};
use crate::store::{Replayed, Store, StoreCore, shard_dir};

/// Why a shard's storage can't be opened. Nothing that was acknowledged has been changed.
#[derive(Debug)]
pub enum StoreError {
    /// The manifest can't be read.
    Manifest(ManifestError),
    /// The journal can't be read.
    Scan(ScanError),
    /// The journal can't be written.
    Open(OpenError),
    /// The journal can't be read again for the replay.
    Replay(ReplayError),
    /// What the journal says does not fit what the manifest says.
    Misfit(Misfit),
    /// A folder or file can't be used.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Manifest(e) => e.fmt(f),
            StoreError::Scan(e) => e.fmt(f),
            StoreError::Open(e) => e.fmt(f),
            StoreError::Replay(e) => e.fmt(f),
            StoreError::Misfit(e) => e.fmt(f),
            StoreError::Io { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl Store {
    /// Recovers a shard's storage from `data_dir`, or makes it. See the module for what it does.
    pub async fn open(
        shard: &Shard,
        data_dir: &Path,
        file_system: FileSystem,
        config: StoreConfig,
    ) -> Result<Store, StoreError> {
        let dir = shard_dir(data_dir, shard.id().0);
        let partitions_dir = data_dir.join("partitions");
        let read_back = Manifest::read(shard, &dir).await.map_err(StoreError::Manifest)?;
        let replay_from = (!read_back.is_fresh()).then_some(read_back.replay);
        let scanned =
            Journal::scan(shard, &dir, &config.journal, replay_from, read_back.last_number)
                .await
                .map_err(StoreError::Scan)?;
        let mut tombstones = BTreeMap::new();
        for (sequence, id) in scanned.tombstones() {
            tombstones.entry(*id).or_insert(*sequence);
        }
        let truncations = scanned.truncations().to_vec();

        // The journal first: a manifest without the journal that it names would be a loss.
        let (journal, replay) = Journal::open(scanned).await.map_err(StoreError::Open)?;
        let manifest = Manifest::open(shard, &dir, config.manifest, read_back)
            .await
            .map_err(StoreError::Manifest)?;
        journal.manifest_synced(manifest.last_number());
        let reserve = DiskReserve::start(shard, data_dir, config.disk_reserve_bytes).await;
        let table = manifest.table().clone();
        let kind = file_system.kind;
        let core = StoreCore::new(shard, config, partitions_dir, kind, manifest, journal, reserve);
        let folders = folders(&core).await?;
        Recovery { core: &core, tombstones, truncations, folders }.run(&table, replay).await?;
        settler::start(&core);
        Ok(Store(core))
    }
}

struct Recovery<'a> {
    core: &'a Rc<StoreCore>,
    /// Logs that are deleted, and by which commit: nothing of them is brought back.
    tombstones: BTreeMap<LogId, u64>,
    /// By commit: which log the journal cuts, to which offset.
    truncations: Vec<(u64, LogId, i64)>,
    /// The folders of logs, by what their names tell.
    folders: BTreeMap<LogId, String>,
}

/// Which logs have a folder. Names alone: nothing of what is in them is read.
async fn folders(core: &StoreCore) -> Result<BTreeMap<LogId, String>, StoreError> {
    let path = &core.partitions_dir;
    let entries = match core.shard.disk().list(path).await {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(StoreError::Io { path: path.clone(), error }),
    };
    let named = |entry: DirEntry| Some((LogId::from_folder_name(&entry.name)?, entry.name));
    Ok(entries.into_iter().filter_map(named).collect())
}

impl Recovery<'_> {
    async fn run(&mut self, table: &Table, mut replay: Replay) -> Result<(), StoreError> {
        for (id, settled) in table.logs() {
            if self.tombstones.contains_key(id) {
                continue;
            }
            let reopened = Log::reopen(self.core, *id, settled).await;
            let path = || self.core.folder(*id, &settled.entry.label);
            let log = reopened.map_err(|error| StoreError::Io { path: path(), error })?;
            if !self.folders.contains_key(id) {
                log.miss_folder(settled);
            }
            self.core.add_log(log);
        }
        let mut unsettled_bytes = 0;
        let mut crowd = 0;
        while let Some(commit) = replay.next_commit().await.map_err(StoreError::Replay)? {
            // What a round records may not go beyond what has been applied.
            let (sequence, begun) = (commit.sequence, commit.begun);
            self.core.replayed.set(Some(Replayed { sequence, begun }));
            for entry in commit.entries {
                unsettled_bytes += entry.payload.len() as u64;
                self.apply(table, entry)?;
            }
            crowd = self.forget_crowd(crowd).await;
            if unsettled_bytes > self.core.config.journal.tail_bytes / 2 {
                self.make_room(sequence).await;
                unsettled_bytes = 0;
            }
        }
        self.admit_logs(u64::MAX);
        self.core.replayed.set(None);
        self.folders
            .retain(|id, _| !self.tombstones.contains_key(id) && self.core.log(id).is_none());
        *self.core.strangers.borrow_mut() = mem::take(&mut self.folders);
        Ok(())
    }

    fn apply(&self, table: &Table, entry: JournalEntry) -> Result<(), StoreError> {
        let JournalEntry { place, header, payload } = entry;
        let settled = table.logs().get(&header.log);
        if header.kind == EntryKind::Tombstone {
            // Its folder goes in the settler's next round.
            self.core.note_tombstone(place, header.log);
            self.core.settle_wanted.wake_all();
            return Ok(());
        }
        let misfit = |what| {
            let (log, offset) = (header.log, Offset(header.offset));
            let (sequence, log_end) = (place.sequence, Offset(0));
            StoreError::Misfit(Misfit { log, sequence, offset, log_end, what })
        };
        match self.tombstones.get(&header.log) {
            // Left out, it would be back once the tombstone has left the journal.
            Some(deleted) if place.sequence > *deleted => {
                return Err(misfit("behind its deletion"));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        if settled.is_some_and(|settled| place < settled.entry.replay) {
            return Ok(());
        }
        if header.kind == EntryKind::Creation && settled.is_none() {
            let label = String::from_utf8_lossy(&payload);
            let config = self.core.config.log;
            self.core.add_log(Log::create(self.core, header.log, &label, config, place));
            return Ok(());
        }
        let log = self.core.log(&header.log);
        let log = log.ok_or_else(|| misfit("of a log that was never made"))?;
        log.replay(place, &header, payload).map_err(StoreError::Misfit)
    }

    /// Forgets silent producers when there are too many, as the settler of a running broker does.
    /// It looks again when there are a tenth more than it left, which is returned.
    async fn forget_crowd(&self, left: usize) -> usize {
        let producers = &self.core.producers;
        if !producers.is_crowded() || producers.count() < left + producers.producers_max() / 10 {
            return left;
        }
        forgetting::make_room(self.core).await;
        producers.count()
    }

    /// Settles what was replayed when it takes as much memory as a running broker may use.
    async fn make_room(&self, replayed: u64) {
        self.admit_logs(replayed);
        // What can't settle, for lack of space or because it will be cut, stays in memory: it is
        // bounded by the journal's size.
        while settler::round(self.core, u64::MAX, Trim::No).await == Round::Settled {}
    }

    /// Everything that was replayed up to that commit may settle, but for what a later one cuts
    /// off.
    fn admit_logs(&self, replayed: u64) {
        let mut cuts = BTreeMap::new();
        for (_, log, to) in self.truncations.iter().filter(|cut| cut.0 > replayed) {
            let lowest = cuts.entry(*log).or_insert(*to);
            *lowest = (*to).min(*lowest);
        }
        for log in self.core.logs() {
            log.admit_recovered(cuts.get(&log.id()).map(|to| Offset(*to)));
        }
    }
}
