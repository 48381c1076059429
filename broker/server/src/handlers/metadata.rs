//! Metadata: brokers, topics, leaders; and topics that come into being because somebody asks for
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use metadata::{Topic, TopicId, check_topic_name};
use protocol::generated::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use protocol::{ErrorCode, Uuid};

use super::create_topics::{self, Wish};
use crate::controller::METADATA_TOPIC;
use crate::error_codes::Refusal;
use crate::shard::Core;
use crate::view::ClusterView;

/// Before this version an empty list means all topics; from it on, null does.
const NULL_IS_ALL_FROM: i16 = 1;
/// From this version on topics may be asked for by their ids; the field is there from 10 on.
const TOPIC_IDS_FROM: i16 = 12;
/// What a client may do with a topic, a bit for each operation of KIP-430: there is no authorizer,
/// so everything that there is to do with a topic: read, write, create, delete, alter, describe,
/// and describe and alter its settings.
pub(super) const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// And with the cluster: create, alter, describe, cluster action, describe and alter its settings,
/// idempotent write.
pub(super) const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;
/// Kafka's own topics; clients keep them out of patterns.
const INTERNAL_TOPICS: [&str; 3] =
    ["__consumer_offsets", "__transaction_state", "__share_group_state"];
/// Topics that one request may bring into being.
const CREATED_MAX: usize = 100;
/// How long a request waits for the topics that it brings into being: less than clients wait.
const CREATION_WAIT: Duration = Duration::from_secs(10);
/// A topic, or a broker, without its name: as a value, and on the wire.
pub(super) const TOPIC_BYTES: usize = 256;
/// A partition in an answer, without its brokers.
pub(super) const PARTITION_BYTES: usize = 256;
/// A broker in a partition's lists.
const BROKER_ID_BYTES: usize = 8;

/// Answers, after making the topics that are to be made.
pub(crate) async fn handle(
    core: &Rc<Core>,
    version: i16,
    request: MetadataRequest,
) -> MetadataResponse {
    if version < TOPIC_IDS_FROM
        && let Some(refused) = refuse_ids(&request)
    {
        return refused;
    }
    let allows_creation = request.allow_auto_topic_creation;
    let tells_topic_operations = request.include_topic_authorized_operations;
    let tells_cluster_operations = request.include_cluster_authorized_operations;
    let asked = asked(version, request);
    let mut refused = BTreeMap::new();
    if let Some(asked) = &asked
        && allows_creation
        && core.config.creates_topics
    {
        refused = create_missing(core, asked).await;
    }
    let view = core.view();
    let topics = match &asked {
        None => view.image.topics().map(known).collect(),
        Some(asked) => asked.iter().map(|topic| answer(&view, topic, &refused)).collect(),
    };
    let brokers = view.image.brokers().map(|broker| MetadataResponseBroker {
        node_id: broker.id.0,
        host: broker.host.clone(),
        port: i32::from(broker.port),
        rack: None,
    });
    let mut response = MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(view.cluster_id.clone()),
        controller_id: core.config.broker.0,
        topics,
        ..MetadataResponse::default()
    };
    if tells_topic_operations {
        for topic in response.topics.iter_mut().filter(|topic| topic.name.is_some()) {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    if tells_cluster_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    response
}

/// The answer to a request of a version that has the field for an id but no use for it yet, if it
/// has one or a topic without a name: as in Kafka nothing but refusals.
fn refuse_ids(request: &MetadataRequest) -> Option<MetadataResponse> {
    let topics = request.topics.as_deref()?;
    if topics.iter().all(|topic| topic.name.is_some() && topic.topic_id == Uuid::ZERO) {
        return None;
    }
    let refused = |topic: &MetadataRequestTopic| MetadataResponseTopic {
        error_code: ErrorCode::InvalidRequest.number(),
        // It can't be null in an answer of these versions.
        name: Some(topic.name.clone().unwrap_or_default()),
        topic_id: topic.topic_id,
        ..MetadataResponseTopic::default()
    };
    let topics = topics.iter().map(refused).collect();
    Some(MetadataResponse { topics, ..MetadataResponse::default() })
}

/// What an answer takes while it is made and when it is encoded, at most.
pub(crate) fn answer_bytes(view: &ClusterView, version: i16, request: &MetadataRequest) -> usize {
    let known = |topic: &Topic| {
        let partition = |of: &metadata::Partition| {
            PARTITION_BYTES + BROKER_ID_BYTES * (of.replicas.len() + of.isr.len())
        };
        2 * topic.name.len() + topic.partitions.iter().map(partition).sum::<usize>()
    };
    let topics: usize = match &request.topics {
        Some(topics) if !topics.is_empty() || version >= NULL_IS_ALL_FROM => {
            let mut seen = BTreeSet::new();
            let once = topics.iter().filter(|topic| seen.insert(key(topic)));
            once.filter_map(|topic| find(view, topic)).map(known).sum()
        }
        _ => view.image.topics().map(|topic| TOPIC_BYTES + known(topic)).sum(),
    };
    topics + brokers_bytes(view)
}

/// What the brokers take in an answer.
pub(super) fn brokers_bytes(view: &ClusterView) -> usize {
    view.image.brokers().map(|broker| TOPIC_BYTES + broker.host.len()).sum()
}

/// The topics that are asked for, none for all. As in Kafka it is a set: who names a topic often
/// is told of it once. And who names an id is told of ids alone.
fn asked(version: i16, request: MetadataRequest) -> Option<Vec<MetadataRequestTopic>> {
    let mut topics = request.topics?;
    if topics.is_empty() && version < NULL_IS_ALL_FROM {
        return None;
    }
    if topics.iter().any(|topic| topic.topic_id != Uuid::ZERO) {
        topics.retain(|topic| topic.topic_id != Uuid::ZERO);
        topics.iter_mut().for_each(|topic| topic.name = None);
    }
    let mut seen = BTreeSet::new();
    let firsts: Vec<bool> = topics.iter().map(|topic| seen.insert(key(topic))).collect();
    let mut firsts = firsts.into_iter();
    topics.retain(|_| firsts.next().expect("one for each"));
    Some(topics)
}

/// What a topic is asked for by: its id, or else its name.
fn key(asked: &MetadataRequestTopic) -> (Option<&str>, Uuid) {
    match asked.topic_id {
        Uuid::ZERO => (asked.name.as_deref(), Uuid::ZERO),
        id => (None, id),
    }
}

fn find<'a>(view: &'a ClusterView, asked: &MetadataRequestTopic) -> Option<&'a Topic> {
    match key(asked) {
        (Some(name), _) => view.image.topic(name),
        (None, id) => view.image.topic_by_id(&TopicId(id.0)),
    }
}

/// Makes the topics that are asked for and do not exist; returns why some were not made.
async fn create_missing(
    core: &Rc<Core>,
    asked: &[MetadataRequestTopic],
) -> BTreeMap<String, Refusal> {
    let view = core.view();
    // As in Kafka the log of the metadata is no topic, neither known nor to be made.
    let is_missing = |name: &&String| {
        view.image.topic(name).is_none()
            && check_topic_name(name).is_ok()
            && *name != METADATA_TOPIC
    };
    let missing: BTreeSet<&String> =
        asked.iter().filter_map(|topic| topic.name.as_ref()).filter(is_missing).collect();
    let count_max = create_topics::PARTITIONS_MAX / core.config.partition_count as usize;
    let wishes: Vec<Wish> = missing
        .into_iter()
        .take(count_max.min(CREATED_MAX))
        .map(|name| Wish::with_defaults(name))
        .collect();
    if wishes.is_empty() {
        return BTreeMap::new();
    }
    let names: Vec<String> = wishes.iter().map(|wish| wish.name.clone()).collect();
    let results = create_topics::create(core, wishes, CREATION_WAIT).await;
    let refused = names.into_iter().zip(results);
    refused.filter_map(|(name, result)| Some((name, result.err()?))).collect()
}

fn answer(
    view: &ClusterView,
    asked: &MetadataRequestTopic,
    refused: &BTreeMap<String, Refusal>,
) -> MetadataResponseTopic {
    let MetadataRequestTopic { topic_id, name } = asked;
    let error = |code: ErrorCode| MetadataResponseTopic {
        error_code: code.number(),
        name: name.clone(),
        topic_id: *topic_id,
        is_internal: name.as_deref().is_some_and(is_internal),
        ..MetadataResponseTopic::default()
    };
    if let Some(topic) = find(view, asked) {
        return known(topic);
    }
    let Some(name) = name else { return error(ErrorCode::UnknownTopicId) };
    if check_topic_name(name).is_err() {
        return error(ErrorCode::InvalidTopicException);
    }
    match refused.get(name) {
        // Somebody else made it at the same moment, or it is still being made; it shows when the
        // client asks again.
        Some(Refusal {
            code: ErrorCode::TopicAlreadyExists | ErrorCode::RequestTimedOut, ..
        }) => error(ErrorCode::LeaderNotAvailable),
        Some(refusal) => error(refusal.code),
        None => error(ErrorCode::UnknownTopicOrPartition),
    }
}

/// Whether there is such a topic or not.
pub(super) fn is_internal(name: &str) -> bool {
    INTERNAL_TOPICS.contains(&name)
}

fn known(topic: &Topic) -> MetadataResponseTopic {
    let ids = |brokers: &[metadata::BrokerId]| brokers.iter().map(|broker| broker.0).collect();
    let partition = |(index, partition): (i32, &metadata::Partition)| MetadataResponsePartition {
        partition_index: index,
        leader_id: partition.leader.0,
        leader_epoch: partition.leader_epoch,
        replica_nodes: ids(&partition.replicas),
        isr_nodes: ids(&partition.isr),
        ..MetadataResponsePartition::default()
    };
    MetadataResponseTopic {
        name: Some(topic.name.clone()),
        topic_id: Uuid(topic.id.0),
        is_internal: is_internal(&topic.name),
        partitions: (0..).zip(&topic.partitions).map(partition).collect(),
        ..MetadataResponseTopic::default()
    }
}
