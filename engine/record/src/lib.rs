//! Record batches, format 2: checking, stamping, reading and building them as plain bytes.
//!
//! A batch is never copied to be looked at: [`BatchView`] borrows it. A leader's path is
//! [`parse_single`], [`validate_produced`], [`assign`]; whoever must see inside (compaction,
//! timestamp lookup, tools) asks [`records`], which decompresses under a limit. No clock, no I/O.

mod batch;
mod builder;
mod compression;
mod crc;
mod error;
mod produced;
mod records;
mod split;
mod stamp;
mod types;
mod varint;

#[cfg(test)]
mod testing;

pub use batch::{BatchFacts, BatchView, HEADER_SIZE_BYTES, MAGIC, ProducerFacts, parse_single};
pub use builder::{BatchBuilder, Record};
pub use compression::Compression;
pub use error::{BatchError, BuildError, ErrorClass, RecordFault, RecordsError};
pub use produced::{ProducedLimits, validate_produced};
pub use records::{
    Header, Headers, HeadersIter, ReadLimits, RecordView, Records, RecordsIter, records,
};
pub use split::{Split, split};
pub use stamp::{assign, correct_max_timestamp, stamp_log_append_time};
pub use types::{
    LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp, TimestampType,
};
