//! Where partitions begin and end, and where in them a time is: ListOffsets, asked of the leaders.

use std::collections::BTreeMap;

use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};

use super::cluster::{Cluster, Topic, insist};
use super::error::{ClientError, Refusal};

/// A place in a partition that only its leader knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first record that there is.
    Earliest,
    /// Behind the last record that consumers may see.
    Latest,
    /// The first record with at least this timestamp, in ms since 1970; nothing if there is none.
    AtTime(i64),
}

/// Which records there are for a reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// All but those of transactions that are open or aborted.
    #[default]
    ReadCommitted,
    /// All.
    ReadUncommitted,
}

impl Isolation {
    /// Its number in requests.
    pub fn number(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

impl Place {
    fn timestamp(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            // Negative ones have meanings of their own; nothing is older than 1970.
            Self::AtTime(ms) => ms.max(0),
        }
    }
}

/// The offset of `place` in each of these partitions.
pub fn find(
    cluster: &mut Cluster,
    topic: &Topic,
    partitions: &[i32],
    place: Place,
    isolation: Isolation,
) -> Result<BTreeMap<i32, Option<i64>>, ClientError> {
    let mut topic = topic.clone();
    insist(cluster.patience(), || {
        let found = try_find(cluster, &topic, partitions, place, isolation);
        if found.as_ref().is_err_and(ClientError::is_retriable) {
            topic = cluster.topic(&topic.name)?;
        }
        found
    })
}

fn try_find(
    cluster: &mut Cluster,
    topic: &Topic,
    partitions: &[i32],
    place: Place,
    isolation: Isolation,
) -> Result<BTreeMap<i32, Option<i64>>, ClientError> {
    let mut found = BTreeMap::new();
    for (leader, partitions) in by_leader(topic, partitions)? {
        let asked = partitions.iter().map(|index| ListOffsetsPartition {
            partition_index: *index,
            timestamp: place.timestamp(),
            ..ListOffsetsPartition::default()
        });
        let request = ListOffsetsRequest {
            replica_id: -1,
            isolation_level: isolation.number(),
            topics: vec![ListOffsetsTopic {
                name: topic.name.clone(),
                partitions: asked.collect(),
            }],
            timeout_ms: 0,
        };
        read(&cluster.ask_broker(leader, &request)?, &mut found)?;
    }
    Ok(found)
}

fn read(
    answer: &ListOffsetsResponse,
    found: &mut BTreeMap<i32, Option<i64>>,
) -> Result<(), ClientError> {
    for topic in &answer.topics {
        for partition in &topic.partitions {
            let index = partition.partition_index;
            let what = || format!("look up an offset of partition {index} of {}", topic.name);
            Refusal::check(what, partition.error_code, None)?;
            let offset = Some(partition.offset).filter(|offset| *offset >= 0);
            found.insert(index, offset);
        }
    }
    Ok(())
}

/// The partitions by the broker that leads them.
pub fn by_leader(
    topic: &Topic,
    partitions: &[i32],
) -> Result<BTreeMap<i32, Vec<i32>>, ClientError> {
    let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for &index in partitions {
        let Some(partition) = topic.partitions.iter().find(|p| p.index == index) else {
            return Err(ClientError::NoPartition {
                topic: topic.name.clone(),
                partition: index,
                count: topic.partitions.len(),
            });
        };
        let Some(leader) = partition.leader else {
            return Err(ClientError::NoLeader { topic: topic.name.clone(), partition: index });
        };
        by_leader.entry(leader).or_default().push(index);
    }
    Ok(by_leader)
}
