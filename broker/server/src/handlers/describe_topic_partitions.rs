//! DescribeTopicPartitions: topics and their partitions, so many at a time (KIP-966).

use std::collections::BTreeSet;
use std::rc::Rc;

use metadata::{Topic, check_topic_name};
use protocol::generated::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, ResponseCursor,
    TopicRequest,
};
use protocol::{ErrorCode, Uuid};

use super::metadata::{PARTITION_BYTES, TOPIC_BYTES, TOPIC_OPERATIONS, is_internal};
use crate::shard::Core;
use crate::view::ClusterView;

/// The most partitions in one answer: Kafka's `max.request.partition.size.limit` as it ships.
const PARTITIONS_MAX: usize = 2000;

/// What an answer takes while it is made and when it is encoded, at most, besides the topics that
/// the request names.
pub(crate) fn answer_bytes(view: &ClusterView, request: &DescribeTopicPartitionsRequest) -> usize {
    let topics = match request.topics.is_empty() {
        // Each of them has a partition at least.
        true => view.image.topics().take(PARTITIONS_MAX).map(|t| TOPIC_BYTES + t.name.len()).sum(),
        false => 0,
    };
    topics + partitions_max(request) * PARTITION_BYTES
}

/// Answers from the cluster's view: topics in the order of their names, from the cursor on, until
/// there are as many partitions as wanted. Then the next cursor says where to go on.
pub(crate) fn handle(
    core: &Rc<Core>,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let view = core.view();
    let mut room = partitions_max(&request);
    let asks_for_all = request.topics.is_empty();
    if request.cursor.as_ref().is_some_and(|cursor| points_nowhere(cursor, &request.topics)) {
        return refuse(request);
    }
    let cursor = request.cursor.unwrap_or_default();
    let names: BTreeSet<&str> = match asks_for_all {
        true => view.image.topics().map(|topic| topic.name.as_str()).collect(),
        false => request.topics.iter().map(|topic| topic.name.as_str()).collect(),
    };
    let mut response = DescribeTopicPartitionsResponse::default();
    for &name in names.range(cursor.topic_name.as_str()..) {
        if room == 0 {
            response.next_cursor = Some(next_cursor(name, 0));
            break;
        }
        let Some(topic) = view.image.topic(name) else {
            response.topics.push(unknown(name));
            continue;
        };
        let first = first_partition(&cursor, name);
        let told = known(topic, first, room);
        let count = told.partitions.len();
        response.topics.push(told);
        if first.saturating_add(count) < topic.partitions.len() {
            response.next_cursor = Some(next_cursor(name, first + count));
            break;
        }
        room -= count;
    }
    response
}

/// As in Kafka a page of some topics begins in one of these, and a page of all where it likes.
fn points_nowhere(cursor: &Cursor, topics: &[TopicRequest]) -> bool {
    let is_named = topics.iter().any(|topic| topic.name == cursor.topic_name);
    cursor.partition_index < 0 || !(topics.is_empty() || is_named)
}

/// As in Kafka at least one, whatever is asked for.
fn partitions_max(request: &DescribeTopicPartitionsRequest) -> usize {
    usize::try_from(request.response_partition_limit).unwrap_or(0).clamp(1, PARTITIONS_MAX)
}

fn first_partition(cursor: &Cursor, name: &str) -> usize {
    match cursor.topic_name == name {
        // It has been checked.
        true => usize::try_from(cursor.partition_index).unwrap_or(0),
        false => 0,
    }
}

fn next_cursor(name: &str, partition: usize) -> ResponseCursor {
    let partition_index = i32::try_from(partition).unwrap_or(i32::MAX);
    ResponseCursor { topic_name: name.into(), partition_index }
}

fn known(topic: &Topic, first: usize, room: usize) -> DescribeTopicPartitionsResponseTopic {
    let ids = |brokers: &[metadata::BrokerId]| brokers.iter().map(|broker| broker.0).collect();
    let partition = |(index, partition): (i32, &metadata::Partition)| {
        DescribeTopicPartitionsResponsePartition {
            partition_index: index,
            leader_id: partition.leader.0,
            leader_epoch: partition.leader_epoch,
            replica_nodes: ids(&partition.replicas),
            isr_nodes: ids(&partition.isr),
            // Nobody has left the in-sync replicas. Kafka's lists are empty then, not null.
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            ..DescribeTopicPartitionsResponsePartition::default()
        }
    };
    let partitions = (0..).zip(&topic.partitions).skip(first).take(room);
    DescribeTopicPartitionsResponseTopic {
        topic_id: Uuid(topic.id.0),
        partitions: partitions.map(partition).collect(),
        ..answered(&topic.name)
    }
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let error = match check_topic_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    };
    DescribeTopicPartitionsResponseTopic { error_code: error.number(), ..answered(name) }
}

fn answered(name: &str) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        name: Some(name.into()),
        is_internal: is_internal(name),
        topic_authorized_operations: TOPIC_OPERATIONS,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}

/// A cursor into nowhere: as in Kafka every topic that is named gets the error.
fn refuse(request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let refused = |name| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest.number(),
        name: Some(name),
        ..DescribeTopicPartitionsResponseTopic::default()
    };
    let topics = request.topics.into_iter().map(|topic| refused(topic.name)).collect();
    DescribeTopicPartitionsResponse { topics, ..DescribeTopicPartitionsResponse::default() }
}
