//! What can be wrong with a batch, case by case, and the few classes that an answer needs.

use crate::compression::Compression;
use std::fmt;

/// The class of a refusal: what a client is told, and whether it helps to send again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The bytes were damaged or cut: CORRUPT_MESSAGE. Sending them again may help.
    Corrupt,
    /// The sender broke a rule: INVALID_RECORD. Sending them again never helps.
    InvalidRecord,
    /// A timestamp that a producer may not send: INVALID_TIMESTAMP.
    InvalidTimestamp,
    /// A codec that does not exist, or that this build leaves out: UNSUPPORTED_COMPRESSION_TYPE.
    UnsupportedCompression,
    /// Over a limit: MESSAGE_TOO_LARGE. Producers answer it by splitting the batch.
    TooLarge,
}

/// Why bytes are not a batch, or not one that a producer may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the numbers that the message of each case prints")]
pub enum BatchError {
    /// The bytes end before the batch does: a fetch's last batch, a torn write, a lying length.
    Partial { needed_bytes: usize, available_bytes: usize },
    /// The length field leaves no room for the header that must follow it.
    LengthTooSmall { length: i32 },
    /// Not format 2.
    UnsupportedMagic { magic: i8 },
    /// Other bytes follow a batch that must stand alone (a partition of a produce request).
    NotAlone { extra_bytes: usize },
    /// The checksum of the bytes is not the one in the header.
    CrcMismatch { stored: u32, computed: u32 },
    /// The batch, header included, is larger than the topic allows.
    TooLarge { size_bytes: usize, max_bytes: usize },
    /// The attribute bits 0-2 name no codec.
    UnknownCompression { id: u8 },
    /// The record count is not positive, or does not agree with the last offset delta.
    RecordCount { count: i32, last_offset_delta: i32 },
    /// A client counts from another offset than 0; only a leader gives offsets.
    BaseOffsetFromClient { base_offset: i64 },
    /// A client set the control bit; only a coordinator's markers carry it.
    ControlFromClient,
    /// A client set the delete-horizon bit; only the cleaner does (KIP-534).
    DeleteHorizonFromClient,
    /// A client set the log-append-time bit; only a leader does.
    LogAppendTimeFromClient,
    /// A producer id below -1.
    ProducerIdOutOfRange { producer_id: i64 },
    /// A batch with a producer id must carry an epoch of at least 0.
    ProducerEpochMissing { producer_epoch: i16 },
    /// A batch with a producer id must carry a base sequence of at least 0.
    SequenceMissing { base_sequence: i32 },
    /// The transactional bit without a producer id.
    TransactionalWithoutProducerId,
    /// What lies behind the header breaks the format of records.
    Records(RecordsError),
}

/// Why the records inside a batch cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the numbers that the message of each case prints")]
pub enum RecordsError {
    /// The attribute bits 0-2 name no codec.
    UnknownCompression { id: u8 },
    /// The codec exists, but this build was made without the feature `codecs`.
    CodecAbsent { compression: Compression },
    /// The compressed bytes break their own format.
    Undecompressable { compression: Compression },
    /// Decompressing stopped at the caller's limit.
    DecompressedTooLarge { max_bytes: usize },
    /// The count is negative, or the bytes are too few for it at seven bytes a record.
    CountImpossible { count: i32, payload_bytes: usize },
    /// One record breaks the format; `index` counts the records of the batch from 0.
    Record { index: i32, fault: RecordFault },
    /// Bytes are left behind the last record.
    TrailingBytes { extra_bytes: usize },
}

/// What is wrong with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the numbers that the message of each case prints")]
pub enum RecordFault {
    /// The record ends inside a field.
    Truncated,
    /// A variable-length integer that does not fit its type.
    VarintTooLong,
    /// A length below 0, or below -1 where null is legal.
    NegativeLength { length: i32 },
    /// The fields do not fill the record's own length.
    LengthMismatch { unread_bytes: usize },
    /// More headers than the bytes left can hold.
    HeaderCount { count: i32 },
    /// The offset delta does not grow, or lies beyond the batch's last.
    OffsetDelta { delta: i32, after: i32, last_offset_delta: i32 },
    /// A producer's offset deltas are 0, 1, 2 ... without a gap.
    NotContiguous { delta: i32, expected: i32 },
}

/// Why a batch could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the numbers that the message of each case prints")]
pub enum BuildError {
    /// The length field is an i32.
    TooLarge { size_bytes: usize },
    /// The codec exists, but this build was made without the feature `codecs`.
    CodecAbsent { compression: Compression },
    /// The codec refused its input, which none does short of running out of memory.
    CodecFailed { compression: Compression },
}

impl BatchError {
    /// What a client is to be told.
    pub fn class(&self) -> ErrorClass {
        match self {
            // The formats that there once were, which Kafka takes no more; others never existed.
            BatchError::UnsupportedMagic { magic: 0 | 1 } => ErrorClass::InvalidRecord,
            BatchError::UnsupportedMagic { .. }
            | BatchError::LengthTooSmall { .. }
            | BatchError::CrcMismatch { .. } => ErrorClass::Corrupt,
            BatchError::TooLarge { .. } => ErrorClass::TooLarge,
            BatchError::UnknownCompression { .. } => ErrorClass::UnsupportedCompression,
            BatchError::LogAppendTimeFromClient => ErrorClass::InvalidTimestamp,
            BatchError::Records(error) => error.class(),
            BatchError::Partial { .. }
            | BatchError::NotAlone { .. }
            | BatchError::RecordCount { .. }
            | BatchError::BaseOffsetFromClient { .. }
            | BatchError::ControlFromClient
            | BatchError::DeleteHorizonFromClient
            | BatchError::ProducerIdOutOfRange { .. }
            | BatchError::ProducerEpochMissing { .. }
            | BatchError::SequenceMissing { .. }
            | BatchError::TransactionalWithoutProducerId => ErrorClass::InvalidRecord,
        }
    }
}

impl RecordsError {
    /// What a client is to be told, when the batch came from one.
    pub fn class(&self) -> ErrorClass {
        match self {
            RecordsError::UnknownCompression { .. } | RecordsError::CodecAbsent { .. } => {
                ErrorClass::UnsupportedCompression
            }
            RecordsError::Undecompressable { .. } => ErrorClass::Corrupt,
            RecordsError::DecompressedTooLarge { .. } => ErrorClass::TooLarge,
            RecordsError::CountImpossible { .. }
            | RecordsError::Record { .. }
            | RecordsError::TrailingBytes { .. } => ErrorClass::InvalidRecord,
        }
    }
}

impl BatchError {
    /// What is wrong, in words for whoever finds the batch on a disk or in an answer. What its
    /// sender is to do stands only in the whole text, behind a colon.
    pub fn fact(&self) -> String {
        match self {
            BatchError::Partial { needed_bytes, available_bytes } => {
                format!("the batch needs {needed_bytes} bytes and {available_bytes} are there")
            }
            BatchError::LengthTooSmall { length } => {
                format!("a batch length of {length} is less than its header")
            }
            BatchError::UnsupportedMagic { magic } => {
                format!("batch format {magic} is not supported")
            }
            BatchError::NotAlone { extra_bytes } => {
                format!("{extra_bytes} bytes follow the batch")
            }
            BatchError::CrcMismatch { stored, computed } => {
                format!("the batch says its CRC is {stored:#010x}, its bytes give {computed:#010x}")
            }
            BatchError::TooLarge { size_bytes, max_bytes } => {
                format!("a batch of {size_bytes} bytes is over the limit of {max_bytes}")
            }
            BatchError::UnknownCompression { id } => no_codec(*id),
            BatchError::RecordCount { count, last_offset_delta } => {
                format!("{count} records do not fit a last offset delta of {last_offset_delta}")
            }
            BatchError::BaseOffsetFromClient { base_offset } => {
                format!("the batch counts from offset {base_offset}")
            }
            BatchError::ControlFromClient => "clients may not set control batches".to_owned(),
            BatchError::DeleteHorizonFromClient => {
                "clients may not set a delete horizon".to_owned()
            }
            BatchError::LogAppendTimeFromClient => "clients may not set log append time".to_owned(),
            BatchError::ProducerIdOutOfRange { producer_id } => {
                format!("producer id {producer_id} was never given out")
            }
            BatchError::ProducerEpochMissing { producer_epoch } => {
                format!("a batch with a producer id has epoch {producer_epoch}")
            }
            BatchError::SequenceMissing { base_sequence } => {
                format!("a batch with a producer id has base sequence {base_sequence}")
            }
            BatchError::TransactionalWithoutProducerId => {
                "a transactional batch needs a producer id".to_owned()
            }
            BatchError::Records(error) => error.fact(),
        }
    }

    /// What the sender is to do.
    fn advice(&self) -> Option<&'static str> {
        Some(match self {
            BatchError::Partial { .. } => "read more",
            BatchError::LengthTooSmall { .. } | BatchError::CrcMismatch { .. } => "send it again",
            BatchError::UnsupportedMagic { .. } => {
                "use a client that writes format 2 (Kafka 0.11 and newer)"
            }
            BatchError::NotAlone { .. } => "send one batch for a partition in a request",
            BatchError::TooLarge { .. } => "split it, or raise max.message.bytes",
            BatchError::UnknownCompression { .. } => USE_A_CODEC,
            BatchError::RecordCount { .. } => "it must be one less than their count",
            BatchError::BaseOffsetFromClient { .. } => "count from 0",
            BatchError::ControlFromClient => "clear attribute bit 5",
            BatchError::DeleteHorizonFromClient => "clear attribute bit 6",
            BatchError::LogAppendTimeFromClient => "clear attribute bit 3",
            BatchError::ProducerIdOutOfRange { .. } => "call InitProducerId",
            BatchError::ProducerEpochMissing { .. } => "use the one from InitProducerId",
            BatchError::SequenceMissing { .. } => "count from 0",
            BatchError::TransactionalWithoutProducerId => "call InitProducerId",
            BatchError::Records(error) => return error.advice(),
        })
    }
}

impl RecordsError {
    /// What is wrong, in words for whoever finds the batch on a disk or in an answer. What its
    /// sender is to do stands only in the whole text, behind a colon.
    pub fn fact(&self) -> String {
        match self {
            RecordsError::UnknownCompression { id } => no_codec(*id),
            RecordsError::CodecAbsent { compression } => format!("built without {compression}"),
            RecordsError::Undecompressable { compression } => {
                format!("the batch is not valid {compression}")
            }
            RecordsError::DecompressedTooLarge { max_bytes } => {
                format!("the batch decompresses to more than {max_bytes} bytes")
            }
            RecordsError::CountImpossible { count, payload_bytes } => {
                format!("{count} records cannot lie in {payload_bytes} bytes")
            }
            RecordsError::Record { index, fault } => format!("record {index}: {fault}"),
            RecordsError::TrailingBytes { extra_bytes } => {
                format!("{extra_bytes} bytes are left behind the last record")
            }
        }
    }

    /// What the sender is to do, if the fact does not say it already.
    fn advice(&self) -> Option<&'static str> {
        Some(match self {
            RecordsError::UnknownCompression { .. } => USE_A_CODEC,
            RecordsError::CodecAbsent { .. } => "build with the feature `codecs`",
            RecordsError::Undecompressable { .. } => "its producer must send it anew",
            RecordsError::DecompressedTooLarge { .. } => "send fewer records in one",
            RecordsError::CountImpossible { .. } | RecordsError::TrailingBytes { .. } => {
                "count them again"
            }
            RecordsError::Record { .. } => return None,
        })
    }
}

const USE_A_CODEC: &str = "use 0 to 4";

fn no_codec(id: u8) -> String {
    format!("compression type {id} does not exist")
}

fn advised(f: &mut fmt::Formatter<'_>, fact: &str, advice: Option<&str>) -> fmt::Result {
    match advice {
        Some(advice) => write!(f, "{fact}: {advice}"),
        None => f.write_str(fact),
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        advised(f, &self.fact(), self.advice())
    }
}

impl fmt::Display for RecordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        advised(f, &self.fact(), self.advice())
    }
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordFault::Truncated => write!(f, "it ends inside a field"),
            RecordFault::VarintTooLong => write!(f, "a varint does not fit its type"),
            RecordFault::NegativeLength { length } => write!(f, "a length is {length}"),
            RecordFault::LengthMismatch { unread_bytes } => {
                write!(f, "its length counts {unread_bytes} bytes more than its fields")
            }
            RecordFault::HeaderCount { count } => {
                write!(f, "{count} headers cannot lie in the bytes left")
            }
            RecordFault::OffsetDelta { delta, after, last_offset_delta } => write!(
                f,
                "offset delta {delta} must lie above {after} and at most at {last_offset_delta}"
            ),
            RecordFault::NotContiguous { delta, expected } => {
                write!(f, "offset delta {delta} must be {expected}")
            }
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::TooLarge { size_bytes } => {
                write!(f, "a batch of {size_bytes} bytes exceeds 2^31-1: build several")
            }
            BuildError::CodecAbsent { compression } => {
                write!(f, "built without {compression}: build with the feature `codecs`")
            }
            BuildError::CodecFailed { compression } => {
                write!(f, "{compression} failed: free some memory, or send uncompressed")
            }
        }
    }
}

impl std::error::Error for BatchError {}
impl std::error::Error for RecordsError {}
impl std::error::Error for BuildError {}

#[cfg(test)]
mod tests;
