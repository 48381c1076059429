//! What a topic's settings do when they are changed while clients use it.

use std::path::Path;

use protocol::generated::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResponse, AlterableConfig,
};
use protocol::generated::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult,
};
use protocol::generated::incremental_alter_configs::{
    self as incremental, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use protocol::{ApiKey, ErrorCode};

use crate::client::{Client, START_MS, Then, batch, batch_of_time, one};
use crate::cluster::{Cluster, Peer};
use crate::lost::files_on;
use crate::restart::{End, end_and_start};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

/// A change of one setting: the operation, the name, the value.
type Change<'a> = (i8, &'a str, Option<&'a str>);

fn resource(kind: i8, name: &str, changes: &[Change<'_>]) -> incremental::AlterConfigsResource {
    let config = |(config_operation, name, value): &Change<'_>| incremental::AlterableConfig {
        name: (*name).into(),
        config_operation: *config_operation,
        value: value.map(String::from),
    };
    incremental::AlterConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configs: changes.iter().map(config).collect(),
    }
}

async fn alter_all(
    client: &mut Client,
    resources: Vec<incremental::AlterConfigsResource>,
    then: Then,
) -> Vec<i16> {
    let count = resources.len();
    let request =
        IncrementalAlterConfigsRequest { resources, validate_only: then == Then::Nothing };
    let response: IncrementalAlterConfigsResponse =
        client.ask(ApiKey::IncrementalAlterConfigs, 1, &request).await;
    assert_eq!(response.responses.len(), count);
    response.responses.iter().map(|answer| answer.error_code).collect()
}

async fn alter(client: &mut Client, topic: &str, changes: &[Change<'_>]) -> i16 {
    one(alter_all(client, vec![resource(TOPIC, topic, changes)], Then::Change).await)
}

/// Sets one setting of a topic.
pub async fn set(client: &mut Client, topic: &str, name: &str, value: &str) {
    assert_eq!(alter(client, topic, &[(SET, name, Some(value))]).await, 0, "{name}={value}");
}

async fn replace(client: &mut Client, topic: &str, new: &[(&str, &str)]) -> i16 {
    let config = |(name, value): &(&str, &str)| AlterableConfig {
        name: (*name).into(),
        value: Some((*value).into()),
    };
    let resource = AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: topic.into(),
        configs: new.iter().map(config).collect(),
    };
    let request = AlterConfigsRequest { resources: vec![resource], validate_only: false };
    let response: AlterConfigsResponse = client.ask(ApiKey::AlterConfigs, 2, &request).await;
    one(response.responses).error_code
}

async fn describe(
    client: &mut Client,
    kind: i8,
    name: &str,
    keys: Option<&[&str]>,
) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).into()).collect()),
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
    };
    let response: DescribeConfigsResponse = client.ask(ApiKey::DescribeConfigs, 4, &request).await;
    one(response.results)
}

/// A setting's value, its source, and its synonyms with their sources.
type Told = (String, i8, Vec<(String, String, i8)>);

fn told(config: DescribeConfigsResourceResult) -> Told {
    let text = |value: Option<String>| value.expect("no setting of ours is secret");
    let synonyms = config.synonyms.into_iter();
    let synonyms = synonyms.map(|synonym| (synonym.name, text(synonym.value), synonym.source));
    (text(config.value), config.config_source, synonyms.collect())
}

/// Whether a batch of more than 200 bytes is taken, and who stamps records, in each partition.
async fn probe(client: &mut Client, partitions: i32) -> Vec<(i16, bool)> {
    let mut seen = Vec::new();
    for partition in 0..partitions {
        let large = client.produce("t", partition, batch(&["x".repeat(200).as_str()])).await;
        let small = client.produce("t", partition, batch(&["x"])).await;
        assert_eq!(small.error_code, 0);
        seen.push((large.error_code, small.log_append_time_ms >= 0));
    }
    seen
}

#[test]
fn altered_settings_hold_for_every_partition_when_they_are_answered_and_survive_every_end() {
    for (seed, end) in (25..).zip([End::Stop, End::Kill, End::PowerCut]) {
        let cluster = Cluster::start(seed, &[]);
        let too_large = ErrorCode::MessageTooLarge.number();
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 4).await;
            assert_eq!(probe(&mut client, 4).await, [(0, false); 4]);
            let changes = [
                (SET, "max.message.bytes", Some("200")),
                (SET, "message.timestamp.type", Some("LogAppendTime")),
            ];
            assert_eq!(alter(&mut client, "t", &changes).await, 0);
            // From wherever one asks.
            for _ in 0..4 {
                let mut other = peer.connect().await;
                assert_eq!(probe(&mut other, 4).await, [(too_large, true); 4]);
            }
        });
        end_and_start(&cluster, end);
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            assert_eq!(probe(&mut client, 4).await, [(too_large, true); 4], "{end:?}");
            let changes = [(DELETE, "max.message.bytes", None)];
            assert_eq!(alter(&mut client, "t", &changes).await, 0);
            assert_eq!(probe(&mut client, 4).await, [(0, true); 4], "{end:?}");
            assert_eq!(replace(&mut client, "t", &[("max.message.bytes", "200")]).await, 0);
            assert_eq!(probe(&mut client, 4).await, [(too_large, false); 4], "{end:?}");
        });
        end_and_start(&cluster, end);
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            assert_eq!(probe(&mut client, 4).await, [(too_large, false); 4], "{end:?}");
        });
    }
}

#[test]
fn bounds_of_timestamps_follow_while_a_producer_is_connected() {
    Cluster::start(20, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let invalid = ErrorCode::InvalidTimestamp.number();
        // The batch's timestamp lies behind the clock by as long as the test runs.
        for (name, value, code) in [
            ("message.timestamp.before.max.ms", "0", invalid),
            ("message.timestamp.before.max.ms", "9223372036854775807", 0),
        ] {
            assert_eq!(alter(&mut client, "t", &[(SET, name, Some(value))]).await, 0);
            let appended = client.produce("t", 0, batch(&["x"])).await;
            assert_eq!(appended.error_code, code, "{name}={value}");
        }
    });
}

#[test]
fn segments_follow_an_altered_size_without_a_restart_and_after_it() {
    let cluster = Cluster::start(21, &[]);
    let small = Some("16384");
    let rows = [(small, 10), (None, 20), (Some("1073741824"), 20), (None, 20)];
    for (life, (segment_bytes, segments)) in rows.into_iter().enumerate() {
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            if life == 0 {
                client.create_topic("t", 1).await;
            }
            if segment_bytes.is_some() {
                let changes = [(SET, "segment.bytes", segment_bytes)];
                assert_eq!(alter(&mut client, "t", &changes).await, 0);
            }
            let value = "x".repeat(10_000);
            for _ in 0..10 {
                assert_eq!(client.produce("t", 0, batch(&[value.as_str()])).await.error_code, 0);
            }
        });
        // Then everything is written to segments: two of the batches are too many for a small one.
        cluster.stop();
        let found = crate::lost::files_below(&cluster, "/data/partitions/t-0.", ".log").len();
        assert_eq!(found, segments, "in life {life}");
        cluster.start_again();
    }
}

/// A record of that day goes to `t`, and others beside it until it is in a segment. Says how many
/// segments `t` has then, on the disk of a broker that runs.
async fn segments_after(peer: &Peer, client: &mut Client, day: i64) -> usize {
    const DAY_MS: i64 = 24 * 3_600_000;
    let start = format!("of day {day}.");
    // Segments are written in whole blocks: it fills some.
    let value = start.clone() + &"x".repeat(20_000);
    let record = batch_of_time(START_MS + (day - 100) * DAY_MS, &value);
    assert_eq!(client.produce("t", 0, record).await.error_code, 0);
    let disk = peer.disk();
    let has_record = |path: &Path| {
        let bytes = disk.read(path).expect("it was just listed");
        bytes.windows(start.len()).any(|part| part == start.as_bytes())
    };
    for round in 0..100 {
        let segments = files_on(&disk, "/data/partitions/t-0.", ".log");
        if segments.iter().any(|(path, _)| has_record(path)) {
            return segments.len();
        }
        let beside = batch(&["x".repeat(60_000).as_str()]);
        assert_eq!(client.produce("beside", round % 4, beside).await.error_code, 0);
    }
    panic!("the record of day {day} is not in a segment");
}

#[test]
fn segments_follow_an_altered_age_without_a_restart_and_after_it() {
    for (seed, end) in (25..).zip([End::Stop, End::Kill, End::PowerCut]) {
        // Little waits in memory, so that segments are written while the broker runs.
        let cluster = Cluster::start(seed, &["ringmain.tail.bytes=1048576"]);
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 1).await;
            client.create_topic("beside", 4).await;
            for (day, segments) in [(0, 1), (1, 1)] {
                assert_eq!(segments_after(&peer, &mut client, day).await, segments, "a week each");
            }
            set(&mut client, "t", "segment.ms", "3600000").await;
            for (day, segments) in [(2, 2), (3, 3)] {
                assert_eq!(segments_after(&peer, &mut client, day).await, segments, "day {day}");
            }
            // What a start replays is settled before it knows what topics have been set to: here
            // that is nothing of `t`.
            for round in 0..40 {
                let beside = batch(&["x".repeat(60_000).as_str()]);
                assert_eq!(client.produce("beside", round % 4, beside).await.error_code, 0);
            }
        });
        end_and_start(&cluster, end);
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            assert_eq!(segments_after(&peer, &mut client, 4).await, 4, "after {end:?}");
            assert_eq!(alter(&mut client, "t", &[(DELETE, "segment.ms", None)]).await, 0);
            assert_eq!(segments_after(&peer, &mut client, 5).await, 4, "after {end:?}");
        });
    }
}

#[test]
fn a_setting_tells_what_it_is_where_from_and_what_it_would_be_otherwise() {
    let settings = ["log.segment.bytes=65536", "log.retention.hours=1"];
    Cluster::start(22, &settings).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let changes = [(SET, "segment.bytes", Some("20000")), (SET, "retention.ms", Some("-1"))];
        assert_eq!(alter(&mut client, "t", &changes).await, 0);
        let all = describe(&mut client, TOPIC, "t", None).await;
        assert_eq!((all.error_code, all.configs.len()), (0, 33), "as many as Kafka tells");
        assert!(all.configs.iter().all(|config| !config.read_only && !config.is_sensitive));
        assert!(all.configs.iter().all(|config| config.documentation.is_some()));
        let default = |name: &str, value: &str| (name.to_string(), value.to_string(), 5);
        let size = vec![
            ("segment.bytes".into(), "20000".into(), 1),
            ("log.segment.bytes".into(), "65536".into(), 4),
            default("log.segment.bytes", "1073741824"),
        ];
        let policy = vec![default("log.cleanup.policy", "delete")];
        // It was said in hours, and Kafka has no default of it in milliseconds.
        let age = vec![
            ("retention.ms".into(), "-1".into(), 1),
            ("log.retention.ms".into(), "3600000".into(), 4),
        ];
        for (name, expect) in [
            ("segment.bytes", ("20000".to_string(), 1, size)),
            ("cleanup.policy", ("delete".into(), 5, policy)),
            ("retention.ms", ("-1".into(), 1, age)),
        ] {
            let config = one(describe(&mut client, TOPIC, "t", Some(&[name])).await.configs);
            assert_eq!((config.name.as_str(), told(config.clone())), (name, expect));
        }
        let empty = describe(&mut client, TOPIC, "t", Some(&[])).await;
        assert_eq!(empty.configs.len(), 33, "no names are all names");
        let unknown = describe(&mut client, TOPIC, "t", Some(&["no.such"])).await;
        assert_eq!((unknown.error_code, unknown.configs.len()), (0, 0));

        let broker = describe(&mut client, BROKER, "1", Some(&["log.segment.bytes"])).await;
        let config = one(broker.configs);
        assert!(config.read_only);
        let synonyms = vec![
            ("log.segment.bytes".into(), "65536".into(), 4),
            default("log.segment.bytes", "1073741824"),
        ];
        assert_eq!(told(config), ("65536".into(), 4, synonyms));
        assert_eq!(describe(&mut client, BROKER, "", None).await.configs.len(), 0);
    });
}

#[test]
fn resources_that_can_not_be_described_are_refused_one_by_one() {
    Cluster::start(23, &["auto.create.topics.enable=false"]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        for (kind, name, code) in [
            (TOPIC, "t", ErrorCode::None),
            (TOPIC, "gone", ErrorCode::UnknownTopicOrPartition),
            (TOPIC, "a/b", ErrorCode::InvalidTopicException),
            (BROKER, "1", ErrorCode::None),
            (BROKER, "2", ErrorCode::InvalidRequest),
            (BROKER, "one", ErrorCode::InvalidRequest),
            (8, "1", ErrorCode::InvalidRequest),
            (99, "t", ErrorCode::InvalidRequest),
        ] {
            let answer = describe(&mut client, kind, name, Some(&["segment.bytes"])).await;
            assert_eq!(answer.error_code, code.number(), "{kind} {name}");
            assert_eq!((answer.resource_type, answer.resource_name.as_str()), (kind, name));
        }
    });
}

#[test]
fn alterations_that_can_not_be_are_refused_one_by_one_and_change_nothing() {
    Cluster::start(24, &["auto.create.topics.enable=false"]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        client.create_topic("good", 1).await;
        let size = (SET, "segment.bytes", Some("20000"));
        let wishes: Vec<(i8, &str, Vec<Change<'_>>, ErrorCode)> = vec![
            (TOPIC, "good", vec![size], ErrorCode::None),
            (TOPIC, "gone", vec![size], ErrorCode::UnknownTopicOrPartition),
            (TOPIC, "", vec![size], ErrorCode::InvalidRequest),
            (TOPIC, "t", vec![(SET, "no.such", Some("1"))], ErrorCode::InvalidConfig),
            (TOPIC, "gone2", vec![(SET, "no.such", Some("1"))], ErrorCode::InvalidConfig),
            (TOPIC, "t2", vec![(SET, "cleanup.policy", Some("compact"))], ErrorCode::InvalidConfig),
            (TOPIC, "t3", vec![(APPEND, "segment.ms", Some("1"))], ErrorCode::InvalidConfig),
            (TOPIC, "t4", vec![(SET, "segment.ms", None)], ErrorCode::InvalidRequest),
            (TOPIC, "t5", vec![size, size], ErrorCode::InvalidRequest),
            (TOPIC, "t6", vec![(9, "segment.ms", Some("1"))], ErrorCode::InvalidRequest),
            (BROKER, "1", vec![(SET, "num.partitions", Some("2"))], ErrorCode::InvalidRequest),
            (BROKER, "2", vec![], ErrorCode::InvalidRequest),
            (BROKER, "", vec![(SET, "num.partitions", Some("2"))], ErrorCode::InvalidRequest),
            (99, "t", vec![size], ErrorCode::InvalidRequest),
        ];
        let resources: Vec<_> =
            wishes.iter().map(|(kind, name, changes, _)| resource(*kind, name, changes)).collect();
        let codes = alter_all(&mut client, resources, Then::Change).await;
        for (code, wish) in codes.iter().zip(&wishes) {
            assert_eq!(*code, wish.3.number(), "{wish:?}");
        }
        let twice = vec![resource(TOPIC, "t", &[size]), resource(TOPIC, "t", &[size])];
        let invalid = ErrorCode::InvalidRequest.number();
        assert_eq!(alter_all(&mut client, twice, Then::Change).await, [invalid; 2]);
        assert_eq!(
            alter_all(&mut client, vec![resource(TOPIC, "t", &[size])], Then::Nothing).await,
            [0]
        );
        assert_eq!(replace(&mut client, "t", &[("segment.bytes", "1")]).await, 40);
        for (topic, source) in [("t", 5), ("good", 1)] {
            let config =
                one(describe(&mut client, TOPIC, topic, Some(&["segment.bytes"])).await.configs);
            assert_eq!(config.config_source, source, "{topic}");
        }
    });
}

#[test]
fn a_setting_that_is_not_obeyed_is_stored_told_and_said_in_the_log() {
    let cluster = Cluster::start(25, &[]);
    cluster.run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        assert_eq!(alter(&mut client, "t", &[(SET, "retention.ms", Some("1000"))]).await, 0);
        assert_eq!(alter(&mut client, "t", &[(SET, "retention.bytes", Some("-1"))]).await, 0);
        let config = one(describe(&mut client, TOPIC, "t", Some(&["retention.ms"])).await.configs);
        assert_eq!((config.value.as_deref(), config.config_source), (Some("1000"), 1));
    });
    let lines = cluster.log_lines();
    let said: Vec<_> = lines.iter().filter(|line| line.contains("not obeyed yet")).collect();
    let [line] = said[..] else { panic!("{said:?}") };
    assert!(line.contains("topic t: retention.ms=1000 is stored and told"), "{line}");
}
