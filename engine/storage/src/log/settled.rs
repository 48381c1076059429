//! What segments and manifest have of a log: the fold of its journal entries up to a place.

use std::collections::{BTreeMap, BTreeSet};

use record::{Offset, ProducerId, Timestamp};

use super::unsettled::UnsettledBatch;
use super::{Change, Control};
use crate::journal::EntryPlace;
use crate::leader_epochs::LeaderEpochs;
use crate::producer_state::{Producer, ProducerState};
use crate::segments::Segments;

/// The settled state of a log. It knows synced entries only: the manifest must never tell of what a
/// crash could still undo.
pub(super) struct SettledState {
    pub(super) log_start_offset: Offset,
    pub(super) end_offset: Offset,
    pub(super) segments: Segments,
    pub(super) epochs: LeaderEpochs,
    pub(super) producers: ProducerState,
    /// Every journal entry of the log before this place is in `epochs`, `producers` and
    /// `log_start_offset`.
    pub(super) folded: EntryPlace,
    /// Changes of producers that no manifest record has yet.
    unrecorded: UnrecordedProducers,
}

#[derive(Default)]
struct UnrecordedProducers {
    written: BTreeMap<ProducerId, Producer>,
    forgotten: BTreeSet<ProducerId>,
}

impl SettledState {
    pub(super) fn new(
        log_start_offset: Offset,
        end_offset: Offset,
        segments: Segments,
        epochs: LeaderEpochs,
        producers: ProducerState,
        folded: EntryPlace,
    ) -> SettledState {
        let unrecorded = UnrecordedProducers::default();
        SettledState {
            log_start_offset,
            end_offset,
            segments,
            epochs,
            producers,
            folded,
            unrecorded,
        }
    }

    /// Folds in the entries before `end`: batches that settle and controls, in the journal's order.
    /// Of their producers only those that are still `known` to appends: the settled state must not
    /// grow by what the live one has forgotten.
    pub(super) fn fold<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a UnsettledBatch>,
        controls: impl Iterator<Item = &'a Control>,
        end: EntryPlace,
        known: &ProducerState,
    ) {
        let start = self.folded;
        let due = |place: EntryPlace| start <= place && place < end;
        let mut batches = batches.filter(|batch| due(batch.place)).peekable();
        for control in controls.filter(|control| due(control.place)) {
            while let Some(batch) = batches.next_if(|batch| batch.place < control.place) {
                self.fold_batch(batch, known);
            }
            self.fold_control(control);
        }
        for batch in batches {
            self.fold_batch(batch, known);
        }
        self.folded = end.max(start);
    }

    /// Forgets these producers.
    pub(super) fn forget(&mut self, ids: Vec<ProducerId>) {
        ids.into_iter().for_each(|id| self.producers.forget(id));
        self.note_producers();
    }

    /// Forgets at most `count_max` producers that are silent; how many it were.
    pub(super) fn expire(&mut self, now: Timestamp, count_max: usize) -> usize {
        let count = self.producers.expire(now, count_max);
        self.note_producers();
        count
    }

    /// The producers that the next record must tell of, and those that it must say are forgotten.
    pub(super) fn unrecorded(&self) -> (Vec<(ProducerId, Producer)>, Vec<ProducerId>) {
        let written = self.unrecorded.written.iter().map(|(id, state)| (*id, state.clone()));
        (written.collect(), self.unrecorded_forgotten())
    }

    /// Those of them that are forgotten.
    pub(super) fn unrecorded_forgotten(&self) -> Vec<ProducerId> {
        self.unrecorded.forgotten.iter().copied().collect()
    }

    /// A record that tells of the forgotten ones alone is synced.
    pub(super) fn forgotten_recorded(&mut self) {
        self.unrecorded.forgotten.clear();
    }

    /// The record is synced.
    pub(super) fn recorded(&mut self) {
        self.unrecorded = UnrecordedProducers::default();
    }

    fn fold_batch(&mut self, batch: &UnsettledBatch, known: &ProducerState) {
        self.epochs.start(batch.leader_epoch, batch.base_offset);
        if batch.facts.producer.is_some_and(|producer| known.producer(producer.id).is_some()) {
            self.producers.apply(&batch.facts, batch.base_offset, batch.appended_at);
        }
    }

    fn fold_control(&mut self, control: &Control) {
        match control.change {
            Change::Created => {}
            Change::EpochStart(epoch, at) => {
                self.epochs.start(epoch, at);
            }
            Change::Truncation(to) => {
                self.epochs.truncate_from_end(to);
            }
            Change::LogStart(to) => {
                self.log_start_offset = self.log_start_offset.max(to);
                self.epochs.truncate_from_start(self.log_start_offset);
            }
        }
    }

    fn note_producers(&mut self) {
        let changes = self.producers.take_changes();
        for (id, producer) in changes.written {
            self.unrecorded.forgotten.remove(&id);
            self.unrecorded.written.insert(id, producer);
        }
        for id in changes.forgotten {
            self.unrecorded.written.remove(&id);
            self.unrecorded.forgotten.insert(id);
        }
    }
}
