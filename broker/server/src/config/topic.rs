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

/// A value of a setting under one of its names: as long as it is given, it holds over those that
/// come behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The name.
    pub name: &'static str,
    /// The value, in text.
    pub value: String,
    /// Who gave it.
    pub source: Source,
}

/// What a topic has that sets nothing itself: every setting, by name, and what the broker says of
/// it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicDefaults(BTreeMap<&'static str, (TopicSetting, Vec<Synonym>)>);

impl TopicDefaults {
    /// Settings of all topic keys.
    pub(super) fn new(
        settings: impl IntoIterator<Item = (TopicSetting, Vec<Synonym>)>,
    ) -> TopicDefaults {
        TopicDefaults(settings.into_iter().map(|entry| (entry.0.name, entry)).collect())
    }

    /// The value of a topic key.
    pub(super) fn value(&self, name: &str) -> String {
        self.0.get(name).expect("every topic key has a default").0.value.clone()
    }

    /// What holds for a topic key if the topic sets nothing, the one that wins first.
    pub fn synonyms(&self, name: &str) -> &[Synonym] {
        self.0.get(name).map_or(&[], |(_, synonyms)| synonyms)
    }

    /// Every setting of a topic that was `given` some, by name. As in Kafka, those of its own tests
    /// are not told.
    pub fn with<'a>(
        &'a self,
        given: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = TopicSetting> + 'a {
        let defaults = self.0.values().map(|(default, _)| default);
        let told = defaults.filter(|default| !default.name.starts_with("internal."));
        told.map(|default| match given.get(default.name) {
            Some(value) => TopicSetting { value: value.clone(), source: Source::Topic, ..*default },
            None => default.clone(),
        })
    }
}

/// The longest value of a topic's setting: Kafka's. Every shard has all of them in memory.
pub(crate) const VALUE_BYTES_MAX: usize = i16::MAX as usize;

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
    /// A value that is longer than a topic may have one.
    TooLong {
        /// Which setting.
        key: &'static str,
        /// How long it is.
        size_bytes: usize,
    },
}

impl fmt::Display for TopicConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicConfigError::UnknownKey(key) => write!(f, "Unknown topic config name: {key}"),
            TopicConfigError::Value { key, value, wanted } => {
                write!(f, "Invalid value {value} for configuration {key}: {wanted}")
            }
            TopicConfigError::TooLong { key, size_bytes } => write!(
                f,
                "Invalid value of {size_bytes} bytes for configuration {key}: it may have \
                 {VALUE_BYTES_MAX}"
            ),
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
        let size_bytes = value.len();
        if size_bytes > VALUE_BYTES_MAX {
            return Err(TopicConfigError::TooLong { key: key.name, size_bytes });
        }
        if !fits(key.kind, value) {
            let why = format!("{} ({})", wanted(key.kind), key.doc);
            return Err(refuse(why));
        }
        if key.name == "max.message.bytes" && value.parse().is_ok_and(|n: u64| n > batch_size_max) {
            return Err(refuse(format!(
                "this broker takes batches of up to {batch_size_max} bytes; raise \
                 ringmain.journal.file.bytes, and ringmain.tail.bytes to four times that"
            )));
        }
    }
    Ok(())
}

/// What to say of settings that a topic was given and that are not obeyed: `name=value`, and why.
pub fn not_obeyed<'a>(
    given: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> impl Iterator<Item = String> {
    given.into_iter().filter_map(|(name, value)| {
        let why = topic_key(name)?.not_obeyed(value)?;
        Some(format!("{name}={value} is stored and told, but not obeyed yet: {why}"))
    })
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
    use super::super::without_effect::kafka_broker_settings;
    use super::*;

    #[test]
    fn every_topic_key_names_a_broker_key_that_exists() {
        for key in TOPIC_KEYS {
            let Scope::Topic { broker_key } = key.scope else {
                panic!("{} is no topic key", key.name)
            };
            if let Some(name) = broker_key {
                let is_ours = super::super::keys::broker_key(name).is_some();
                let is_kafkas = kafka_broker_settings().any(|kafkas| kafkas == name);
                assert!(is_ours || is_kafkas, "{name}");
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
        let too_large = check("max.message.bytes", "1048577").unwrap_err().to_string();
        for name in ["ringmain.journal.file.bytes", "ringmain.tail.bytes"] {
            assert!(too_large.contains(name), "{too_large}");
        }
        assert!(check("segment.bytes", "many").is_err());
        let throttled = "leader.replication.throttled.replicas";
        assert_eq!(check(throttled, &"x".repeat(VALUE_BYTES_MAX)), Ok(()));
        let too_long =
            TopicConfigError::TooLong { key: throttled, size_bytes: VALUE_BYTES_MAX + 1 };
        assert_eq!(check(throttled, &"x".repeat(VALUE_BYTES_MAX + 1)), Err(too_long));
    }
}
