//! A log's part of a settle round: which batches go, the writes, and what the manifest must say of
//! them.
//!
//! ```text
//! begin_settle      takes durable batches below the high watermark into segments (memory)
//! write_settled     space, then the whole blocks; a shortage parks the log, nothing is lost
//!        … the settler syncs what was written, then appends the round to the manifest …
//! finish_settle     the tail lets go of the batches, the journal of their entries
//! ```

use std::rc::Rc;

use record::{BatchFacts, Offset};

use super::unsettled::UnsettledBatch;
use super::{Change as LogChange, Log, LogState};
use crate::journal::EntryPlace;
use crate::manifest::{Change, LogEntry, ManifestEntry};
use crate::segment::{PrepareError, Segment, Unsynced};
use crate::store::Unreflected;

/// What one log does in one round.
pub(crate) struct SettlePlan {
    /// The segments that the batches went into, oldest first.
    segments: Vec<Rc<Segment>>,
    batch_count: usize,
    end_offset: Offset,
    /// The first journal entry of the log that this round does not reflect.
    replay: EntryPlace,
    /// What the round gives back when it is through.
    reflected: Option<EntryPlace>,
}

impl SettlePlan {
    /// The first journal entry of the log that this round does not reflect.
    pub(crate) fn replay(&self) -> EntryPlace {
        self.replay
    }

    /// The place in the store's index that the round frees.
    pub(crate) fn reflected(&self) -> Option<EntryPlace> {
        self.reflected
    }
}

/// Whether segments are left as Kafka's tools can read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trim {
    /// They go on growing.
    No,
    /// The broker stops.
    Yes,
}

impl Log {
    /// Takes up to about `size_bytes` of what may settle. None if the log has to wait for a sync
    /// first.
    pub(crate) async fn begin_settle(
        &self,
        size_bytes: u64,
        trim: Trim,
    ) -> Result<Option<SettlePlan>, PrepareError> {
        self.remove_orphans().await;
        let (batches, mut plan, config) = {
            let state = self.0.state.borrow();
            // Of this very moment: what is durable and what is reflected must agree.
            let synced = self.store().settleable_sequence();
            if state.has_unsynced_truncation(synced) {
                // What it dropped is on the disk until it is synced: nothing may be reflected.
                return Ok(None);
            }
            let batches = state.tail.settleable(state.high_watermark, size_bytes);
            let plan = state.plan(&batches, synced);
            (batches, plan, state.config)
        };
        for batch in &batches {
            let segment = self.segment_for(&batch.facts, batch.base_offset).await?;
            // A round that found no space has appended it already.
            if segment.appended_end_offset() <= batch.base_offset {
                segment.append(batch.bytes.clone(), &config.segment);
            }
        }
        let state = self.0.state.borrow();
        let from = state.settled.end_offset;
        let touched = state.settled.segments.iter();
        // A segment that ended with the last round takes no batch of this one, only its seal.
        let is_due = |s: &&Rc<Segment>| s.appended_end_offset() > from || s.has_unrecorded_seal();
        plan.segments.extend(touched.filter(is_due).cloned());
        if trim == Trim::Yes
            && let Some(active) = state.settled.segments.active()
        {
            active.trim();
            if !plan.segments.iter().any(|segment| Rc::ptr_eq(segment, active)) {
                plan.segments.push(active.clone());
            }
        }
        drop(state);
        Ok(Some(plan))
    }

    /// Writes what the plan's segments took. On an error nothing was written, and the log may be
    /// settled again later.
    pub(crate) async fn write_settled(&self, plan: &SettlePlan) -> Result<(), PrepareError> {
        for segment in &plan.segments {
            segment.prepare().await?;
        }
        for segment in &plan.segments {
            segment.write().await;
        }
        Ok(())
    }

    /// What was written and must be synced before [`Log::settle_entries`] may be recorded.
    pub(crate) fn take_unsynced(&self, plan: &SettlePlan) -> Vec<Unsynced> {
        plan.segments.iter().flat_map(|segment| segment.take_unsynced()).collect()
    }

    /// What the manifest must say.
    pub(crate) fn settle_entries(&self, plan: &SettlePlan) -> Vec<ManifestEntry> {
        let now = self.store().entry_time();
        let mut state = self.0.state.borrow_mut();
        let state = &mut *state;
        let batches = state.tail.iter().take(plan.batch_count);
        let controls = state.controls.iter();
        state.settled.fold(batches, controls, plan.replay, &state.producers);
        state.settled.expire(now, usize::MAX);
        state.expire(now, usize::MAX);
        let head = LogEntry {
            log_start_offset: state.settled.log_start_offset,
            settled_end_offset: plan.end_offset,
            replay: plan.replay,
            label: self.0.label.clone(),
        };
        let (written, forgotten) = state.settled.unrecorded();
        let mut out = vec![Change::Log(head), Change::LeaderEpochs(state.settled.epochs.clone())];
        out.extend(plan.segments.iter().map(|segment| Change::Segment(segment.state())));
        out.extend(written.into_iter().map(|(id, state)| Change::Producer(id, state)));
        if !forgotten.is_empty() {
            out.push(Change::ProducersForgotten(forgotten));
        }
        out.into_iter().map(|change| ManifestEntry { log: self.0.id, change }).collect()
    }

    /// The manifest has the round.
    pub(crate) fn finish_settle(&self, plan: &SettlePlan) {
        let mut state = self.0.state.borrow_mut();
        if state.tail.len() < plan.batch_count {
            // It was deleted meanwhile, for good.
            return;
        }
        state.settled.end_offset = plan.end_offset;
        state.settled.recorded();
        plan.segments.iter().for_each(|segment| segment.recorded());
        state.tail.drop_settled(plan.batch_count);
        if let Some(place) = plan.reflected {
            self.store().unindex_unreflected(place);
            state.first_unreflected = None;
        }
        let reflected = state.controls.partition_point(|control| control.place < plan.replay);
        state.controls.drain(..reflected);
        let control = state.controls.iter().map(|control| control.needs).min();
        let left = state.tail.first_place().into_iter().chain(control);
        if let Some(place) = left.min()
            && state.first_unreflected.is_none()
        {
            state.first_unreflected = Some(place);
            self.store().index_unreflected(place, Unreflected::Log(self.clone()));
        }
    }

    /// The segment that a batch goes into, made if the active one is full.
    async fn segment_for(
        &self,
        facts: &BatchFacts,
        base_offset: Offset,
    ) -> Result<Rc<Segment>, PrepareError> {
        let store = self.store();
        let (active, config) = {
            let state = self.0.state.borrow();
            if let Some(taken) = state.settled.segments.find(base_offset)
                && taken.appended_end_offset() > base_offset
            {
                return Ok(taken.clone());
            }
            (state.settled.segments.active().cloned(), state.config)
        };
        let now = store.wall_time();
        if let Some(active) = active {
            match active.roll_before(facts, base_offset, now, &config.segment) {
                None => return Ok(active),
                Some(_) => active.seal(),
            }
        }
        let folder = store.folder(self.0.id, &self.0.label);
        let made = Segment::create(&store.shard, &store.files, &folder, base_offset).await;
        let segment = Rc::new(made.map_err(|error| PrepareError::at(&folder, error))?);
        self.0.state.borrow_mut().settled.segments.push(segment.clone());
        Ok(segment)
    }
}

impl LogState {
    /// What a round will do that settles these batches, the first of the tail.
    fn plan(&self, batches: &[UnsettledBatch], synced: u64) -> SettlePlan {
        let after_synced = EntryPlace { sequence: synced + 1, entry: 0 };
        let first_left = self.tail.iter().nth(batches.len()).map(|batch| batch.place);
        SettlePlan {
            segments: Vec::new(),
            batch_count: batches.len(),
            end_offset: batches.last().map_or(self.settled.end_offset, UnsettledBatch::end_offset),
            replay: first_left.map_or(after_synced, |place| place.min(after_synced)),
            reflected: self.first_unreflected,
        }
    }

    fn has_unsynced_truncation(&self, synced: u64) -> bool {
        self.controls.iter().any(|control| {
            control.place.sequence > synced && matches!(control.change, LogChange::Truncation(_))
        })
    }
}
