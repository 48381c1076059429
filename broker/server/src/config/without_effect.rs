//! The settings of Apache Kafka that this broker knows and does not obey: why each has no effect,
//! and which of them it refuses all the same, because to ignore them would cost data or safety.

use Standing::{Later, Never, Unsafe};

/// The settings of Apache Kafka 4.3.1: a line `broker NAME` or `topic NAME` for each.
const KAFKA_SETTINGS: &str = include_str!("kafka_settings.txt");

/// What becomes of settings that are not obeyed.
#[derive(Clone, Copy, Debug)]
pub enum Standing {
    /// What they rule is not there yet: a warning.
    Later,
    /// They rule something that this design does not have: a warning.
    Never,
    /// To ignore them would cost data or safety: refused, unless this says that the value asks for
    /// nothing that is missing. Then a warning.
    Unsafe(fn(&str) -> bool),
}

/// Settings with one reason to have no effect.
#[derive(Clone, Copy, Debug)]
pub struct WithoutEffect {
    /// Their names; one that ends with `*` stands for all that begin so.
    pub names: &'static [&'static str],
    /// What becomes of them.
    pub standing: Standing,
    /// The reason, for people.
    pub why: &'static str,
}

const fn group(
    standing: Standing,
    why: &'static str,
    names: &'static [&'static str],
) -> WithoutEffect {
    WithoutEffect { names, standing, why }
}

/// All of them. Where a name fits several, the longest pattern decides.
pub const WITHOUT_EFFECT: &[WithoutEffect] = &[
    group(
        Unsafe(is_empty),
        "there is no authorizer yet, so that everybody who can connect could read and write \
         everything; leave it out only where that may be",
        &["authorizer.class.name"],
    ),
    group(
        Unsafe(is_empty),
        "a policy written in Java can't be asked, and what it forbids would be allowed",
        &["create.topic.policy.class.name", "alter.config.policy.class.name"],
    ),
    group(
        Unsafe(is_empty),
        "values are taken as they are written, so that ${...} would not be replaced; write the \
         values themselves",
        &["config.providers"],
    ),
    group(
        Unsafe(has_both_roles),
        "a broker is its own controller and can't join others yet: write broker,controller",
        &["process.roles"],
    ),
    group(
        Unsafe(is_one_at_most),
        "there is one broker so far: it would stand alone, with the only copy of everything; name \
         one address, or leave it out",
        &["controller.quorum.voters", "controller.quorum.bootstrap.servers"],
    ),
    group(
        Never,
        "a shard does its own networking and I/O, one thread a core; see ringmain.shards",
        &["num.network.threads", "num.io.threads", "background.threads"],
    ),
    group(
        Never,
        "each shard recovers its own journal; see ringmain.journal.files.max",
        &["num.recovery.threads.per.data.dir"],
    ),
    group(
        Never,
        "requests are bounded by their bytes; see ringmain.request.bytes",
        &["queued.max.requests", "queued.max.request.bytes"],
    ),
    group(
        Never,
        "the kernel sizes the buffers and the backlog of a socket",
        &["socket.send.buffer.bytes", "socket.receive.buffer.bytes", "socket.listen.backlog.size"],
    ),
    group(
        Never,
        "every acknowledgement is synced already",
        &["log.flush.*", "offsets.commit.required.acks"],
    ),
    group(Never, "space is always taken beforehand", &["log.preallocate"]),
    group(Never, "a file goes when nobody reads it any more", &["log.segment.delete.delay.ms"]),
    group(
        Never,
        "a request that has waited is forgotten when it is answered",
        &[
            "producer.purgatory.purge.interval.requests",
            "fetch.purgatory.purge.interval.requests",
            "delete.records.purgatory.purge.interval.requests",
            "share.fetch.purgatory.purge.interval.requests",
        ],
    ),
    group(
        Never,
        "the broker itself decides when it looks for silent producers",
        &["producer.id.expiration.check.interval.ms"],
    ),
    group(Never, "batches are kept as they were sent", &["compression.*"]),
    group(
        Never,
        "old message formats are neither kept nor made",
        &["log.message.format.version", "log.message.downconversion.enable"],
    ),
    group(
        Never,
        "say log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms",
        &["log.message.timestamp.difference.max.ms"],
    ),
    group(
        Never,
        "there is one data folder; when it fails, the broker ends",
        &[
            "alter.log.dirs.*",
            "cordoned.log.dirs",
            "log.dir.failure.timeout.ms",
            "num.replica.alter.log.dirs.threads",
        ],
    ),
    group(Never, "the metadata's log lies in log.dirs, too", &["metadata.log.dir"]),
    group(
        Never,
        "a broker is its own controller; listeners of these names are not opened",
        &["controller.listener.names"],
    ),
    group(
        Never,
        "a broker is its own controller and a quorum of one",
        &[
            "controller.*",
            "control.plane.listener.name",
            "early.start.listeners",
            "initial.broker.registration.timeout.ms",
            "broker.heartbeat.interval.ms",
            "broker.session.timeout.ms",
            "server.max.startup.time.ms",
        ],
    ),
    group(Never, "there is no ZooKeeper", &["zookeeper.*"]),
    group(
        Never,
        "one protocol, of this version, is spoken",
        &["inter.broker.protocol.version", "unstable.*"],
    ),
    group(
        Never,
        "node.id is given, never made",
        &["broker.id.generation.enable", "reserved.broker.max.id"],
    ),
    group(Never, "only Kafka's own tests set it", &["internal.*", "log.initial.task.delay.ms"]),
    group(
        Later,
        "there is one broker",
        &[
            "auto.leader.rebalance.enable",
            "broker.rack",
            "controlled.shutdown.*",
            "inter.broker.listener.name",
            "leader.imbalance.*",
            "num.replica.fetchers",
            "replica.*",
            "replication.quota.*",
            "request.timeout.ms",
            "security.inter.broker.protocol",
            "socket.connection.setup.*",
            "unclean.leader.election.*",
        ],
    ),
    group(Later, "there is one listener, without TLS and SASL", &["listener.name.*"]),
    group(Later, "there is no TLS", &["ssl.*", "security.providers"]),
    group(
        Later,
        "nobody is authenticated",
        &[
            "sasl.*",
            "connection.failed.authentication.delay.ms",
            "connections.max.reauth.ms",
            "delegation.token.*",
            "password.encoder.*",
            "principal.builder.class",
        ],
    ),
    group(
        Later,
        "there is no authorizer: whoever can connect may do everything",
        &["super.users", "allow.everyone.if.no.acl.found"],
    ),
    group(Later, "there are no quotas", &["quota.*", "client.quota.callback.class"]),
    group(
        Later,
        "there are no fetch sessions: each fetch names its partitions",
        &["max.incremental.fetch.session.cache.slots"],
    ),
    group(
        Later,
        "the API that it limits is not there",
        &["max.request.partition.size.limit", "telemetry.max.bytes"],
    ),
    group(
        Later,
        "nothing is removed or compacted",
        &["log.cleanup.policy", "log.cleaner.*", "log.retention.check.interval.ms"],
    ),
    group(Later, "segments do not end at scattered times", &["log.roll.jitter.*"]),
    group(Later, "the metadata's log is kept whole", &["metadata.log.*", "metadata.max.*"]),
    group(
        Later,
        "nothing is moved to other storage: all of it stays in log.dirs",
        &[
            "remote.*",
            "rsm.config.*",
            "rlmm.config.*",
            "log.local.retention.*",
            "follower.fetch.last.tiered.offset.enable",
        ],
    ),
    group(
        Later,
        "there are no consumer groups",
        &["group.*", "offsets.*", "offset.metadata.max.bytes"],
    ),
    group(Later, "there are no share groups", &["group.share.*", "share.*"]),
    group(Later, "there are no streams groups", &["group.streams.*"]),
    group(
        Later,
        "there are no transactions",
        &["transaction.*", "transactional.id.expiration.ms", "add.partitions.to.txn.*"],
    ),
    group(Later, "there are no metrics", &["metric.reporters", "metrics.*", "kafka.metrics.*"]),
];

/// Settings that Kafka 4.3 does not list, and that its users' files may still hold: of Kafka 3, and
/// of what Kafka loads by name.
const BESIDE_KAFKAS_LIST: &[&str] = &[
    "allow.everyone.if.no.acl.found",
    "broker.id.generation.enable",
    "control.plane.listener.name",
    "controlled.shutdown.max.retries",
    "controlled.shutdown.retry.backoff.ms",
    "inter.broker.protocol.version",
    "leader.imbalance.per.broker.percentage",
    "log.message.downconversion.enable",
    "log.message.format.version",
    "log.message.timestamp.difference.max.ms",
    "offsets.commit.required.acks",
    "reserved.broker.max.id",
    "super.users",
];

/// Such settings whose names nobody can list.
const FAMILIES: &[&str] = &[
    "listener.name.",
    "metrics.jmx.",
    "password.encoder.",
    "rlmm.config.",
    "rsm.config.",
    "zookeeper.",
];

/// The names of all settings of Kafka's broker, in alphabetical order.
pub fn kafka_broker_settings() -> impl Iterator<Item = &'static str> {
    KAFKA_SETTINGS.lines().filter_map(|line| line.strip_prefix("broker "))
}

/// Why the setting `name` has no effect; nothing if it is not one that Kafka's users know.
pub(crate) fn without_effect(name: &str) -> Option<&'static WithoutEffect> {
    let listed = kafka_broker_settings().any(|known| known == name);
    let beside = BESIDE_KAFKAS_LIST.contains(&name);
    let familiar = FAMILIES.iter().any(|family| name.starts_with(family));
    if listed || beside || familiar { group_of(name) } else { None }
}

fn group_of(name: &str) -> Option<&'static WithoutEffect> {
    let fitting = |group: &'static WithoutEffect| {
        let lengths = group.names.iter().filter(|pattern| fits(name, pattern)).map(|p| p.len());
        lengths.max().map(|length| (length, group))
    };
    let fitting = WITHOUT_EFFECT.iter().filter_map(fitting);
    fitting.max_by_key(|(length, _)| *length).map(|(_, group)| group)
}

fn fits(name: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

fn is_empty(value: &str) -> bool {
    value.is_empty()
}

fn is_one_at_most(value: &str) -> bool {
    value.split(',').filter(|entry| !entry.trim().is_empty()).count() <= 1
}

fn has_both_roles(value: &str) -> bool {
    let names = |role| value.split(',').any(|entry| entry.trim() == role);
    names("broker") && names("controller")
}

#[cfg(test)]
mod tests {
    use super::super::keys::{OTHER_WAYS, TOPIC_KEYS, broker_key, topic_key};
    use super::*;

    fn is_obeyed(name: &str) -> bool {
        broker_key(name).is_some() || OTHER_WAYS.iter().any(|way| way.name == name)
    }

    #[test]
    fn every_broker_setting_of_kafka_is_obeyed_or_has_its_reason() {
        assert!(kafka_broker_settings().count() > 300);
        for name in kafka_broker_settings().chain(BESIDE_KAFKAS_LIST.iter().copied()) {
            match is_obeyed(name) {
                true => assert!(group_of(name).is_none(), "{name} is obeyed"),
                false => assert!(without_effect(name).is_some(), "{name} has no reason"),
            }
        }
        assert!(without_effect("zookeeper.set.acl").is_some());
        assert!(without_effect("group.share.no.such").is_none());
    }

    #[test]
    fn every_pattern_is_of_use() {
        let listed: Vec<_> = kafka_broker_settings().collect();
        for pattern in WITHOUT_EFFECT.iter().flat_map(|group| group.names) {
            let of_kafka = listed.iter().any(|name| fits(name, pattern));
            let beside = BESIDE_KAFKAS_LIST.iter().any(|name| fits(name, pattern));
            let family = FAMILIES.iter().any(|family| pattern.strip_suffix('*') == Some(family));
            assert!(of_kafka || beside || family, "nothing is called {pattern}");
        }
    }

    #[test]
    fn the_longest_pattern_decides() {
        assert_eq!(
            without_effect("group.share.max.size").unwrap().why,
            "there are no share groups"
        );
        assert_eq!(without_effect("group.max.size").unwrap().why, "there are no consumer groups");
    }

    #[test]
    fn every_topic_setting_of_kafka_is_taken() {
        let listed: Vec<_> =
            KAFKA_SETTINGS.lines().filter_map(|line| line.strip_prefix("topic ")).collect();
        for name in &listed {
            assert!(topic_key(name).is_some(), "{name}");
        }
        for key in TOPIC_KEYS {
            assert!(listed.contains(&key.name), "{} is none of Kafka's", key.name);
        }
    }
}
