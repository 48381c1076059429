//! The same requests to Ringmain and to a real Apache Kafka: the same answers, field by field.
//!
//! What a change needs to reach all of Kafka's parts is waited for: a question is asked again until
//! the answers agree. Only what can't agree is left out of the comparison: addresses, ids, the
//! size of the disk, and the wording for people.
#![allow(clippy::disallowed_methods, reason = "a test waits for its own brokers")]

#[path = "answers/script.rs"]
mod script;

use std::time::{Duration, Instant};

use conformance::broker::{Broker, Kind};
use conformance::wire::Wire;
use serde_json::{Map, Value};

use script::{Effect, Step, script};

/// Kafka's controller tells its brokers within milliseconds; the machine may be busy.
const AGREED_WITHIN: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);
/// The numbers of two sources of settings.
const ALL_BROKERS: i64 = 3;
const DEFAULT: i64 = 5;
/// Kafka names their defaults in another unit, or not at all.
const SAID_IN_SEVERAL_UNITS: [&str; 4] =
    ["segment.ms", "segment.jitter.ms", "retention.ms", "flush.ms"];

/// Both brokers are told the same, so that they have the same to tell.
const SETTINGS: [(&str, &str); 5] = [
    ("auto.create.topics.enable", "false"),
    ("log.segment.bytes", "1048576"),
    ("log.roll.hours", "24"),
    ("log.retention.ms", "-1"),
    ("ringmain.shards", "2"),
];

#[test]
fn administrators_questions_are_answered_as_kafka_answers_them() {
    let ours = Broker::start(Kind::Ringmain, "answers", &SETTINGS);
    let kafkas = Broker::start(Kind::Kafka, "answers-kafka", &SETTINGS);
    let (mut ours, mut kafkas) = (Talk::with(&ours), Talk::with(&kafkas));
    let (mut differences, mut equal) = (Vec::new(), 0);
    for step in script() {
        let answer = ours.ask(&step);
        let mut expected = kafkas.ask(&step);
        let began = Instant::now();
        while answer != expected
            && step.effect == Effect::None
            && began.elapsed() < AGREED_WITHIN
            && differences.is_empty()
        {
            std::thread::sleep(PAUSE);
            expected = kafkas.ask(&step);
        }
        match answer == expected {
            true => equal += 1,
            false => differences.push(describe(&step, &answer, &expected)),
        }
    }
    let count = differences.len();
    assert!(differences.is_empty(), "{count} of {}:\n{}", count + equal, differences.join("\n"));
    println!("{equal} answers agree");
}

/// A conversation with one broker. Ids that it gives are remembered by what they stand for.
struct Talk {
    wire: Wire,
}

impl Talk {
    fn with(broker: &Broker) -> Self {
        Self { wire: Wire::connect(&broker.address()) }
    }

    fn ask(&mut self, step: &Step) -> Value {
        let answer = self.wire.ask(step.api, step.version, &step.body);
        comparable("", answer)
    }
}

/// The answer without what differs between any two brokers.
fn comparable(name: &str, value: Value) -> Value {
    match (name, value) {
        ("port", Value::Number(_)) => "a port".into(),
        ("clusterId", Value::String(_)) => "a cluster id".into(),
        ("logDir", Value::String(path)) => format!("absolute: {}", path.starts_with('/')).into(),
        ("totalBytes" | "usableBytes", Value::Number(bytes)) if bytes.as_i64() > Some(0) => {
            "some".into()
        }
        ("topicId", Value::String(id)) if id != protocol::Uuid::ZERO.to_string() => "an id".into(),
        ("errorMessage" | "documentation", Value::String(_)) => "words".into(),
        (_, Value::Object(mut object)) => {
            let name = object.get("name").and_then(Value::as_str).unwrap_or_default();
            if SAID_IN_SEVERAL_UNITS.contains(&name) {
                object.remove("synonyms");
            }
            let fields = object.into_iter();
            let fields = fields.map(|(name, value)| {
                let value = comparable(&name, value);
                (name, value)
            });
            Value::Object(fields.collect::<Map<_, _>>())
        }
        (_, Value::Array(mut elements)) => {
            if ["configs", "synonyms"].contains(&name) {
                elements.retain(|setting| !is_of_all_brokers(setting));
            }
            let elements = elements.into_iter().map(|element| comparable("", element));
            let mut elements: Vec<Value> = elements.collect();
            // Kafka's order of these is that of a hash table.
            if ["configs", "results", "responses", "apiKeys"].contains(&name) {
                elements.sort_by_cached_key(|element| match &element["name"] {
                    Value::String(name) => name.clone(),
                    _ => element.to_string(),
                });
            }
            elements.into()
        }
        (_, other) => other,
    }
}

/// Whether it is a setting that holds for all brokers because they were told so while they ran.
/// Kafka tells itself one when it is made, the `min.insync.replicas` that it has by default
/// (KIP-966). A broker of Ringmain keeps it as its own default.
fn is_of_all_brokers(setting: &Value) -> bool {
    let source = setting.get("configSource").or(setting.get("source")).and_then(Value::as_i64);
    let is_default = source == Some(ALL_BROKERS) || source == Some(DEFAULT);
    setting["name"] == "min.insync.replicas" && is_default
}

/// The fields in which two answers differ.
fn describe(step: &Step, ours: &Value, theirs: &Value) -> String {
    let mut lines = vec![format!("{} {}: {}", step.api.name(), step.version, step.body)];
    differ("", ours, theirs, &mut lines);
    lines.join("\n    ")
}

fn differ(path: &str, ours: &Value, theirs: &Value, lines: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for (name, value) in a {
                differ(&format!("{path}.{name}"), value, &b[name], lines);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differ(&format!("{path}[{index}]"), a, b, lines);
            }
        }
        (a, b) if a != b => lines.push(format!("{path}: ours {a}, Kafka's {b}")),
        _ => {}
    }
}
