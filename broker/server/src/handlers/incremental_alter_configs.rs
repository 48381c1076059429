//! IncrementalAlterConfigs: changes of single settings (KIP-339).

use std::collections::BTreeSet;
use std::rc::Rc;

use protocol::ErrorCode;
use protocol::generated::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use super::alter_configs::{Alteration, Altered, Settings, Then, alter};
use crate::config::keys::topic_key;
use crate::config::topic::VALUE_BYTES_MAX;
use crate::error_codes::Refusal;
use crate::shard::Core;

/// The number of the operation that gives a setting a value.
const SET: i8 = 0;
/// The one that takes it away, so that the broker's default holds again.
const DELETE: i8 = 1;
/// The one that adds words to a list.
const APPEND: i8 = 2;
/// The one that takes words out of a list.
const SUBTRACT: i8 = 3;

/// Answers when every shard follows the new settings.
pub(crate) async fn handle(
    core: &Rc<Core>,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let wishes = request.resources.into_iter().map(alteration).collect();
    let then = if request.validate_only { Then::Nothing } else { Then::Change };
    let altered = alter(core, wishes, then).await;
    let answer = |altered: Altered| AlterConfigsResourceResponse {
        error_code: altered.error_code,
        error_message: altered.error_message,
        resource_type: altered.kind,
        resource_name: altered.name,
    };
    let responses = altered.into_iter().map(answer).collect();
    IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses }
}

fn alteration(resource: AlterConfigsResource) -> Alteration {
    let AlterConfigsResource { resource_type, resource_name, configs } = resource;
    let needs_value = |config: &&AlterableConfig| config.config_operation != DELETE;
    let without_value = configs.iter().filter(needs_value).filter(|config| config.value.is_none());
    Alteration {
        kind: resource_type,
        name: resource_name,
        without_value: without_value.map(|config| config.name.clone()).collect(),
        keys: configs.iter().map(|config| config.name.clone()).collect(),
        plan: Box::new(move |old| apply(old, configs)),
    }
}

fn apply(old: &Settings, changes: Vec<AlterableConfig>) -> Result<Settings, Refusal> {
    let mut new = old.clone();
    for AlterableConfig { name, config_operation, value } in changes {
        // Only a deletion may have none: that has been checked.
        let value = value.unwrap_or_default();
        match config_operation {
            SET => {
                new.insert(name, value);
            }
            DELETE => {
                new.remove(&name);
            }
            APPEND | SUBTRACT => {
                let words = words_of(&name, config_operation, &new)?;
                // What is too long for a value changes nothing: it is refused as one.
                if value.len() > VALUE_BYTES_MAX {
                    new.insert(name, value);
                    continue;
                }
                new.insert(name, change_words(words, config_operation, &value).join(","));
            }
            other => {
                let why = format!("Unknown operation {other} on {name}: there are 0 to 3");
                return Err(Refusal::because(ErrorCode::InvalidRequest, why));
            }
        }
    }
    Ok(new)
}

/// The words of a list as it holds: as in Kafka over the default, not over what the broker was
/// given.
fn words_of(name: &str, operation: i8, configs: &Settings) -> Result<Vec<String>, Refusal> {
    let Some(key) = topic_key(name).filter(|key| key.kind.is_list()) else {
        let verb = if operation == APPEND { "APPEND" } else { "SUBTRACT" };
        let why = format!("Can't {verb} to key {name} because its type is not LIST.");
        return Err(Refusal::because(ErrorCode::InvalidConfig, why));
    };
    let text = configs.get(name).map_or(key.default, String::as_str);
    Ok(text.split(',').filter(|word| !word.is_empty()).map(String::from).collect())
}

fn change_words(mut words: Vec<String>, operation: i8, value: &str) -> Vec<String> {
    if operation == SUBTRACT {
        let gone: BTreeSet<&str> = value.split(',').collect();
        words.retain(|word| !gone.contains(word.as_str()));
        return words;
    }
    let mut known: BTreeSet<String> = words.iter().cloned().collect();
    let added = value.split(',').filter(|word| known.insert(word.to_string()));
    words.extend(added.map(String::from));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "leader.replication.throttled.replicas";

    fn applied(old: &[(&str, &str)], changes: &[(&str, i8, &str)]) -> Result<Settings, ErrorCode> {
        let old = old.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let change = |(name, operation, value): &(&str, i8, &str)| AlterableConfig {
            name: name.to_string(),
            config_operation: *operation,
            value: Some(value.to_string()),
        };
        apply(&old, changes.iter().map(change).collect()).map_err(|refusal| refusal.code)
    }

    #[test]
    fn single_settings_change_and_the_others_stay() {
        let new = applied(&[("a", "1"), ("b", "2")], &[("a", SET, "3"), ("b", DELETE, "")]);
        assert_eq!(new.unwrap(), Settings::from([("a".into(), "3".into())]));
    }

    #[test]
    fn words_are_added_once_and_taken_out_of_lists_only() {
        let list = |value: &str| Settings::from([(LIST.into(), value.into())]);
        for (old, operation, value, expect) in [
            ("0:1", APPEND, "0:2,0:1,0:3", "0:1,0:2,0:3"),
            ("0:1,0:2", SUBTRACT, "0:1,0:9", "0:2"),
            ("0:1", SUBTRACT, "0:1", ""),
        ] {
            let new = applied(&[(LIST, old)], &[(LIST, operation, value)]);
            assert_eq!(new.unwrap(), list(expect), "{old} {operation} {value}");
        }
        assert_eq!(applied(&[], &[(LIST, APPEND, "0:1")]).unwrap(), list("0:1"));
        for (name, operation) in [("segment.ms", APPEND), ("no.such", SUBTRACT)] {
            let refused = applied(&[], &[(name, operation, "1")]);
            assert_eq!(refused, Err(ErrorCode::InvalidConfig));
        }
        assert_eq!(applied(&[], &[("a", 4, "1")]), Err(ErrorCode::InvalidRequest));
    }
}
