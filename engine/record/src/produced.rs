//! What a leader checks of a batch that a client sends.
//!
//! The rules are Kafka's: one batch, whole, of format 2, with offsets that count its records, and
//! none of the marks that only a broker sets. Rules that need more than the batch are the
//! caller's: sequence against producer state, timestamps against the clock, codec against the
//! version of the request.

use crate::batch::{BatchFacts, BatchView, DELETE_HORIZON_BIT};
use crate::compression::Compression;
use crate::error::{BatchError, RecordFault, RecordsError};
use crate::records::{RECORD_SIZE_MIN_BYTES, ReadLimits, records};
use crate::types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, TimestampType};

/// The limits that a topic sets to a produced batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducedLimits {
    /// max.message.bytes: the largest batch, header included.
    pub batch_size_max_bytes: usize,
}

/// Checks the header, the checksum, and the records of an uncompressed batch. Nothing is copied and
/// nothing decompressed: of a compressed batch only the count is held against its size.
///
/// The size comes first, so that the passes are bounded; then the CRC, because behind a wrong one
/// no field means anything. The facts carry the smallest and the largest timestamp that the records
/// have; if the header says another largest, the log corrects it as Kafka's does.
pub fn validate_produced(
    batch: &BatchView<'_>,
    limits: &ProducedLimits,
) -> Result<BatchFacts, BatchError> {
    let (size_bytes, max_bytes) = (batch.size_bytes(), limits.batch_size_max_bytes);
    if size_bytes > max_bytes {
        return Err(BatchError::TooLarge { size_bytes, max_bytes });
    }
    batch.validate_crc()?;
    let mut facts = batch.facts()?;
    let (count, last_offset_delta) = (facts.record_count, facts.last_offset_delta);
    // facts() has refused a negative delta and more records than offsets; fewer are legal only
    // after compaction. One at least, because the delta is at least 0.
    if i64::from(count) != i64::from(last_offset_delta) + 1 {
        return Err(BatchError::RecordCount { count, last_offset_delta });
    }
    check_broker_marks(batch)?;
    check_producer(batch)?;
    if facts.compression == Compression::None {
        let spread = check_records(batch).map_err(BatchError::Records)?;
        (facts.min_timestamp, facts.max_timestamp) = (spread.smallest, spread.largest);
    } else {
        check_count(batch, facts.compression).map_err(BatchError::Records)?;
        // A max below the base, or none at all, is let through: Kafka computes the field anew
        // instead of refusing it, and producers exist that leave it at -1.
        facts.max_timestamp = facts.max_timestamp.max(Timestamp::NONE);
    }
    Ok(facts)
}

/// Checks every record of an uncompressed batch, as Kafka does: framing, and offset deltas 0, 1, 2
/// ... to the last. A batch that breaks it would stop every consumer that comes by.
fn check_records(batch: &BatchView<'_>) -> Result<Spread, RecordsError> {
    let mut spread = Spread { smallest: Timestamp::NONE, largest: Timestamp::NONE };
    let decoded = records(batch, &ReadLimits { decompressed_size_max_bytes: 0 })?;
    for (index, record) in (0i32..).zip(decoded.iter()) {
        let record = record?;
        if record.offset_delta != index {
            let fault = RecordFault::NotContiguous { delta: record.offset_delta, expected: index };
            return Err(RecordsError::Record { index, fault });
        }
        spread.take(record.timestamp);
    }
    Ok(spread)
}

/// The timestamps of records, -1 if they have none. What is negative is none.
struct Spread {
    smallest: Timestamp,
    largest: Timestamp,
}

impl Spread {
    fn take(&mut self, timestamp: Timestamp) {
        if timestamp > Timestamp::NONE {
            let first = self.smallest == Timestamp::NONE;
            self.smallest = if first { timestamp } else { self.smallest.min(timestamp) };
            self.largest = self.largest.max(timestamp);
        }
    }
}

/// Refuses a count that could not come out of so few bytes, so that a small batch does not use up
/// the offsets of a partition.
fn check_count(batch: &BatchView<'_>, compression: Compression) -> Result<(), RecordsError> {
    let count = batch.record_count();
    let payload_bytes = compression.most_bytes(batch.stored_records().len());
    match usize::try_from(count).is_ok_and(|c| c <= payload_bytes / RECORD_SIZE_MIN_BYTES) {
        true => Ok(()),
        false => Err(RecordsError::CountImpossible { count, payload_bytes }),
    }
}

fn check_broker_marks(batch: &BatchView<'_>) -> Result<(), BatchError> {
    if batch.base_offset() != Offset(0) {
        return Err(BatchError::BaseOffsetFromClient { base_offset: batch.base_offset().0 });
    }
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
