//! The records of the metadata log: each a change that was decided, with its place in the log.
//!
//! They are JSON, so that an operator can read the log with any consumer. A field that is added
//! later needs a default; a field is never given another meaning. The version rises when a reader
//! that does not know the new form would go wrong by ignoring it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::{BrokerId, TopicId};

/// The highest form of entries that this build reads. Each record is written in the lowest form
/// that has it, so that an older broker reads what it can.
const FORMAT_VERSION: u16 = 2;

/// A place in the metadata log: Raft's term and index, the index being the record's offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogPosition {
    /// The leader's term when it wrote the record.
    pub term: u64,
    /// The record's offset in `__cluster_metadata-0`.
    pub index: u64,
}

/// A change of the metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MetadataRecord {
    /// A broker started. Every partition that it leads gets a new leader epoch: what it had not
    /// acknowledged before it stopped may live on elsewhere.
    BrokerRegistered {
        /// Who.
        broker: BrokerId,
        /// Where clients reach it.
        host: String,
        /// Where clients reach it.
        port: u16,
    },
    /// A topic exists from here on.
    TopicCreated {
        /// What clients call it.
        name: String,
        /// What it is.
        id: TopicId,
        /// The replicas of each partition, the preferred leader first.
        partitions: Vec<Vec<BrokerId>>,
        /// Settings given for this topic.
        configs: BTreeMap<String, String>,
    },
    /// A topic has more partitions from here on. Since form 2.
    PartitionsAdded {
        /// To which.
        id: TopicId,
        /// The index of the first of them: as many as the topic had.
        first: u32,
        /// The replicas of each new partition, the preferred leader first.
        partitions: Vec<Vec<BrokerId>>,
    },
    /// Settings of a topic are others from here on. Since form 2.
    TopicConfigsChanged {
        /// Of which.
        id: TopicId,
        /// The new value of each setting that changes; null where the broker's default holds again.
        changes: BTreeMap<String, Option<String>>,
    },
    /// A topic is gone for clients; its id stays known until all that it had on disk is.
    TopicRemoved {
        /// Which.
        id: TopicId,
    },
    /// The tombstones of a removed topic are synced on every shard: its id may be forgotten.
    TopicForgotten {
        /// Which.
        id: TopicId,
    },
    /// A broker took the next producer ids for itself, as many as it says.
    ProducerIdsAllocated {
        /// Who may hand them out.
        broker: BrokerId,
        /// How many.
        count: u32,
    },
}

/// A record with its place, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataEntry {
    version: u16,
    /// Where it stands.
    #[serde(flatten)]
    pub position: LogPosition,
    /// What it changes.
    pub record: MetadataRecord,
}

/// Why bytes of the metadata log can't be used.
#[derive(Debug)]
pub enum DecodeError {
    /// Not an entry at all.
    Malformed(serde_json::Error),
    /// Written by a newer broker in a form that this one would misread.
    Version(u16),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Malformed(e) => write!(f, "not a metadata record: {e}"),
            DecodeError::Version(v) => write!(
                f,
                "metadata of format {v}, this broker reads up to {FORMAT_VERSION}: start the \
                 newer broker again"
            ),
        }
    }
}

impl MetadataRecord {
    /// The lowest form of entries that has it.
    fn version(&self) -> u16 {
        match self {
            MetadataRecord::BrokerRegistered { .. }
            | MetadataRecord::TopicCreated { .. }
            | MetadataRecord::TopicRemoved { .. }
            | MetadataRecord::TopicForgotten { .. }
            | MetadataRecord::ProducerIdsAllocated { .. } => 1,
            MetadataRecord::PartitionsAdded { .. } | MetadataRecord::TopicConfigsChanged { .. } => {
                2
            }
        }
    }
}

impl MetadataEntry {
    /// A record at its place.
    pub fn new(position: LogPosition, record: MetadataRecord) -> MetadataEntry {
        MetadataEntry { version: record.version(), position, record }
    }

    /// The value of the log's record.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("keys are strings and nothing in it can fail")
    }

    /// Reads what [`MetadataEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<MetadataEntry, DecodeError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u16,
        }
        // The version alone first: a newer form may not parse as ours.
        let Versioned { version } =
            serde_json::from_slice(bytes).map_err(DecodeError::Malformed)?;
        if version > FORMAT_VERSION {
            return Err(DecodeError::Version(version));
        }
        serde_json::from_slice(bytes).map_err(DecodeError::Malformed)
    }
}

#[cfg(test)]
mod tests;
