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
    /// This word, or a whole number from `min` to `max`.
    NumberOr {
        /// The word.
        word: &'static str,
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// `true` or `false`.
    Switch,
    /// A number from 0 to 1.
    Fraction,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Words with commas between them: at least one, and only these.
    ListOf(&'static [&'static str]),
    /// Any words with commas between them, also none.
    List,
    /// Any text but the empty one.
    Text,
    /// Any text, also none.
    OptionalText,
}

impl Kind {
    /// Kafka's number for it (`ConfigType` of DescribeConfigs, KIP-569).
    pub fn number(self) -> i8 {
        match self {
            Kind::Switch | Kind::Choice(["false"]) => 1,
            Kind::NumberOr { .. } | Kind::Choice(_) | Kind::Text | Kind::OptionalText => 2,
            Kind::Number { max, .. } if max <= I32_MAX => 3,
            Kind::Number { .. } => 5,
            Kind::Fraction => 6,
            Kind::ListOf(_) | Kind::List => 7,
        }
    }

    /// Whether words may be added to its value and taken out of it.
    pub fn is_list(self) -> bool {
        matches!(self, Kind::ListOf(_) | Kind::List)
    }
}

/// Kafka's broker settings that have no default, as the same in another unit or of another name has
/// one: none is told of them as the default behind a topic's setting.
pub(crate) const WITHOUT_DEFAULT: [&str; 4] =
    ["log.roll.ms", "log.roll.jitter.ms", "log.retention.ms", "log.flush.interval.ms"];

/// Where a setting may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// For the broker, at its start.
    Broker,
    /// For a topic.
    Topic {
        /// Kafka's broker setting that gives the default, if there is one. Where this broker does
        /// not have it, the default is fixed.
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
    /// Whether anything follows from it.
    pub obeyed: Obeyed,
}

/// Whether a setting does what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obeyed {
    /// It does.
    Yes,
    /// It is stored and told, and nothing else: a warning for the broker's.
    StoredOnly {
        /// The value that asks for nothing that is missing.
        harmless: &'static str,
        /// The reason, for people.
        why: &'static str,
    },
}

const fn broker(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default, scope: Scope::Broker, doc, obeyed: Obeyed::Yes }
}

const fn topic(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    broker_key: Option<&'static str>,
    doc: &'static str,
) -> Key {
    Key { name, kind, default, scope: Scope::Topic { broker_key }, doc, obeyed: Obeyed::Yes }
}

/// A setting of retention.
const fn retention(key: Key) -> Key {
    let why = "nothing is removed, however old or large a log is";
    Key { obeyed: Obeyed::StoredOnly { harmless: "-1", why }, ..key }
}

pub(crate) const fn number(min: i64, max: i64) -> Kind {
    Kind::Number { min, max }
}

const I32_MAX: i64 = i32::MAX as i64;
const NO_LIMIT: &str = "2147483647";
const ANY_TIME: Kind = number(0, i64::MAX);
const COMPACTED: &str = "accepted; of compacted topics";
const AS_SENT: &str = "batches are kept as they were sent";
const NOTHING_REMOVED: &str = "stored; nothing is removed yet";
const ONE_BROKER: &str = "accepted; there is one broker so far";
const ONE_STORAGE: &str = "nothing is moved to other storage yet";
const AUTO_OR_COUNT: Kind = Kind::NumberOr { word: "auto", min: 1, max: 1024 };
const DRIVERS: Kind = Kind::Choice(&["auto", "uring", "posix"]);
const TIMESTAMP_TYPES: Kind = Kind::Choice(&["CreateTime", "LogAppendTime"]);

/// The broker's settings, in the order in which they are described.
pub const BROKER_KEYS: &[Key] = &[
    broker("node.id", number(0, I32_MAX), "1", "this broker's number in the cluster"),
    broker(
        "listeners",
        Kind::Text,
        "PLAINTEXT://127.0.0.1:9092",
        "where to listen, one PLAINTEXT://host:port; an empty host means every interface",
    ),
    broker(
        "advertised.listeners",
        Kind::OptionalText,
        "",
        "what clients are told, if it is not the listener; an empty host is the machine's name",
    ),
    broker(
        "listener.security.protocol.map",
        Kind::OptionalText,
        "",
        "NAME:PROTOCOL,...: which protocol the listeners of a name speak; PLAINTEXT is there",
    ),
    broker(
        "ringmain.admin.listener",
        Kind::OptionalText,
        "127.0.0.1:9644",
        "where /metrics, /healthz and /readyz are served, to whoever asks; nowhere if empty",
    ),
    broker("log.dirs", Kind::Text, "data", "the data folder: one, on one device"),
    broker("ringmain.shards", AUTO_OR_COUNT, "auto", "one shard a core (auto), or how many"),
    broker(
        "ringmain.driver",
        DRIVERS,
        "auto",
        "io_uring, or where that is forbidden epoll (auto); only io_uring; only epoll",
    ),
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
        "201326592",
        "memory for a shard's requests: one of socket.request.max.bytes, the rest for all others",
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
        "copies of a topic that names no number: one, there is one broker",
    ),
    broker(
        "auto.create.topics.enable",
        Kind::Switch,
        "true",
        "whether a client's asking makes a topic",
    ),
    broker("delete.topic.enable", Kind::Switch, "true", "whether a client may delete a topic"),
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
    retention(broker("log.retention.ms", number(-1, i64::MAX), "604800000", NOTHING_REMOVED)),
    retention(broker("log.retention.bytes", number(-1, i64::MAX), "-1", NOTHING_REMOVED)),
    broker("log.message.timestamp.type", TIMESTAMP_TYPES, "CreateTime", "who stamps records"),
    broker(
        "log.message.timestamp.before.max.ms",
        ANY_TIME,
        "9223372036854775807",
        "how far back a record's timestamp may lie; of a compressed batch the first record's",
    ),
    broker(
        "log.message.timestamp.after.max.ms",
        ANY_TIME,
        "3600000",
        "how far ahead a record's timestamp may lie; of a compressed batch what its header says",
    ),
    broker(
        "producer.id.expiration.ms",
        number(1, i64::MAX),
        "86400000",
        "how long an idempotent producer that is silent is remembered",
    ),
    broker(
        "connections.max.idle.ms",
        number(-1, i64::MAX),
        "600000",
        "after how long without a request a connection is closed, to the second; -1 for never",
    ),
    broker(
        "ringmain.memory.bytes",
        Kind::NumberOr { word: "auto", min: 1 << 24, max: 1 << 50 },
        "auto",
        "memory for what clients make all shards hold; three quarters of what there is (auto)",
    ),
    broker("max.connections", number(0, I32_MAX), NO_LIMIT, "connections of the whole broker"),
    broker("max.connections.per.ip", number(0, I32_MAX), NO_LIMIT, "connections from one address"),
    broker(
        "max.connections.per.ip.overrides",
        Kind::OptionalText,
        "",
        "ADDRESS:COUNT,...: how many there may be from these addresses instead",
    ),
    broker(
        "max.connection.creation.rate",
        number(1, I32_MAX),
        NO_LIMIT,
        "connections that are let in within a second; who comes faster waits",
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
        "how far back a record's timestamp may lie; of a compressed batch the first record's",
    ),
    topic(
        "message.timestamp.after.max.ms",
        ANY_TIME,
        "3600000",
        Some("log.message.timestamp.after.max.ms"),
        "how far ahead a record's timestamp may lie; of a compressed batch what its header says",
    ),
    retention(topic(
        "retention.ms",
        number(-1, i64::MAX),
        "604800000",
        Some("log.retention.ms"),
        NOTHING_REMOVED,
    )),
    retention(topic(
        "retention.bytes",
        number(-1, i64::MAX),
        "-1",
        Some("log.retention.bytes"),
        NOTHING_REMOVED,
    )),
    topic(
        "cleanup.policy",
        Kind::ListOf(&["delete"]),
        "delete",
        Some("log.cleanup.policy"),
        "compaction is not there yet",
    ),
    topic(
        "compression.type",
        Kind::Choice(&["producer"]),
        "producer",
        Some("compression.type"),
        AS_SENT,
    ),
    topic(
        "delete.retention.ms",
        ANY_TIME,
        "86400000",
        Some("log.cleaner.delete.retention.ms"),
        COMPACTED,
    ),
    topic(
        "min.compaction.lag.ms",
        ANY_TIME,
        "0",
        Some("log.cleaner.min.compaction.lag.ms"),
        COMPACTED,
    ),
    topic(
        "max.compaction.lag.ms",
        number(1, i64::MAX),
        "9223372036854775807",
        Some("log.cleaner.max.compaction.lag.ms"),
        COMPACTED,
    ),
    topic(
        "min.cleanable.dirty.ratio",
        Kind::Fraction,
        "0.5",
        Some("log.cleaner.min.cleanable.ratio"),
        COMPACTED,
    ),
    topic("compression.gzip.level", number(-1, 9), "-1", Some("compression.gzip.level"), AS_SENT),
    topic("compression.lz4.level", number(1, 17), "9", Some("compression.lz4.level"), AS_SENT),
    topic(
        "compression.zstd.level",
        number(-131_072, 22),
        "3",
        Some("compression.zstd.level"),
        AS_SENT,
    ),
    topic(
        "file.delete.delay.ms",
        ANY_TIME,
        "60000",
        Some("log.segment.delete.delay.ms"),
        "accepted; files go when nobody reads them",
    ),
    topic(
        "flush.messages",
        number(1, i64::MAX),
        "9223372036854775807",
        Some("log.flush.interval.messages"),
        "every ack is synced",
    ),
    topic(
        "flush.ms",
        ANY_TIME,
        "9223372036854775807",
        Some("log.flush.interval.ms"),
        "every acknowledgement is synced",
    ),
    topic(
        "preallocate",
        Kind::Switch,
        "false",
        Some("log.preallocate"),
        "accepted; space is always taken beforehand",
    ),
    topic(
        "unclean.leader.election.enable",
        Kind::Switch,
        "false",
        Some("unclean.leader.election.enable"),
        "accepted; it needs several brokers",
    ),
    topic("leader.replication.throttled.replicas", Kind::List, "", None, ONE_BROKER),
    topic("follower.replication.throttled.replicas", Kind::List, "", None, ONE_BROKER),
    topic(
        "segment.jitter.ms",
        ANY_TIME,
        "0",
        Some("log.roll.jitter.ms"),
        "accepted; segments end at their own time",
    ),
    topic("internal.segment.bytes", number(1, I32_MAX), "1073741824", None, "of Kafka's own tests"),
    topic("remote.storage.enable", Kind::Choice(&["false"]), "false", None, ONE_STORAGE),
    topic("remote.log.copy.disable", Kind::Switch, "false", None, ONE_STORAGE),
    topic("remote.log.delete.on.disable", Kind::Switch, "false", None, ONE_STORAGE),
    topic(
        "local.retention.ms",
        number(-2, i64::MAX),
        "-2",
        Some("log.local.retention.ms"),
        ONE_STORAGE,
    ),
    topic(
        "local.retention.bytes",
        number(-2, i64::MAX),
        "-2",
        Some("log.local.retention.bytes"),
        ONE_STORAGE,
    ),
];

/// Another way to say a setting.
#[derive(Clone, Copy, Debug)]
pub struct OtherWay {
    /// The name of this way.
    pub name: &'static str,
    /// The setting that it stands for.
    pub of: &'static str,
    /// How much one of it is in the setting's own unit; `None` takes the text as it is. A negative
    /// number keeps its meaning.
    pub factor: Option<i64>,
    /// What the value of this way looks like.
    pub kind: Kind,
}

const HOURS: Option<i64> = Some(3_600_000);

/// Other ways that Kafka has to say a setting. The setting itself wins over them, wherever it is
/// given, and an earlier one of these over a later one: so it is in Kafka.
pub const OTHER_WAYS: &[OtherWay] = &[
    OtherWay { name: "log.dir", of: "log.dirs", factor: None, kind: Kind::Text },
    OtherWay { name: "broker.id", of: "node.id", factor: None, kind: number(0, I32_MAX) },
    OtherWay {
        name: "log.retention.minutes",
        of: "log.retention.ms",
        factor: Some(60_000),
        kind: number(-1, I32_MAX),
    },
    OtherWay {
        name: "log.retention.hours",
        of: "log.retention.ms",
        factor: HOURS,
        kind: number(-1, I32_MAX),
    },
    OtherWay { name: "log.roll.hours", of: "log.roll.ms", factor: HOURS, kind: number(1, I32_MAX) },
];

/// The other ways to say the setting `name`, those that win first.
pub fn other_ways(name: &str) -> impl Iterator<Item = &'static OtherWay> {
    OTHER_WAYS.iter().filter(move |way| way.of == name)
}

/// The broker's setting of that name.
pub fn broker_key(name: &str) -> Option<&'static Key> {
    BROKER_KEYS.iter().find(|key| key.name == name)
}

impl Key {
    /// Whether it can't be changed while the broker runs.
    pub fn is_read_only(&self) -> bool {
        self.scope == Scope::Broker
    }

    /// Why `value` is stored and told and nothing else; nothing if it asks for nothing more.
    pub fn not_obeyed(&self, value: &str) -> Option<&'static str> {
        match self.obeyed {
            Obeyed::StoredOnly { harmless, why } if value != harmless => Some(why),
            Obeyed::StoredOnly { .. } | Obeyed::Yes => None,
        }
    }
}

/// The topic's setting of that name.
pub fn topic_key(name: &str) -> Option<&'static Key> {
    TOPIC_KEYS.iter().find(|key| key.name == name)
}
