//! How a log comes into being: made new, or found again by recovery from the manifest and the
//! journal.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::rc::Rc;

use record::{BatchView, LeaderEpoch, Offset};
use runtime::Lease;

use super::settled::SettledState;
use super::unsettled::Unsettled;
use super::{Change, Control, Log, LogCell, LogState};
use crate::config::LogConfig;
use crate::journal::{EntryHeader, EntryKind, EntryPlace};
use crate::leader_epochs::LeaderEpochs;
use crate::log_id::LogId;
use crate::lost_file::LostFile;
use crate::manifest::{LogEntry, SettledLog};
use crate::producer_state::ProducerState;
use crate::segment::Segment;
use crate::segments::Segments;
use crate::store::StoreCore;
use crate::traffic::TrafficCells;

/// A journal entry that does not continue its log: the journal is whole, so this is a fault of the
/// program or of a format, not of the disk.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The log.
    pub log: LogId,
    /// The commit.
    pub sequence: u64,
    /// Where in the log the entry belongs.
    pub offset: Offset,
    /// Where the log ends.
    pub log_end: Offset,
    /// What does not fit.
    pub what: &'static str,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Misfit { log, sequence, offset, log_end, what } = self;
        write!(
            f,
            "journal commit {sequence} has, for log {log} that ends at {log_end}, an entry at \
             {offset} that is {what}: restore this broker's data from a replica or a backup"
        )
    }
}

impl Log {
    /// A log that was made a moment ago, at `place` in the journal.
    pub(crate) fn create(
        store: &Rc<StoreCore>,
        id: LogId,
        label: &str,
        config: LogConfig,
        place: EntryPlace,
    ) -> Log {
        let head = LogEntry {
            log_start_offset: Offset(0),
            settled_end_offset: Offset(0),
            replay: place,
            label: label.into(),
        };
        let log = Log::from_settled(store, id, &head, Segments::default(), None, config);
        let mut state = log.0.state.borrow_mut();
        state.controls.push_back(Control::new(place, Change::Created));
        log.note_unreflected(&mut state, place);
        drop(state);
        log
    }

    /// A log as the manifest has it. Reads a few bytes of the active segment's index at most.
    pub(crate) async fn reopen(
        store: &Rc<StoreCore>,
        id: LogId,
        settled: &SettledLog,
    ) -> io::Result<Log> {
        let folder = store.folder(id, &settled.entry.label);
        let mut segments = Segments::default();
        for state in settled.segments.values() {
            let segment =
                Segment::reopen(&store.shard, &store.files, &folder, state.clone()).await?;
            segments.push(Rc::new(segment));
        }
        let config = store.config.log;
        let lost = segments.iter().find_map(|segment| segment.lost());
        let log = Log::from_settled(store, id, &settled.entry, segments, Some(settled), config);
        if let Some(lost) = lost {
            log.quarantine(&lost);
        }
        Ok(log)
    }

    /// The log's folder is not there: with it went what is in no manifest's remainder.
    pub(crate) fn miss_folder(&self, settled: &SettledLog) {
        let mut lost = settled.segments.values().filter(|state| state.log.size_bytes > 0);
        if let Some(state) = lost.next() {
            let folder = self.store().folder(self.0.id, &self.0.label);
            self.quarantine(&LostFile {
                path: folder.join(format!("{:020}.log", state.base_offset.0)),
                settled_bytes: state.log.size_bytes,
                found_bytes: None,
            });
        }
    }

    fn from_settled(
        store: &Rc<StoreCore>,
        id: LogId,
        head: &LogEntry,
        segments: Segments,
        settled: Option<&SettledLog>,
        config: LogConfig,
    ) -> Log {
        let end_offset = head.settled_end_offset;
        let epochs = settled.map_or_else(LeaderEpochs::default, |settled| settled.epochs.clone());
        let producers = |tally| {
            let known = settled.into_iter().flat_map(|settled| &settled.producers);
            let known = known.map(|(id, state)| (*id, state.clone()));
            ProducerState::from_entries(config.producers, tally, known)
        };
        let state = LogState {
            config,
            log_start_offset: head.log_start_offset,
            end_offset,
            durable_end_offset: end_offset,
            high_watermark: end_offset,
            epochs: epochs.clone(),
            producers: producers(&store.producers),
            tail: Unsettled::default(),
            settled: SettledState::new(
                head.log_start_offset,
                end_offset,
                segments,
                epochs,
                producers(&store.settled_producers),
                head.replay,
            ),
            controls: VecDeque::new(),
            first_unreflected: None,
            noted_sequence: 0,
        };
        Log(Rc::new(LogCell {
            id,
            label: head.label.clone(),
            store: Rc::downgrade(store),
            state: RefCell::new(state),
            on_durable: RefCell::new(None),
            deleted: Cell::new(false),
            traffic: TrafficCells::default(),
            quarantined: Cell::new(false),
            may_have_orphans: Cell::new(false),
        }))
    }

    /// Applies an entry that the journal has and the manifest does not reflect. It is synced.
    pub(crate) fn replay(
        &self,
        place: EntryPlace,
        entry: &EntryHeader,
        payload: Lease,
    ) -> Result<(), Misfit> {
        self.0.may_have_orphans.set(true);
        let offset = Offset(entry.offset);
        let mut state = self.0.state.borrow_mut();
        let (log_end, sequence) = (state.end_offset, place.sequence);
        let misfit = |what| Misfit { log: self.0.id, sequence, offset, log_end, what };
        let epoch = LeaderEpoch(entry.leader_epoch);
        if epoch < LeaderEpoch(0) {
            return Err(misfit("of a negative epoch"));
        }
        let change = match entry.kind {
            EntryKind::Batch => {
                if offset != state.end_offset {
                    return Err(misfit("not the next batch"));
                }
                let (view, rest) = BatchView::parse(&payload).map_err(|_| misfit("no batch"))?;
                // Segments go by what the batch says of itself.
                if view.base_offset() != offset || !rest.is_empty() {
                    return Err(misfit("another batch"));
                }
                let facts = view.facts().map_err(|_| misfit("a batch that breaks the format"))?;
                self.take_batch(&mut state, offset, epoch, facts, place, payload);
                state.tail.advance_durable(place.sequence);
                state.durable_end_offset = state.end_offset;
                None
            }
            EntryKind::Truncation => {
                if offset < state.settled.end_offset {
                    return Err(misfit("a cut into what had settled"));
                }
                if offset > state.end_offset {
                    return Err(misfit("a cut behind the end"));
                }
                state.truncate(offset);
                // It is synced, so what it dropped is not needed any more.
                Some(Change::Truncation(offset))
            }
            EntryKind::LogStart => {
                state.move_start(offset);
                Some(Change::LogStart(offset))
            }
            EntryKind::EpochStart => {
                if offset != state.end_offset {
                    return Err(misfit("an epoch that begins elsewhere"));
                }
                state.epochs.start(epoch, offset);
                Some(Change::EpochStart(epoch, offset))
            }
            EntryKind::Creation => Some(Change::Created),
            EntryKind::Tombstone => return Err(misfit("the tombstone of a log that goes on")),
        };
        state.controls.extend(change.map(|change| Control::new(place, change)));
        self.note_unreflected(&mut state, place);
        Ok(())
    }

    /// What recovery has found may settle, as it was acknowledged or will be read by consumers as
    /// if it had been; but nothing at or behind `cut`, where a later truncation will end the log.
    pub(crate) fn admit_recovered(&self, cut: Option<Offset>) {
        let mut state = self.0.state.borrow_mut();
        let end = state.durable_end_offset;
        state.high_watermark = cut.map_or(end, |cut| cut.min(end)).max(state.settled.end_offset);
        if cfg!(feature = "known-bad-forget-producer-state") {
            state.producers.clear();
            state.settled.producers.clear();
        }
    }
}
