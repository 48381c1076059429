//! Writes a Fetch response around its records, which are not in memory here.
//!
//! ```text
//! head   size | header | … partition 0 | … partition 1 … tagged fields
//! parts  Bytes(0..a)     Records 0       Bytes(a..b)     Records 1     Bytes(b..end)
//! ```

use std::ops::Range;

use crate::error::EncodeError;
use crate::error_code::ErrorCode;
use crate::frame::PREFIX_SIZE;
use crate::generated::fetch as owned;
use crate::message::Message;
use crate::primitive::writer::Writer;
use crate::response::{Answered, begin_frame, end_frame};
use crate::uuid::Uuid;

use super::TOPIC_ID_FROM;

/// A Fetch response, versions 4 to 18.
///
/// Fields that the version lacks are left out: they are only hints to newer clients.
#[derive(Clone, Debug, PartialEq)]
pub struct Response<'a> {
    /// For how long the client must be silent, in milliseconds.
    pub throttle_time_ms: i32,
    /// What went wrong with the whole request, or nothing; from version 7 on.
    pub error_code: ErrorCode,
    /// The fetch session (KIP-227), 0 for none, which is always legal.
    pub session_id: i32,
    /// The topics.
    pub topics: Vec<TopicResponse<'a>>,
    /// Where the brokers are that `current_leader` names (KIP-951), from version 16 on.
    pub node_endpoints: Vec<owned::NodeEndpoint>,
}

/// One topic of a Fetch response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicResponse<'a> {
    /// The name, before version 13.
    pub name: &'a str,
    /// The id, from version 13 on.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<PartitionResponse>,
}

/// One partition of a Fetch response.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionResponse {
    /// The partition's number.
    pub index: i32,
    /// What went wrong, or nothing.
    pub error_code: ErrorCode,
    /// The high watermark, -1 on an error.
    pub high_watermark: i64,
    /// The last stable offset, -1 for none.
    pub last_stable_offset: i64,
    /// The log start offset, -1 for none; from version 5 on.
    pub log_start_offset: i64,
    /// Where the follower's log leaves ours (KIP-595), from version 12 on.
    pub diverging_epoch: owned::EpochEndOffset,
    /// The leader to turn to (KIP-595), from version 12 on.
    pub current_leader: owned::LeaderIdAndEpoch,
    /// The snapshot to fetch instead (KIP-630), from version 12 on.
    pub snapshot_id: owned::SnapshotId,
    /// The aborted transactions among the records; null under read_uncommitted.
    pub aborted_transactions: Option<Vec<owned::AbortedTransaction>>,
    /// The replica to read from instead (KIP-392), -1 for none; from version 11 on.
    pub preferred_read_replica: i32,
    /// The size of the records, in bytes. None at all are 0 bytes, never a null: librdkafka
    /// refuses that.
    pub records_size_bytes: usize,
}

impl PartitionResponse {
    /// The answer for partition `index` that nothing can be read because of `error_code`.
    pub fn error(index: i32, error_code: ErrorCode) -> Self {
        Self {
            index,
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            diverging_epoch: owned::EpochEndOffset::default(),
            current_leader: owned::LeaderIdAndEpoch::default(),
            snapshot_id: owned::SnapshotId::default(),
            aborted_transactions: None,
            preferred_read_replica: -1,
            records_size_bytes: 0,
        }
    }
}

/// A response's frame with gaps for the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// All bytes but the records, the size prefix first.
    pub head: Vec<u8>,
    /// What to send, in order.
    pub parts: Vec<Part>,
    /// The size of the whole frame with prefix and records, in bytes.
    pub size_bytes: usize,
}

/// One piece of a response's frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These bytes of the head.
    Bytes(Range<usize>),
    /// The records of one partition.
    Records {
        /// The partition's place, counted over all topics of the response.
        index: usize,
        /// The size of the records in bytes, above 0.
        len: usize,
    },
}

/// The head as it is written, and where the records interrupt it.
struct Gaps {
    /// The position in the head, and the records that stand there.
    places: Vec<(usize, Part)>,
    partitions: usize,
    records_size_bytes: usize,
}

impl Response<'_> {
    /// The frame around the records, for a Fetch request.
    pub fn encode(&self, answered: Answered) -> Result<Frame, EncodeError> {
        let version = answered.api_version;
        let mut writer = begin_frame(answered, self.head_size_estimate());
        let mut gaps = Gaps { places: Vec::new(), partitions: 0, records_size_bytes: 0 };
        self.write(&mut writer, version, &mut gaps);
        let head = end_frame(writer, gaps.records_size_bytes)?;
        let size_bytes = head.len() + gaps.records_size_bytes;

        let mut parts = Vec::with_capacity(2 * gaps.places.len() + 1);
        let mut start = 0;
        for (position, records) in gaps.places {
            parts.push(Part::Bytes(start..position));
            parts.push(records);
            start = position;
        }
        if start < head.len() {
            parts.push(Part::Bytes(start..head.len()));
        }
        Ok(Frame { head, parts, size_bytes })
    }

    /// About as many bytes as the head will have, so that it seldom grows.
    fn head_size_estimate(&self) -> usize {
        let topics = self.topics.iter();
        let sizes = topics.map(|topic| 32 + topic.name.len() + 64 * topic.partitions.len());
        PREFIX_SIZE + 32 + sizes.sum::<usize>()
    }

    fn write(&self, writer: &mut Writer, version: i16, gaps: &mut Gaps) {
        writer.set_form(owned::FetchResponse::form(version));
        writer.i32(self.throttle_time_ms);
        if version >= 7 {
            writer.i16(self.error_code.number());
            writer.i32(self.session_id);
        }
        writer.array("responses", &self.topics, |writer, topic| topic.write(writer, version, gaps));
        let has_endpoints = version >= 16 && !self.node_endpoints.is_empty();
        writer.tagged_field_count(u32::from(has_endpoints));
        if has_endpoints {
            writer.tagged_field(0, |writer| {
                writer.array("node_endpoints", &self.node_endpoints, |writer, endpoint| {
                    endpoint.encode(writer, version);
                });
            });
        }
    }
}

impl TopicResponse<'_> {
    fn write(&self, writer: &mut Writer, version: i16, gaps: &mut Gaps) {
        if version < TOPIC_ID_FROM {
            writer.string("topic", self.name);
        } else {
            writer.uuid(self.topic_id);
        }
        writer.array("partitions", &self.partitions, |writer, partition| {
            partition.write(writer, version, gaps);
        });
        writer.tagged_field_count(0);
    }
}

impl PartitionResponse {
    fn write(&self, writer: &mut Writer, version: i16, gaps: &mut Gaps) {
        writer.i32(self.index);
        writer.i16(self.error_code.number());
        writer.i64(self.high_watermark);
        writer.i64(self.last_stable_offset);
        if version >= 5 {
            writer.i64(self.log_start_offset);
        }
        let aborted = self.aborted_transactions.as_deref();
        writer.nullable_array("aborted_transactions", aborted, |writer, transaction| {
            transaction.encode(writer, version);
        });
        if version >= 11 {
            writer.i32(self.preferred_read_replica);
        }
        writer.length("records", Some(self.records_size_bytes));
        gaps.leave(writer.position(), self.records_size_bytes);
        if version >= 12 {
            self.write_tagged_fields(writer, version);
        }
    }

    fn write_tagged_fields(&self, writer: &mut Writer, version: i16) {
        let has_diverging_epoch = self.diverging_epoch != owned::EpochEndOffset::default();
        let has_leader = self.current_leader != owned::LeaderIdAndEpoch::default();
        let has_snapshot_id = self.snapshot_id != owned::SnapshotId::default();
        writer.tagged_field_count(
            u32::from(has_diverging_epoch) + u32::from(has_leader) + u32::from(has_snapshot_id),
        );
        if has_diverging_epoch {
            writer.tagged_field(0, |writer| self.diverging_epoch.encode(writer, version));
        }
        if has_leader {
            writer.tagged_field(1, |writer| self.current_leader.encode(writer, version));
        }
        if has_snapshot_id {
            writer.tagged_field(2, |writer| self.snapshot_id.encode(writer, version));
        }
    }
}

impl Gaps {
    /// Leaves a gap of `len` bytes at `position` of the head for the next partition's records.
    fn leave(&mut self, position: usize, len: usize) {
        if len > 0 {
            self.places.push((position, Part::Records { index: self.partitions, len }));
        }
        self.partitions += 1;
        self.records_size_bytes += len;
    }
}

#[cfg(test)]
mod tests;
