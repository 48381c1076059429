//! The newest batches of a log: in the tail's memory and the journal, not yet in a segment.

use std::collections::VecDeque;

use record::{BatchFacts, LeaderEpoch, Offset, Timestamp};
use runtime::Lease;

use crate::journal::EntryPlace;

/// A batch that a segment does not have yet.
#[derive(Clone)]
pub(crate) struct UnsettledBatch {
    /// The offset that its first record got.
    pub(crate) base_offset: Offset,
    /// The epoch under which it was appended.
    pub(crate) leader_epoch: LeaderEpoch,
    /// What its header says.
    pub(crate) facts: BatchFacts,
    /// When it was appended, by this broker's clock.
    pub(crate) appended_at: Timestamp,
    /// Where the journal has it.
    pub(crate) place: EntryPlace,
    /// Its bytes, offset and leader epoch filled in.
    pub(crate) bytes: Lease,
}

impl UnsettledBatch {
    /// The offset of its last record.
    pub(crate) fn last_offset(&self) -> Offset {
        self.base_offset.plus(self.facts.last_offset_delta)
    }

    /// The offset behind its last record.
    pub(crate) fn end_offset(&self) -> Offset {
        self.last_offset().plus(1)
    }
}

/// Batches in the order of their offsets, without gaps, which is also their order in the journal.
///
/// ```text
/// settled (segments) │ durable batches … │ batches on their way to the disk … │ log end
///                    └ front             └ durable_count                      └ back
/// ```
#[derive(Default)]
pub(crate) struct Unsettled {
    batches: VecDeque<UnsettledBatch>,
    durable_count: usize,
}

impl Unsettled {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Where the journal has the oldest of them.
    pub(crate) fn first_place(&self) -> Option<EntryPlace> {
        self.batches.front().map(|batch| batch.place)
    }

    /// Takes the next batch.
    pub(crate) fn push(&mut self, batch: UnsettledBatch) {
        if let Some(last) = self.batches.back() {
            assert_eq!(last.end_offset(), batch.base_offset, "a gap in the tail");
            assert!(last.place < batch.place, "{:?} behind {:?}", batch.place, last.place);
        }
        self.batches.push_back(batch);
    }

    /// All commits up to `synced` are on disk. Returns the new durable end, if there is one.
    pub(crate) fn advance_durable(&mut self, synced: u64) -> Option<Offset> {
        let before = self.durable_count;
        while let Some(batch) = self.batches.get(self.durable_count)
            && batch.place.sequence <= synced
        {
            self.durable_count += 1;
        }
        (self.durable_count > before).then(|| self.batches[self.durable_count - 1].end_offset())
    }

    /// Drops every batch that has a record at or behind `end_offset`. Returns the oldest that went,
    /// where the log ends now.
    pub(crate) fn truncate(&mut self, end_offset: Offset) -> Option<UnsettledBatch> {
        let keep = self.batches.partition_point(|batch| batch.last_offset() < end_offset);
        let first_gone = self.batches.drain(keep..).next();
        self.durable_count = self.durable_count.min(keep);
        first_gone
    }

    /// The oldest batches that are durable and end at or below `bound`, up to about `size_bytes`.
    pub(crate) fn settleable(&self, bound: Offset, size_bytes: u64) -> Vec<UnsettledBatch> {
        let mut total = 0;
        let durable = self.batches.iter().take(self.durable_count);
        durable
            .take_while(|batch| {
                let fits = total < size_bytes && batch.end_offset() <= bound;
                total += batch.facts.size_bytes as u64;
                fits
            })
            .cloned()
            .collect()
    }

    /// The oldest `count` batches are in a segment now.
    pub(crate) fn drop_settled(&mut self, count: usize) {
        assert!(count <= self.durable_count, "{count} settled of {} durable", self.durable_count);
        self.batches.drain(..count);
        self.durable_count -= count;
    }

    /// All of them, oldest first.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &UnsettledBatch> {
        self.batches.iter()
    }

    /// From the batch with `from` in it on, those that end at or below `bound`.
    pub(crate) fn iter_from(
        &self,
        from: Offset,
        bound: Offset,
    ) -> impl Iterator<Item = &UnsettledBatch> {
        let first = self.batches.partition_point(|batch| batch.last_offset() < from);
        self.batches.range(first..).take_while(move |batch| batch.end_offset() <= bound)
    }

    /// Forgets everything: the log is deleted.
    pub(crate) fn clear(&mut self) {
        *self = Unsettled::default();
    }
}
