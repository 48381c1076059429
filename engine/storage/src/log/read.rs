//! Reads that join what has settled with what is still in memory.

use std::fmt;

use record::{BatchFacts, BatchView, LeaderEpoch, Offset, ReadLimits, Timestamp, TimestampType};
use runtime::Buffer;

use super::unsettled::UnsettledBatch;
use super::{Log, LogState};
use crate::segment::{
    AtLeast, ReadError, ReadPart, ReadPlan, ReadRequest, RecordAtTimestamp, Segment,
    TimestampTarget, find_record,
};

/// Batches of the tail that a look-up by time keeps while it searches the segments. The first that
/// is late enough has the record, unless the log's start lies inside of it: then the second has.
const CANDIDATES: usize = 2;

/// Why a log can't be read.
#[derive(Debug)]
pub enum LogReadError {
    /// The log has no such offset.
    OutOfRange {
        /// What was asked for.
        from: Offset,
        /// Where the log begins.
        log_start: Offset,
        /// Where it ends.
        log_end: Offset,
    },
    /// A segment can't be read.
    Segment(ReadError),
    /// A batch in memory does not decode; it was checked by nobody but its producer.
    Batch(Offset),
}

impl fmt::Display for LogReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogReadError::OutOfRange { from, log_start, log_end } => {
                write!(f, "offset {from} is not in the log, which has {log_start} to {log_end}")
            }
            LogReadError::Segment(e) => e.fmt(f),
            LogReadError::Batch(at) => write!(f, "the records of the batch at {at} can't be read"),
        }
    }
}

impl Log {
    /// Plans a read: whole batches from the one that contains `from` on. A read from the very end
    /// of the log is legal and finds nothing.
    pub async fn read(&self, request: ReadRequest) -> Result<ReadPlan, LogReadError> {
        let mut plan = ReadPlan::default();
        let mut rest = request;
        self.check_range(request.from)?;
        loop {
            let settled = {
                let state = self.0.state.borrow();
                let in_tail = rest.from >= state.settled.end_offset;
                if in_tail {
                    state.read_tail(&rest, &mut plan);
                    return Ok(plan);
                }
                state.settled.segments.find(rest.from).cloned()
            };
            // What is below the settled end has a segment; if it went, so did the log.
            let Some(segment) = settled else { return Ok(plan) };
            let piece = match segment.read(rest).await.map_err(|e| self.damaged(&segment, e)) {
                Ok(piece) => piece,
                // What comes before the hole is whole: who reads on from there is told.
                Err(_) if plan.size_bytes > 0 => return Ok(plan),
                Err(e) => return Err(e),
            };
            let Some(next) = piece.next_offset else { return Ok(plan) };
            plan.parts.extend(piece.parts);
            plan.size_bytes += piece.size_bytes;
            plan.next_offset = Some(next);
            let taken = u32::try_from(plan.size_bytes).unwrap_or(u32::MAX);
            rest = ReadRequest {
                from: next,
                max_bytes: request.max_bytes.saturating_sub(taken),
                at_least: AtLeast::Nothing,
                ..request
            };
            if rest.max_bytes == 0 || next < segment.end_offset() {
                return Ok(plan);
            }
        }
    }

    /// The bytes of [`Log::read`] in memory, for those who look at records. At least one batch.
    pub async fn read_whole(
        &self,
        from: Offset,
        bound: Offset,
        max_bytes: u32,
    ) -> Result<Vec<u8>, LogReadError> {
        let request = ReadRequest { from, bound, max_bytes, at_least: AtLeast::OneBatch };
        let plan = self.read(request).await?;
        let mut bytes = Vec::with_capacity(plan.size_bytes as usize);
        for part in plan.parts {
            match part {
                ReadPart::Memory(lease) => bytes.extend_from_slice(&lease),
                ReadPart::File { file, position, len } => {
                    let store = self.store();
                    let disk = store.shard.disk();
                    let room = Buffer::plain(len as usize);
                    let (read, buffer) = disk.read_shared(&file, room, position).await;
                    match read {
                        Ok(n) if n as u64 == len => bytes.extend_from_slice(&buffer),
                        _ => return Err(LogReadError::Batch(from)),
                    }
                }
            }
        }
        Ok(bytes)
    }

    /// About how many bytes a read from `from` to `bound` would find, at most `max_bytes`: for long
    /// polls. Exact in the tail, by proportion in segments, and never 0 if there is something.
    pub fn available_bytes(
        &self,
        from: Offset,
        bound: Offset,
        max_bytes: u64,
    ) -> Result<u64, LogReadError> {
        self.check_range(from)?;
        let state = self.0.state.borrow();
        let bound = bound.min(state.end_offset);
        if from >= bound {
            return Ok(0);
        }
        let mut total = state.settled_bytes(from, bound, max_bytes);
        for batch in state.tail.iter_from(from, bound) {
            if total >= max_bytes {
                break;
            }
            total += batch.facts.size_bytes as u64;
        }
        Ok(total.min(max_bytes))
    }

    /// The first record at or after `timestamp` and below `bound`.
    pub async fn offset_for_timestamp(
        &self,
        timestamp: Timestamp,
        bound: Offset,
        limits: &ReadLimits,
    ) -> Result<Option<RecordAtTimestamp>, LogReadError> {
        // All taken at once, and each part searched up to where the other began at that moment:
        // what settles meanwhile is found in its place.
        let (segments, from, settled_end, candidates) = {
            let state = self.0.state.borrow();
            let from = state.log_start_offset;
            let late = |batch: &&UnsettledBatch| batch.facts.max_timestamp >= timestamp;
            let candidates = state.tail.iter_from(from, bound).filter(late).take(CANDIDATES);
            let segments: Vec<_> = state.settled.segments.iter().cloned().collect();
            let candidates: Vec<_> = candidates.cloned().collect();
            (segments, from, state.settled.end_offset, candidates)
        };
        for segment in segments {
            let bound = bound.min(settled_end);
            let found = segment.offset_for_timestamp(timestamp, from, bound, limits).await;
            if let Some(found) = found.map_err(|e| self.damaged(&segment, e))? {
                return Ok(Some(found));
            }
        }
        let target = TimestampTarget { timestamp, from, bound };
        for batch in candidates {
            let (view, _) = BatchView::parse(&batch.bytes).expect("the tail has whole batches");
            if let Some(found) = find_record(&view, &target, limits) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What the records of the batch that begins at `base_offset` were stamped with when it was
    /// appended; none if they have the producer's times, or there is no such batch any more.
    pub async fn log_append_time(
        &self,
        base_offset: Offset,
    ) -> Result<Option<Timestamp>, LogReadError> {
        let segment = {
            let state = self.0.state.borrow();
            let in_tail = state.tail.iter_from(base_offset, state.end_offset).next();
            match in_tail.filter(|batch| batch.base_offset == base_offset) {
                Some(batch) => return Ok(stamped(&batch.facts)),
                None => state.settled.segments.find(base_offset).cloned(),
            }
        };
        let Some(segment) = segment else { return Ok(None) };
        let facts = segment.batch_facts(base_offset).await;
        let facts = facts.map_err(|e| self.damaged(&segment, e))?;
        Ok(facts.as_ref().and_then(stamped))
    }

    /// The first record that has the largest timestamp of all below `bound` (KIP-734).
    pub async fn max_timestamp(
        &self,
        bound: Offset,
        limits: &ReadLimits,
    ) -> Result<Option<RecordAtTimestamp>, LogReadError> {
        let largest = {
            let state = self.0.state.borrow();
            let settled = state.settled.segments.iter().map(|segment| segment.max_timestamp());
            let tail = state.tail.iter_from(state.log_start_offset, bound);
            settled.chain(tail.map(|batch| batch.facts.max_timestamp)).max()
        };
        match largest {
            Some(timestamp) if timestamp > Timestamp::NONE => {
                self.offset_for_timestamp(timestamp, bound, limits).await
            }
            _ => Ok(None),
        }
    }

    /// The leader epoch under which the record at `offset` was appended, if the log knows.
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.0.state.borrow().epochs.epoch_of(offset)
    }

    /// Says what can't be read, once of each file. A file that is lost quarantines the log.
    fn damaged(&self, segment: &Segment, error: ReadError) -> LogReadError {
        match segment.lost() {
            // Its files went with it, and who reads it still is told by the error.
            _ if self.0.deleted.get() => {}
            Some(lost) => self.quarantine(&lost),
            None => self.store().say_once(error.path(), format_args!("{}: {error}", self.name())),
        }
        LogReadError::Segment(error)
    }

    fn check_range(&self, from: Offset) -> Result<(), LogReadError> {
        let state = self.0.state.borrow();
        let (log_start, log_end) = (state.log_start_offset, state.end_offset);
        if (log_start..=log_end).contains(&from) {
            return Ok(());
        }
        Err(LogReadError::OutOfRange { from, log_start, log_end })
    }
}

/// The time of the append, where that is what the records carry.
fn stamped(facts: &BatchFacts) -> Option<Timestamp> {
    (facts.timestamp_type == TimestampType::LogAppendTime).then_some(facts.max_timestamp)
}

impl LogState {
    /// Adds batches of the tail to a read.
    fn read_tail(&self, request: &ReadRequest, plan: &mut ReadPlan) {
        let mut room = u64::from(request.max_bytes);
        for batch in self.tail.iter_from(request.from, request.bound) {
            let size = batch.facts.size_bytes as u64;
            let first = plan.parts.is_empty() && request.at_least == AtLeast::OneBatch;
            if size > room && !first {
                return;
            }
            room = room.saturating_sub(size);
            plan.parts.push(ReadPart::Memory(batch.bytes.clone()));
            plan.size_bytes += size;
            plan.next_offset = Some(batch.end_offset());
        }
    }

    /// The settled part of [`Log::available_bytes`].
    fn settled_bytes(&self, from: Offset, bound: Offset, max_bytes: u64) -> u64 {
        let bound = bound.min(self.settled.end_offset);
        let mut total = 0;
        let mut at = from;
        while at < bound && total < max_bytes {
            let Some(segment) = self.settled.segments.find(at) else { break };
            let end = segment.end_offset();
            if end <= at {
                break;
            }
            let span = (end.0 - segment.base_offset().0).max(1) as u128;
            let wanted = (end.min(bound).0 - at.0) as u128;
            let share = u128::from(segment.size_bytes()) * wanted / span;
            total += u64::try_from(share).unwrap_or(u64::MAX).max(1);
            at = end;
        }
        total
    }
}
