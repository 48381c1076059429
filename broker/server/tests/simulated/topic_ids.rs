//! Topics by their ids: whoever asks by one never gets another topic of the same name (KIP-516).

use std::time::Duration;

use protocol::generated::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use protocol::generated::metadata::{MetadataRequest, MetadataResponse};
use protocol::generated::produce::{PartitionProduceResponse, ProduceResponse};
use protocol::{ApiKey, ErrorCode, Uuid};
use runtime::TaskClass;

use crate::admin::delete;
use crate::client::{Client, batch, fetch_request, one, produce_request, values};
use crate::cluster::Cluster;

/// The id of the metadata log, which no client gets to see.
const ONE: Uuid = Uuid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

fn fetch_by(id: Uuid, max_wait_ms: i32) -> FetchRequest {
    let partition = FetchPartition { partition_max_bytes: 1 << 20, ..FetchPartition::default() };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: i32::MAX,
        topics: vec![FetchTopic {
            topic_id: id,
            partitions: vec![partition],
            ..Default::default()
        }],
        ..FetchRequest::default()
    }
}

/// Produces to the first partition of the topic with that id. The answer must name it.
async fn produce_by(client: &mut Client, id: Uuid) -> PartitionProduceResponse {
    let mut request = produce_request("", 0, batch(&["x"]));
    request.topic_data[0].topic_id = id;
    let response: ProduceResponse = client.ask(ApiKey::Produce, 13, &request).await;
    let topic = one(response.responses);
    assert_eq!(topic.topic_id, id);
    one(topic.partition_responses)
}

#[test]
fn topics_are_found_by_id_and_an_unknown_id_is_named_as_such() {
    Cluster::start(6, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let made = one(client.create_topic("t", 1).await.topics);
        client.produce("t", 0, batch(&["a"])).await;
        for version in [13, 18] {
            let known: FetchResponse =
                client.ask(ApiKey::Fetch, version, &fetch_by(made.topic_id, 0)).await;
            let known = one(known.responses);
            assert_eq!(known.topic_id, made.topic_id);
            assert_eq!(values(&one(known.partitions).records.unwrap()).len(), 1);
            let unknown: FetchResponse =
                client.ask(ApiKey::Fetch, version, &fetch_by(Uuid([7; 16]), 0)).await;
            let unknown = one(one(unknown.responses).partitions);
            assert_eq!(unknown.aborted_transactions, Some(Vec::new()));
            assert_eq!(unknown.error_code, ErrorCode::UnknownTopicId.number());
        }
    });
}

#[test]
fn an_id_that_is_no_more_is_told_as_such() {
    let gone = ErrorCode::UnknownTopicId.number();
    for seed in 0..2 {
        Cluster::start(seed, &["auto.create.topics.enable=false"]).run(move |peer| async move {
            let mut client = peer.connect().await;
            let old = one(client.create_topic("t", 1).await.topics).topic_id;
            let appended = produce_by(&mut client, old).await;
            assert_eq!((appended.error_code, appended.base_offset), (0, 0));
            assert_eq!(delete(&mut client, "t").await, 0);
            let new = one(client.create_topic("t", 1).await.topics).topic_id;
            assert_ne!(new, old);
            for id in [old, Uuid::ZERO, ONE, Uuid([7; 16])] {
                let refused = produce_by(&mut client, id).await;
                assert_eq!((refused.error_code, refused.base_offset), (gone, -1), "{id:?}");
                for version in [13, 18] {
                    let told: FetchResponse =
                        client.ask(ApiKey::Fetch, version, &fetch_by(id, 0)).await;
                    let told = one(told.responses);
                    assert_eq!((told.topic_id, one(told.partitions).error_code), (id, gone));
                }
            }
            let told: FetchResponse = client.ask(ApiKey::Fetch, 18, &fetch_by(new, 0)).await;
            let told = one(one(told.responses).partitions);
            assert_eq!((told.error_code, told.high_watermark), (0, 0), "nothing came to the new");
            // Who asks by name is told of the name.
            let unknown = ErrorCode::UnknownTopicOrPartition.number();
            let request = produce_request("gone", 0, batch(&["x"]));
            let told: ProduceResponse = client.ask(ApiKey::Produce, 12, &request).await;
            assert_eq!(one(one(told.responses).partition_responses).error_code, unknown);
            let told = client.fetch(&fetch_request("gone", &[(0, 0)], 0)).await;
            assert_eq!(one(one(told.responses).partitions).error_code, unknown);
        });
    }
}

#[test]
fn a_long_poll_by_id_ends_when_the_topic_does() {
    Cluster::start(3, &[]).run(|peer| async move {
        let mut admin = peer.connect().await;
        let id = one(admin.create_topic("t", 1).await.topics).topic_id;
        let mut consumer = peer.connect().await;
        let poll = peer.shard.spawn(TaskClass::Foreground, "poll", async move {
            let told: FetchResponse = consumer.ask(ApiKey::Fetch, 18, &fetch_by(id, 60_000)).await;
            one(one(told.responses).partitions).error_code
        });
        peer.shard.sleep(Duration::from_millis(100)).await;
        let began = peer.shard.now();
        assert!(!poll.is_finished());
        assert_eq!(delete(&mut admin, "t").await, 0);
        let told = poll.await.expect("not aborted");
        assert_eq!(told, ErrorCode::UnknownTopicId.number());
        assert!(peer.shard.now().since(began) < Duration::from_secs(10));
    });
}

#[test]
fn a_topic_has_the_same_id_in_every_version_that_tells_one() {
    Cluster::start(5, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let a = one(client.create_topic("a", 1).await.topics).topic_id;
        let b = one(client.metadata("b").await.topics).topic_id;
        assert!(a != b && ![Uuid::ZERO, ONE].contains(&a) && ![Uuid::ZERO, ONE].contains(&b));
        for version in 10..=13 {
            let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
            let told: MetadataResponse = client.ask(ApiKey::Metadata, version, &all).await;
            let ids: Vec<Uuid> = told.topics.iter().map(|topic| topic.topic_id).collect();
            assert_eq!(ids, [a, b], "version {version}");
        }
    });
}
