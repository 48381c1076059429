//! What a full disk takes from clients, and what it leaves them.

use std::time::Duration;

use protocol::generated::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::{ApiKey, ErrorCode};

use crate::admin::delete;
use crate::client::{Client, batch, fetch_request, one, values};
use crate::cluster::{Cluster, Peer};
use crate::restart::{End, end_and_start};

const RESERVE_BYTES: u64 = 16 << 20;
const SETTINGS: [&str; 2] =
    ["ringmain.disk.reserve.bytes=16777216", "auto.create.topics.enable=false"];
/// Longer than an answer of the file system counts.
const STALE: Duration = Duration::from_secs(2);

/// Every value of a partition, in order; their offsets have no gap.
pub async fn read_all(client: &mut Client, topic: &str, partition: i32) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let request = fetch_request(topic, &[(partition, all.len() as i64)], 0);
        let found = one(one(client.fetch(&request).await.responses).partitions);
        assert_eq!(found.error_code, 0, "{found:?}");
        let found = values(&found.records.expect("never null"));
        if found.is_empty() {
            return all;
        }
        for (offset, value) in found {
            assert_eq!(offset, all.len() as i64);
            all.push(value);
        }
    }
}

/// Produces until it is refused, which must be as a full disk is.
pub async fn produce_until_refused(client: &mut Client, partition: i32, value: &str) -> u64 {
    for acknowledged in 0..10_000 {
        let appended = client.produce("kept", partition, batch(&[value])).await;
        if appended.error_code != 0 {
            assert_eq!(appended.error_code, ErrorCode::KafkaStorageError.number());
            return acknowledged;
        }
    }
    panic!("the disk is never full");
}

/// Produces as a client does that tries again.
pub async fn produce_in_the_end(peer: &Peer, client: &mut Client, value: &str) {
    for _ in 0..100 {
        if client.produce("kept", 0, batch(&[value])).await.error_code == 0 {
            return;
        }
        peer.shard.sleep(Duration::from_millis(100)).await;
    }
    panic!("there is space again, and the broker does not take it");
}

async fn ask_for_producer_id(client: &mut Client) -> i16 {
    let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    let given: InitProducerIdResponse = client.ask(ApiKey::InitProducerId, 4, &request).await;
    given.error_code
}

/// The metadata log used to be refused like any other, so that the broker could neither start nor
/// delete a topic: nothing but an operator could free space.
#[test]
fn below_the_reserve_only_what_takes_space_is_refused_and_it_heals() {
    for (seed, end) in (0..).zip([End::Stop, End::Kill, End::PowerCut]) {
        let cluster = Cluster::start(seed, &SETTINGS);
        let acknowledged = cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("gone", 2).await;
            client.create_topic("kept", 2).await;
            for round in 0..20 {
                for topic in ["gone", "kept"] {
                    let appended = client.produce(topic, 0, batch(&[&format!("{round}")])).await;
                    assert_eq!(appended.error_code, 0);
                }
            }
            peer.disk().set_capacity(peer.disk().used_bytes() + RESERVE_BYTES / 2);
            peer.shard.sleep(STALE).await;
            let more = produce_until_refused(&mut client, 0, "late").await;
            let made = one(client.create_topic("more", 1).await.topics);
            assert_eq!(made.error_code, ErrorCode::KafkaStorageError.number());
            let id = ask_for_producer_id(&mut client).await;
            assert_eq!(id, ErrorCode::KafkaStorageError.number());
            assert_eq!(read_all(&mut client, "kept", 0).await.len() as u64, 20 + more);
            assert_eq!(delete(&mut client, "gone").await, 0);
            20 + more
        });
        end_and_start(&cluster, end);
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            let gone = one(client.metadata("gone").await.topics);
            assert_eq!(gone.error_code, ErrorCode::UnknownTopicOrPartition.number());
            let refused = produce_until_refused(&mut client, 0, "late").await;
            assert_eq!(refused, 0, "the start has asked the file system");
            let found = read_all(&mut client, "kept", 0).await;
            assert_eq!(found.len() as u64, acknowledged, "{end:?}");
            peer.disk().set_capacity(u64::MAX);
            peer.shard.sleep(STALE).await;
            produce_in_the_end(&peer, &mut client, "new").await;
            let found = read_all(&mut client, "kept", 0).await;
            assert_eq!(found.last().map(String::as_str), Some("new"));
            assert_eq!(found.len() as u64, acknowledged + 1);
            assert_eq!(one(client.create_topic("more", 1).await.topics).error_code, 0);
            assert_eq!(ask_for_producer_id(&mut client).await, 0);
        });
    }
}

/// Records that can't settle hold the whole journal. What leads to free space has its own part of
/// it, which used to be for tombstones alone: the metadata record before them found no room.
#[test]
fn a_full_journal_on_a_full_disk_lets_topics_be_deleted_and_a_broker_start() {
    let small = [
        "ringmain.disk.reserve.bytes=0",
        "ringmain.journal.files.max=4",
        "ringmain.tail.bytes=16777216",
    ];
    for (seed, end) in (0..).zip([None, Some(End::Kill), Some(End::PowerCut)]) {
        let cluster = Cluster::start(seed, &small);
        let acknowledged = cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("gone", 2).await;
            client.create_topic("kept", 2).await;
            let value = "x".repeat(60_000);
            for round in 0..8 {
                client.produce("gone", round % 2, batch(&[&value])).await;
            }
            peer.shard.sleep(STALE).await;
            peer.disk().set_capacity(peer.disk().used_bytes());
            // One partition on each shard; small ones fill what the large ones leave.
            let mut acknowledged = [0, 0];
            for (partition, count) in (0..).zip(&mut acknowledged) {
                *count += produce_until_refused(&mut client, partition, &value).await;
                *count += produce_until_refused(&mut client, partition, "x").await;
            }
            acknowledged
        });
        if let Some(end) = end {
            end_and_start(&cluster, end);
        }
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            assert_eq!(delete(&mut client, "gone").await, 0);
            for (partition, count) in (0..).zip(acknowledged) {
                let found = read_all(&mut client, "kept", partition).await.len() as u64;
                assert_eq!(found, count, "{end:?}");
            }
            peer.disk().set_capacity(u64::MAX);
            produce_in_the_end(&peer, &mut client, "new").await;
            let found = read_all(&mut client, "kept", 0).await.len() as u64;
            assert_eq!(found, acknowledged[0] + 1);
        });
    }
}
