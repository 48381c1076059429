//! What consumers may rely on.

use std::time::Duration;

use protocol::generated::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::{ApiKey, ErrorCode, Uuid};
use runtime::TaskClass;

use crate::client::{Client, FETCH_VERSION, batch, fetch_request, one, values};
use crate::cluster::Cluster;

const MINUTE_MS: i32 = 60_000;

#[test]
fn a_long_poll_is_woken_by_a_produce_whatever_shard_it_is_on() {
    for seed in 0..8 {
        Cluster::start(seed, &[]).run(|peer| async move {
            let mut producer = peer.connect().await;
            producer.create_topic("t", 2).await;
            for partition in 0..2 {
                let mut consumer = peer.connect().await;
                let began = peer.shard.now();
                let poll = peer.shard.spawn(TaskClass::Foreground, "poll", async move {
                    consumer.fetch(&fetch_request("t", &[(0, 0), (1, 0)], MINUTE_MS)).await
                });
                peer.shard.sleep(Duration::from_millis(100 * (1 - partition as u64))).await;
                producer.produce("t", partition, batch(&["x"])).await;
                let found = one(poll.await.expect("not aborted").responses);
                let bytes: usize =
                    found.partitions.iter().map(|p| p.records.as_ref().map_or(0, Vec::len)).sum();
                assert!(bytes > 0);
                assert!(peer.shard.now().since(began) < Duration::from_secs(10));
            }
        });
    }
}

#[test]
fn a_long_poll_without_news_ends_in_time_and_empty() {
    Cluster::start(1, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let began = peer.shard.now();
        let found = one(client.fetch(&fetch_request("t", &[(0, 0)], 500)).await.responses);
        let waited = peer.shard.now().since(began);
        assert!((500..600).contains(&waited.as_millis()), "{waited:?}");
        let partition = one(found.partitions);
        assert_eq!((partition.error_code, partition.records), (0, Some(Vec::new())));
    });
}

#[test]
fn a_long_poll_waits_for_as_many_bytes_as_were_asked_for() {
    Cluster::start(2, &[]).run(|peer| async move {
        let mut producer = peer.connect().await;
        producer.create_topic("t", 2).await;
        let size = batch(&["x"]).len();
        let mut consumer = peer.connect().await;
        let poll = peer.shard.spawn(TaskClass::Foreground, "poll", async move {
            let mut request = fetch_request("t", &[(0, 0), (1, 0)], MINUTE_MS);
            request.min_bytes = 3 * size as i32;
            consumer.fetch(&request).await
        });
        for round in 0..3 {
            assert!(!poll.is_finished(), "after {round} batches");
            producer.produce("t", round % 2, batch(&["x"])).await;
            peer.shard.sleep(Duration::from_secs(1)).await;
        }
        assert!(poll.is_finished());
    });
}

/// Each such fetch used to wait for all of its time, however much there was.
#[test]
fn a_long_poll_waits_for_no_more_than_it_may_get() {
    Cluster::start(5, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let size = batch(&["x"]).len() as i32;
        client.produce("t", 0, batch(&["x"])).await;
        for (batches, waits) in [(2, true), (1, false)] {
            let mut request = fetch_request("t", &[(0, 0)], 500);
            (request.min_bytes, request.max_bytes) = (3 * size, batches * size);
            let began = peer.shard.now();
            client.fetch(&request).await;
            let waited = peer.shard.now().since(began);
            assert_eq!(waited >= Duration::from_millis(500), waits, "{waited:?}");
        }
    });
}

/// It used to be answered at once, so that a consumer that did not know yet of a deletion asked
/// without a pause.
#[test]
fn what_does_not_exist_leaves_the_others_their_wait() {
    for seed in 0..4 {
        Cluster::start(seed, &[]).run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 2).await;
            client.produce("t", 0, batch(&["x"])).await;
            let unknown = || fetch_request("gone", &[(0, 0)], 0).topics;
            let both = |mut request: FetchRequest| {
                request.topics.extend(unknown());
                request
            };
            for (request, waits) in [
                (both(fetch_request("t", &[(0, 1), (1, 0)], 500)), true),
                (fetch_request("t", &[(1, 0), (9, 0)], 500), true),
                // With nobody to wait for, with an owner's error, and with something to read.
                (FetchRequest { topics: unknown(), ..fetch_request("t", &[], 500) }, false),
                (both(fetch_request("t", &[(0, 7), (1, 0)], 500)), false),
                (both(fetch_request("t", &[(0, 0), (1, 0)], 500)), false),
            ] {
                let began = peer.shard.now();
                client.fetch(&request).await;
                let waited = peer.shard.now().since(began);
                assert_eq!(waited >= Duration::from_millis(500), waits, "{waited:?}: {request:?}");
            }
        });
    }
}

#[test]
fn a_deleted_topic_ends_a_long_poll() {
    Cluster::start(3, &[]).run(|peer| async move {
        let mut admin = peer.connect().await;
        admin.create_topic("t", 2).await;
        let mut consumer = peer.connect().await;
        let began = peer.shard.now();
        let poll = peer.shard.spawn(TaskClass::Foreground, "poll", async move {
            consumer.fetch(&fetch_request("t", &[(0, 0), (1, 0)], MINUTE_MS)).await
        });
        peer.shard.sleep(Duration::from_millis(100)).await;
        crate::admin::delete(&mut admin, "t").await;
        let found = one(poll.await.expect("not aborted").responses);
        let gone = ErrorCode::UnknownTopicOrPartition.number();
        assert!(found.partitions.iter().any(|partition| partition.error_code == gone));
        assert!(peer.shard.now().since(began) < Duration::from_secs(10));
    });
}

#[test]
fn a_reader_always_gets_on_however_little_it_asks_for() {
    Cluster::start(4, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 2).await;
        for partition in 0..2 {
            client.produce("t", partition, batch(&["a", "b", "c"])).await;
        }
        let mut request = fetch_request("t", &[(0, 1), (1, 0)], 0);
        request.max_bytes = 1;
        request.topics[0].partitions[0].partition_max_bytes = 1;
        let found = one(client.fetch(&request).await.responses);
        let records: Vec<_> = found.partitions.into_iter().map(|p| p.records.unwrap()).collect();
        // The batch that contains the offset, from its beginning.
        assert_eq!(values(&records[0]).len(), 3);
        assert!(records[1].is_empty());
    });
}

#[test]
fn offsets_and_epochs_that_do_not_fit_are_told_apart() {
    Cluster::start(5, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        client.produce("t", 0, batch(&["a"])).await;
        for (offset, epoch, code) in [
            (2, -1, ErrorCode::OffsetOutOfRange),
            (-1, -1, ErrorCode::OffsetOutOfRange),
            (1, -1, ErrorCode::None),
            (0, 0, ErrorCode::None),
            (0, 1, ErrorCode::UnknownLeaderEpoch),
            (0, -9, ErrorCode::None),
        ] {
            let mut request = fetch_request("t", &[(0, offset)], 0);
            request.topics[0].partitions[0].current_leader_epoch = epoch;
            let found = one(one(client.fetch(&request).await.responses).partitions);
            assert_eq!(found.error_code, code.number(), "offset {offset}, epoch {epoch}");
            assert_eq!(found.aborted_transactions, None);
        }
    });
}

#[test]
fn topics_are_found_by_id_and_an_unknown_id_is_named_as_such() {
    Cluster::start(6, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let made = one(client.create_topic("t", 1).await.topics);
        client.produce("t", 0, batch(&["a"])).await;
        let fetch = |id: Uuid| FetchRequest {
            max_bytes: i32::MAX,
            topics: vec![FetchTopic {
                topic_id: id,
                partitions: vec![FetchPartition {
                    partition_max_bytes: 1 << 20,
                    ..FetchPartition::default()
                }],
                ..FetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        let known: FetchResponse = client.ask(ApiKey::Fetch, 18, &fetch(made.topic_id)).await;
        let known = one(known.responses);
        assert_eq!(known.topic_id, made.topic_id);
        assert_eq!(values(&one(known.partitions).records.unwrap()).len(), 1);
        let unknown: FetchResponse = client.ask(ApiKey::Fetch, 18, &fetch(Uuid([7; 16]))).await;
        let unknown = one(one(unknown.responses).partitions);
        assert_eq!(unknown.aborted_transactions, Some(Vec::new()));
        assert_eq!(unknown.error_code, ErrorCode::UnknownTopicId.number());
    });
}

#[test]
fn a_session_is_never_opened_and_never_believed() {
    Cluster::start(7, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        for (id, epoch, code) in [
            (0, 0, ErrorCode::None),
            (0, -1, ErrorCode::None),
            // A client that closes its session after an error, and wants a new one.
            (9, 0, ErrorCode::None),
            (9, -1, ErrorCode::None),
            (0, 3, ErrorCode::FetchSessionIdNotFound),
            (9, 1, ErrorCode::FetchSessionIdNotFound),
        ] {
            let mut request = fetch_request("t", &[(0, 0)], 0);
            (request.session_id, request.session_epoch) = (id, epoch);
            let response = client.fetch(&request).await;
            assert_eq!((response.error_code, response.session_id), (code.number(), 0));
            assert_eq!(response.responses.len(), usize::from(code == ErrorCode::None));
        }
    });
}

#[test]
fn offsets_are_found_at_both_ends_and_by_time() {
    Cluster::start(8, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        client.produce("t", 0, batch(&["a", "b", "c"])).await;
        let start = 1_767_225_600_000;
        for (timestamp, expect) in [
            (-1, (3, -1)),
            (-2, (0, -1)),
            (-3, (2, start + 2)),
            (-4, (0, -1)),
            (-5, (-1, -1)),
            (0, (0, start)),
            (start + 1, (1, start + 1)),
            (start + 3, (-1, -1)),
        ] {
            let found = list(&mut client, 9, timestamp).await;
            assert_eq!((found.0, found.1), (0, expect), "timestamp {timestamp}");
        }
        assert_eq!(list(&mut client, 1, -1).await, (0, (3, -1)), "without epochs");
        let unsupported = ErrorCode::UnsupportedVersion.number();
        assert_eq!(list(&mut client, 9, -9).await.0, unsupported);
        for (epoch, code) in [(-9, ErrorCode::FencedLeaderEpoch), (-1, ErrorCode::None)] {
            let partition = ListOffsetsPartition {
                timestamp: -1,
                current_leader_epoch: epoch,
                ..ListOffsetsPartition::default()
            };
            assert_eq!(list_one(&mut client, 9, partition).await.0, code.number());
        }
        // The special ones, and the version that has brought each.
        for (timestamp, from) in [(-3, 7), (-4, 8), (-5, 9), (-6, 11)] {
            let before = list(&mut client, from - 1, timestamp).await.0;
            let after = list(&mut client, from, timestamp).await.0;
            assert_eq!((before, after), (unsupported, 0), "timestamp {timestamp}");
        }
    });
}

async fn list(client: &mut Client, version: i16, timestamp: i64) -> (i16, (i64, i64)) {
    let partition = ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
    list_one(client, version, partition).await
}

async fn list_one(
    client: &mut Client,
    version: i16,
    partition: ListOffsetsPartition,
) -> (i16, (i64, i64)) {
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let response: ListOffsetsResponse = client.ask(ApiKey::ListOffsets, version, &request).await;
    let found = one(one(response.topics).partitions);
    (found.error_code, (found.offset, found.timestamp))
}

#[test]
fn consumers_that_do_not_read_never_stop_the_producers() {
    // The tail has room for 17 of these batches, a consumer's socket for one: together the
    // consumers ask for more than the tail has.
    let small = ["ringmain.journal.files.max=4", "ringmain.tail.bytes=1048576"];
    for seed in 0..3 {
        Cluster::start(seed, &small).run(|peer| async move {
            let mut producer = peer.connect().await;
            producer.create_topic("t", 1).await;
            let value = "x".repeat(60_000);
            let mut consumers = Vec::new();
            for round in 0..60 {
                let appended = producer.produce("t", 0, batch(&[&value])).await;
                assert_eq!(appended.error_code, 0, "round {round}: {appended:?}");
                if round % 4 == 3 {
                    let mut consumer = peer.connect().await;
                    let request = fetch_request("t", &[(0, round - 3)], 0);
                    consumer.send(ApiKey::Fetch, FETCH_VERSION, &request).await;
                    // Its answer is on its way, and stays there.
                    peer.shard.sleep(Duration::from_millis(5)).await;
                    consumers.push(consumer);
                }
            }
            for (index, mut consumer) in (0..).zip(consumers) {
                let found: FetchResponse = consumer.receive(1, ApiKey::Fetch, FETCH_VERSION).await;
                let found = values(&one(one(found.responses).partitions).records.unwrap());
                let mut expect = (4 * index..).zip(&found);
                assert!(!found.is_empty() && expect.all(|(i, (at, x))| i == *at && *x == value));
            }
        });
    }
}
