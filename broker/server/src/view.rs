//! The cluster as every shard sees it: the metadata, and which shard of this broker owns which
//! partition.

use std::collections::BTreeMap;

use metadata::{MetadataImage, Topic, TopicId};
use protocol::{ErrorCode, Uuid};
use runtime::ShardId;
use storage::LogId;

use crate::error_codes::Refusal;

/// The version of Produce and of Fetch that names topics by id (KIP-516).
const TOPIC_ID_FROM: i16 = 13;

/// A read-only value, made by shard 0 after every change and given to all shards.
#[derive(Debug, Default)]
pub(crate) struct ClusterView {
    /// What was decided.
    pub(crate) image: MetadataImage,
    /// What clients know this cluster by.
    pub(crate) cluster_id: String,
    /// Which shard owns each partition of each topic.
    pub(crate) owners: BTreeMap<TopicId, Vec<ShardId>>,
}

impl ClusterView {
    /// The topic that a produce or a fetch of that version means.
    pub(crate) fn find_topic(&self, version: i16, name: &str, id: Uuid) -> Result<&Topic, Refusal> {
        if version >= TOPIC_ID_FROM {
            return self.image.topic_by_id(&TopicId(id.0)).ok_or(ErrorCode::UnknownTopicId.into());
        }
        self.image.topic(name).ok_or(ErrorCode::UnknownTopicOrPartition.into())
    }

    /// The shard that owns a partition, none if there is no such partition.
    pub(crate) fn owner(&self, topic: &Topic, partition: i32) -> Option<ShardId> {
        let index = usize::try_from(partition).ok()?;
        self.owners.get(&topic.id)?.get(index).copied()
    }

    /// What a shard owns: the topic, the partition, and its log.
    pub(crate) fn owned_by(
        &self,
        shard: ShardId,
    ) -> impl Iterator<Item = (&Topic, &metadata::Partition, LogId)> {
        self.image.topics().flat_map(move |topic| {
            let owners = self.owners.get(&topic.id).map_or(&[][..], Vec::as_slice);
            let partitions = topic.partitions.iter().zip(owners).zip(0u32..);
            partitions
                .filter(move |((_, owner), _)| **owner == shard)
                .map(move |((partition, _), index)| (topic, partition, log_id(&topic.id, index)))
        })
    }
}

/// The log of a partition.
pub(crate) fn log_id(topic: &TopicId, partition: u32) -> LogId {
    LogId { topic_id: topic.0, partition }
}
