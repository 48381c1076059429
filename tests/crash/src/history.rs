//! What clients saw of a broker: sends, their outcomes, and reads; the checker's input.

use std::collections::BTreeMap;
use std::fmt;

/// What a producer was promised, and so what is demanded of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Idempotence is on: each record at most once, in the order of sending.
    Idempotent,
    /// A retry may write a record again, which it only does when a kill has cut the answer off;
    /// first occurrences keep the order of sending, since the producer has one request in flight.
    Plain,
}

/// A record's name, unique in a history: the producer's number, the partition that it was sent to,
/// and a counter of this producer and partition that starts at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    /// The number of the producer: ours, not Kafka's producer id.
    pub producer: u32,
    /// The partition that the record was sent to.
    pub partition: i32,
    /// Counts this producer's records to this partition, in the order of sending.
    pub counter: u64,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}:{}:{}", self.producer, self.partition, self.counter)
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "partition {} offset {}", self.partition, self.offset)
    }
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The producer took it; from here on it may be in the log.
    Sent,
    /// The broker acknowledged it; `None` when the answer named no offset.
    Acked {
        /// Where the broker said that it stands.
        offset: Option<i64>,
    },
    /// The producer gave up: the record may be in the log or not.
    Unknown,
    /// The record was certainly never written.
    Failed,
}

/// One step of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in milliseconds of a clock that all clients share; for the reports only.
    pub at_ms: u64,
    /// Which record.
    pub value: Value,
    /// What happened to it.
    pub step: Step,
}

/// What stood in a record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A record that a producer could have made, whole in every byte.
    Value(Value),
    /// Anything else, described.
    Garbled(String),
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Value(value) => value.fmt(f),
            Content::Garbled(text) => write!(f, "garbled record {text}"),
        }
    }
}

/// One record of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRecord {
    /// Where it was read.
    pub place: Place,
    /// What it held.
    pub content: Content,
}

/// How much a read set out to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every partition, from its start to the end that it had when the read began, after the last
    /// producer had finished.
    Whole,
    /// Whatever came by while producers wrote and the broker died.
    Live,
}

/// The offsets between which a partition's records stood when a read began: start included, end
/// not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The log start offset.
    pub start: i64,
    /// The end offset (the high watermark).
    pub end: i64,
}

/// One consumer's reading, in the order in which records came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Says which read it is, in reports.
    pub name: String,
    /// Whether it covers everything.
    pub extent: Extent,
    /// What the broker said of each partition; empty for a live read.
    pub bounds: BTreeMap<i32, Bounds>,
    /// The records.
    pub records: Vec<ReadRecord>,
}

impl Read {
    /// A read without records.
    pub fn new(name: &str, extent: Extent) -> Read {
        Read { name: name.into(), extent, bounds: BTreeMap::new(), records: Vec::new() }
    }
}

/// An error that a client could not get over: a fatal error of a producer, an offset out of range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Which client.
    pub client: String,
    /// Its words.
    pub text: String,
}

/// One end of the broker's process, by a kill or by a stop, by the clock of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// When it was killed, or asked to stop.
    pub from_ms: u64,
    /// When it was gone.
    pub until_ms: u64,
}

/// Everything that was seen of one broker from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The producers and what each was promised.
    pub producers: BTreeMap<u32, Promise>,
    /// What happened to the values. A value's own events are in order; nothing else need be.
    pub events: Vec<Event>,
    /// All reads; the first whole one stands for the log.
    pub reads: Vec<Read>,
    /// When the broker was killed or stopped, in order.
    pub interruptions: Vec<Interruption>,
    /// What clients could not get over.
    pub complaints: Vec<Complaint>,
}
