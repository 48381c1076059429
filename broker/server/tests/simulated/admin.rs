//! What administrators may rely on.

use protocol::generated::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
    CreateTopicsResponse,
};
use protocol::generated::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use protocol::generated::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::{ApiKey, ErrorCode, Uuid};

use crate::client::{Client, batch, fetch_request, one};
use crate::cluster::Cluster;

/// Deletes a topic by name; returns the code.
pub async fn delete(client: &mut Client, name: &str) -> i16 {
    let topic = DeleteTopicState { name: Some(name.into()), topic_id: Uuid::ZERO };
    delete_all(client, vec![topic], 30_000).await.pop().expect("one answer").error_code
}

async fn delete_all(
    client: &mut Client,
    topics: Vec<DeleteTopicState>,
    timeout_ms: i32,
) -> Vec<DeletableTopicResult> {
    let request = DeleteTopicsRequest { topics, timeout_ms, ..Default::default() };
    let response: DeleteTopicsResponse = client.ask(ApiKey::DeleteTopics, 6, &request).await;
    response.responses
}

#[test]
fn a_topic_is_there_for_everybody_when_its_creation_is_answered() {
    for seed in 0..4 {
        Cluster::start(seed, &[]).run(|peer| async move {
            let mut admin = peer.connect().await;
            let made = one(admin.create_topic("t", 5).await.topics);
            assert_eq!((made.error_code, made.num_partitions), (0, 5));
            for _ in 0..4 {
                let mut client = peer.connect().await;
                let topic = one(client.metadata("t").await.topics);
                assert_eq!((topic.error_code, topic.topic_id), (0, made.topic_id));
                assert_eq!(topic.partitions.len(), 5);
                for partition in 0..5 {
                    let appended = client.produce("t", partition, batch(&["x"])).await;
                    assert_eq!(appended.error_code, 0);
                }
            }
        });
    }
}

#[test]
fn a_topic_stays_where_the_broker_forbids_to_delete() {
    Cluster::start(1, &["delete.topic.enable=false"]).run(|peer| async move {
        let mut client = peer.connect().await;
        assert_eq!(one(client.create_topic("t", 1).await.topics).error_code, 0);
        let refused = ErrorCode::TopicDeletionDisabled.number();
        assert_eq!(delete(&mut client, "t").await, refused);
        assert_eq!(one(client.metadata("t").await.topics).error_code, 0);
    });
}

#[test]
fn a_change_without_any_time_is_not_begun() {
    let settings = ["auto.create.topics.enable=false"];
    Cluster::start(6, &settings).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let late = ErrorCode::RequestTimedOut.number();
        for timeout_ms in [0, -1] {
            for validate_only in [false, true] {
                let topic = CreatableTopic {
                    name: "new".into(),
                    num_partitions: 1,
                    replication_factor: 1,
                    ..CreatableTopic::default()
                };
                let request =
                    CreateTopicsRequest { topics: vec![topic], timeout_ms, validate_only };
                let made: CreateTopicsResponse =
                    client.ask(ApiKey::CreateTopics, 7, &request).await;
                assert_eq!(one(made.topics).error_code, late);
            }
            let named = DeleteTopicState { name: Some("t".into()), topic_id: Uuid::ZERO };
            let deleted = delete_all(&mut client, vec![named], timeout_ms).await;
            assert_eq!(one(deleted).error_code, late);
        }
        assert_ne!(one(client.metadata("new").await.topics).error_code, 0);
        assert_eq!(one(client.metadata("t").await.topics).error_code, 0);
    });
}

#[test]
fn a_name_used_again_is_another_topic() {
    Cluster::start(1, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let first = one(client.create_topic("t", 2).await.topics);
        client.produce("t", 0, batch(&["old"])).await;
        assert_eq!(delete(&mut client, "t").await, 0);
        assert_eq!(delete(&mut client, "t").await, ErrorCode::UnknownTopicOrPartition.number());
        let second = one(client.create_topic("t", 2).await.topics);
        assert_eq!(second.error_code, 0);
        assert_ne!(second.topic_id, first.topic_id);
        let found = one(client.fetch(&fetch_request("t", &[(0, 0)], 0)).await.responses);
        assert_eq!(one(found.partitions).high_watermark, 0);
    });
}

#[test]
fn wishes_that_can_not_be_fulfilled_are_refused_one_by_one() {
    Cluster::start(2, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("there", 1).await;
        let topic = |name: &str, partitions, copies| CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: copies,
            ..CreatableTopic::default()
        };
        let config = |key: &str, value: &str| CreatableTopic {
            configs: vec![CreatableTopicConfig { name: key.into(), value: Some(value.into()) }],
            ..topic(&format!("with-{key}"), 1, 1)
        };
        let assigned = CreatableTopic {
            assignments: vec![CreatableReplicaAssignment {
                partition_index: 0,
                broker_ids: vec![9],
            }],
            ..topic("assigned", -1, -1)
        };
        let wishes = [
            (topic("there", 1, 1), ErrorCode::TopicAlreadyExists),
            (topic("a/b", 1, 1), ErrorCode::InvalidTopicException),
            (topic("none", 0, 1), ErrorCode::InvalidPartitions),
            (topic("copies", 1, 2), ErrorCode::InvalidReplicationFactor),
            (assigned, ErrorCode::InvalidReplicaAssignment),
            (config("cleanup.policy", "compact"), ErrorCode::InvalidConfig),
            (config("no.such.key", "1"), ErrorCode::InvalidConfig),
            (config("retention.ms", "1000"), ErrorCode::None),
            (topic("defaults", -1, -1), ErrorCode::None),
        ];
        let topics = wishes.iter().map(|(wish, _)| wish.clone()).collect();
        let request = CreateTopicsRequest { topics, ..CreateTopicsRequest::default() };
        let response: CreateTopicsResponse = client.ask(ApiKey::CreateTopics, 7, &request).await;
        for (result, (wish, code)) in response.topics.iter().zip(&wishes) {
            assert_eq!((&result.name, result.error_code), (&wish.name, code.number()));
            // A Java client goes through the settings of whatever it is told, null or not.
            let configs = result.configs.as_ref().expect("never null");
            let told = (result.num_partitions, result.replication_factor, configs.is_empty());
            assert_eq!(told == (-1, -1, true), *code != ErrorCode::None, "{}", wish.name);
        }
        let many = vec![topic("many", 6000, 1), topic("more", 4001, 1), topic("none", 0, 1)];
        let request = CreateTopicsRequest { topics: many, ..CreateTopicsRequest::default() };
        let response: CreateTopicsResponse = client.ask(ApiKey::CreateTopics, 7, &request).await;
        let codes: Vec<i16> = response.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [ErrorCode::PolicyViolation.number(); 3]);
        let twice = vec![topic("twice", 1, 1), topic("twice", 1, 1)];
        let request = CreateTopicsRequest { topics: twice, ..CreateTopicsRequest::default() };
        let response: CreateTopicsResponse = client.ask(ApiKey::CreateTopics, 7, &request).await;
        assert_eq!(one(response.topics).error_code, ErrorCode::InvalidRequest.number());
    });
}

#[test]
fn the_log_of_the_metadata_is_no_topic_and_can_not_be_made_one() {
    Cluster::start(9, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let topic = |name: &str, num_partitions| CreatableTopic {
            name: name.into(),
            num_partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        for (beside, expect) in [(1, ErrorCode::None), (10_001, ErrorCode::PolicyViolation)] {
            let topics = vec![topic("__cluster_metadata", 1), topic("beside", beside)];
            let request = CreateTopicsRequest { topics, ..CreateTopicsRequest::default() };
            let told: CreateTopicsResponse = client.ask(ApiKey::CreateTopics, 7, &request).await;
            let codes = told.topics.iter().map(|topic| (&*topic.name, topic.error_code));
            let prohibited = ("__cluster_metadata", ErrorCode::InvalidRequest.number());
            assert_eq!(codes.collect::<Vec<_>>(), [prohibited, ("beside", expect.number())]);
        }
        let asked = one(client.metadata("__cluster_metadata").await.topics);
        assert_eq!(asked.error_code, ErrorCode::UnknownTopicOrPartition.number());
    });
}

#[test]
fn a_creation_that_is_only_validated_creates_nothing() {
    Cluster::start(3, &["auto.create.topics.enable=false"]).run(|peer| async move {
        let mut client = peer.connect().await;
        let topic = CreatableTopic {
            name: "t".into(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], validate_only: true, ..Default::default() };
        let response: CreateTopicsResponse = client.ask(ApiKey::CreateTopics, 7, &request).await;
        assert_eq!(one(response.topics).error_code, 0);
        let topic = one(client.metadata("t").await.topics);
        assert_eq!(topic.error_code, ErrorCode::UnknownTopicOrPartition.number());
    });
}

#[test]
fn asking_for_a_topic_makes_it_unless_the_client_or_the_broker_says_no() {
    Cluster::start(4, &["num.partitions=3"]).run(|peer| async move {
        let mut client = peer.connect().await;
        let topic = one(client.metadata("fresh").await.topics);
        assert_eq!((topic.error_code, topic.partitions.len()), (0, 3));
        assert!(topic.partitions.iter().all(|p| (p.leader_id, p.leader_epoch) == (1, 0)));
        let unwanted = MetadataRequestTopic { name: Some("no".into()), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![unwanted]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let response: MetadataResponse = client.ask(ApiKey::Metadata, 12, &request).await;
        let refused = one(response.topics);
        assert_eq!(refused.error_code, ErrorCode::UnknownTopicOrPartition.number());
        for (name, is_internal) in [("__consumer_offsets", true), ("consumer_offsets", false)] {
            assert_eq!(one(client.metadata(name).await.topics).is_internal, is_internal);
        }
        let bad = one(client.metadata("a/b").await.topics);
        assert_eq!(bad.error_code, ErrorCode::InvalidTopicException.number());
    });
}

#[test]
fn metadata_names_all_topics_in_every_version() {
    Cluster::start(5, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("a", 1).await;
        client.create_topic("b", 2).await;
        for version in 0..=13 {
            // An empty list means all in version 0, null in all others.
            let topics = if version == 0 { Some(Vec::new()) } else { None };
            let request = MetadataRequest { topics, ..MetadataRequest::default() };
            let response: MetadataResponse = client.ask(ApiKey::Metadata, version, &request).await;
            let names: Vec<_> = response.topics.iter().filter_map(|t| t.name.as_deref()).collect();
            assert_eq!(names, ["a", "b"], "version {version}");
            assert_eq!(one(response.brokers).host, "broker");
            assert_eq!(response.cluster_id.is_some(), version >= 2, "version {version}");
            if version >= 1 {
                let none = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
                let response: MetadataResponse = client.ask(ApiKey::Metadata, version, &none).await;
                assert!(response.topics.is_empty(), "version {version}");
            }
        }
    });
}

/// A null name, or an unknown id, used to close the connection: versions 10 and 11 can't answer it.
#[test]
fn ids_are_refused_in_the_versions_that_only_have_the_field_for_them() {
    Cluster::start(7, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let id = one(client.create_topic("t", 1).await.topics).topic_id;
        for (name, topic_id) in
            [(None, id), (None, Uuid([7; 16])), (None, Uuid::ZERO), (Some("t".to_string()), id)]
        {
            for version in [10, 11] {
                let topics = Some(vec![MetadataRequestTopic { topic_id, name: name.clone() }]);
                let request = MetadataRequest { topics, ..MetadataRequest::default() };
                let told: MetadataResponse = client.ask(ApiKey::Metadata, version, &request).await;
                let topic = one(told.topics);
                assert_eq!(topic.error_code, ErrorCode::InvalidRequest.number());
                assert_eq!(
                    (topic.name, topic.topic_id),
                    (name.clone().or(Some("".into())), topic_id)
                );
            }
        }
    });
}

#[test]
fn who_asks_for_an_id_is_told_of_ids_alone() {
    Cluster::start(8, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let id = one(client.create_topic("a", 1).await.topics).topic_id;
        client.create_topic("b", 1).await;
        let asked = |name: Option<&str>, topic_id| MetadataRequestTopic {
            name: name.map(String::from),
            topic_id,
        };
        for topics in [
            vec![asked(Some("b"), id)],
            vec![asked(None, id), asked(Some("b"), Uuid::ZERO)],
            vec![asked(None, id), asked(Some("b"), id)],
        ] {
            let request = MetadataRequest { topics: Some(topics), ..MetadataRequest::default() };
            let told: MetadataResponse = client.ask(ApiKey::Metadata, 12, &request).await;
            assert_eq!(one(told.topics).name.as_deref(), Some("a"));
        }
    });
}

#[test]
fn operations_are_told_to_those_who_ask_for_them() {
    Cluster::start(9, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        for (asks, of_topic, of_cluster) in [(true, 3576, 8096), (false, i32::MIN, i32::MIN)] {
            let topic = MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
            let request = MetadataRequest {
                topics: Some(vec![topic]),
                include_topic_authorized_operations: asks,
                include_cluster_authorized_operations: asks,
                ..MetadataRequest::default()
            };
            let told: MetadataResponse = client.ask(ApiKey::Metadata, 8, &request).await;
            assert_eq!(told.cluster_authorized_operations, of_cluster);
            assert_eq!(one(told.topics).topic_authorized_operations, of_topic);
        }
    });
}

/// A Java client that asks for a new topic's settings was told that there are none.
#[test]
fn a_new_topic_is_told_with_every_setting_and_where_it_comes_from() {
    Cluster::start(10, &["log.retention.hours=1"]).run(|peer| async move {
        let mut client = peer.connect().await;
        let config = |name: &str, value: &str| CreatableTopicConfig {
            name: name.into(),
            value: Some(value.into()),
        };
        for version in 2..=7 {
            for validate_only in [true, false] {
                let topic = CreatableTopic {
                    name: format!("t{version}"),
                    num_partitions: 1,
                    replication_factor: 1,
                    configs: vec![config("segment.ms", "77000")],
                    ..CreatableTopic::default()
                };
                let request = CreateTopicsRequest {
                    topics: vec![topic],
                    validate_only,
                    ..CreateTopicsRequest::default()
                };
                let response: CreateTopicsResponse =
                    client.ask(ApiKey::CreateTopics, version, &request).await;
                let made = one(response.topics);
                assert_eq!(made.error_code, 0);
                let told = made.configs.expect("a Java client breaks on null");
                let count = if version >= 5 { 33 } else { 0 };
                assert_eq!(told.len(), count, "as many as Kafka's; version {version}");
                for (name, value, source) in [
                    ("segment.ms", "77000", 1),
                    ("retention.ms", "3600000", 4),
                    ("max.message.bytes", "65536", 4),
                    ("cleanup.policy", "delete", 5),
                ] {
                    let mut of_name = told.iter().filter(|config| config.name == name);
                    let found = of_name.next().map(|c| (c.value.as_deref(), c.config_source));
                    assert_eq!(found, (version >= 5).then_some((Some(value), source)), "{name}");
                }
            }
        }
    });
}

#[test]
fn a_deletion_by_id_tells_the_name_and_what_is_unknown_is_told_in_words() {
    Cluster::start(11, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let id = one(client.create_topic("t", 1).await.topics).topic_id;
        let by_id = |topic_id| vec![DeleteTopicState { name: None, topic_id }];
        let deleted = one(delete_all(&mut client, by_id(id), 30_000).await);
        assert_eq!((deleted.name.as_deref(), deleted.topic_id), (Some("t"), id));
        let unknown = one(delete_all(&mut client, by_id(id), 30_000).await);
        assert_eq!(unknown.error_code, ErrorCode::UnknownTopicId.number());
        assert!(unknown.error_message.is_some());
    });
}
