//! One record batch as a borrowed view: its header's fields and its place in a buffer.
//!
//! ```text
//!  at  bytes
//!   0    8   base offset                      written by the leader  \
//!   8    4   length of what follows           = size - 12             | outside
//!  12    4   partition leader epoch           written by the leader   | the CRC
//!  16    1   magic, 2                                                 |
//!  17    4   CRC-32C of the bytes from 21 to the end                 /
//!  21    2   attributes: bits 0-2 codec, 3 log append time, 4 transactional,
//!            5 control, 6 delete horizon (the base timestamp is one), 7-15 unused
//!  23    4   last offset delta
//!  27    8   base timestamp, ms
//!  35    8   max timestamp, ms
//!  43    8   producer id         -1 for none
//!  51    2   producer epoch      -1 for none
//!  53    4   base sequence       -1 for none
//!  57    4   record count
//!  61        records, compressed as one block
//! ```
//!
//! All big endian. Source: Kafka's message format 2 (KIP-98, KIP-534).

use crate::compression::Compression;
use crate::crc;
use crate::error::BatchError;
use crate::types::{
    LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, TimestampType,
};

/// The size of a batch's header, and so of the smallest batch.
pub const HEADER_SIZE_BYTES: usize = 61;
/// The only batch format there is here.
pub const MAGIC: i8 = 2;

/// What the length field does not count: the base offset and itself.
pub(crate) const LENGTH_OVERHEAD_BYTES: usize = 12;

pub(crate) const BASE_OFFSET_AT: usize = 0;
pub(crate) const LENGTH_AT: usize = 8;
pub(crate) const LEADER_EPOCH_AT: usize = 12;
pub(crate) const MAGIC_AT: usize = 16;
pub(crate) const CRC_AT: usize = 17;
pub(crate) const ATTRIBUTES_AT: usize = 21;
pub(crate) const LAST_OFFSET_DELTA_AT: usize = 23;
pub(crate) const BASE_TIMESTAMP_AT: usize = 27;
pub(crate) const MAX_TIMESTAMP_AT: usize = 35;
pub(crate) const PRODUCER_ID_AT: usize = 43;
pub(crate) const PRODUCER_EPOCH_AT: usize = 51;
pub(crate) const BASE_SEQUENCE_AT: usize = 53;
pub(crate) const RECORD_COUNT_AT: usize = 57;

pub(crate) const COMPRESSION_MASK: i16 = 0x07;
pub(crate) const LOG_APPEND_TIME_BIT: i16 = 1 << 3;
pub(crate) const TRANSACTIONAL_BIT: i16 = 1 << 4;
pub(crate) const CONTROL_BIT: i16 = 1 << 5;
pub(crate) const DELETE_HORIZON_BIT: i16 = 1 << 6;

/// A whole record batch of format 2, borrowed.
///
/// Invariant: the bytes are exactly as long as the length field says, at least a header, and
/// the magic is 2. Nothing else is known: neither the CRC nor any other field has been checked, so
/// every accessor answers with whatever stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchView<'a> {
    bytes: &'a [u8],
}

/// What an append, an index and the producer state need to know of a batch, copied out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFacts {
    /// The batch's size, header included.
    pub size_bytes: usize,
    /// Records in it; in a compacted batch fewer than offsets.
    pub record_count: i32,
    /// The last offset is the base offset plus this.
    pub last_offset_delta: i32,
    /// The first record's timestamp, or the delete horizon of a compacted batch.
    pub base_timestamp: Timestamp,
    /// The smallest timestamp as far as the header tells, the first record's; of a produced batch
    /// that is not compressed, its records'. -1 if there is none.
    pub min_timestamp: Timestamp,
    /// The largest timestamp, at least the first record's: some producers leave the field at -1.
    pub max_timestamp: Timestamp,
    /// Who set the timestamps.
    pub timestamp_type: TimestampType,
    /// The codec of the records.
    pub compression: Compression,
    /// The idempotent producer, if it is one.
    pub producer: Option<ProducerFacts>,
    /// Part of a transaction.
    pub is_transactional: bool,
    /// A marker, not data.
    pub is_control: bool,
}

/// An idempotent producer's part of [`BatchFacts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerFacts {
    /// Its id, at least 0.
    pub id: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// The first record's sequence, [`Sequence::NONE`] in a transaction marker.
    pub first_sequence: Sequence,
    /// The last record's sequence, wrapped, [`Sequence::NONE`] in a transaction marker.
    pub last_sequence: Sequence,
}

/// Takes the one batch that `bytes` must be: a partition's records in a produce request.
///
/// Other bytes behind it are [`BatchError::NotAlone`].
pub fn parse_single(bytes: &[u8]) -> Result<BatchView<'_>, BatchError> {
    let (batch, rest) = BatchView::parse(bytes)?;
    if rest.is_empty() { Ok(batch) } else { Err(BatchError::NotAlone { extra_bytes: rest.len() }) }
}

impl<'a> BatchView<'a> {
    /// Takes the batch at the front of `bytes`, and answers with the bytes behind it.
    ///
    /// Checks the frame alone: that the length fits and the magic is 2. Too few bytes are
    /// [`BatchError::Partial`], with the number that would do.
    pub fn parse(bytes: &'a [u8]) -> Result<(BatchView<'a>, &'a [u8]), BatchError> {
        let available_bytes = bytes.len();
        // The magic stands at the same place in all formats, the rest of the header does not: so
        // it comes first, and a format 1 message is told apart from a damaged batch.
        match bytes.get(MAGIC_AT).map(|byte| byte.cast_signed()) {
            None => {
                return Err(BatchError::Partial {
                    needed_bytes: HEADER_SIZE_BYTES,
                    available_bytes,
                });
            }
            Some(MAGIC) => {}
            Some(magic) => return Err(BatchError::UnsupportedMagic { magic }),
        }
        let length = i32::from_be_bytes(field(bytes, LENGTH_AT));
        let size_bytes = usize::try_from(length)
            .map(|length| length + LENGTH_OVERHEAD_BYTES)
            .map_err(|_| BatchError::LengthTooSmall { length })?;
        if size_bytes < HEADER_SIZE_BYTES {
            return Err(BatchError::LengthTooSmall { length });
        }
        match bytes.split_at_checked(size_bytes) {
            Some((bytes, rest)) => Ok((BatchView { bytes }, rest)),
            None => Err(BatchError::Partial { needed_bytes: size_bytes, available_bytes }),
        }
    }

    /// The whole batch, header included.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records as they are stored, compressed or not.
    pub fn stored_records(&self) -> &'a [u8] {
        &self.bytes[HEADER_SIZE_BYTES..]
    }

    /// The size of the whole batch, header included.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The offset of the first record, or where it was before compaction removed it.
    pub fn base_offset(&self) -> Offset {
        Offset(i64::from_be_bytes(field(self.bytes, BASE_OFFSET_AT)))
    }

    /// The offset of the last record, or where it was before compaction removed it.
    pub fn last_offset(&self) -> Offset {
        self.base_offset().plus(self.last_offset_delta())
    }

    /// The epoch of the leader that appended the batch; -1 in what a producer sends.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(i32::from_be_bytes(field(self.bytes, LEADER_EPOCH_AT)))
    }

    /// The checksum that the header states.
    pub fn crc(&self) -> u32 {
        u32::from_be_bytes(field(self.bytes, CRC_AT))
    }

    /// All attribute bits; each has an accessor of its own.
    pub fn attributes(&self) -> i16 {
        i16::from_be_bytes(field(self.bytes, ATTRIBUTES_AT))
    }

    /// The codec, or the number that names none.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        let id = self.compression_id();
        Compression::from_id(id).ok_or(BatchError::UnknownCompression { id })
    }

    /// The codec's number: attribute bits 0-2.
    pub fn compression_id(&self) -> u8 {
        u8::try_from(self.attributes() & COMPRESSION_MASK).expect("three bits")
    }

    /// Who set the timestamps.
    pub fn timestamp_type(&self) -> TimestampType {
        match self.attributes() & LOG_APPEND_TIME_BIT {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    /// Whether the batch is part of a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes() & TRANSACTIONAL_BIT != 0
    }

    /// Whether the batch is a marker and not data.
    pub fn is_control(&self) -> bool {
        self.attributes() & CONTROL_BIT != 0
    }

    /// When the cleaner may drop this batch's tombstones and markers, once it has set that
    /// (KIP-534).
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        (self.attributes() & DELETE_HORIZON_BIT != 0).then(|| self.base_timestamp())
    }

    /// The last offset's distance from the base offset.
    pub fn last_offset_delta(&self) -> i32 {
        i32::from_be_bytes(field(self.bytes, LAST_OFFSET_DELTA_AT))
    }

    /// What the records' timestamp deltas count from.
    pub fn base_timestamp(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(field(self.bytes, BASE_TIMESTAMP_AT)))
    }

    /// The field as it stands; see [`BatchFacts::max_timestamp`] for one to rely on.
    pub fn max_timestamp(&self) -> Timestamp {
        Timestamp(i64::from_be_bytes(field(self.bytes, MAX_TIMESTAMP_AT)))
    }

    /// The producer's id, or [`ProducerId::NONE`].
    pub fn producer_id(&self) -> ProducerId {
        ProducerId(i64::from_be_bytes(field(self.bytes, PRODUCER_ID_AT)))
    }

    /// The producer's epoch, or [`ProducerEpoch::NONE`].
    pub fn producer_epoch(&self) -> ProducerEpoch {
        ProducerEpoch(i16::from_be_bytes(field(self.bytes, PRODUCER_EPOCH_AT)))
    }

    /// The first record's sequence, or [`Sequence::NONE`].
    pub fn base_sequence(&self) -> Sequence {
        Sequence(i32::from_be_bytes(field(self.bytes, BASE_SEQUENCE_AT)))
    }

    /// How many records the header claims; it may be negative.
    pub fn record_count(&self) -> i32 {
        i32::from_be_bytes(field(self.bytes, RECORD_COUNT_AT))
    }

    /// Compares the checksum with the bytes: one pass over all of them.
    pub fn validate_crc(&self) -> Result<(), BatchError> {
        let (stored, computed) = (self.crc(), crc::crc32c(&self.bytes[ATTRIBUTES_AT..]));
        if stored == computed { Ok(()) } else { Err(BatchError::CrcMismatch { stored, computed }) }
    }

    /// The facts of a batch from anybody: a client, another broker, this disk.
    ///
    /// Checks only what the facts themselves need, and not the CRC.
    pub fn facts(&self) -> Result<BatchFacts, BatchError> {
        let compression = self.compression()?;
        let (count, last_offset_delta) = (self.record_count(), self.last_offset_delta());
        if count < 0 || last_offset_delta < 0 || i64::from(count) > i64::from(last_offset_delta) + 1
        {
            return Err(BatchError::RecordCount { count, last_offset_delta });
        }
        let first_timestamp = match self.delete_horizon() {
            Some(_) => Timestamp::NONE,
            None => self.base_timestamp(),
        };
        Ok(BatchFacts {
            size_bytes: self.size_bytes(),
            record_count: count,
            last_offset_delta,
            base_timestamp: self.base_timestamp(),
            min_timestamp: first_timestamp.max(Timestamp::NONE),
            max_timestamp: match self.timestamp_type() {
                TimestampType::CreateTime => self.max_timestamp().max(first_timestamp),
                TimestampType::LogAppendTime => self.max_timestamp(),
            },
            timestamp_type: self.timestamp_type(),
            compression,
            producer: self.producer_facts(last_offset_delta),
            is_transactional: self.is_transactional(),
            is_control: self.is_control(),
        })
    }

    /// `last_offset_delta` has been found to be at least 0.
    fn producer_facts(&self, last_offset_delta: i32) -> Option<ProducerFacts> {
        let id = self.producer_id();
        // A transaction marker has none, and whatever is below it is none either.
        let first_sequence = self.base_sequence().max(Sequence::NONE);
        (id > ProducerId::NONE).then(|| ProducerFacts {
            id,
            epoch: self.producer_epoch(),
            first_sequence,
            last_sequence: if first_sequence < Sequence(0) {
                Sequence::NONE
            } else {
                first_sequence.plus(last_offset_delta)
            },
        })
    }
}

/// The `N` bytes of the field at `at`; every caller's bytes reach beyond it.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests;
