//! AlterConfigs, which replaces all that a topic was given, and what it shares with
//! IncrementalAlterConfigs (KIP-133, KIP-339).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use metadata::{Topic, check_topic_name};
use protocol::ErrorCode;
use protocol::generated::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};

use crate::config::topic::check_topic_settings;
use crate::error_codes::Refusal;
use crate::message::{Reply, Request, TopicConfigChanges};
use crate::router::ask_for_change;
use crate::shard::Core;

/// The number of topics among the kinds of resources that have settings.
pub(super) const TOPIC: i8 = 2;
/// The number of brokers.
pub(super) const BROKER: i8 = 4;
/// How long a change may take; the request does not say. As long as clients wait by default.
const CHANGE_WAIT: Duration = Duration::from_secs(30);

/// What somebody wants to change of one resource.
pub(super) struct Alteration {
    /// The kind of resource.
    pub(super) kind: i8,
    /// Its name.
    pub(super) name: String,
    /// The names of the settings, as often as they were given.
    pub(super) keys: Vec<String>,
    /// Those that need a value and have none.
    pub(super) without_value: Vec<String>,
    /// What the settings are to be, from what the topic was given so far.
    pub(super) plan: Plan,
}

/// What follows from wishes that are good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// They are done.
    Change,
    /// Nothing: the client only asks whether they are good.
    Nothing,
}

/// Works out what a topic is given from now on.
pub(super) type Plan = Box<dyn FnOnce(&Settings) -> Result<Settings, Refusal>>;

/// What a topic was given.
pub(super) type Settings = BTreeMap<String, String>;

/// The answer for one resource.
pub(super) struct Altered {
    /// The kind of resource.
    pub(super) kind: i8,
    /// Its name.
    pub(super) name: String,
    /// The code.
    pub(super) error_code: i16,
    /// Why not, and what to do.
    pub(super) error_message: Option<String>,
}

/// Answers when every shard follows the new settings.
pub(crate) async fn handle(core: &Rc<Core>, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let wishes = request.resources.into_iter().map(replacement).collect();
    let then = if request.validate_only { Then::Nothing } else { Then::Change };
    let altered = alter(core, wishes, then).await;
    let answer = |altered: Altered| AlterConfigsResourceResponse {
        error_code: altered.error_code,
        error_message: altered.error_message,
        resource_type: altered.kind,
        resource_name: altered.name,
    };
    let responses = altered.into_iter().map(answer).collect();
    AlterConfigsResponse { throttle_time_ms: 0, responses }
}

fn replacement(resource: AlterConfigsResource) -> Alteration {
    let without_value = resource.configs.iter().filter(|config| config.value.is_none());
    let without_value = without_value.map(|config| config.name.clone()).collect();
    let keys = resource.configs.iter().map(|config| config.name.clone()).collect();
    let configs = resource.configs.into_iter();
    let new: Settings = configs.filter_map(|config| Some((config.name, config.value?))).collect();
    Alteration {
        kind: resource.resource_type,
        name: resource.resource_name,
        keys,
        without_value,
        plan: Box::new(move |_| Ok(new)),
    }
}

/// Checks each wish by itself, and has shard 0 decide on all that are good. The answers come in
/// the order of the wishes.
pub(super) async fn alter(core: &Rc<Core>, wishes: Vec<Alteration>, then: Then) -> Vec<Altered> {
    let mut times: BTreeMap<(i8, String), u32> = BTreeMap::new();
    for wish in &wishes {
        *times.entry((wish.kind, wish.name.clone())).or_default() += 1;
    }
    let mut changes = Vec::new();
    let mut planned = Vec::new();
    for wish in wishes {
        let (kind, name) = (wish.kind, wish.name.clone());
        let plan = match times[&(kind, name.clone())] {
            1 => plan(core, wish),
            _ => invalid("Each resource must appear at most once."),
        };
        let place = plan.map(|change| {
            let change = change.filter(|change| !change.changes.is_empty())?;
            if then == Then::Nothing {
                return None;
            }
            changes.push(change);
            Some(changes.len() - 1)
        });
        planned.push((kind, name, place));
    }
    let decided = decide(core, changes).await;
    let answer = |(kind, name, place): (i8, String, Result<Option<usize>, Refusal>)| {
        let result = place.and_then(|place| place.map_or(Ok(()), |place| decided[place].clone()));
        let refusal = result.err();
        let error_code = refusal.as_ref().map_or(ErrorCode::None, |refusal| refusal.code);
        let error_message = refusal.and_then(|refusal| refusal.message);
        Altered { kind, name, error_code: error_code.number(), error_message }
    };
    planned.into_iter().map(answer).collect()
}

/// What is to be changed of a topic, nothing where nothing is to be changed at all. Kafka's order:
/// the request's form, the values, and only then whether there is such a topic.
fn plan(core: &Core, wish: Alteration) -> Result<Option<TopicConfigChanges>, Refusal> {
    let Alteration { kind, name, keys, without_value, plan } = wish;
    let distinct: BTreeSet<&String> = keys.iter().collect();
    if distinct.len() < keys.len() {
        return invalid("Error due to duplicate config keys");
    }
    if !without_value.is_empty() {
        return invalid(format!("Null value not supported for : {}", without_value.join(", ")));
    }
    match kind {
        TOPIC if name.is_empty() => return invalid("Default topic resources are not allowed."),
        TOPIC => {}
        BROKER => return check_broker(core, &name, &keys).map(|()| None),
        other => {
            let why = "topics (2) have settings that can be altered";
            return invalid(format!("Unknown resource type {other}: {why}"));
        }
    }
    let view = core.view();
    let topic = view.image.topic(&name);
    let none = Settings::new();
    let old = topic.map_or(&none, |topic| &topic.configs);
    let new = plan(old)?;
    check_topic_name(&name).map_err(|e| Refusal::from(&e))?;
    check_topic_settings(&new, core.config.batch_size_max()).map_err(|e| Refusal::from(&e))?;
    let topic = topic.ok_or_else(|| {
        let why = format!("The topic '{name}' does not exist.");
        Refusal::because(ErrorCode::UnknownTopicOrPartition, why)
    })?;
    Ok(Some(TopicConfigChanges { topic: topic.id, changes: difference(topic, new) }))
}

/// What makes `new` of what a topic was given so far.
fn difference(topic: &Topic, new: Settings) -> BTreeMap<String, Option<String>> {
    let old = &topic.configs;
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    let mut changes: BTreeMap<_, _> = gone.map(|name| (name.clone(), None)).collect();
    let changed = new.into_iter().filter(|(name, value)| old.get(name) != Some(value));
    changes.extend(changed.map(|(name, value)| (name, Some(value))));
    changes
}

/// Nothing of a broker can be changed while it runs.
fn check_broker(core: &Core, name: &str, keys: &[String]) -> Result<(), Refusal> {
    let own = core.config.broker.0;
    match name.parse::<i32>() {
        Ok(id) if id != own => {
            return invalid(format!("Unexpected broker id, expected {own}, but received {name}"));
        }
        Err(_) if !name.is_empty() => {
            return invalid(format!("Node id must be an integer, but it is: {name}"));
        }
        _ => {}
    }
    match keys.is_empty() {
        true => Ok(()),
        false => invalid(format!(
            "Cannot update these configs dynamically: {}: give them to the broker when it starts",
            keys.join(", ")
        )),
    }
}

async fn decide(core: &Rc<Core>, changes: Vec<TopicConfigChanges>) -> Vec<Result<(), Refusal>> {
    if changes.is_empty() {
        return Vec::new();
    }
    let count = changes.len();
    let request = Request::ChangeTopicConfigs(changes);
    match ask_for_change(core, request, CHANGE_WAIT).await {
        Ok(Reply::Topics(decided)) => decided,
        Ok(_) => unreachable!("topics are answered with topics"),
        Err(refusal) => vec![Err(refusal); count],
    }
}

fn invalid<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::because(ErrorCode::InvalidRequest, why))
}
