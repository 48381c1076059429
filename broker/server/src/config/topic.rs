//! A topic's settings: what it was given, over what the broker gives to all.

use std::collections::BTreeMap;
use std::fmt;

use record::TimestampType;
use replica::TimestampPolicy;

use super::keys::topic_key;
use super::{fits, wanted};

/// The settings that hold for a topic. Sizes are bytes, times milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `max.message.bytes`: of a whole batch.
    pub batch_size_max: u64,
    /// `min.insync.replicas`.
    pub min_insync_replicas: u32,
    /// `segment.bytes`.
    pub segment_size_bytes: u32,
    /// `segment.ms`.
    pub segment_ms: i64,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `segment.index.bytes`.
    pub index_size_bytes: u32,
    /// `message.timestamp.*`.
    pub timestamps: TimestampPolicy,
}

/// Where a setting of a topic comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The topic was given it.
    Topic,
    /// The broker was, for all topics.
    Broker,
    /// Nobody said anything.
    Default,
}

impl Source {
    /// Kafka's number for it (`ConfigSource`).
    pub fn number(self) -> i8 {
        match self {
            Source::Topic => 1,
            Source::Broker => 4,
            Source::Default => 5,
        }
    }
}

/// A setting as it holds for a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSetting {
    /// Which.
    pub name: &'static str,
    /// Its value, in text.
    pub value: String,
    /// Why it is that.
    pub source: Source,
}

/// What a topic has that sets nothing itself: every setting, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicDefaults(BTreeMap<&'static str, TopicSetting>);

impl TopicDefaults {
    /// Settings of all topic keys.
    pub(super) fn new(settings: impl IntoIterator<Item = TopicSetting>) -> TopicDefaults {
        TopicDefaults(settings.into_iter().map(|setting| (setting.name, setting)).collect())
    }

    /// The value of a topic key.
    pub(super) fn value(&self, name: &str) -> String {
        self.0.get(name).expect("every topic key has a default").value.clone()
    }

    /// Every setting of a topic that was `given` some, by name. As in Kafka, those of its own tests
    /// are not told.
    pub fn with<'a>(
        &'a self,
        given: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = TopicSetting> + 'a {
        let told = self.0.values().filter(|default| !default.name.starts_with("internal."));
        told.map(|default| match given.get(default.name) {
            Some(value) => TopicSetting { value: value.clone(), source: Source::Topic, ..*default },
            None => default.clone(),
        })
    }
}

/// Why a topic can't have a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicConfigError {
    /// No such setting.
    UnknownKey(String),
    /// A value that is none for its key.
    Value {
        /// Which setting.
        key: &'static str,
        /// What was given.
        value: String,
        /// What it should be.
        wanted: String,
    },
}

impl fmt::Display for TopicConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicConfigError::UnknownKey(key) => write!(f, "Unknown topic config name: {key}"),
            TopicConfigError::Value { key, value, wanted } => {
                write!(f, "Invalid value {value} for configuration {key}: {wanted}")
            }
        }
    }
}

/// Checks what a client wants to set for a topic. `batch_size_max` is the largest batch that a
/// shard can take.
pub fn check_topic_settings(
    given: &BTreeMap<String, String>,
    batch_size_max: u64,
) -> Result<(), TopicConfigError> {
    for (name, value) in given {
        let key = topic_key(name).ok_or_else(|| TopicConfigError::UnknownKey(name.clone()))?;
        let refuse =
            |wanted| TopicConfigError::Value { key: key.name, value: value.clone(), wanted };
        if !fits(key.kind, value) {
            let why = format!("{} ({})", wanted(key.kind), key.doc);
            return Err(refuse(why));
        }
        if key.name == "max.message.bytes" && value.parse().is_ok_and(|n: u64| n > batch_size_max) {
            return Err(refuse(format!(
                "this broker takes batches of up to {batch_size_max} bytes"
            )));
        }
    }
    Ok(())
}

impl TopicConfig {
    /// Puts what a topic was given over the broker's defaults. What does not fit its key any more,
    /// say because a newer broker wrote it, counts as not given.
    pub fn with(&self, given: &BTreeMap<String, String>) -> TopicConfig {
        let defaults = self.as_text();
        TopicConfig::from_checked(&|name| {
            let key = topic_key(name).expect("asked for by its own table");
            let own = given.get(name).filter(|value| fits(key.kind, value));
            own.cloned()
                .unwrap_or_else(|| defaults.get(name).unwrap_or(&key.default.into()).clone())
        })
    }

    /// Builds the settings from `value`, which answers every topic key with text that fits it.
    pub(super) fn from_checked(value: &dyn Fn(&str) -> String) -> TopicConfig {
        let number = |name: &str| -> i64 {
            value(name).parse().expect("checked against the kind, or the default")
        };
        let size = |name| u32::try_from(number(name)).expect("the table's range is within u32");
        let log_append_time = value("message.timestamp.type") == "LogAppendTime";
        let kind = match log_append_time {
            true => TimestampType::LogAppendTime,
            false => TimestampType::CreateTime,
        };
        TopicConfig {
            batch_size_max: u64::from(size("max.message.bytes")),
            min_insync_replicas: size("min.insync.replicas"),
            segment_size_bytes: size("segment.bytes"),
            segment_ms: number("segment.ms"),
            index_interval_bytes: size("index.interval.bytes"),
            index_size_bytes: size("segment.index.bytes"),
            timestamps: TimestampPolicy {
                kind,
                before_max_ms: number("message.timestamp.before.max.ms"),
                after_max_ms: number("message.timestamp.after.max.ms"),
            },
        }
    }

    fn as_text(&self) -> BTreeMap<&'static str, String> {
        let kind = match self.timestamps.kind {
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        };
        BTreeMap::from([
            ("max.message.bytes", self.batch_size_max.to_string()),
            ("min.insync.replicas", self.min_insync_replicas.to_string()),
            ("segment.bytes", self.segment_size_bytes.to_string()),
            ("segment.ms", self.segment_ms.to_string()),
            ("index.interval.bytes", self.index_interval_bytes.to_string()),
            ("segment.index.bytes", self.index_size_bytes.to_string()),
            ("message.timestamp.type", kind.into()),
            ("message.timestamp.before.max.ms", self.timestamps.before_max_ms.to_string()),
            ("message.timestamp.after.max.ms", self.timestamps.after_max_ms.to_string()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::{Scope, TOPIC_KEYS};
    use super::*;

    #[test]
    fn every_topic_key_names_a_broker_key_that_exists() {
        for key in TOPIC_KEYS {
            let Scope::Topic { broker_key } = key.scope else {
                panic!("{} is no topic key", key.name)
            };
            if let Some(name) = broker_key {
                assert!(super::super::keys::broker_key(name).is_some(), "{name}");
            }
            assert!(fits(key.kind, key.default), "{}={}", key.name, key.default);
        }
    }

    #[test]
    fn unknown_and_impossible_settings_are_refused() {
        let check = |key: &str, value: &str| {
            check_topic_settings(&BTreeMap::from([(key.into(), value.into())]), 1 << 20)
        };
        assert_eq!(check("retention.ms", "-1"), Ok(()));
        assert_eq!(check("no.such", "1"), Err(TopicConfigError::UnknownKey("no.such".into())));
        assert!(check("cleanup.policy", "compact").is_err());
        assert!(check("compression.type", "gzip").is_err());
        assert!(check("max.message.bytes", "1048577").is_err());
        assert!(check("segment.bytes", "many").is_err());
    }
}
