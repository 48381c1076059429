//! CreateTopics: checks what is wished for, and has shard 0 decide.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use metadata::{BrokerId, TopicId, check_topic_name, names_collide, spread_over_brokers};
use protocol::generated::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
    CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::{ErrorCode, Uuid};

use super::time_for_change;
use crate::config::keys::TOPIC_KEYS;
use crate::config::topic::{TopicSetting, check_topic_settings};
use crate::controller::METADATA_TOPIC;
use crate::error_codes::Refusal;
use crate::message::{NewTopic, Reply, Request};
use crate::router::ask_for_change;
use crate::shard::Core;
use crate::view::ClusterView;

/// Partitions that one request may make, all its topics together, as in Kafka: each takes memory
/// and files.
pub(super) const PARTITIONS_MAX: usize = 10_000;

/// From this version on the answer tells the topic as it was made (KIP-525).
const SETTINGS_FROM: i16 = 5;

/// A topic that somebody wants.
pub(crate) struct Wish {
    /// Its name.
    pub(crate) name: String,
    /// How many partitions; none for the broker's default.
    partition_count: Option<i32>,
    /// How many copies; none for the broker's default.
    replication_factor: Option<i16>,
    /// Where exactly, if that is said.
    assignments: Vec<CreatableReplicaAssignment>,
    configs: Vec<(String, Option<String>)>,
}

impl Wish {
    /// A topic as the broker makes it when nothing is said.
    pub(crate) fn with_defaults(name: &str) -> Wish {
        Wish {
            name: name.into(),
            partition_count: None,
            replication_factor: None,
            assignments: Vec::new(),
            configs: Vec::new(),
        }
    }

    /// How many partitions it would be, impossible numbers not counted.
    fn partition_count(&self, core: &Core) -> usize {
        let count = self.partition_count.map_or(core.config.partition_count as usize, |count| {
            usize::try_from(count).unwrap_or(0)
        });
        if self.assignments.is_empty() { count } else { self.assignments.len() }
    }

    fn of(topic: CreatableTopic) -> Wish {
        let CreatableTopic { name, num_partitions, replication_factor, assignments, configs } =
            topic;
        Wish {
            name,
            partition_count: (num_partitions != -1).then_some(num_partitions),
            replication_factor: (replication_factor != -1).then_some(replication_factor),
            assignments,
            configs: configs.into_iter().map(|config| (config.name, config.value)).collect(),
        }
    }
}

/// What was made, or would be.
pub(crate) struct Made {
    id: TopicId,
    partition_count: usize,
    replication_factor: usize,
    configs: BTreeMap<String, String>,
}

/// What an answer takes of each setting, while it is made and when it is encoded.
const SETTING_BYTES: usize = 160;

/// What the answer takes that tells every setting of each topic.
pub(crate) fn settings_bytes(version: i16, request: &CreateTopicsRequest) -> usize {
    let settings = if version < SETTINGS_FROM { 0 } else { TOPIC_KEYS.len() };
    request.topics.len().min(PARTITIONS_MAX) * settings * SETTING_BYTES
}

/// Answers when the topics are there on every shard.
pub(crate) async fn handle(
    core: &Rc<Core>,
    version: i16,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for topic in &request.topics {
        *times.entry(topic.name.clone()).or_default() += 1;
    }
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut wishes = Vec::new();
    let mut topics = Vec::new();
    for topic in request.topics {
        if times[&topic.name] == 1 && topic.name == METADATA_TOPIC {
            // As in Kafka whatever else there is in the request.
            let why = format!("Creation of internal topic {METADATA_TOPIC} is prohibited.");
            let prohibited = Refusal::because(ErrorCode::InvalidRequest, why);
            topics.push(refused(topic.name, prohibited));
        } else if times[&topic.name] == 1 {
            names.insert(topic.name.clone());
            wishes.push(Wish::of(topic));
        } else if names.insert(topic.name.clone()) {
            let twice = Refusal::because(ErrorCode::InvalidRequest, "the request names it twice");
            topics.push(refused(topic.name, twice));
        }
    }
    let wished: Vec<String> = wishes.iter().map(|wish| wish.name.clone()).collect();
    let results = match (time_for_change(request.timeout_ms), request.validate_only) {
        (None, _) => wished.iter().map(|_| Err(ErrorCode::RequestTimedOut.into())).collect(),
        (_, true) => plan_all(core, wishes).into_iter().map(|p| p.map(|(_, made)| made)).collect(),
        (Some(wait), false) => create(core, wishes, wait).await,
    };
    let answer = |(name, result)| match result {
        Ok(made) => created(core, version, name, made),
        Err(refusal) => refused(name, refusal),
    };
    topics.extend(wished.into_iter().zip(results).map(answer));
    CreateTopicsResponse { throttle_time_ms: 0, topics }
}

/// Makes topics. On return they are there on every shard, or it has taken longer than `wait`.
///
/// # Panics
/// If one of them is `__cluster_metadata`, which is the broker's own.
pub(crate) async fn create(
    core: &Rc<Core>,
    wishes: Vec<Wish>,
    wait: Duration,
) -> Vec<Result<Made, Refusal>> {
    let mut new = Vec::new();
    let mut planned = Vec::new();
    for plan in plan_all(core, wishes) {
        planned.push(plan.map(|(topic, made)| {
            new.push(topic);
            made
        }));
    }
    if new.is_empty() {
        return planned;
    }
    let count = new.len();
    let decided = match ask_for_change(core, Request::CreateTopics(new), wait).await {
        Ok(Reply::Topics(decided)) => decided,
        Ok(_) => unreachable!("topics are answered with topics"),
        Err(refusal) => vec![Err(refusal); count],
    };
    let mut decided = decided.into_iter();
    let mut decide = |made: Made| decided.next().expect("one answer a topic").map(|()| made);
    planned.into_iter().map(|plan| plan.and_then(&mut decide)).collect()
}

/// Checks all together against the limit, and each wish.
fn plan_all(core: &Core, wishes: Vec<Wish>) -> Vec<Result<(NewTopic, Made), Refusal>> {
    let view = core.view();
    let counts = wishes.iter().map(|wish| wish.partition_count(core));
    if let Err(refusal) = check_partition_count(counts.sum()) {
        return wishes.iter().map(|_| Err(refusal.clone())).collect();
    }
    let taken: BTreeMap<String, &str> =
        view.image.topics().map(|topic| (as_in_metrics(&topic.name), &*topic.name)).collect();
    let plan_one = |wish: Wish| {
        check_name(&view, &taken, &wish.name)?;
        plan(core, wish)
    };
    wishes.into_iter().map(plan_one).collect()
}

/// Checks how many partitions one request would make.
pub(super) fn check_partition_count(count: usize) -> Result<(), Refusal> {
    if count <= PARTITIONS_MAX {
        return Ok(());
    }
    // Kafka's words: by them a command knows what to advise.
    let why = "Excessively large number of partitions per request.";
    Err(Refusal::because(ErrorCode::PolicyViolation, why))
}

/// Checks a name by itself, and beside the `taken` ones as they look in metrics.
fn check_name(
    view: &ClusterView,
    taken: &BTreeMap<String, &str>,
    name: &str,
) -> Result<(), Refusal> {
    assert_ne!(name, METADATA_TOPIC, "who asks for it has been answered");
    check_topic_name(name).map_err(|e| Refusal::from(&e))?;
    if view.image.topic(name).is_some() {
        let why = format!("Topic '{name}' already exists.");
        return Err(Refusal::because(ErrorCode::TopicAlreadyExists, why));
    }
    match taken.get(&as_in_metrics(name)) {
        Some(other) if names_collide(name, other) => {
            let why = format!("Topic '{name}' collides with existing topic '{other}'.");
            Err(Refusal::because(ErrorCode::InvalidTopicException, why))
        }
        _ => Ok(()),
    }
}

/// Names that are one there collide ([`names_collide`]).
fn as_in_metrics(name: &str) -> String {
    name.replace('.', "_")
}

fn plan(core: &Core, wish: Wish) -> Result<(NewTopic, Made), Refusal> {
    let view = core.view();
    let configs = settings(wish.configs, core)?;
    let brokers: Vec<BrokerId> = view.image.brokers().map(|broker| broker.id).collect();
    let id = TopicId::from_random(core.shard.random_u64(), core.shard.random_u64());
    let partitions = if wish.assignments.is_empty() {
        let count = wish.partition_count.unwrap_or(core.config.partition_count as i32);
        let copies = wish.replication_factor.unwrap_or(core.config.replication_factor as i16);
        spread(&brokers, count, copies, &id)?
    } else if wish.partition_count.is_some() || wish.replication_factor.is_some() {
        let why = "with replicas assigned by hand, leave the two numbers at -1";
        return Err(Refusal::because(ErrorCode::InvalidRequest, why));
    } else {
        by_hand(&brokers, wish.assignments)?
    };
    let made = Made {
        id,
        partition_count: partitions.len(),
        replication_factor: partitions.first().map_or(0, Vec::len),
        configs: configs.clone(),
    };
    Ok((NewTopic { name: wish.name, id, partitions, configs }, made))
}

fn settings(
    given: Vec<(String, Option<String>)>,
    core: &Core,
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut configs = BTreeMap::new();
    for (name, value) in given {
        let null = || Refusal::because(ErrorCode::InvalidConfig, format!("{name} is null"));
        configs.insert(name.clone(), value.ok_or_else(null)?);
    }
    check_topic_settings(&configs, core.config.batch_size_max()).map_err(|e| Refusal::from(&e))?;
    Ok(configs)
}

fn spread(
    brokers: &[BrokerId],
    count: i32,
    copies: i16,
    id: &TopicId,
) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    let partitions = u32::try_from(count).ok().filter(|n| *n > 0).ok_or_else(|| {
        let why = format!("{count} partitions: one to {PARTITIONS_MAX} can be made at once");
        Refusal::because(ErrorCode::InvalidPartitions, why)
    })?;
    let wrong_copies = || {
        let why = format!("Replication factor {copies}, with {} brokers", brokers.len());
        Refusal::because(ErrorCode::InvalidReplicationFactor, why)
    };
    let copies = u16::try_from(copies).map_err(|_| wrong_copies())?;
    let start = u64::from_be_bytes(std::array::from_fn(|i| id.0[i]));
    spread_over_brokers(brokers, partitions, copies, start).ok_or_else(wrong_copies)
}

fn by_hand(
    brokers: &[BrokerId],
    assignments: Vec<CreatableReplicaAssignment>,
) -> Result<Vec<Vec<BrokerId>>, Refusal> {
    let wrong = |why: &str| Refusal::because(ErrorCode::InvalidReplicaAssignment, why);
    let count = assignments.len();
    let mut partitions: Vec<Vec<BrokerId>> = vec![Vec::new(); count];
    for assignment in assignments {
        let place = usize::try_from(assignment.partition_index).ok();
        let place = place.and_then(|index| partitions.get_mut(index));
        let place = place.ok_or_else(|| wrong("partitions are numbered from 0 without gaps"))?;
        let replicas: Vec<BrokerId> = assignment.broker_ids.into_iter().map(BrokerId).collect();
        check_replicas(brokers, &replicas)?;
        if !place.is_empty() {
            return Err(wrong("a partition is assigned twice"));
        }
        *place = replicas;
    }
    Ok(partitions)
}

/// Checks what somebody wants the replicas of a partition to be.
pub(super) fn check_replicas(brokers: &[BrokerId], replicas: &[BrokerId]) -> Result<(), Refusal> {
    let wrong = |why: &str| Err(Refusal::because(ErrorCode::InvalidReplicaAssignment, why));
    let distinct: BTreeSet<&BrokerId> = replicas.iter().collect();
    if replicas.is_empty() || distinct.len() != replicas.len() {
        return wrong("a partition needs brokers, each once");
    }
    if replicas.iter().any(|broker| !brokers.contains(broker)) {
        return wrong("a partition is assigned to a broker that is not there");
    }
    Ok(())
}

fn created(core: &Core, version: i16, name: String, made: Made) -> CreatableTopicResult {
    let config = |setting: TopicSetting| CreatableTopicConfigs {
        name: setting.name.into(),
        value: Some(setting.value),
        config_source: setting.source.number(),
        ..CreatableTopicConfigs::default()
    };
    let configs = match version {
        SETTINGS_FROM.. => core.config.topic_defaults.with(&made.configs).map(config).collect(),
        _ => Vec::new(),
    };
    CreatableTopicResult {
        name,
        topic_id: Uuid(made.id.0),
        error_message: None,
        num_partitions: made.partition_count as i32,
        replication_factor: made.replication_factor as i16,
        configs: Some(configs),
        ..CreatableTopicResult::default()
    }
}

fn refused(name: String, refusal: Refusal) -> CreatableTopicResult {
    // The list of settings stays empty, not null: a Java client would break on that.
    CreatableTopicResult {
        name,
        error_code: refusal.code.number(),
        error_message: refusal.message,
        ..CreatableTopicResult::default()
    }
}
