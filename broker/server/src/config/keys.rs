//! The one table of settings: everything that parses, checks, describes or documents a setting
//! reads it.

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number from `min` to `max`.
    Number {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Any text but the empty one.
    Text,
    /// Any text, also none.
    OptionalText,
}

/// Where a setting may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For the broker, at its start.
    Broker,
    /// For a topic; the broker's setting of this name is its default.
    Topic {
        /// The broker's setting that gives the default, none for a fixed one.
        broker_key: Option<&'static str>,
    },
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Kafka's name for it, or `ringmain.…`.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// Its value if nobody gives one.
    pub default: &'static str,
    /// Where it may be given.
    pub scope: Scope,
    /// One line for people.
    pub doc: &'static str,
}

const fn broker(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default, scope: Scope::Broker, doc }
}

const fn topic(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    broker_key: Option<&'static str>,
    doc: &'static str,
) -> Key {
    Key { name, kind, default, scope: Scope::Topic { broker_key }, doc }
}

const fn number(min: i64, max: i64) -> Kind {
    Kind::Number { min, max }
}

const I32_MAX: i64 = i32::MAX as i64;
const ANY_TIME: Kind = number(0, i64::MAX);
const TIMESTAMP_TYPES: Kind = Kind::Choice(&["CreateTime", "LogAppendTime"]);

/// The broker's settings, in the order in which they are described.
pub const BROKER_KEYS: &[Key] = &[
    broker("node.id", number(0, I32_MAX), "1", "this broker's number in the cluster"),
    broker(
        "listeners",
        Kind::Text,
        "PLAINTEXT://127.0.0.1:9092",
        "where to listen, PLAINTEXT://host:port; an empty host means every interface",
    ),
    broker(
        "advertised.listeners",
        Kind::OptionalText,
        "",
        "the address that clients are told to connect to, if it is another than the listener's",
    ),
    broker("log.dirs", Kind::Text, "data", "the data folder: one, on one device"),
    broker("ringmain.shards", Kind::Text, "auto", "one shard a core (auto), or how many"),
    broker(
        "ringmain.journal.file.bytes",
        number(1 << 20, 1 << 30),
        "16777216",
        "the size of a journal file; a batch must fit one",
    ),
    broker(
        "ringmain.journal.files.max",
        number(3, 1024),
        "32",
        "how many journal files a shard may have: what a start reads back",
    ),
    broker(
        "ringmain.journal.mark.delay.ms",
        number(1, 60_000),
        "5",
        "how long after its last sync an idle journal notes that it was synced",
    ),
    broker(
        "ringmain.tail.bytes",
        number(1 << 20, 1 << 40),
        "67108864",
        "memory for a shard's newest batches; a batch may take a quarter of it",
    ),
    broker(
        "ringmain.request.bytes",
        number(1 << 20, 1 << 40),
        "134217728",
        "memory for the requests that a shard is reading and handling",
    ),
    broker(
        "ringmain.disk.reserve.bytes",
        number(0, 1 << 50),
        "67108864",
        "free space below which the broker takes no more records",
    ),
    broker("num.partitions", number(1, 10_000), "1", "partitions of a topic that names no number"),
    broker(
        "default.replication.factor",
        number(1, 1),
        "1",
        "copies of a topic that names no number",
    ),
    broker(
        "auto.create.topics.enable",
        Kind::Switch,
        "true",
        "whether a client's asking makes a topic",
    ),
    broker("message.max.bytes", number(0, I32_MAX), "1048588", "the largest record batch"),
    broker("min.insync.replicas", number(1, I32_MAX), "1", "in-sync copies that acks=all needs"),
    broker("log.segment.bytes", number(1 << 14, I32_MAX), "1073741824", "the size of a segment"),
    broker("log.roll.ms", number(1, i64::MAX), "604800000", "the time span of a segment"),
    broker(
        "log.index.interval.bytes",
        number(0, I32_MAX),
        "4096",
        "bytes of log to an index entry",
    ),
    broker("log.index.size.max.bytes", number(4096, I32_MAX), "10485760", "the size of an index"),
    broker("log.retention.ms", number(-1, i64::MAX), "604800000", "stored; nothing is removed yet"),
    broker("log.retention.bytes", number(-1, i64::MAX), "-1", "stored; nothing is removed yet"),
    broker("log.message.timestamp.type", TIMESTAMP_TYPES, "CreateTime", "who stamps records"),
    broker(
        "log.message.timestamp.before.max.ms",
        ANY_TIME,
        "9223372036854775807",
        "how far back a producer's timestamp may lie",
    ),
    broker(
        "log.message.timestamp.after.max.ms",
        ANY_TIME,
        "3600000",
        "how far ahead a producer's timestamp may lie",
    ),
    broker(
        "producer.id.expiration.ms",
        number(1, i64::MAX),
        "86400000",
        "how long an idempotent producer that is silent is remembered",
    ),
    broker("socket.request.max.bytes", number(1024, I32_MAX), "104857600", "the largest request"),
    broker(
        "fetch.max.bytes",
        number(1024, I32_MAX),
        "57671680",
        "the most bytes in one fetch response",
    ),
];

/// The settings of a topic.
pub const TOPIC_KEYS: &[Key] = &[
    topic(
        "max.message.bytes",
        number(0, I32_MAX),
        "1048588",
        Some("message.max.bytes"),
        "the largest record batch",
    ),
    topic(
        "min.insync.replicas",
        number(1, I32_MAX),
        "1",
        Some("min.insync.replicas"),
        "in-sync copies that acks=all needs",
    ),
    topic(
        "segment.bytes",
        number(1 << 14, I32_MAX),
        "1073741824",
        Some("log.segment.bytes"),
        "the size of a segment",
    ),
    topic(
        "segment.ms",
        number(1, i64::MAX),
        "604800000",
        Some("log.roll.ms"),
        "the time span of a segment",
    ),
    topic(
        "index.interval.bytes",
        number(0, I32_MAX),
        "4096",
        Some("log.index.interval.bytes"),
        "bytes of log to an index entry",
    ),
    topic(
        "segment.index.bytes",
        number(4096, I32_MAX),
        "10485760",
        Some("log.index.size.max.bytes"),
        "the size of an index",
    ),
    topic(
        "message.timestamp.type",
        TIMESTAMP_TYPES,
        "CreateTime",
        Some("log.message.timestamp.type"),
        "who stamps records",
    ),
    topic(
        "message.timestamp.before.max.ms",
        ANY_TIME,
        "9223372036854775807",
        Some("log.message.timestamp.before.max.ms"),
        "how far back a producer's timestamp may lie",
    ),
    topic(
        "message.timestamp.after.max.ms",
        ANY_TIME,
        "3600000",
        Some("log.message.timestamp.after.max.ms"),
        "how far ahead a producer's timestamp may lie",
    ),
    topic(
        "retention.ms",
        number(-1, i64::MAX),
        "604800000",
        Some("log.retention.ms"),
        "stored; nothing is removed yet",
    ),
    topic(
        "retention.bytes",
        number(-1, i64::MAX),
        "-1",
        Some("log.retention.bytes"),
        "stored; nothing is removed yet",
    ),
    topic(
        "cleanup.policy",
        Kind::Choice(&["delete"]),
        "delete",
        None,
        "compaction is not there yet",
    ),
    topic(
        "compression.type",
        Kind::Choice(&["producer"]),
        "producer",
        None,
        "batches are kept as they were sent",
    ),
    topic("delete.retention.ms", ANY_TIME, "86400000", None, "of compacted topics"),
    topic(
        "file.delete.delay.ms",
        ANY_TIME,
        "60000",
        None,
        "accepted; files go when nobody reads them",
    ),
    topic(
        "flush.messages",
        number(1, i64::MAX),
        "9223372036854775807",
        None,
        "every ack is synced",
    ),
    topic("flush.ms", ANY_TIME, "9223372036854775807", None, "every acknowledgement is synced"),
    topic("preallocate", Kind::Switch, "false", None, "accepted; space is always taken beforehand"),
    topic(
        "unclean.leader.election.enable",
        Kind::Switch,
        "false",
        None,
        "accepted; it needs several brokers",
    ),
];

/// Settings of Apache Kafka that mean nothing here, and why. They are accepted, with these words in
/// the log.
pub const WITHOUT_MEANING: &[(&str, &str)] = &[
    ("broker.id", "say node.id"),
    ("num.network.threads", "a shard does its own networking; see ringmain.shards"),
    ("num.io.threads", "a shard does its own I/O; see ringmain.shards"),
    ("background.threads", "background tasks run on the shards, with a share of their own"),
    ("num.replica.fetchers", "copies travel over one connection for each pair of shards"),
    ("num.recovery.threads.per.data.dir", "each shard recovers its own journal"),
    ("log.flush.interval.messages", "every acknowledgement is synced already"),
    ("log.flush.interval.ms", "every acknowledgement is synced already"),
    ("log.flush.scheduler.interval.ms", "every acknowledgement is synced already"),
    ("log.retention.check.interval.ms", "nothing is removed yet"),
    ("log.cleaner.enable", "compaction is not there yet"),
    ("log.preallocate", "space is always taken beforehand"),
    ("process.roles", "a broker is its own controller"),
    ("controller.quorum.voters", "one broker is a quorum of one"),
    ("controller.quorum.bootstrap.servers", "one broker is a quorum of one"),
    ("controller.listener.names", "a broker is its own controller"),
    ("inter.broker.listener.name", "there is one listener"),
    ("listener.security.protocol.map", "there is one listener, without TLS"),
    ("zookeeper.connect", "there is no ZooKeeper"),
    ("zookeeper.connection.timeout.ms", "there is no ZooKeeper"),
    ("socket.send.buffer.bytes", "the kernel sizes the buffers of a socket"),
    ("socket.receive.buffer.bytes", "the kernel sizes the buffers of a socket"),
    ("offsets.topic.replication.factor", "there are no consumer groups yet"),
    ("offsets.topic.num.partitions", "there are no consumer groups yet"),
    ("group.initial.rebalance.delay.ms", "there are no consumer groups yet"),
    ("transaction.state.log.replication.factor", "there are no transactions yet"),
    ("transaction.state.log.min.isr", "there are no transactions yet"),
    ("share.coordinator.state.topic.replication.factor", "there are no share groups"),
    ("share.coordinator.state.topic.min.isr", "there are no share groups"),
];

/// Other names of settings, as Kafka has them.
pub const ALIASES: &[(&str, &str)] = &[("log.dir", "log.dirs")];

/// The broker's setting of that name.
pub fn broker_key(name: &str) -> Option<&'static Key> {
    BROKER_KEYS.iter().find(|key| key.name == name)
}

/// The topic's setting of that name.
pub fn topic_key(name: &str) -> Option<&'static Key> {
    TOPIC_KEYS.iter().find(|key| key.name == name)
}
