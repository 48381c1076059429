//! CreatePartitions: more partitions for topics that are there (KIP-195).

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use metadata::{BrokerId, Topic, spread_over_brokers};
use protocol::ErrorCode;
use protocol::generated::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse,
    CreatePartitionsTopic, CreatePartitionsTopicResult,
};

use super::create_topics::{PARTITIONS_MAX, check_partition_count, check_replicas};
use super::time_for_change;
use crate::error_codes::Refusal;
use crate::message::{NewPartitions, Reply, Request};
use crate::router::ask_for_change;
use crate::shard::Core;

/// Answers when the partitions are there on every shard.
pub(crate) async fn handle(
    core: &Rc<Core>,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for topic in &request.topics {
        *times.entry(topic.name.clone()).or_default() += 1;
    }
    let mut results: Vec<_> =
        times.iter().filter(|(_, times)| **times > 1).map(|(name, _)| named_twice(name)).collect();
    let mut topics = request.topics;
    topics.retain(|topic| times[&topic.name] == 1);
    let names: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
    let planned = plan_all(core, topics);
    let decided: Vec<Result<(), Refusal>> =
        match (time_for_change(request.timeout_ms), request.validate_only) {
            (None, _) => planned.iter().map(|_| Err(ErrorCode::RequestTimedOut.into())).collect(),
            (_, true) => planned.into_iter().map(|plan| plan.map(|_| ())).collect(),
            (Some(wait), false) => {
                let mut wanted = Vec::new();
                let places: Vec<Result<usize, Refusal>> = planned
                    .into_iter()
                    .map(|plan| {
                        wanted.push(plan?);
                        Ok(wanted.len() - 1)
                    })
                    .collect();
                let decided = add(core, wanted, wait).await;
                places
                    .into_iter()
                    .map(|place| place.and_then(|place| decided[place].clone()))
                    .collect()
            }
        };
    results.extend(names.into_iter().zip(decided).map(|(name, result)| answer(name, result)));
    CreatePartitionsResponse { throttle_time_ms: 0, results }
}

async fn add(
    core: &Rc<Core>,
    wanted: Vec<NewPartitions>,
    wait: Duration,
) -> Vec<Result<(), Refusal>> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let count = wanted.len();
    match ask_for_change(core, Request::AddPartitions(wanted), wait).await {
        Ok(Reply::Topics(decided)) => decided,
        Ok(_) => unreachable!("topics are answered with topics"),
        Err(refusal) => vec![Err(refusal); count],
    }
}

/// Checks each wish, and all together against the limit of one request.
fn plan_all(
    core: &Core,
    topics: Vec<CreatePartitionsTopic>,
) -> Vec<Result<NewPartitions, Refusal>> {
    let planned: Vec<_> = topics.into_iter().map(|topic| plan(core, topic)).collect();
    let count = planned.iter().flatten().map(|new| new.partitions.len()).sum::<usize>();
    match check_partition_count(count) {
        Ok(()) => planned,
        Err(refusal) => planned.iter().map(|_| Err(refusal.clone())).collect(),
    }
}

fn plan(core: &Core, wish: CreatePartitionsTopic) -> Result<NewPartitions, Refusal> {
    let view = core.view();
    let topic = view.image.topic(&wish.name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let additional = additional(topic, wish.count)?;
    let brokers: Vec<BrokerId> = view.image.brokers().map(|broker| broker.id).collect();
    let copies = topic.partitions.first().map_or(0, |partition| partition.replicas.len());
    let partitions = match wish.assignments {
        Some(assignments) => by_hand(&brokers, copies, additional, assignments)?,
        None => {
            let start = u64::from_be_bytes(std::array::from_fn(|i| topic.id.0[i]));
            let start = start.wrapping_add(topic.partitions.len() as u64);
            let copies = u16::try_from(copies).unwrap_or(u16::MAX);
            spread_over_brokers(&brokers, additional, copies, start).ok_or_else(|| {
                let why = format!("Replication factor {copies}, with {} brokers", brokers.len());
                Refusal::because(ErrorCode::InvalidReplicationFactor, why)
            })?
        }
    };
    Ok(NewPartitions { topic: topic.id, first: topic.partitions.len() as u32, partitions })
}

/// How many are missing for there to be `wanted` in all.
fn additional(topic: &Topic, wanted: i32) -> Result<u32, Refusal> {
    let (name, count) = (&topic.name, topic.partitions.len());
    let invalid = |why| Err(Refusal::because(ErrorCode::InvalidPartitions, why));
    match usize::try_from(wanted).unwrap_or(0) {
        wanted if wanted == count => invalid(format!("Topic already has {count} partition(s).")),
        fewer if fewer < count => invalid(format!(
            "The topic {name} currently has {count} partition(s); {wanted} would not be an \
             increase."
        )),
        // One request adds 10,000 at most, so that all of them are far from the end of i32.
        more => Ok((more - count).min(PARTITIONS_MAX + 1) as u32),
    }
}

fn by_hand(
    brokers: &[BrokerId],
    copies: usize,
    additional: u32,
    assignments: Vec<CreatePartitionsAssignment>,
) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    let invalid = |why| Err(Refusal::because(ErrorCode::InvalidReplicaAssignment, why));
    if assignments.len() != additional as usize {
        return invalid(format!(
            "Attempted to add {additional} additional partition(s), but only {} assignment(s) were \
             specified.",
            assignments.len()
        ));
    }
    let mut partitions = Vec::with_capacity(assignments.len());
    for assignment in assignments {
        let replicas: Vec<BrokerId> = assignment.broker_ids.into_iter().map(BrokerId).collect();
        check_replicas(brokers, &replicas)?;
        if replicas.len() != copies {
            return invalid(format!(
                "The manual partition assignment includes a partition with {} replica(s), but this \
                 is not consistent with previous partitions, which have {copies} replica(s).",
                replicas.len()
            ));
        }
        partitions.push(replicas);
    }
    Ok(partitions)
}

fn named_twice(name: &str) -> CreatePartitionsTopicResult {
    let why = "Duplicate topic name.";
    answer(name.into(), Err(Refusal::because(ErrorCode::InvalidRequest, why)))
}

fn answer(name: String, result: Result<(), Refusal>) -> CreatePartitionsTopicResult {
    let refusal = result.err();
    let error_code = refusal.as_ref().map_or(ErrorCode::None, |refusal| refusal.code).number();
    let error_message = refusal.and_then(|refusal| refusal.message);
    CreatePartitionsTopicResult { name, error_code, error_message }
}
