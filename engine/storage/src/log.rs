//! One partition's log: a handle that appends, reads and says what is durable. The file to read
//! first.
//!
//! ```text
//! log start        settled end          high watermark   durable end      log end
//!    │ segments        │ tail: memory and journal  │              │              │
//!    └─────────────────┴───────────────────────────┴──────────────┴──────────────┘
//!                          may settle ────────────►
//! ```
//!
//! **Contract.** A log belongs to one shard and is used by its tasks alone. [`Log::append`] is
//! synchronous: when it returns, the batch has its offset and later batches come behind it, but
//! nothing is promised; the batch is *synced* once [`Log::wait_durable`] returns for its sequence.
//! After a crash, the log ends at or behind everything that was synced, and has nothing that was
//! not appended. Reads see what is appended at once; it is the caller who bounds them, by the high
//! watermark. What is below the high watermark is never truncated and may leave memory for the
//! segments at any moment; a read in progress is not disturbed by it.

mod orphans;
mod producers;
pub(crate) mod read;
pub(crate) mod replay;
mod settle;
mod settled;
mod unsettled;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use record::{BatchFacts, LeaderEpoch, Offset, Timestamp};
use runtime::Lease;

use crate::config::LogConfig;
use crate::error::AppendError;
use crate::journal::{EntryHeader, EntryKind, EntryPlace, Purpose};
use crate::leader_epochs::{EpochEnd, EpochStart, LeaderEpochs};
use crate::log_id::LogId;
use crate::lost_file::LostFile;
use crate::producer_state::ProducerState;
use crate::store::{StoreCore, Unreflected};
use crate::traffic::{LogTraffic, TrafficCells};

pub(crate) use producers::FORGOTTEN_PER_TURN;
pub(crate) use settle::{SettlePlan, Trim};
use settled::SettledState;
use unsettled::{Unsettled, UnsettledBatch};

/// How an appended batch is stamped.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// The epoch in which this broker leads.
    pub leader_epoch: LeaderEpoch,
    /// The time of the append, for topics whose records carry it instead of the producer's.
    pub log_append_time: Option<Timestamp>,
}

/// Where an appended batch stands. It is durable when `sequence` is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// The journal commit that carries it.
    pub sequence: u64,
}

/// A handle of one partition's log; all clones are the same log.
#[derive(Clone)]
pub struct Log(Rc<LogCell>);

struct LogCell {
    id: LogId,
    label: String,
    /// The store owns its logs; whoever uses a log keeps the store.
    store: Weak<StoreCore>,
    state: RefCell<LogState>,
    on_durable: RefCell<Option<DurableHook>>,
    deleted: Cell<bool>,
    traffic: TrafficCells,
    /// A file of it is lost.
    quarantined: Cell<bool>,
    /// It was replayed: a killed broker may have written that to files of which no manifest knows.
    may_have_orphans: Cell<bool>,
}

type DurableHook = Box<dyn Fn(Offset)>;

/// What a log is at this moment. `live` is what appends see, `settled` what the segments and the
/// manifest have; the tail is the difference.
struct LogState {
    config: LogConfig,
    log_start_offset: Offset,
    end_offset: Offset,
    durable_end_offset: Offset,
    high_watermark: Offset,
    epochs: LeaderEpochs,
    producers: ProducerState,
    tail: Unsettled,
    settled: SettledState,
    /// Journal entries other than batches that the manifest does not reflect, in order.
    controls: VecDeque<Control>,
    /// The oldest journal entry that the manifest does not reflect, as it stands in the store's
    /// index of such logs.
    first_unreflected: Option<EntryPlace>,
    /// The last commit for which the store was told that it has a batch of this log.
    noted_sequence: u64,
}

/// A change of the log that is no batch, as it stands in the journal.
#[derive(Clone, Copy, Debug)]
struct Control {
    place: EntryPlace,
    /// The oldest entry that a start needs as long as the manifest does not reflect this one: of a
    /// truncation the first batch that it dropped, which is back if the truncation is lost.
    needs: EntryPlace,
    change: Change,
}

impl Control {
    fn new(place: EntryPlace, change: Change) -> Control {
        Control { place, needs: place, change }
    }
}

#[derive(Clone, Copy, Debug)]
enum Change {
    Created,
    EpochStart(LeaderEpoch, Offset),
    Truncation(Offset),
    LogStart(Offset),
}

impl Log {
    /// Which log this is.
    pub fn id(&self) -> LogId {
        self.0.id
    }

    /// The name that it was created under, for people.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// Follows new settings from here on; a segment that is open already is not cut.
    pub fn set_config(&self, config: LogConfig) {
        let mut state = self.0.state.borrow_mut();
        state.config = config;
        state.producers.set_limits(config.producers);
        state.settled.producers.set_limits(config.producers);
    }

    /// The first offset that may be read.
    pub fn log_start_offset(&self) -> Offset {
        self.0.state.borrow().log_start_offset
    }

    /// The offset that the next record will get.
    pub fn log_end_offset(&self) -> Offset {
        self.0.state.borrow().end_offset
    }

    /// Everything below it is on disk.
    pub fn durable_end_offset(&self) -> Offset {
        self.0.state.borrow().durable_end_offset
    }

    /// What was said to be below the high watermark.
    pub fn high_watermark(&self) -> Offset {
        self.0.state.borrow().high_watermark
    }

    /// Everything below it has left the tail for the segments.
    pub fn settled_end_offset(&self) -> Offset {
        self.0.state.borrow().settled.end_offset
    }

    /// The bytes of its batches: what the `.log` files of its segments have, or will have once
    /// everything has settled.
    pub fn size_bytes(&self) -> u64 {
        let state = self.0.state.borrow();
        let segments = &state.settled.segments;
        let in_segments: u64 = segments.iter().map(|segment| segment.size_bytes()).sum();
        // A settle that is under way has put batches into segments that the tail still has.
        let appended = segments.iter().last().map(|segment| segment.appended_end_offset());
        let rest = appended.unwrap_or(state.log_start_offset);
        let unsettled = state.tail.iter_from(rest, state.end_offset);
        in_segments + unsettled.map(|batch| batch.facts.size_bytes as u64).sum::<u64>()
    }

    /// Calls `hook` with the new durable end whenever it moves forward. There is one hook.
    pub fn on_durable(&self, hook: impl Fn(Offset) + 'static) {
        *self.0.on_durable.borrow_mut() = Some(Box::new(hook));
    }

    /// What is below `offset` will never be truncated, so it may settle. Moves forward only.
    pub fn set_high_watermark(&self, offset: Offset) {
        let mut state = self.0.state.borrow_mut();
        assert!(offset <= state.durable_end_offset, "{offset} is not durable in {}", self.0.id);
        state.high_watermark = state.high_watermark.max(offset);
    }

    /// Whether the log takes batches at all. One that does not must not acknowledge a duplicate
    /// either: who knows whether the batch is still there.
    pub fn check_open(&self) -> Result<(), AppendError> {
        match (self.0.deleted.get(), self.0.quarantined.get()) {
            (true, _) => Err(AppendError::Deleted),
            (false, true) => Err(AppendError::Quarantined),
            (false, false) => Ok(()),
        }
    }

    /// Appends one batch, which the caller has validated. See the contract above.
    pub fn append(
        &self,
        batch: &[u8],
        facts: &BatchFacts,
        stamp: Stamp,
        purpose: Purpose,
    ) -> Result<Appended, AppendError> {
        assert_eq!(batch.len(), facts.size_bytes, "facts of another batch");
        self.check_open()?;
        let store = self.store();
        store.check_appendable(batch.len(), purpose)?;
        let mut state = self.0.state.borrow_mut();
        let base_offset = state.end_offset;
        let entry = self.entry(EntryKind::Batch, stamp.leader_epoch, base_offset);
        let laid = store.journal().append(entry, batch.len(), purpose, |bytes| {
            bytes.copy_from_slice(batch);
            record::assign(bytes, base_offset, stamp.leader_epoch);
            match stamp.log_append_time {
                Some(now) => record::stamp_log_append_time(bytes, now),
                None => record::correct_max_timestamp(bytes, facts.max_timestamp),
            }
        })?;
        let mut facts = *facts;
        if let Some(now) = stamp.log_append_time {
            facts.max_timestamp = now;
            facts.timestamp_type = record::TimestampType::LogAppendTime;
        }
        self.take_batch(&mut state, base_offset, stamp.leader_epoch, facts, laid.place, laid.bytes);
        let last_offset = base_offset.plus(facts.last_offset_delta);
        self.note_unreflected(&mut state, laid.place);
        if state.noted_sequence != laid.place.sequence {
            state.noted_sequence = laid.place.sequence;
            store.note_appended(laid.place.sequence, self);
        }
        if purpose == Purpose::Records {
            let (records, bytes) = (facts.record_count.max(0) as u64, batch.len() as u64);
            self.0.traffic.count_appended(records, bytes);
            store.traffic.count_appended(records, bytes);
        }
        Ok(Appended { base_offset, last_offset, sequence: laid.place.sequence })
    }

    /// A client was given so much of the log.
    pub fn count_read(&self, records: u64, bytes: u64) {
        self.0.traffic.count_read(records, bytes);
        self.store().traffic.count_read(records, bytes);
    }

    /// What went in and out since the start.
    pub fn traffic(&self) -> LogTraffic {
        self.0.traffic.get()
    }

    /// Waits until the commit with that sequence is on disk.
    pub async fn wait_durable(&self, sequence: u64) {
        self.store().journal().wait_synced(sequence).await;
    }

    /// The leader epochs that this log knows, oldest first.
    pub fn epoch_starts(&self) -> Vec<EpochStart> {
        self.0.state.borrow().epochs.starts().to_vec()
    }

    /// The end of the newest epoch at or below `epoch` (KIP-101), none if the log has none.
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEnd> {
        let state = self.0.state.borrow();
        state.epochs.end_offset_for(epoch, state.end_offset)
    }

    /// A new epoch begins at the end of the log. Durable on return.
    pub async fn start_leader_epoch(&self, epoch: LeaderEpoch) {
        self.change(Purpose::FreesJournal, |state| {
            state.epochs.start(epoch, state.end_offset);
            (Change::EpochStart(epoch, state.end_offset), None)
        })
        .await;
    }

    /// Drops every record at or behind `to`, whole batches only. Durable on return.
    ///
    /// # Panics
    /// Below the high watermark: that never happens to a log whose leader kept the rules.
    pub async fn truncate(&self, to: Offset) {
        self.change(Purpose::FreesJournal, |state| {
            let dropped = state.truncate(to);
            (Change::Truncation(state.end_offset), dropped)
        })
        .await;
    }

    /// Hides every record below `to`. Durable on return.
    ///
    /// # Panics
    /// Above the high watermark.
    pub async fn move_log_start(&self, to: Offset) {
        self.change(Purpose::Control, |state| {
            assert!(to <= state.high_watermark, "start {to} above {}", state.high_watermark);
            state.move_start(to);
            (Change::LogStart(state.log_start_offset), None)
        })
        .await;
    }

    /// Changes the log, writes down how, and waits until that is on disk. Waits for room first, so
    /// that the change and its entry are one step. `change` also names the first batch it dropped.
    async fn change(
        &self,
        purpose: Purpose,
        change: impl FnOnce(&mut LogState) -> (Change, Option<EntryPlace>),
    ) {
        let store = self.store();
        let journal = store.journal();
        journal.room(0, purpose).await;
        if self.0.deleted.get() {
            return;
        }
        let sequence = {
            let mut state = self.0.state.borrow_mut();
            let (change, dropped) = change(&mut state);
            let entry = match change {
                Change::EpochStart(epoch, at) => self.entry(EntryKind::EpochStart, epoch, at),
                Change::Truncation(to) => self.entry(EntryKind::Truncation, LeaderEpoch(0), to),
                Change::LogStart(to) => self.entry(EntryKind::LogStart, LeaderEpoch(0), to),
                Change::Created => unreachable!("the store writes creations"),
            };
            let laid = journal
                .append(entry, 0, purpose, |_| {})
                .expect("room for it was there a moment ago");
            let needs = dropped.unwrap_or(laid.place);
            state.controls.push_back(Control { place: laid.place, needs, change });
            self.note_unreflected(&mut state, laid.place);
            laid.place.sequence
        };
        self.wait_durable(sequence).await;
    }

    fn store(&self) -> Rc<StoreCore> {
        self.0.store.upgrade().expect("a log is used while its store lives")
    }

    fn entry(&self, kind: EntryKind, leader_epoch: LeaderEpoch, offset: Offset) -> EntryHeader {
        EntryHeader { kind, log: self.0.id, leader_epoch: leader_epoch.0, offset: offset.0 }
    }

    /// The one place where a batch becomes part of the log, at an append and at a replay.
    fn take_batch(
        &self,
        state: &mut LogState,
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
        facts: BatchFacts,
        place: EntryPlace,
        bytes: Lease,
    ) {
        state.epochs.start(leader_epoch, base_offset);
        let appended_at = self.store().entry_time();
        self.apply_producer(state, &facts, base_offset, appended_at);
        state.end_offset = base_offset.plus(facts.last_offset_delta).plus(1);
        let batch = UnsettledBatch { base_offset, leader_epoch, facts, appended_at, place, bytes };
        state.tail.push(batch);
    }

    /// Whether both are the same log.
    pub(crate) fn is(&self, other: &Log) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// A file of the log is lost. No batch is acknowledged behind the hole, and nothing settles any
    /// more; what is there can be read, and the log can be deleted.
    pub(crate) fn quarantine(&self, lost: &LostFile) {
        let is_new = !self.0.quarantined.replace(true);
        let name = self.name();
        let store = self.store();
        if is_new {
            // Even if something else was said of that file: this says what it has come to.
            store.say_anew(
                &lost.path,
                format_args!(
                    "{name} takes no more records: {lost} while the broker is stopped, or delete \
                     the topic. What has not settled of it is kept in the journal and in memory, \
                     and in the end takes the room of this shard's other partitions"
                ),
            );
        } else {
            store.say_once(&lost.path, format_args!("{name}: {lost}"));
        }
    }

    /// Whether a file of the log is lost.
    pub(crate) fn is_quarantined(&self) -> bool {
        self.0.quarantined.get()
    }

    /// The log's name, for people.
    fn name(&self) -> String {
        format!("{}-{}", self.0.label, self.0.id.partition)
    }

    /// The log is about to be deleted: nothing may be appended behind its tombstone.
    pub(crate) fn refuse_appends(&self) {
        self.0.deleted.set(true);
    }

    /// The log's tombstone is synced: its tail goes, whoever still holds the handle finds it empty.
    pub(crate) fn forget(&self) {
        *self.0.on_durable.borrow_mut() = None;
        let mut state = self.0.state.borrow_mut();
        state.tail.clear();
        state.controls.clear();
        state.producers.clear();
        state.settled.producers.clear();
        if let Some(place) = state.first_unreflected.take() {
            self.store().unindex_unreflected(place);
        }
    }

    /// All commits up to `synced` are on disk.
    pub(crate) fn advance_durable(&self, synced: u64) {
        let mut state = self.0.state.borrow_mut();
        let Some(end) = state.tail.advance_durable(synced) else { return };
        state.durable_end_offset = end;
        drop(state);
        if let Some(hook) = &*self.0.on_durable.borrow() {
            hook(end);
        }
    }

    /// Keeps the store's index of what the manifest does not reflect up to date.
    fn note_unreflected(&self, state: &mut LogState, place: EntryPlace) {
        if state.first_unreflected.is_none() {
            state.first_unreflected = Some(place);
            self.store().index_unreflected(place, Unreflected::Log(self.clone()));
        }
    }
}

impl LogState {
    /// Cuts the log's end; where the journal has the first batch that went.
    fn truncate(&mut self, to: Offset) -> Option<EntryPlace> {
        assert!(to >= self.high_watermark, "truncation to {to}, below {}", self.high_watermark);
        let dropped = self.tail.truncate(to);
        let end_offset = dropped.as_ref().map_or(self.end_offset, |batch| batch.base_offset);
        self.end_offset = end_offset;
        self.durable_end_offset = self.durable_end_offset.min(end_offset);
        self.epochs.truncate_from_end(end_offset);
        let folded = self.settled.folded;
        let since = self.tail.iter().filter(|batch| batch.place >= folded);
        let since = since.map(|batch| (&batch.facts, batch.base_offset, batch.appended_at));
        self.producers.rewind(&self.settled.producers, since);
        dropped.map(|batch| batch.place)
    }

    fn move_start(&mut self, to: Offset) {
        self.log_start_offset = self.log_start_offset.max(to);
        self.epochs.truncate_from_start(self.log_start_offset);
    }
}
