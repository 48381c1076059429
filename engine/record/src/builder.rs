//! Builds batches: for metadata records, coordinators' logs, markers, the cleaner, tools and tests.

use crate::batch::{
    CONTROL_BIT, DELETE_HORIZON_BIT, HEADER_SIZE_BYTES, LENGTH_OVERHEAD_BYTES, LOG_APPEND_TIME_BIT,
    MAGIC, TRANSACTIONAL_BIT,
};
use crate::compression::Compression;
use crate::crc;
use crate::error::BuildError;
use crate::records::Header;
use crate::types::{
    LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, TimestampType,
};
use crate::varint;

/// A record to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was made.
    pub timestamp: Timestamp,
    /// Its key; None is null.
    pub key: Option<&'a [u8]>,
    /// Its value; None is null.
    pub value: Option<&'a [u8]>,
    /// Its headers, in order.
    pub headers: &'a [Header<'a>],
}

impl Default for Record<'_> {
    /// A record of nothing at no time.
    fn default() -> Self {
        Record { timestamp: Timestamp::NONE, key: None, value: None, headers: &[] }
    }
}

/// Collects records and writes the header around them.
///
/// Without further calls it builds what a plain producer sends: base offset 0, no leader epoch, no
/// producer id, uncompressed. The setters of the header may come before or after the records.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    compression: Compression,
    timestamp_type: TimestampType,
    flags: i16,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: Sequence,
    base_timestamp: Option<Timestamp>,
    max_timestamp: Timestamp,
    last_offset_delta: Option<i32>,
    next_delta: i32,
    record_count: i32,
    payload: Vec<u8>,
    /// Kept between records so that each is not an allocation.
    body: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new() -> BatchBuilder {
        BatchBuilder {
            base_offset: Offset(0),
            leader_epoch: LeaderEpoch::NONE,
            compression: Compression::None,
            timestamp_type: TimestampType::CreateTime,
            flags: 0,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            base_timestamp: None,
            max_timestamp: Timestamp::NONE,
            last_offset_delta: None,
            next_delta: 0,
            record_count: 0,
            payload: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The offset that the deltas count from.
    pub fn base_offset(mut self, base_offset: Offset) -> Self {
        self.base_offset = base_offset;
        self
    }

    /// The epoch of the leader that appends the batch.
    pub fn leader_epoch(mut self, leader_epoch: LeaderEpoch) -> Self {
        self.leader_epoch = leader_epoch;
        self
    }

    /// The codec.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Who set the timestamps.
    pub fn timestamp_type(mut self, timestamp_type: TimestampType) -> Self {
        self.timestamp_type = timestamp_type;
        self
    }

    /// The idempotent producer and the first record's sequence.
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base: Sequence) -> Self {
        (self.producer_id, self.producer_epoch, self.base_sequence) = (id, epoch, base);
        self
    }

    /// Part of a transaction.
    pub fn transactional(mut self) -> Self {
        self.flags |= TRANSACTIONAL_BIT;
        self
    }

    /// A marker, not data.
    pub fn control(mut self) -> Self {
        self.flags |= CONTROL_BIT;
        self
    }

    /// When the cleaner may drop this batch's tombstones; the timestamps of the records then count
    /// from it (KIP-534), so it must come before the first record.
    pub fn delete_horizon(mut self, horizon: Timestamp) -> Self {
        assert_eq!(self.record_count, 0, "the delete horizon comes before the records");
        self.flags |= DELETE_HORIZON_BIT;
        self.base_timestamp = Some(horizon);
        self
    }

    /// The header's last offset delta, where compaction has removed the last record.
    pub fn last_offset_delta(mut self, delta: i32) -> Self {
        assert!(delta >= 0, "last offset delta {delta}");
        self.last_offset_delta = Some(delta);
        self
    }

    /// Appends a record at the next offset.
    pub fn push(&mut self, record: &Record<'_>) {
        self.push_at(self.next_delta, record);
    }

    /// Appends a record `offset_delta` behind the base offset; deltas must grow.
    pub fn push_at(&mut self, offset_delta: i32, record: &Record<'_>) {
        assert!(
            offset_delta >= self.next_delta,
            "offset delta {offset_delta} below {}",
            self.next_delta
        );
        let base = *self.base_timestamp.get_or_insert(record.timestamp);
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.next_delta = offset_delta.checked_add(1).expect("a batch has at most 2^31-1 offsets");
        self.record_count += 1;

        self.body.clear();
        self.body.push(0);
        varint::put_i64(&mut self.body, record.timestamp.0.wrapping_sub(base.0));
        varint::put_i32(&mut self.body, offset_delta);
        put_nullable(&mut self.body, record.key);
        put_nullable(&mut self.body, record.value);
        varint::put_i32(&mut self.body, length_of(record.headers.len()));
        for header in record.headers {
            put_nullable(&mut self.body, Some(header.key));
            put_nullable(&mut self.body, header.value);
        }
        varint::put_i32(&mut self.payload, length_of(self.body.len()));
        self.payload.extend_from_slice(&self.body);
    }

    /// How many records there are.
    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// The size of the batch as it stands, before compression.
    pub fn size_bytes(&self) -> usize {
        HEADER_SIZE_BYTES + self.payload.len()
    }

    /// The finished batch. Without records it is the empty batch that the cleaner leaves behind.
    pub fn build(self) -> Result<Vec<u8>, BuildError> {
        let last_offset_delta =
            self.last_offset_delta.unwrap_or_else(|| self.next_delta.saturating_sub(1).max(0));
        assert!(
            self.next_delta == 0 || last_offset_delta >= self.next_delta - 1,
            "last offset delta {last_offset_delta} is below the last record's"
        );
        let stored = match self.record_count {
            0 => Vec::new(),
            _ => self.compression.compress(self.payload)?,
        };
        let size_bytes = HEADER_SIZE_BYTES + stored.len();
        let length = i32::try_from(size_bytes - LENGTH_OVERHEAD_BYTES)
            .map_err(|_| BuildError::TooLarge { size_bytes })?;
        let log_append_time = match self.timestamp_type {
            TimestampType::CreateTime => 0,
            TimestampType::LogAppendTime => LOG_APPEND_TIME_BIT,
        };
        let attributes = self.flags | log_append_time | i16::from(self.compression.id());

        // What the CRC covers comes first, because the CRC stands before it.
        let mut covered = Vec::with_capacity(HEADER_SIZE_BYTES + stored.len());
        covered.extend_from_slice(&attributes.to_be_bytes());
        covered.extend_from_slice(&last_offset_delta.to_be_bytes());
        let base_timestamp = self.base_timestamp.unwrap_or(Timestamp::NONE);
        covered.extend_from_slice(&base_timestamp.0.to_be_bytes());
        covered.extend_from_slice(&self.max_timestamp.0.to_be_bytes());
        covered.extend_from_slice(&self.producer_id.0.to_be_bytes());
        covered.extend_from_slice(&self.producer_epoch.0.to_be_bytes());
        covered.extend_from_slice(&self.base_sequence.0.to_be_bytes());
        covered.extend_from_slice(&self.record_count.to_be_bytes());
        covered.extend_from_slice(&stored);

        let mut batch = Vec::with_capacity(size_bytes);
        batch.extend_from_slice(&self.base_offset.0.to_be_bytes());
        batch.extend_from_slice(&length.to_be_bytes());
        batch.extend_from_slice(&self.leader_epoch.0.to_be_bytes());
        batch.extend_from_slice(&MAGIC.to_be_bytes());
        batch.extend_from_slice(&crc::crc32c(&covered).to_be_bytes());
        batch.extend_from_slice(&covered);
        Ok(batch)
    }
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => varint::put_i32(out, -1),
        Some(bytes) => {
            varint::put_i32(out, length_of(bytes.len()));
            out.extend_from_slice(bytes);
        }
    }
}

fn length_of(length: usize) -> i32 {
    i32::try_from(length).expect("a record's field is below 2 GiB: its caller's own memory")
}

#[cfg(test)]
mod tests;
