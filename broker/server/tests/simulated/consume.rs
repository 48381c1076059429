//! What consumers may rely on.

use std::time::Duration;

use protocol::generated::fetch::FetchResponse;
use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::{ApiKey, ErrorCode};

use crate::client::{Client, FETCH_VERSION, batch, fetch_request, one, values};
use crate::cluster::Cluster;

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
fn who_reads_committed_records_gets_all_of_them_and_no_transaction_was_aborted() {
    Cluster::start(6, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let topic_id = one(client.create_topic("t", 2).await.topics).topic_id;
        client.produce("t", 0, batch(&["a", "b"])).await;
        for version in [4, 11, 12, 18] {
            for (isolation_level, aborted) in [(0, None), (1, Some(Vec::new()))] {
                let mut request = fetch_request("t", &[(0, 0), (1, 0)], 0);
                request.isolation_level = isolation_level;
                if version >= 13 {
                    request.topics[0].topic = String::new();
                    request.topics[0].topic_id = topic_id;
                }
                let found: FetchResponse = client.ask(ApiKey::Fetch, version, &request).await;
                for (end, partition) in [2, 0].into_iter().zip(one(found.responses).partitions) {
                    let case = format!("version {version}, level {isolation_level}");
                    let told = (partition.high_watermark, partition.last_stable_offset);
                    assert_eq!((partition.error_code, told), (0, (end, end)), "{case}");
                    assert_eq!(partition.aborted_transactions, aborted, "{case}");
                    let read = values(&partition.records.expect("never null")).len();
                    assert_eq!(read as i64, end, "{case}");
                }
            }
        }
        for version in 2..=11 {
            for (partition, end) in [(0, 2), (1, 0)] {
                let asked = ListOffsetsPartition {
                    partition_index: partition,
                    timestamp: -1,
                    ..ListOffsetsPartition::default()
                };
                let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![asked] };
                let request = ListOffsetsRequest {
                    replica_id: -1,
                    isolation_level: 1,
                    topics: vec![topic],
                    ..Default::default()
                };
                let told: ListOffsetsResponse =
                    client.ask(ApiKey::ListOffsets, version, &request).await;
                let told = one(one(told.topics).partitions);
                assert_eq!((told.error_code, told.offset), (0, end), "version {version}");
            }
        }
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
            let found = list(&mut client, 9, 0, timestamp).await;
            assert_eq!((found.0, found.1), (0, expect), "timestamp {timestamp}");
        }
        assert_eq!(list(&mut client, 1, 0, -1).await, (0, (3, -1)), "without epochs");
        let unsupported = ErrorCode::UnsupportedVersion.number();
        assert_eq!(list(&mut client, 9, 0, -9).await.0, unsupported);
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
            let before = list(&mut client, from - 1, 0, timestamp).await.0;
            let after = list(&mut client, from, 0, timestamp).await.0;
            assert_eq!((before, after), (unsupported, 0), "timestamp {timestamp}");
        }
    });
}

/// What ListOffsets tells of a partition of `t`: the error, the offset and its timestamp.
pub async fn list(
    client: &mut Client,
    version: i16,
    partition_index: i32,
    timestamp: i64,
) -> (i16, (i64, i64)) {
    let asked = ListOffsetsPartition { partition_index, timestamp, ..Default::default() };
    list_one(client, version, asked).await
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
