//! How a broker answers for a log of which a file is lost, and what leads out of that.

use std::path::PathBuf;
use std::time::Duration;

use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic,
};
use protocol::{ApiKey, ErrorCode};

use crate::admin::delete;
use crate::client::{Client, batch, batch_of, fetch_request, one};
use crate::cluster::Cluster;
use crate::full_disk::{produce_in_the_end, produce_until_refused, read_all};
use crate::lost::{copies_below, files_below, put_back, remove_all, said};
use crate::restart::{End, end_and_start};

const STORAGE_ERROR: i16 = 56;
/// So that a few batches fill several blocks of a segment.
const VALUE_BYTES: usize = 3_000;
/// With the small segments below: two that are sealed, and the active one.
const RECORDS: i64 = 12;
const SMALL_SEGMENTS: &str = "log.segment.bytes=16384";
const NO_AUTO_CREATE: &str = "auto.create.topics.enable=false";
/// Not later than what the records of these tests have.
const TIMESTAMP: i64 = 1_767_225_600_000;

/// Makes a topic of two partitions, one on each shard, with records in both.
async fn fill(client: &mut Client, topic: &str) {
    client.create_topic(topic, 2).await;
    for partition in 0..2 {
        for offset in 0..RECORDS {
            let value = "x".repeat(VALUE_BYTES);
            let appended = client.produce(topic, partition, batch(&[&value])).await;
            assert_eq!((appended.error_code, appended.base_offset), (0, offset));
        }
    }
}

/// Removes files from the disk of a broker that is stopped.
fn remove(cluster: &Cluster, paths: Vec<PathBuf>) {
    cluster.on_broker(move |shard| {
        let paths = paths.clone();
        async move {
            for path in paths {
                shard.disk().remove_file(&path).await.expect("removed");
            }
        }
    });
}

async fn fetch_error(client: &mut Client, topic: &str, partition: i32, offset: i64) -> i16 {
    let request = fetch_request(topic, &[(partition, offset)], 0);
    one(one(client.fetch(&request).await.responses).partitions).error_code
}

async fn list_offset(client: &mut Client, timestamp: i64) -> ListOffsetsPartitionResponse {
    let partition = ListOffsetsPartition { timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let told: ListOffsetsResponse = client.ask(ApiKey::ListOffsets, 7, &request).await;
    one(one(told.topics).partitions)
}

#[test]
fn a_lost_folder_or_file_of_a_segment_is_told_to_clients_and_a_topic_without_it_goes() {
    for (seed, ending) in (0..).zip(["", ".log", ".index", ".timeindex"]) {
        let cluster = Cluster::start(seed, &[SMALL_SEGMENTS, NO_AUTO_CREATE]);
        cluster.run(|peer| async move { fill(&mut peer.connect().await, "t").await });
        cluster.stop();
        let files = files_below(&cluster, "/data/partitions/t-0.", ending);
        assert!(files.len() >= 3, "{files:?}");
        let mut lost = files[0].0.clone();
        if ending.is_empty() {
            lost.pop();
            let folder = lost.clone();
            cluster.on_broker(move |shard| {
                let folder = folder.clone();
                async move { remove_all(&shard, &folder).await }
            });
        } else {
            remove(&cluster, vec![lost.clone()]);
        }
        cluster.start_again();
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            let by_time = list_offset(&mut client, TIMESTAMP).await;
            assert_eq!(by_time.error_code, STORAGE_ERROR, "{ending}");
            if ending != ".timeindex" {
                assert_eq!(fetch_error(&mut client, "t", 0, 2).await, STORAGE_ERROR, "{ending}");
            }
            let refused = client.produce("t", 0, batch(&["x"])).await;
            assert_eq!(refused.error_code, STORAGE_ERROR, "{ending}");
            for (timestamp, offset) in [(-1, RECORDS), (-2, 0)] {
                let told = list_offset(&mut client, timestamp).await;
                assert_eq!((told.error_code, told.offset), (0, offset), "{ending}");
            }
            assert_eq!(fetch_error(&mut client, "t", 0, RECORDS).await, 0, "{ending}: its end");
            let topic = one(client.metadata("t").await.topics);
            assert_eq!((topic.error_code, topic.partitions[0].error_code), (0, 0), "{ending}");
            assert_eq!(client.produce("t", 1, batch(&["x"])).await.error_code, 0, "{ending}");

            assert_eq!(delete(&mut client, "t").await, 0, "{ending}");
            let gone = one(client.metadata("t").await.topics).error_code;
            assert_eq!(gone, ErrorCode::UnknownTopicOrPartition.number(), "{ending}");
            peer.shard.sleep(Duration::from_secs(1)).await;
            assert!(
                !peer
                    .disk()
                    .files()
                    .iter()
                    .any(|(path, _)| path.starts_with("/data/partitions/t-0"))
            );
            fill(&mut client, "t").await;
        });
        assert_eq!(files_below(&cluster, "/data/partitions/t-", ".log").len(), 0, "{ending}");
        cluster.stop();
        let lines = said(&cluster, "t-0 takes no more records");
        assert_eq!(lines.len(), 1, "{ending}: {lines:#?}");
        let path = lost.to_str().expect("UTF-8");
        assert!(lines[0].contains(path) && lines[0].contains("is missing"), "{lines:#?}");
        cluster.start_again();
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            for partition in 0..2 {
                assert_eq!(read_all(&mut client, "t", partition).await.len(), RECORDS as usize);
            }
        });
    }
}

/// The record had been acknowledged, and is lost: that it was there once must not tell its producer
/// that it is.
#[test]
fn a_duplicate_of_what_may_be_lost_is_not_acknowledged() {
    let cluster = Cluster::start(9, &[]);
    let value = "x".repeat(2 * VALUE_BYTES);
    let sent = batch_of(9, 0, 0, &[&value]);
    let again = sent.clone();
    cluster.run(move |peer| {
        let sent = sent.clone();
        async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 1).await;
            assert_eq!(client.produce("t", 0, sent).await.error_code, 0);
        }
    });
    cluster.stop();
    let files = files_below(&cluster, "/data/partitions/t-0.", ".log");
    remove(&cluster, files.into_iter().map(|(path, _)| path).collect());
    cluster.start_again();
    cluster.run(move |peer| {
        let again = again.clone();
        async move {
            let mut client = peer.connect().await;
            assert_eq!(fetch_error(&mut client, "t", 0, 0).await, STORAGE_ERROR);
            assert_eq!(client.produce("t", 0, again).await.error_code, STORAGE_ERROR);
        }
    });
}

/// What leads out when a lost file has filled the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WayOut {
    Deletion,
    Restored,
}

/// What had not settled of the log was acknowledged: it is kept, and at last nothing else has room.
#[test]
fn a_journal_full_of_what_a_lost_file_keeps_is_said_and_both_ways_out_lead_out() {
    let small = ["ringmain.journal.files.max=4", "ringmain.tail.bytes=16777216", NO_AUTO_CREATE];
    let ends = [End::Stop, End::Kill, End::PowerCut];
    for (seed, (way, end)) in (0..).zip(
        [WayOut::Deletion, WayOut::Restored].into_iter().flat_map(|way| ends.map(|end| (way, end))),
    ) {
        let cluster = Cluster::start(seed, &small);
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            fill(&mut client, "lost").await;
            client.create_topic("kept", 2).await;
        });
        cluster.stop();
        let copies = copies_below(&cluster, "/data/partitions/lost-", ".log");
        assert_eq!(copies.len(), 2, "one on each shard");
        remove(&cluster, copies.iter().map(|(path, _)| path.clone()).collect());
        cluster.start_again();
        let acknowledged = cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            for partition in 0..2 {
                let behind = client.produce("lost", partition, batch(&["behind"])).await;
                assert_eq!((behind.error_code, behind.base_offset), (0, RECORDS));
                assert_eq!(fetch_error(&mut client, "lost", partition, 0).await, STORAGE_ERROR);
            }
            let mut acknowledged = [0, 0];
            for (partition, count) in (0..).zip(&mut acknowledged) {
                *count += produce_until_refused(&mut client, partition, &"x".repeat(60_000)).await;
                *count += produce_until_refused(&mut client, partition, "x").await;
            }
            acknowledged
        });
        let lines = said(&cluster, "the journal is full and holds what lost-");
        assert_eq!(lines.len(), 2, "once on each shard: {lines:#?}");
        assert!(lines.iter().all(|line| line.contains("restored or the topic is deleted")));
        end_and_start(&cluster, end);
        if way == WayOut::Restored {
            cluster.run(|peer| async move {
                peer.connect().await;
            });
            cluster.stop();
            put_back(&cluster, copies);
            cluster.start_again();
        }
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            for (partition, count) in (0..).zip(acknowledged) {
                let found = read_all(&mut client, "kept", partition).await;
                assert_eq!(found.len() as u64, count, "{way:?} after {end:?}");
            }
            if way == WayOut::Deletion {
                assert_eq!(delete(&mut client, "lost").await, 0, "after {end:?}");
            } else {
                for partition in 0..2 {
                    let found = read_all(&mut client, "lost", partition).await;
                    assert_eq!(found.len() as i64, RECORDS + 1, "after {end:?}");
                    assert_eq!(found.last().map(String::as_str), Some("behind"));
                }
            }
            produce_in_the_end(&peer, &mut client, "new").await;
            let appended = client.produce("kept", 1, batch(&["new"])).await;
            assert_eq!(appended.error_code, 0, "{way:?} after {end:?}");
        });
    }
}

/// Making a log waits for room, and used to keep the deletion waiting that would have made some.
#[test]
fn a_topic_that_finds_no_room_for_its_logs_does_not_stop_a_deletion() {
    let small = ["ringmain.journal.files.max=4", "ringmain.tail.bytes=16777216", NO_AUTO_CREATE];
    for end in [None, Some(End::Kill), Some(End::Stop)] {
        let cluster = Cluster::start(1, &small);
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            fill(&mut client, "lost").await;
            client.create_topic("kept", 2).await;
        });
        cluster.stop();
        // Of the second shard's, as the first one decides what topics there are.
        let files = files_below(&cluster, "/data/partitions/lost-1.", ".log");
        remove(&cluster, files.into_iter().map(|(path, _)| path).collect());
        cluster.start_again();
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            assert_eq!(client.produce("lost", 1, batch(&["behind"])).await.error_code, 0);
            assert_eq!(fetch_error(&mut client, "lost", 1, 0).await, STORAGE_ERROR);
            produce_until_refused(&mut client, 1, &"x".repeat(60_000)).await;
            produce_until_refused(&mut client, 1, "x").await;
            assert_eq!(client.produce("kept", 0, batch(&["x"])).await.error_code, 0);
            let mut other = peer.connect().await;
            let made = other.create_topic("more", 2);
            let _no_room = peer.shard.timeout(Duration::from_secs(10), made).await;
        });
        if let Some(end) = end {
            end_and_start(&cluster, end);
        }
        cluster.run(|peer| async move {
            let connected = peer.shard.timeout(Duration::from_secs(60), peer.connect()).await;
            let mut client = connected.expect("it starts");
            let deletion = delete(&mut client, "lost");
            let deleted = peer.shard.timeout(Duration::from_secs(60), deletion).await;
            assert_eq!(deleted.expect("it makes room"), 0);
            produce_in_the_end(&peer, &mut client, "new").await;
            assert_eq!(client.produce("kept", 1, batch(&["new"])).await.error_code, 0);
            for _ in 0..100 {
                let appended = client.produce("more", 1, batch(&["new"])).await.error_code;
                if appended == 0 {
                    return;
                }
                peer.shard.sleep(Duration::from_millis(100)).await;
            }
            panic!("it never got its log");
        });
    }
}
