//! Finds a record of a batch by its timestamp: the last step of ListOffsets.

use crate::batch::BatchView;
use crate::error::RecordsError;
use crate::records::{ReadLimits, records};
use crate::types::{Offset, Timestamp, TimestampType};

/// The record that a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampAndOffset {
    /// Its timestamp, at least the one asked for.
    pub timestamp: Timestamp,
    /// Its offset.
    pub offset: Offset,
}

/// The first record of `batch` with a timestamp of `target` or later.
///
/// Under log append time all records have the batch's max timestamp, so that the first one is
/// known without decompression unless compaction has taken records out. Records need not be in the
/// order of their timestamps.
pub fn offset_for_timestamp(
    batch: &BatchView<'_>,
    target: Timestamp,
    limits: &ReadLimits,
) -> Result<Option<TimestampAndOffset>, RecordsError> {
    if batch.timestamp_type() == TimestampType::LogAppendTime {
        let timestamp = batch.max_timestamp();
        if timestamp < target {
            return Ok(None);
        }
        let count = i64::from(batch.record_count());
        if count == i64::from(batch.last_offset_delta()) + 1 && count > 0 {
            return Ok(Some(TimestampAndOffset { timestamp, offset: batch.base_offset() }));
        }
    }
    for record in &records(batch, limits)? {
        let record = record?;
        if record.timestamp >= target {
            let (timestamp, offset) = (record.timestamp, record.offset);
            return Ok(Some(TimestampAndOffset { timestamp, offset }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, Record, parse_single, stamp_log_append_time};

    const LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 1 << 20 };

    /// Timestamps 100, 50, 200 at offsets 7, 9, 12: a compacted batch.
    fn batch() -> Vec<u8> {
        let mut builder = BatchBuilder::new().base_offset(Offset(7)).last_offset_delta(8);
        for (delta, timestamp) in [(0, 100), (2, 50), (5, 200)] {
            let timestamp = Timestamp(timestamp);
            let record = Record { timestamp, value: Some(b"v"), ..Record::default() };
            builder.push_at(delta, &record);
        }
        builder.build().expect("a small batch")
    }

    fn check(bytes: &[u8], target: i64, expect: Option<(i64, i64)>) {
        let batch = parse_single(bytes).expect("one whole batch");
        let found = offset_for_timestamp(&batch, Timestamp(target), &LIMITS).expect("readable");
        let expect = expect.map(|(timestamp, offset)| TimestampAndOffset {
            timestamp: Timestamp(timestamp),
            offset: Offset(offset),
        });
        assert_eq!(found, expect, "target {target}");
    }

    #[test]
    fn first_record_at_or_after_the_timestamp_is_found() {
        let bytes = batch();
        check(&bytes, 0, Some((100, 7)));
        check(&bytes, 100, Some((100, 7)));
        check(&bytes, 101, Some((200, 12)));
        check(&bytes, 200, Some((200, 12)));
        check(&bytes, 201, None);
    }

    #[test]
    fn log_append_time_counts_for_every_record() {
        let mut bytes = batch();
        stamp_log_append_time(&mut bytes, Timestamp(500));
        check(&bytes, 500, Some((500, 7)));
        check(&bytes, 501, None);

        let mut missing_first = BatchBuilder::new().base_offset(Offset(7)).last_offset_delta(8);
        missing_first.push_at(3, &Record::default());
        let mut bytes = missing_first.build().expect("a small batch");
        stamp_log_append_time(&mut bytes, Timestamp(500));
        check(&bytes, 1, Some((500, 10)));
    }
}
