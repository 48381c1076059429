//! DescribeConfigs: the settings of topics and of this broker, where each comes from, and what it
//! is for (KIP-133, KIP-226, KIP-569).

use std::collections::BTreeSet;
use std::rc::Rc;

use metadata::check_topic_name;
use protocol::ErrorCode;
use protocol::generated::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};

use super::alter_configs::{BROKER, TOPIC};
use crate::config::BrokerSetting;
use crate::config::keys::{BROKER_KEYS, Key, TOPIC_KEYS, topic_key};
use crate::config::topic::{Source, Synonym, TopicSetting};
use crate::error_codes::Refusal;
use crate::shard::Core;
use crate::view::ClusterView;

/// What an answer takes of each setting: its value, while it is made and when it is encoded.
const SETTING_BYTES: usize = 256;
/// And with the names and words that are told on request.
const EXPLAINED_SETTING_BYTES: usize = 640;
/// Copies of what a topic was given: the value's and the synonym's, in memory and encoded.
const COPIES_OF_VALUE: usize = 4;

/// What an answer takes while it is made and when it is encoded, at most.
pub(crate) fn answer_bytes(view: &ClusterView, request: &DescribeConfigsRequest) -> usize {
    let explained = request.include_synonyms || request.include_documentation;
    let each = if explained { EXPLAINED_SETTING_BYTES } else { SETTING_BYTES };
    let bytes = |resource: &DescribeConfigsResource| {
        let all = match resource.resource_type {
            TOPIC => TOPIC_KEYS.len(),
            BROKER => BROKER_KEYS.len(),
            // Refused, in the row that every resource has.
            _ => 0,
        };
        let count = wanted(resource).map_or(all, |names| names.len().min(all));
        let topic = view.image.topic(&resource.resource_name);
        let given = topic.filter(|_| resource.resource_type == TOPIC).map(|topic| &topic.configs);
        let text: usize = given.iter().flat_map(|given| given.values()).map(String::len).sum();
        count * each + text * COPIES_OF_VALUE
    };
    request.resources.iter().map(bytes).sum()
}

/// Answers for each resource, in the order of the request.
pub(crate) fn handle(core: &Rc<Core>, request: DescribeConfigsRequest) -> DescribeConfigsResponse {
    let tell =
        Tell { synonyms: request.include_synonyms, documentation: request.include_documentation };
    let answer = |resource| answer(core, resource, tell);
    let results = request.resources.into_iter().map(answer).collect();
    DescribeConfigsResponse { throttle_time_ms: 0, results }
}

/// What is told of a setting besides its value.
#[derive(Clone, Copy)]
struct Tell {
    synonyms: bool,
    documentation: bool,
}

/// A setting as it holds, whosever it is.
struct Setting<'a> {
    key: &'static Key,
    value: &'a str,
    source: Source,
    synonyms: Vec<Synonym>,
}

fn answer(core: &Core, resource: DescribeConfigsResource, tell: Tell) -> DescribeConfigsResult {
    let described = match resource.resource_type {
        TOPIC => describe_topic(core, &resource, tell),
        BROKER => describe_broker(core, &resource, tell),
        other => {
            let why = "topics (2) and brokers (4) have settings";
            let why = format!("Unsupported resource type: {other}; {why}");
            Err(Refusal::because(ErrorCode::InvalidRequest, why))
        }
    };
    let answered = DescribeConfigsResult {
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
        ..DescribeConfigsResult::default()
    };
    match described {
        Ok(configs) => DescribeConfigsResult { configs, ..answered },
        Err(refusal) => DescribeConfigsResult {
            error_code: refusal.code.number(),
            error_message: refusal.message,
            ..answered
        },
    }
}

fn describe_topic(
    core: &Core,
    resource: &DescribeConfigsResource,
    tell: Tell,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    check_topic_name(&resource.resource_name).map_err(|e| Refusal::from(&e))?;
    let view = core.view();
    let topic = view.image.topic(&resource.resource_name);
    let topic = topic.ok_or_else(|| {
        let why = "This server does not host this topic-partition.";
        Refusal::because(ErrorCode::UnknownTopicOrPartition, why)
    })?;
    let defaults = &core.config.topic_defaults;
    let wanted = wanted(resource);
    let told = defaults.with(&topic.configs).filter(|setting| is_wanted(&wanted, setting.name));
    let describe = |TopicSetting { name, value, source }: TopicSetting| {
        let key = topic_key(name).expect("the defaults are of the table");
        let own = Synonym { name, value: value.clone(), source };
        let own = (source == Source::Topic).then_some(own);
        let synonyms = own.into_iter().chain(defaults.synonyms(name).iter().cloned()).collect();
        entry(Setting { key, value: &value, source, synonyms }, tell)
    };
    Ok(told.map(describe).collect())
}

fn describe_broker(
    core: &Core,
    resource: &DescribeConfigsResource,
    tell: Tell,
) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let invalid = |why: String| Err(Refusal::because(ErrorCode::InvalidRequest, why));
    let (name, own) = (&resource.resource_name, core.config.broker.0);
    // No name stands for what all brokers are told while they run: nothing can be.
    if name.is_empty() {
        return Ok(Vec::new());
    }
    match name.parse::<i32>() {
        Err(_) => return invalid(format!("Broker id must be an integer, but it is: {name}")),
        Ok(id) if id != own => {
            return invalid(format!(
                "Unexpected broker id, expected {own} or empty string, but received {name}"
            ));
        }
        Ok(_) => {}
    }
    let wanted = wanted(resource);
    let settings = core.config.broker_settings.iter();
    let told = settings.filter(|setting| is_wanted(&wanted, setting.key.name));
    let describe = |setting: &BrokerSetting| {
        let BrokerSetting { key, value, source, synonyms } = setting;
        entry(Setting { key, value, source: *source, synonyms: synonyms.clone() }, tell)
    };
    Ok(told.map(describe).collect())
}

/// The names that are asked for; none for all of them, as an empty list means, too.
fn wanted(resource: &DescribeConfigsResource) -> Option<BTreeSet<&str>> {
    let names = resource.configuration_keys.as_ref().filter(|names| !names.is_empty())?;
    Some(names.iter().map(String::as_str).collect())
}

fn is_wanted(wanted: &Option<BTreeSet<&str>>, name: &str) -> bool {
    wanted.as_ref().is_none_or(|names| names.contains(name))
}

fn entry(setting: Setting<'_>, tell: Tell) -> DescribeConfigsResourceResult {
    let Setting { key, value, source, synonyms } = setting;
    let synonym = |synonym: Synonym| DescribeConfigsSynonym {
        name: synonym.name.into(),
        value: Some(synonym.value),
        source: synonym.source.number(),
    };
    DescribeConfigsResourceResult {
        name: key.name.into(),
        value: Some(value.into()),
        read_only: key.is_read_only(),
        config_source: source.number(),
        synonyms: match tell.synonyms {
            true => synonyms.into_iter().map(synonym).collect(),
            false => Vec::new(),
        },
        config_type: key.kind.number(),
        documentation: tell.documentation.then(|| key.doc.into()),
        ..DescribeConfigsResourceResult::default()
    }
}
