//! Fetch as a server reads and answers it: the response leaves gaps where records belong.
//!
//! Clients and tools use the owned structs of [`crate::generated::fetch`].

pub mod response;

use crate::error::Malformed;
use crate::generated::fetch as owned;
use crate::message::Message;
use crate::primitive::reader::{Known, Reader};
use crate::uuid::Uuid;

/// The first version that names topics by id instead of by name (KIP-516).
const TOPIC_ID_FROM: i16 = 13;

/// A Fetch request, versions 4 to 18.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<'a> {
    /// The cluster's id if the sender is a replica of the metadata log, from version 12 on.
    pub cluster_id: Option<&'a str>,
    /// The follower that asks, -1 for a consumer; before version 15 from a field of its own, then
    /// from the tagged replica state, so that a server has one place to look at.
    pub replica_id: i32,
    /// The epoch of the follower's broker, -1 before version 15.
    pub replica_epoch: i64,
    /// How long the answer may wait for `min_bytes`, in milliseconds.
    pub max_wait_ms: i32,
    /// The bytes that end the wait.
    pub min_bytes: i32,
    /// The bytes that all partitions together should not exceed.
    pub max_bytes: i32,
    /// 0 reads up to the high watermark, 1 up to the last stable offset.
    pub isolation_level: i8,
    /// The fetch session (KIP-227), 0 for none.
    pub session_id: i32,
    /// The session's epoch: -1 for no session, 0 to open one.
    pub session_epoch: i32,
    /// The topics to fetch.
    pub topics: Vec<Topic<'a>>,
    /// The partitions that leave the session.
    pub forgotten_topics: Vec<ForgottenTopic<'a>>,
    /// The consumer's rack (KIP-392), or empty.
    pub rack_id: &'a str,
}

/// One topic of a Fetch request.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic<'a> {
    /// The name, empty from version 13 on.
    pub name: &'a str,
    /// The id, zero before version 13.
    pub topic_id: Uuid,
    /// The partitions, in the client's order.
    pub partitions: Vec<Partition>,
}

/// One partition of a Fetch request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The partition's number.
    pub index: i32,
    /// The leader epoch that the client knows, -1 for none.
    pub current_leader_epoch: i32,
    /// The offset to read from.
    pub fetch_offset: i64,
    /// The epoch of the last fetched record (KIP-595), -1 for none.
    pub last_fetched_epoch: i32,
    /// The follower's log start offset, -1 from a consumer.
    pub log_start_offset: i64,
    /// The bytes that this partition should not exceed.
    pub max_bytes: i32,
    /// The follower's directory, zero from a consumer.
    pub replica_directory_id: Uuid,
    /// The high watermark that the follower knows, the largest offset if it does not say.
    pub high_watermark: i64,
}

/// One topic that leaves a fetch session, wholly or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenTopic<'a> {
    /// The name, empty from version 13 on.
    pub name: &'a str,
    /// The id, zero before version 13.
    pub topic_id: Uuid,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// The fewest bytes of a topic or a forgotten one: an empty name, no partitions, no tagged fields.
const TOPIC_SIZE_MIN: usize = 3;

/// The fewest bytes of a partition: number, offset and bytes, all of version 4.
const PARTITION_SIZE_MIN: usize = 16;

impl<'a> Request<'a> {
    /// Reads the body in a served `version`.
    pub fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, Malformed> {
        reader.set_form(owned::FetchRequest::form(version));
        let mut this = Self {
            cluster_id: None,
            replica_id: if version <= 14 { reader.i32()? } else { -1 },
            replica_epoch: -1,
            max_wait_ms: reader.i32()?,
            min_bytes: reader.i32()?,
            max_bytes: reader.i32()?,
            isolation_level: reader.i8()?,
            session_id: if version >= 7 { reader.i32()? } else { 0 },
            session_epoch: if version >= 7 { reader.i32()? } else { -1 },
            topics: reader.array(TOPIC_SIZE_MIN, |reader| Topic::decode(reader, version))?,
            forgotten_topics: match version {
                7.. => reader.array(TOPIC_SIZE_MIN, |r| ForgottenTopic::decode(r, version))?,
                _ => Vec::new(),
            },
            rack_id: if version >= 11 { reader.str()? } else { "" },
        };
        reader.tagged_fields(|tag, reader| {
            match tag {
                0 => this.cluster_id = reader.nullable_str()?,
                1 if version >= 15 => {
                    this.replica_id = reader.i32()?;
                    this.replica_epoch = reader.i64()?;
                    reader.skip_tagged_fields()?;
                }
                _ => return Ok(Known::No),
            }
            Ok(Known::Yes)
        })?;
        Ok(this)
    }
}

impl<'a> Topic<'a> {
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, Malformed> {
        let this = Self {
            name: if version < TOPIC_ID_FROM { reader.str()? } else { "" },
            topic_id: if version < TOPIC_ID_FROM { Uuid::ZERO } else { reader.uuid()? },
            partitions: reader.array(PARTITION_SIZE_MIN, |r| Partition::decode(r, version))?,
        };
        reader.skip_tagged_fields()?;
        Ok(this)
    }
}

impl Partition {
    fn decode(reader: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let mut this = Self {
            index: reader.i32()?,
            current_leader_epoch: if version >= 9 { reader.i32()? } else { -1 },
            fetch_offset: reader.i64()?,
            last_fetched_epoch: if version >= 12 { reader.i32()? } else { -1 },
            log_start_offset: if version >= 5 { reader.i64()? } else { -1 },
            max_bytes: reader.i32()?,
            replica_directory_id: Uuid::ZERO,
            high_watermark: i64::MAX,
        };
        reader.tagged_fields(|tag, reader| {
            match tag {
                0 if version >= 17 => this.replica_directory_id = reader.uuid()?,
                1 if version >= 18 => this.high_watermark = reader.i64()?,
                _ => return Ok(Known::No),
            }
            Ok(Known::Yes)
        })?;
        Ok(this)
    }
}

impl<'a> ForgottenTopic<'a> {
    fn decode(reader: &mut Reader<'a>, version: i16) -> Result<Self, Malformed> {
        let this = Self {
            name: if version < TOPIC_ID_FROM { reader.str()? } else { "" },
            topic_id: if version < TOPIC_ID_FROM { Uuid::ZERO } else { reader.uuid()? },
            partitions: reader.array(4, Reader::i32)?,
        };
        reader.skip_tagged_fields()?;
        Ok(this)
    }
}
