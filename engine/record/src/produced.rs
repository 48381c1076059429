//! What a leader checks of a batch that a client sends.
//!
//! The rules are Kafka's: one batch, whole, of format 2, with offsets that count its records, and
//! none of the marks that only a broker sets. Rules that need more than the batch are the
//! caller's: sequence against producer state, timestamps against the clock, codec against the
//! version of the request.

use crate::batch::{BatchFacts, BatchView, DELETE_HORIZON_BIT};
use crate::error::{BatchError, RecordFault, RecordsError};
use crate::records::{ReadLimits, records};
use crate::types::{ProducerEpoch, ProducerId, Sequence, Timestamp, TimestampType};

/// The limits that a topic sets to a produced batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducedLimits {
    /// max.message.bytes: the largest batch, header included.
    pub batch_size_max_bytes: usize,
}

/// Checks what the header can tell, and the checksum: one pass over the bytes, no decompression.
///
/// The size comes first, so that the pass is bounded; then the CRC, because behind a wrong one no
/// field means anything.
pub fn validate_produced(
    batch: &BatchView<'_>,
    limits: &ProducedLimits,
) -> Result<BatchFacts, BatchError> {
    let (size_bytes, max_bytes) = (batch.size_bytes(), limits.batch_size_max_bytes);
    if size_bytes > max_bytes {
        return Err(BatchError::TooLarge { size_bytes, max_bytes });
    }
    batch.validate_crc()?;
    let facts = batch.facts()?;
    let (count, last_offset_delta) = (facts.record_count, facts.last_offset_delta);
    // facts() has refused a negative delta and more records than offsets; fewer are legal only
    // after compaction. One at least, because the delta is at least 0.
    if i64::from(count) != i64::from(last_offset_delta) + 1 {
        return Err(BatchError::RecordCount { count, last_offset_delta });
    }
    check_broker_marks(batch)?;
    check_timestamps(batch)?;
    check_producer(batch)?;
    Ok(facts)
}

/// Checks every record of a produced batch: framing, and offset deltas 0, 1, 2 ... to the last.
///
/// Kafka does it for uncompressed batches always. It touches every record (and decompresses a
/// compressed batch), so it is a step of its own that a caller may leave out.
pub fn check_records(batch: &BatchView<'_>, limits: &ReadLimits) -> Result<(), RecordsError> {
    let decoded = records(batch, limits)?;
    for (index, record) in (0i32..).zip(decoded.iter()) {
        let delta = record?.offset_delta;
        if delta != index {
            let fault = RecordFault::NotContiguous { delta, expected: index };
            return Err(RecordsError::Record { index, fault });
        }
    }
    let (header, last_record) = (batch.last_offset_delta(), batch.record_count() - 1);
    if header == last_record {
        Ok(())
    } else {
        Err(RecordsError::LastOffsetDelta { header, last_record })
    }
}

fn check_broker_marks(batch: &BatchView<'_>) -> Result<(), BatchError> {
    if batch.is_control() {
        return Err(BatchError::ControlFromClient);
    }
    if batch.attributes() & DELETE_HORIZON_BIT != 0 {
        return Err(BatchError::DeleteHorizonFromClient);
    }
    if batch.timestamp_type() == TimestampType::LogAppendTime {
        return Err(BatchError::LogAppendTimeFromClient);
    }
    Ok(())
}

/// A max below the base is let through: Kafka computes the field anew instead of refusing it, and
/// producers exist that leave it at -1. The facts carry the larger of the two.
fn check_timestamps(batch: &BatchView<'_>) -> Result<(), BatchError> {
    let (base, max) = (batch.base_timestamp(), batch.max_timestamp());
    if base < Timestamp::NONE || max < Timestamp::NONE {
        return Err(BatchError::TimestampOutOfRange {
            base_timestamp: base.0,
            max_timestamp: max.0,
        });
    }
    Ok(())
}

fn check_producer(batch: &BatchView<'_>) -> Result<(), BatchError> {
    let id = batch.producer_id();
    if id < ProducerId::NONE {
        return Err(BatchError::ProducerIdOutOfRange { producer_id: id.0 });
    }
    if id == ProducerId::NONE {
        if batch.is_transactional() {
            return Err(BatchError::TransactionalWithoutProducerId);
        }
        return Ok(());
    }
    if batch.producer_epoch() < ProducerEpoch(0) {
        return Err(BatchError::ProducerEpochMissing { producer_epoch: batch.producer_epoch().0 });
    }
    if batch.base_sequence() < Sequence(0) {
        return Err(BatchError::SequenceMissing { base_sequence: batch.base_sequence().0 });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
