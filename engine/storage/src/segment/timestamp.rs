//! Finds the first record of a segment at or after a timestamp: ListOffsets by time.

use crate::segment::batch_header::BatchHeader;
use crate::segment::read::ReadError;
use crate::segment::{Segment, known_epoch};
use record::{BatchView, LeaderEpoch, Offset, ReadLimits, Timestamp, records};

/// A record that a look-up found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordAtTimestamp {
    /// Its timestamp, at least the one that was asked for.
    pub timestamp: Timestamp,
    /// Its offset.
    pub offset: Offset,
    /// The epoch under which it was appended, if its batch tells one.
    pub leader_epoch: Option<LeaderEpoch>,
}

/// Which records count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimestampTarget {
    /// At least this timestamp.
    pub(crate) timestamp: Timestamp,
    /// At or behind this offset: the log start.
    pub(crate) from: Offset,
    /// Before this offset.
    pub(crate) bound: Offset,
}

impl Segment {
    /// The first record at or after `timestamp` whose offset is in `from..bound`.
    ///
    /// Its batch is decompressed within the limits in order to find the record in it.
    pub async fn offset_for_timestamp(
        &self,
        timestamp: Timestamp,
        from: Offset,
        bound: Offset,
        limits: &ReadLimits,
    ) -> Result<Option<RecordAtTimestamp>, ReadError> {
        if self.max_timestamp() < timestamp {
            return Ok(None);
        }
        let mut walk = self.walk();
        let target = TimestampTarget { timestamp, from, bound: bound.min(self.end_offset()) };
        let entry = self
            .time_index
            .floor(timestamp)
            .await
            .map_err(|error| ReadError::of(self.time_index.file().path(), 0, error))?;
        let start_offset = entry.map_or(from, |entry| entry.offset.max(from));
        let mut position = self.position_floor(start_offset).await?;
        while let Some(header) = walk.first_reaching(from, position).await? {
            if header.base_offset >= target.bound {
                break;
            }
            if header.facts.max_timestamp >= timestamp
                && let Some(found) = self.find_in_batch(&header, &target, limits).await?
            {
                return Ok(Some(found));
            }
            position = header.end();
        }
        Ok(None)
    }

    async fn find_in_batch(
        &self,
        header: &BatchHeader,
        target: &TimestampTarget,
        limits: &ReadLimits,
    ) -> Result<Option<RecordAtTimestamp>, ReadError> {
        let bytes = self.checked_batch(header).await?;
        let (view, _) = BatchView::parse(&bytes).expect("a checked batch");
        Ok(find_record(&view, target, limits))
    }
}

/// The first record of `batch` that counts.
///
/// The records of a compressed batch are the producer's word: if they can't be read, the batch's
/// first offset is the answer, so that one bad batch does not hide all others from look-ups.
pub(crate) fn find_record(
    batch: &BatchView<'_>,
    target: &TimestampTarget,
    limits: &ReadLimits,
) -> Option<RecordAtTimestamp> {
    let leader_epoch = known_epoch(batch.leader_epoch());
    let found = |timestamp, offset| RecordAtTimestamp { timestamp, offset, leader_epoch };
    let in_range = |offset| offset >= target.from && offset < target.bound;
    let unreadable = || {
        let (timestamp, offset) = (batch.max_timestamp(), batch.base_offset());
        in_range(offset).then(|| found(timestamp, offset))
    };
    let Ok(records) = records(batch, limits) else { return unreadable() };
    for record in &records {
        let Ok(record) = record else { return unreadable() };
        if record.timestamp >= target.timestamp && in_range(record.offset) {
            return Some(found(record.timestamp, record.offset));
        }
    }
    None
}
