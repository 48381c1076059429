//! One shard's storage: its logs over one journal and one manifest.
//!
//! **Contract.** A store belongs to one shard. Opening it is recovery: on return every log has what
//! was acknowledged before the last stop, however that came about, and the new generation of the
//! journal is on disk. [`Store::create_log`] and [`Store::delete_log`] are durable on return. A
//! background task settles; [`Store::stop`] settles everything and leaves files that Kafka's tools
//! can read. If a write or a sync fails, the shard ends.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use record::Timestamp;
use runtime::sync::{Event, Signal};
use runtime::{Durations, FileSystemKind, Level, Shard};

use crate::config::{LogConfig, StoreConfig};
use crate::disk_reserve::DiskReserve;
use crate::error::{AppendError, CreateError, DeleteError};
use crate::file_cache::FileCache;
use crate::journal::{EntryHeader, EntryKind, EntryPlace, Journal, Purpose};
use crate::log::Log;
use crate::log_id::{self, LogId};
use crate::manifest::Manifest;
use crate::open_files::OpenFiles;
use crate::producer_state::tally::ProducerTally;
use crate::traffic::TrafficCells;

/// A handle of one shard's storage; all clones are the same store.
#[derive(Clone)]
pub struct Store(pub(crate) Rc<StoreCore>);

/// What the logs of a store share.
pub(crate) struct StoreCore {
    pub(crate) shard: Shard,
    pub(crate) config: StoreConfig,
    pub(crate) partitions_dir: PathBuf,
    pub(crate) file_system: FileSystemKind,
    pub(crate) files: FileCache,
    pub(crate) open_files: OpenFiles,
    pub(crate) manifest: Manifest,
    pub(crate) disk_reserve: DiskReserve,
    journal: Journal,
    logs: RefCell<BTreeMap<LogId, Log>>,
    /// Logs with batches in commits that are not synced yet, by sequence.
    appended: RefCell<VecDeque<(u64, Vec<Log>)>>,
    /// Each log that has journal entries which the manifest does not reflect, under the oldest.
    unreflected: RefCell<BTreeMap<EntryPlace, Unreflected>>,
    /// The producers that appends know, of all logs.
    pub(crate) producers: Rc<ProducerTally>,
    /// Those that the manifest has or will have. There are no more of them, but for some that the
    /// settler has yet to hear are forgotten.
    pub(crate) settled_producers: Rc<ProducerTally>,
    /// The settler looks again.
    pub(crate) settle_wanted: Signal,
    pub(crate) stopping: Cell<bool>,
    /// While recovery replays.
    pub(crate) replayed: Cell<Option<Replayed>>,
    pub(crate) settler_stopped: Event,
    /// Logs wait for space, and the settler has said so.
    pub(crate) is_parked: Cell<bool>,
    /// Folders that were there at the start, and no log of this shard's has them: other shards',
    /// mostly.
    pub(crate) strangers: RefCell<BTreeMap<LogId, String>>,
    /// Deleted logs whose tombstone a start would still read, with the commit that holds it.
    tombstones: RefCell<BTreeMap<LogId, u64>>,
    /// Files whose damage was said.
    said: RefCell<BTreeSet<PathBuf>>,
    /// Quarantined logs keep the journal full, and the settler has said so.
    pub(crate) is_held: Cell<bool>,
    /// What all logs took and gave.
    pub(crate) traffic: TrafficCells,
    /// What rounds of the settler took.
    pub(crate) settle_durations: Durations,
}

/// How far recovery has replayed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replayed {
    /// The last commit that was applied, or is.
    pub(crate) sequence: u64,
    /// When it was begun; none if it does not say so.
    pub(crate) begun: Option<Timestamp>,
}

/// What keeps a journal entry from being recycled.
#[derive(Clone)]
pub(crate) enum Unreflected {
    /// A log with entries that have not settled.
    Log(Log),
    /// A deleted log whose folder may still be there.
    Tombstone(LogId),
}

impl Store {
    /// All logs, by id.
    pub fn logs(&self) -> Vec<Log> {
        self.0.logs.borrow().values().cloned().collect()
    }

    /// The log with that id.
    pub fn log(&self, id: &LogId) -> Option<Log> {
        self.0.logs.borrow().get(id).cloned()
    }

    /// Makes a log; waits for room in the journal as long as it takes. Durable on return. It is
    /// refused if its folder has files from before the start: they would be taken for orphans, and
    /// they are what is left of a log of that id. It is refused, too, while the journal has the
    /// tombstone of a log of that id: a start would take one for the other.
    pub async fn create_log(
        &self,
        id: LogId,
        label: &str,
        config: LogConfig,
    ) -> Result<Log, CreateError> {
        loop {
            match self.try_create_log(id, label, config).await {
                Err(CreateError::Append(AppendError::NoRoom(_))) => {
                    self.room(label.len(), Purpose::Metadata).await;
                }
                made => return made,
            }
        }
    }

    /// The same, but it is refused while there is no room: see [`Store::room`].
    pub async fn try_create_log(
        &self,
        id: LogId,
        label: &str,
        config: LogConfig,
    ) -> Result<Log, CreateError> {
        if self.0.logs.borrow().contains_key(&id) {
            return Err(CreateError::Exists(id));
        }
        if self.0.tombstones.borrow().contains_key(&id) {
            return Err(CreateError::Deleted(id));
        }
        self.0.check_no_folder(&id).await?;
        let label = log_id::cut_label(label);
        let (kind, payload) = (EntryKind::Creation, label.as_bytes());
        let laid = self.0.append_control(kind, id, payload, Purpose::Metadata);
        let laid = laid.map_err(CreateError::Append)?;
        let log = Log::create(&self.0, id, label, config, laid);
        self.0.logs.borrow_mut().insert(id, log.clone());
        self.0.journal.wait_synced(laid.sequence).await;
        Ok(log)
    }

    /// Deletes a log: its tombstone is durable on return, its folder goes in the background.
    pub async fn delete_log(&self, id: &LogId) -> Result<(), DeleteError> {
        let log = self.log(id).ok_or(DeleteError::Unknown(*id))?;
        self.0.journal.room(0, Purpose::FreesJournal).await;
        let laid = self
            .0
            .append_control(EntryKind::Tombstone, *id, &[], Purpose::FreesJournal)
            .map_err(DeleteError::Append)?;
        self.0.logs.borrow_mut().remove(id);
        log.refuse_appends();
        self.0.note_tombstone(laid, *id);
        self.0.journal.wait_synced(laid.sequence).await;
        // Only now: a crash before would have brought it back.
        log.forget();
        self.0.settle_wanted.wake_all();
        Ok(())
    }

    /// Waits until an append of `bytes` that found no room may be tried again.
    pub async fn room(&self, bytes: usize, purpose: Purpose) {
        self.0.journal.room(bytes, purpose).await;
    }

    /// Whether the disk is above its reserve, by an answer of the file system that is at most a
    /// second old. Whoever is about to let something grow asks before it decides; appends of
    /// records are checked by themselves.
    pub async fn check_space(&self) -> Result<(), AppendError> {
        self.0.disk_reserve.check_now().await
    }

    /// Settles everything that may settle, trims the segments, and ends the journal. Nothing may be
    /// appended any more.
    pub async fn stop(&self) {
        self.0.stopping.set(true);
        self.0.settle_wanted.wake_all();
        self.0.settler_stopped.wait().await;
        self.0.journal.stop().await;
    }
}

impl StoreCore {
    /// Puts the parts together; recovery fills in the logs.
    #[allow(clippy::too_many_arguments, reason = "called once, by recovery, with what it opened")]
    pub(crate) fn new(
        shard: &Shard,
        config: StoreConfig,
        partitions_dir: PathBuf,
        file_system: FileSystemKind,
        manifest: Manifest,
        journal: Journal,
        disk_reserve: DiskReserve,
    ) -> Rc<StoreCore> {
        let open_files = OpenFiles::divide(config.open_files_max, &config.journal);
        let core = Rc::new(StoreCore {
            shard: shard.clone(),
            files: FileCache::new(open_files.cached_max),
            open_files,
            producers: ProducerTally::new(config.producers_max),
            settled_producers: ProducerTally::new(usize::MAX),
            config,
            partitions_dir,
            file_system,
            manifest,
            disk_reserve,
            journal,
            logs: RefCell::default(),
            appended: RefCell::default(),
            unreflected: RefCell::default(),
            settle_wanted: Signal::new(),
            stopping: Cell::new(false),
            replayed: Cell::new(None),
            settler_stopped: Event::new(),
            is_parked: Cell::new(false),
            strangers: RefCell::default(),
            tombstones: RefCell::default(),
            said: RefCell::default(),
            is_held: Cell::new(false),
            traffic: TrafficCells::default(),
            settle_durations: Durations::new(),
        });
        let weak = Rc::downgrade(&core);
        core.journal.on_synced(move |synced| {
            if let Some(core) = weak.upgrade() {
                core.advance_durable(synced);
            }
        });
        core
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The wall clock.
    pub(crate) fn wall_time(&self) -> Timestamp {
        Timestamp(self.shard.wall_ms())
    }

    /// When the entry that is appended now is, or was: the time by which producers expire. A replay
    /// has the time of the commit, so that a restart makes no producer younger, and forgets none
    /// before its time.
    pub(crate) fn entry_time(&self) -> Timestamp {
        let replayed = self.replayed.get().and_then(|replayed| replayed.begun);
        replayed.unwrap_or_else(|| self.wall_time())
    }

    /// The folder of a log's segments.
    pub(crate) fn folder(&self, id: LogId, label: &str) -> PathBuf {
        self.partitions_dir.join(id.folder_name(label))
    }

    /// A folder comes after its log's creation is durable, and goes before its tombstone does: one
    /// with files that no log of any shard has tells of a loss.
    async fn check_no_folder(&self, id: &LogId) -> Result<(), CreateError> {
        let Some(name) = self.strangers.borrow().get(id).cloned() else { return Ok(()) };
        let path = self.partitions_dir.join(name);
        match self.shard.disk().list(&path).await {
            Ok(files) if files.iter().all(|file| file.size_bytes == 0) => Ok(()),
            Ok(_) => Err(CreateError::Folder { path }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(CreateError::Io { path, error: e.kind() }),
        }
    }

    /// One line in the log about a damaged file, the first time that it is met.
    pub(crate) fn say_once(&self, path: &Path, line: std::fmt::Arguments<'_>) {
        if !self.said.borrow().contains(path) {
            self.say_anew(path, line);
        }
    }

    /// A line in the log about a damaged file, whatever was said of it before.
    pub(crate) fn say_anew(&self, path: &Path, line: std::fmt::Arguments<'_>) {
        self.said.borrow_mut().insert(path.to_path_buf());
        self.shard.log(Level::Error, line);
    }

    /// Refuses what can never be appended, and records while the disk is full.
    pub(crate) fn check_appendable(
        &self,
        size_bytes: usize,
        purpose: Purpose,
    ) -> Result<(), AppendError> {
        let max_bytes = self.config.journal.largest_payload_bytes();
        if size_bytes > max_bytes {
            return Err(AppendError::TooLarge { size_bytes, max_bytes });
        }
        match purpose {
            Purpose::Records => self.disk_reserve.check(),
            Purpose::Metadata | Purpose::Control | Purpose::FreesJournal => Ok(()),
        }
    }

    pub(crate) fn add_log(&self, log: Log) {
        self.logs.borrow_mut().insert(log.id(), log);
    }

    pub(crate) fn log(&self, id: &LogId) -> Option<Log> {
        self.logs.borrow().get(id).cloned()
    }

    pub(crate) fn logs(&self) -> Vec<Log> {
        self.logs.borrow().values().cloned().collect()
    }

    /// How many logs there are, and how many of them are quarantined.
    pub(crate) fn count_logs(&self) -> (usize, usize) {
        let logs = self.logs.borrow();
        (logs.len(), logs.values().filter(|log| log.is_quarantined()).count())
    }

    fn append_control(
        &self,
        kind: EntryKind,
        log: LogId,
        payload: &[u8],
        purpose: Purpose,
    ) -> Result<EntryPlace, AppendError> {
        let entry = EntryHeader { kind, log, leader_epoch: 0, offset: 0 };
        let fill = |bytes: &mut [u8]| bytes.copy_from_slice(payload);
        Ok(self.journal.append(entry, payload.len(), purpose, fill)?.place)
    }

    /// A log has a batch in that commit; it hears of it when the commit is synced.
    pub(crate) fn note_appended(&self, sequence: u64, log: &Log) {
        let mut appended = self.appended.borrow_mut();
        match appended.back_mut() {
            Some((last, logs)) if *last == sequence => {
                if logs.last().is_none_or(|last| !last.is(log)) {
                    logs.push(log.clone());
                }
            }
            _ => appended.push_back((sequence, vec![log.clone()])),
        }
    }

    fn advance_durable(&self, synced: u64) {
        loop {
            let mut appended = self.appended.borrow_mut();
            if appended.front().is_none_or(|(sequence, _)| *sequence > synced) {
                return;
            }
            let (_, logs) = appended.pop_front().expect("looked at a moment ago");
            // Hooks may append to other logs.
            drop(appended);
            for log in logs {
                log.advance_durable(synced);
            }
        }
    }

    /// Whether a deleted log's folder waits to be removed.
    pub(crate) fn has_tombstone(&self) -> bool {
        let synced = self.settleable_sequence();
        let index = self.unreflected.borrow();
        index.iter().any(|(place, what)| {
            matches!(what, Unreflected::Tombstone(_)) && place.sequence <= synced
        })
    }

    /// The last commit whose entries a settle round may reflect.
    pub(crate) fn settleable_sequence(&self) -> u64 {
        self.replayed.get().map_or_else(|| self.journal.synced(), |replayed| replayed.sequence)
    }

    /// A log was deleted: its folder is to go, and its id is not free until the journal has
    /// forgotten it.
    pub(crate) fn note_tombstone(&self, place: EntryPlace, id: LogId) {
        self.index_unreflected(place, Unreflected::Tombstone(id));
        self.tombstones.borrow_mut().insert(id, place.sequence);
    }

    /// A start reads the journal from that commit on.
    pub(crate) fn forget_tombstones_before(&self, replay: u64) {
        self.tombstones.borrow_mut().retain(|_, sequence| *sequence >= replay);
    }

    /// The oldest entry of something that the manifest does not reflect.
    pub(crate) fn index_unreflected(&self, place: EntryPlace, what: Unreflected) {
        let taken = self.unreflected.borrow_mut().insert(place, what);
        assert!(taken.is_none(), "two logs at {place:?}");
    }

    pub(crate) fn unindex_unreflected(&self, place: EntryPlace) {
        self.unreflected.borrow_mut().remove(&place);
    }

    /// Everything whose oldest unreflected entry lies in commits up to `sequence`, oldest first.
    pub(crate) fn unreflected_up_to(&self, sequence: u64) -> Vec<(EntryPlace, Unreflected)> {
        let end = EntryPlace { sequence: sequence.saturating_add(1), entry: 0 };
        let index = self.unreflected.borrow();
        index.range(..end).map(|(place, what)| (*place, what.clone())).collect()
    }

    /// The oldest commit with something in it that the manifest does not reflect, but for those
    /// at the places in `reflected`.
    pub(crate) fn oldest_unreflected(&self, reflected: &[EntryPlace]) -> Option<EntryPlace> {
        let index = self.unreflected.borrow();
        index.keys().find(|place| reflected.binary_search(place).is_err()).copied()
    }
}

/// The folder of one shard's journal and manifest.
pub(crate) fn shard_dir(data_dir: &Path, shard: u16) -> PathBuf {
    data_dir.join(format!("shard-{shard:03}"))
}
