//! Produce as a server reads and answers it: names and records borrow from the frame.
//!
//! Clients and tools use the owned structs of [`crate::generated::produce`].

use crate::error::{EncodeError, Malformed};
use crate::error_code::ErrorCode;
use crate::generated::produce as owned;
use crate::message::Message;
use crate::primitive::reader::Reader;
use crate::primitive::writer::Writer;
use crate::response::{Answered, encode_frame};
use crate::uuid::Uuid;

/// The first version that names topics by id instead of by name (KIP-516).
const TOPIC_ID_FROM: i16 = 13;

/// A Produce request, versions 3 to 13.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The transactional id, if the records belong to a transaction.
    pub transactional_id: Option<&'a str>,
    /// What the answer waits for: 0 nothing and there is no answer, 1 the leader, -1 all in-sync
    /// replicas. Other values are to be refused.
    pub acks: i16,
    /// How long the answer may wait, in milliseconds.
    pub timeout_ms: i32,
    /// The topics, in the client's order.
    pub topics: Vec<Topic<'a>>,
}

/// One topic of a Produce request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic<'a> {
    /// The name, empty from version 13 on.
    pub name: &'a str,
    /// The id, zero before version 13.
    pub topic_id: Uuid,
    /// The partitions, in the client's order.
    pub partitions: Vec<Partition<'a>>,
}

/// One partition of a Produce request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition<'a> {
    /// The partition's number.
    pub index: i32,
    /// The record batch as it stands in the frame, unchecked. Null is to be refused.
    pub records: Option<&'a [u8]>,
    /// Index of the first byte of `records` in the frame, counted behind the size prefix.
    pub records_position: usize,
}

/// The fewest bytes of a topic: an empty name, no partitions, no tagged fields.
const TOPIC_SIZE_MIN: usize = 3;

/// The fewest bytes of a partition: its number, null records, no tagged fields.
const PARTITION_SIZE_MIN: usize = 6;

impl<'a> Request<'a> {
    /// Reads the body in a served `version`.
    pub fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, Malformed> {
        reader.set_form(owned::ProduceRequest::form(version));
        let this = Self {
            transactional_id: reader.nullable_str()?,
            acks: reader.i16()?,
            timeout_ms: reader.i32()?,
            topics: reader.array(TOPIC_SIZE_MIN, |reader| Topic::decode(reader, version))?,
        };
        reader.skip_tagged_fields()?;
        Ok(this)
    }
}

impl<'a> Topic<'a> {
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, Malformed> {
        let this = Self {
            name: if version < TOPIC_ID_FROM { reader.str()? } else { "" },
            topic_id: if version < TOPIC_ID_FROM { Uuid::ZERO } else { reader.uuid()? },
            partitions: reader.array(PARTITION_SIZE_MIN, Partition::decode)?,
        };
        reader.skip_tagged_fields()?;
        Ok(this)
    }
}

impl<'a> Partition<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let index = reader.i32()?;
        let records = reader.nullable_bytes()?;
        let records_position = reader.position() - records.map_or(0, <[u8]>::len);
        reader.skip_tagged_fields()?;
        Ok(Self { index, records, records_position })
    }
}

/// A Produce response, versions 3 to 13.
///
/// Fields that the version lacks are left out: they are only hints to newer clients.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response<'a> {
    /// The topics, in the order of the request.
    pub topics: Vec<TopicResponse<'a>>,
    /// For how long the client must be silent, in milliseconds.
    pub throttle_time_ms: i32,
    /// Where the brokers are that `current_leader` names (KIP-951), from version 10 on.
    pub node_endpoints: Vec<owned::NodeEndpoint>,
}

/// One topic of a Produce response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicResponse<'a> {
    /// The name, before version 13.
    pub name: &'a str,
    /// The id, from version 13 on.
    pub topic_id: Uuid,
    /// The partitions, in the order of the request.
    pub partitions: Vec<PartitionResponse<'a>>,
}

/// One partition of a Produce response.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionResponse<'a> {
    /// The partition's number.
    pub index: i32,
    /// What went wrong, or nothing.
    pub error_code: ErrorCode,
    /// The offset of the first record, -1 on an error.
    pub base_offset: i64,
    /// The time of the append under LogAppendTime in milliseconds, else -1.
    pub log_append_time_ms: i64,
    /// The log start offset, from version 5 on.
    pub log_start_offset: i64,
    /// Which records were wrong (KIP-467), from version 8 on.
    pub record_errors: Vec<owned::BatchIndexAndErrorMessage>,
    /// What was wrong with the batch, from version 8 on.
    pub error_message: Option<&'a str>,
    /// The leader to turn to (KIP-951), from version 10 on.
    pub current_leader: owned::LeaderIdAndEpoch,
}

impl PartitionResponse<'_> {
    /// The answer for partition `index` that nothing was appended because of `error_code`.
    pub fn error(index: i32, error_code: ErrorCode) -> Self {
        Self {
            index,
            error_code,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: owned::LeaderIdAndEpoch::default(),
        }
    }
}

impl Response<'_> {
    /// The whole frame, its size prefix included.
    pub fn encode(&self, answered: Answered) -> Result<Vec<u8>, EncodeError> {
        encode_frame(answered, |writer| self.write(writer, answered.api_version))
    }

    fn write(&self, writer: &mut Writer, version: i16) {
        writer.set_form(owned::ProduceResponse::form(version));
        writer.array("responses", &self.topics, |writer, topic| topic.write(writer, version));
        writer.i32(self.throttle_time_ms);
        let has_endpoints = version >= 10 && !self.node_endpoints.is_empty();
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
    fn write(&self, writer: &mut Writer, version: i16) {
        if version < TOPIC_ID_FROM {
            writer.string("name", self.name);
        } else {
            writer.uuid(self.topic_id);
        }
        writer.array("partition_responses", &self.partitions, |writer, partition| {
            partition.write(writer, version);
        });
        writer.tagged_field_count(0);
    }
}

impl PartitionResponse<'_> {
    fn write(&self, writer: &mut Writer, version: i16) {
        writer.i32(self.index);
        writer.i16(self.error_code.number());
        writer.i64(self.base_offset);
        writer.i64(self.log_append_time_ms);
        if version >= 5 {
            writer.i64(self.log_start_offset);
        }
        if version >= 8 {
            writer.array("record_errors", &self.record_errors, |writer, error| {
                error.encode(writer, version);
            });
            writer.nullable_string("error_message", self.error_message);
        }
        let has_leader = version >= 10 && self.current_leader != owned::LeaderIdAndEpoch::default();
        writer.tagged_field_count(u32::from(has_leader));
        if has_leader {
            writer.tagged_field(0, |writer| self.current_leader.encode(writer, version));
        }
    }
}

#[cfg(test)]
mod tests;
