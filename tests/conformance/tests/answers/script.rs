//! What both brokers are asked, one after the other.

use protocol::ApiKey;
use serde_json::{Value, json};

/// One batch with one record of November 2023, uncompressed, of nobody in particular.
const BATCH: &str = "AAAAAAAAAAAAAABP/////wJ2XdSgAAAAAAAAAAABi8/laAAAAAGLz+VoAP//////////////////\
    AAAAAToAAAABLnRoZSB2YWx1ZSBvZiBvbmUgcmVjb3JkAA==";
/// The flags that ask for more than a setting's value, and since which version there are.
const EXPLAINED: [(&str, i16); 2] = [("includeSynonyms", 1), ("includeDocumentation", 3)];
/// The numbers of the kinds of resources.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const OPERATIONS: [(&str, i8); 4] = [("set", 0), ("delete", 1), ("append", 2), ("subtract", 3)];

/// Whether a request can be asked again without changing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    None,
    /// It changes something, or tries to.
    Change,
}

/// One request.
#[derive(Debug)]
pub struct Step {
    /// Its API.
    pub api: ApiKey,
    /// Its version.
    pub version: i16,
    /// Its body; what is left out is at its default.
    pub body: Value,
    /// What it may do.
    pub effect: Effect,
}

/// All requests, in their order.
pub fn script() -> Vec<Step> {
    let mut steps = Vec::new();
    steps.extend(topics());
    steps.extend(cluster());
    steps.extend(settings());
    steps.extend(alterations());
    steps.extend(partitions());
    steps.extend(epochs());
    steps.extend(folders());
    steps
}

fn ask(api: ApiKey, version: i16, body: Value) -> Step {
    Step { api, version, body, effect: Effect::None }
}

fn change(api: ApiKey, version: i16, body: Value) -> Step {
    Step { api, version, body, effect: Effect::Change }
}

/// In every version of the API.
fn ask_all(api: ApiKey, body: &Value) -> Vec<Step> {
    let versions = api.min_version()..=api.max_version();
    versions.map(|version| ask(api, version, body.clone())).collect()
}

fn topics() -> Vec<Step> {
    let topic = |name: &str, partitions: i32, configs: Value| {
        let mut topic = json!({ "name": name, "numPartitions": partitions, "configs": configs });
        topic["replicationFactor"] = 1.into();
        topic
    };
    let config = |name: &str, value: &str| json!([{ "name": name, "value": value }]);
    let create = |topic: Value| change(ApiKey::CreateTopics, 7, json!({ "topics": [topic] }));
    vec![
        create(topic("t", 3, config("segment.ms", "77000"))),
        create(topic("u", 1, json!([]))),
        create(topic("t", 3, json!([]))),
        create(topic("a/b", 3, json!([]))),
        create(topic("n", 0, json!([]))),
        create(topic("n", 1, config("no.such", "1"))),
        create(topic("n", 1, config("segment.bytes", "many"))),
        create(topic("__cluster_metadata", 1, json!([]))),
        ask(ApiKey::Metadata, 13, json!({ "topics": [{ "name": "t" }, { "name": "gone" }] })),
        ask(ApiKey::Metadata, 13, json!({ "topics": [{ "name": "__cluster_metadata" }] })),
        ask(ApiKey::Metadata, 1, json!({ "topics": null })),
    ]
}

fn cluster() -> Vec<Step> {
    let mut steps = ask_all(ApiKey::DescribeCluster, &json!({}));
    let operations = json!({ "includeClusterAuthorizedOperations": true });
    steps.extend(ask_all(ApiKey::DescribeCluster, &operations));
    for kind in [0, 2, 3] {
        for version in [1, 2] {
            let body = json!({ "endpointType": kind });
            steps.push(ask(ApiKey::DescribeCluster, version, body));
        }
    }
    let reassignments = ApiKey::ListPartitionReassignments;
    steps.push(ask(reassignments, 0, json!({ "topics": null })));
    let topic = |name: &str| json!({ "name": name, "partitionIndexes": [0, 7] });
    steps.push(ask(reassignments, 0, json!({ "topics": [topic("t"), topic("gone")] })));
    steps
}

/// DescribeConfigs of one resource, as far as the version can ask.
fn describe(version: i16, kind: i8, name: &str, keys: Value) -> Step {
    let resource = json!({ "resourceType": kind, "resourceName": name, "configurationKeys": keys });
    let mut body = json!({ "resources": [resource] });
    for (flag, since) in EXPLAINED {
        if version >= since {
            body[flag] = true.into();
        }
    }
    ask(ApiKey::DescribeConfigs, version, body)
}

fn settings() -> Vec<Step> {
    let mut steps = Vec::new();
    for version in 1..=4 {
        steps.push(describe(version, TOPIC, "t", Value::Null));
        steps.push(describe(version, TOPIC, "gone", Value::Null));
    }
    for keys in [json!([]), json!(["segment.ms", "no.such", "segment.ms"]), json!(["no.such"])] {
        steps.push(describe(4, TOPIC, "t", keys));
    }
    for (kind, name) in
        [(TOPIC, "a/b"), (BROKER, ""), (BROKER, "7"), (BROKER, "x"), (8, "7"), (99, "t")]
    {
        steps.push(describe(4, kind, name, Value::Null));
    }
    let without = json!({ "resources": [
        { "resourceType": TOPIC, "resourceName": "t", "configurationKeys": ["segment.bytes"] },
        { "resourceType": TOPIC, "resourceName": "u", "configurationKeys": ["segment.bytes"] },
        { "resourceType": TOPIC, "resourceName": "t", "configurationKeys": ["segment.ms"] },
    ] });
    steps.push(ask(ApiKey::DescribeConfigs, 4, without));
    steps
}

fn altered(kind: i8, name: &str, changes: &[(&str, &str, Option<&str>)]) -> Value {
    let number = |wanted: &str| OPERATIONS.iter().find(|(name, _)| *name == wanted);
    let config = |(operation, name, value): &(&str, &str, Option<&str>)| {
        let (_, operation) = number(operation).expect("one of the four");
        json!({ "name": name, "configOperation": operation, "value": value })
    };
    let configs: Vec<Value> = changes.iter().map(config).collect();
    json!({ "resourceType": kind, "resourceName": name, "configs": configs })
}

fn alterations() -> Vec<Step> {
    let alter = |resources: Value| json!({ "resources": resources });
    let one = |kind, name, changes: &[_]| alter(json!([altered(kind, name, changes)]));
    let list = "leader.replication.throttled.replicas";
    let size = ("set", "segment.bytes", Some("1048576"));
    let mut steps = Vec::new();
    for body in [
        one(TOPIC, "t", &[size, ("set", "max.message.bytes", Some("2000"))]),
        one(TOPIC, "t", &[("delete", "max.message.bytes", None)]),
        one(TOPIC, "t", &[("delete", "retention.ms", Some("ignored"))]),
        one(TOPIC, "t", &[("append", list, Some("0:1,1:1"))]),
        one(TOPIC, "t", &[("append", list, Some("1:1,2:1"))]),
        one(TOPIC, "t", &[("subtract", list, Some("0:1"))]),
        one(TOPIC, "t", &[]),
        one(TOPIC, "gone", &[size]),
        one(TOPIC, "gone", &[("set", "no.such", Some("1"))]),
        one(TOPIC, "a/b", &[size]),
        one(TOPIC, "", &[size]),
        one(TOPIC, "t", &[("set", "no.such", Some("1"))]),
        one(TOPIC, "t", &[("set", "segment.bytes", Some("many"))]),
        one(TOPIC, "t", &[("set", "segment.bytes", Some("-1"))]),
        one(TOPIC, "t", &[("set", "segment.ms", None)]),
        one(TOPIC, "t", &[("append", "segment.ms", Some("1"))]),
        one(TOPIC, "t", &[("subtract", "no.such", Some("1"))]),
        one(TOPIC, "t", &[size, size]),
        one(BROKER, "1", &[("set", "node.id", Some("2"))]),
        one(BROKER, "7", &[("set", "node.id", Some("2"))]),
        one(BROKER, "x", &[("set", "node.id", Some("2"))]),
        one(BROKER, "", &[("set", "node.id", Some("2"))]),
        one(99, "t", &[size]),
        alter(json!([altered(TOPIC, "t", &[size]), altered(TOPIC, "t", &[])])),
        alter(json!([altered(TOPIC, "t", &[size]), altered(TOPIC, "gone", &[size])])),
    ] {
        for version in [0, 1] {
            steps.push(change(ApiKey::IncrementalAlterConfigs, version, body.clone()));
        }
    }
    steps.push(describe(4, TOPIC, "t", Value::Null));
    let mut validated = one(TOPIC, "t", &[("set", "segment.bytes", Some("2097152"))]);
    validated["validateOnly"] = true.into();
    steps.push(change(ApiKey::IncrementalAlterConfigs, 1, validated));
    steps.extend(replacements());
    steps.push(describe(4, TOPIC, "t", Value::Null));
    steps
}

fn replacements() -> Vec<Step> {
    let replace = |name: &str, configs: &[(&str, Option<&str>)]| {
        let config = |(name, value): &(&str, Option<&str>)| json!({ "name": name, "value": value });
        let configs: Vec<Value> = configs.iter().map(config).collect();
        let resource = json!({ "resourceType": TOPIC, "resourceName": name, "configs": configs });
        json!({ "resources": [resource] })
    };
    let mut steps = Vec::new();
    for body in [
        replace("t", &[("min.insync.replicas", Some("1")), ("segment.ms", Some("88000"))]),
        replace("t", &[("min.insync.replicas", Some("0"))]),
        replace("t", &[("segment.ms", None)]),
        replace("t", &[("segment.ms", Some("1")), ("segment.ms", Some("2"))]),
        replace("gone", &[("segment.ms", Some("88000"))]),
    ] {
        for version in 0..=2 {
            steps.push(change(ApiKey::AlterConfigs, version, body.clone()));
        }
    }
    steps
}

fn partitions() -> Vec<Step> {
    let wish = |name: &str, count: i32, assignments: Value| {
        let topic = json!({ "name": name, "count": count, "assignments": assignments });
        json!({ "topics": [topic] })
    };
    let mut steps = Vec::new();
    let mut create = |body: Value, validate_only: bool| {
        let mut body = body;
        body["validateOnly"] = validate_only.into();
        body["timeoutMs"] = 30_000.into();
        steps.push(change(ApiKey::CreatePartitions, 3, body));
    };
    create(wish("u", 4, Value::Null), true);
    create(wish("u", 3, Value::Null), false);
    create(wish("u", 4, json!([{ "brokerIds": [1] }])), false);
    for (count, assignments) in [
        (4, Value::Null),
        (1, Value::Null),
        (-1, Value::Null),
        (5, json!([])),
        (5, json!([{ "brokerIds": [1] }, { "brokerIds": [1] }])),
        (5, json!([{ "brokerIds": [] }])),
        (5, json!([{ "brokerIds": [9] }])),
        (5, json!([{ "brokerIds": [1, 1] }])),
    ] {
        create(wish("u", count, assignments), false);
    }
    create(wish("gone", 5, Value::Null), false);
    let twice = json!({ "topics": [{ "name": "u", "count": 5, "assignments": null },
        { "name": "u", "count": 6, "assignments": null }] });
    create(twice, false);
    let topic = |name: &str| json!({ "name": name });
    let cursor = |name: &str, index: i32| json!({ "topicName": name, "partitionIndex": index });
    for (topics, limit, cursor) in [
        (json!([]), 2000, Value::Null),
        (json!([]), 3, Value::Null),
        (json!([]), 0, Value::Null),
        (json!([]), 4, cursor("t", 2)),
        (json!([]), 2000, cursor("t", 99)),
        (json!([]), 2000, cursor("tt", 0)),
        (
            json!([topic("u"), topic("gone"), topic("t"), topic("a/b"), topic("t")]),
            2000,
            Value::Null,
        ),
        (json!([topic("u"), topic("gone")]), 2, cursor("gone", 1)),
        (json!([topic("u")]), 2, cursor("u", -1)),
        (json!([topic("u")]), 2, cursor("t", 0)),
        (json!([topic("t"), topic("u"), topic("t")]), 2, cursor("z", 0)),
        (json!([topic("t"), topic("u")]), 2, cursor("", 0)),
        (json!([]), 2, cursor("z", 0)),
        (json!([]), 2, cursor("z", -1)),
    ] {
        let body = json!({ "topics": topics, "responsePartitionLimit": limit, "cursor": cursor });
        steps.push(ask(ApiKey::DescribeTopicPartitions, 0, body));
    }
    steps
}

fn produce() -> Step {
    let data = json!([{ "index": 0, "records": BATCH }]);
    let topic = json!({ "name": "t", "partitionData": data });
    change(ApiKey::Produce, 9, json!({ "acks": -1, "timeoutMs": 30_000, "topicData": [topic] }))
}

fn epochs() -> Vec<Step> {
    let mut steps = vec![produce(), produce(), produce()];
    for (partition, known, epoch) in [
        (0, -1, 0),
        (0, 0, 0),
        (0, 1, 0),
        (0, -1, 1),
        (0, -1, -1),
        (1, -1, 0),
        (9, -1, 0),
        (-1, -1, 0),
    ] {
        let asked =
            json!([{ "partition": partition, "currentLeaderEpoch": known, "leaderEpoch": epoch }]);
        let topic = |name: &str| json!({ "topic": name, "partitions": asked });
        let topics = [topic("t"), topic("gone")];
        let body = json!({ "topics": topics });
        steps.extend(ask_all(ApiKey::OffsetForLeaderEpoch, &body));
    }
    for timestamp in [-1, -2, -3, 0, 1, i64::MAX] {
        let asked = json!([{ "partitionIndex": 0, "timestamp": timestamp }]);
        let body = json!({ "replicaId": -1, "topics": [{ "name": "t", "partitions": asked }] });
        steps.push(ask(ApiKey::ListOffsets, 7, body));
    }
    steps
}

fn folders() -> Vec<Step> {
    let mut steps = Vec::new();
    for topics in [
        json!([{ "topic": "t", "partitions": [0] }]),
        json!([{ "topic": "t", "partitions": [0, 0, 99] }, { "topic": "gone", "partitions": [0] }]),
        json!([{ "topic": "t", "partitions": [] }]),
        json!([]),
    ] {
        steps.extend(ask_all(ApiKey::DescribeLogDirs, &json!({ "topics": topics })));
    }
    steps
}
