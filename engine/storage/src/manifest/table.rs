//! What all records of a manifest add up to: the settled state of every log of a shard.

use crate::leader_epochs::LeaderEpochs;
use crate::log_id::LogId;
use crate::manifest::format::{Change, LogEntry, ManifestEntry};
use crate::producer_state::Producer;
use crate::segment::SegmentState;
use record::{Offset, ProducerId};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The settled state of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledLog {
    /// Its bounds, its label, and where its replay begins.
    pub entry: LogEntry,
    /// Its segments by base offset.
    pub segments: BTreeMap<Offset, SegmentState>,
    /// Its leader epochs.
    pub epochs: LeaderEpochs,
    /// Its producers.
    pub producers: BTreeMap<ProducerId, Producer>,
}

/// All logs of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    logs: BTreeMap<LogId, SettledLog>,
}

/// An entry about a log that no entry before it has introduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLog {
    /// That log.
    pub log: LogId,
}

impl SettledLog {
    /// The entries that make this log from nothing.
    fn entries(&self, log: LogId) -> impl Iterator<Item = ManifestEntry> + '_ {
        let head = [Change::Log(self.entry.clone()), Change::LeaderEpochs(self.epochs.clone())];
        let segments = self.segments.values().cloned().map(Change::Segment);
        let producers =
            self.producers.iter().map(|(id, producer)| Change::Producer(*id, producer.clone()));
        head.into_iter()
            .chain(segments)
            .chain(producers)
            .map(move |change| ManifestEntry { log, change })
    }
}

impl Table {
    /// All logs, by id.
    pub fn logs(&self) -> &BTreeMap<LogId, SettledLog> {
        &self.logs
    }

    /// Applies one entry. An entry about a log that is not there yet must be its [`Change::Log`].
    pub fn apply(&mut self, entry: ManifestEntry) -> Result<(), UnknownLog> {
        let ManifestEntry { log: id, change } = entry;
        let log = match change {
            Change::Log(entry) => {
                self.set_entry(id, entry);
                return Ok(());
            }
            Change::LogRemoved => {
                self.logs.remove(&id);
                return Ok(());
            }
            _ => self.logs.get_mut(&id).ok_or(UnknownLog { log: id })?,
        };
        match change {
            Change::Log(_) | Change::LogRemoved => {}
            Change::Segment(state) => {
                log.segments.insert(state.base_offset, state);
            }
            Change::SegmentRemoved(base_offset) => {
                log.segments.remove(&base_offset);
            }
            Change::LeaderEpochs(epochs) => log.epochs = epochs,
            Change::Producer(id, producer) => {
                log.producers.insert(id, producer);
            }
            Change::ProducersForgotten(ids) => {
                for id in ids {
                    log.producers.remove(&id);
                }
            }
        }
        Ok(())
    }

    /// The entries that make a part of this table from nothing: whole logs behind `after`, until
    /// they take `target_bytes`; and the last of those logs, none behind the end.
    pub(super) fn part(
        &self,
        after: Option<LogId>,
        target_bytes: usize,
    ) -> (Vec<ManifestEntry>, Option<LogId>) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let (mut entries, mut size_bytes) = (Vec::new(), 0);
        for (id, log) in self.logs.range((from, Bound::Unbounded)) {
            let first = entries.len();
            entries.extend(log.entries(*id));
            size_bytes += entries[first..].iter().map(ManifestEntry::encoded_bytes).sum::<usize>();
            if size_bytes >= target_bytes {
                return (entries, Some(*id));
            }
        }
        (entries, None)
    }

    fn set_entry(&mut self, id: LogId, entry: LogEntry) {
        match self.logs.get_mut(&id) {
            Some(log) => log.entry = entry,
            None => {
                let log = SettledLog {
                    entry,
                    segments: BTreeMap::new(),
                    epochs: LeaderEpochs::default(),
                    producers: BTreeMap::new(),
                };
                self.logs.insert(id, log);
            }
        }
    }
}
