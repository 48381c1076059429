//! Who stamps records, and which stamps are refused.

use std::time::Duration;

use protocol::ErrorCode;
use record::{BatchBuilder, BatchView, Compression, Record, Timestamp, TimestampType};

use crate::client::{Client, START_MS, batch, batch_of, fetch_request, one};
use crate::cluster::Cluster;
use crate::consume::list;
use crate::restart::{End, end_and_start};
use crate::topic_settings::set;

/// Three records that say they are of these times.
fn batch_at(compression: Compression, times_ms: [i64; 3]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().compression(compression);
    for timestamp in times_ms.map(Timestamp) {
        builder.push(&Record { timestamp, value: Some(b"value"), ..Record::default() });
    }
    builder.build().expect("a small batch")
}

const COMPRESSIONS: [Compression; 2] = [Compression::None, Compression::Gzip];

/// What every reader must be told of a batch that was appended at `time`.
async fn check_batch(client: &mut Client, partition: i32, time: i64, case: &str) {
    let request = fetch_request("t", &[(partition, 0)], 0);
    let found = one(one(client.fetch(&request).await.responses).partitions);
    let bytes = found.records.expect("never null");
    let (view, rest) = BatchView::parse(&bytes).expect("a batch");
    assert!(rest.is_empty() && view.validate_crc().is_ok(), "{case}");
    assert_eq!(view.timestamp_type(), TimestampType::LogAppendTime, "{case}");
    assert_eq!(view.base_timestamp(), Timestamp(START_MS), "{case}: the producer's own");
    assert_eq!(view.max_timestamp(), Timestamp(time), "{case}");
    let limits = record::ReadLimits { decompressed_size_max_bytes: 1 << 20 };
    let records = record::records(&view, &limits).expect("records");
    let times: Vec<i64> = records.iter().map(|r| r.expect("a record").timestamp.0).collect();
    assert_eq!(times, [time; 3], "{case}");
    let of_partition =
        async |client: &mut Client, timestamp| list(client, 9, partition, timestamp).await;
    assert_eq!(of_partition(client, time).await, (0, (0, time)), "{case}: from then on");
    assert_eq!(of_partition(client, time + 1).await, (0, (-1, -1)), "{case}: later");
    assert_eq!(of_partition(client, -3).await, (0, (0, time)), "{case}: the latest");
}

#[test]
fn records_get_the_time_of_the_append_where_the_topic_says_so() {
    for (seed, end) in (0..).zip([End::PowerCut, End::Stop]) {
        let cluster = Cluster::start(seed, &["log.message.timestamp.type=LogAppendTime"]);
        let times = cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 2).await;
            let mut times = Vec::new();
            for (partition, compression) in (0..).zip(COMPRESSIONS) {
                peer.shard.sleep(Duration::from_secs(60)).await;
                let before = peer.shard.wall_ms();
                let bytes = batch_at(compression, [START_MS, START_MS + 5, START_MS + 2]);
                let appended = client.produce("t", partition, bytes).await;
                let time = appended.log_append_time_ms;
                assert!((before..=peer.shard.wall_ms()).contains(&time), "{appended:?}");
                check_batch(&mut client, partition, time, "in memory").await;
                times.push(time);
            }
            times
        });
        end_and_start(&cluster, end);
        cluster.run(move |peer| {
            let times = times.clone();
            async move {
                let mut client = peer.connect().await;
                for (partition, time) in (0..).zip(times) {
                    check_batch(&mut client, partition, time, &format!("after {end:?}")).await;
                }
            }
        });
    }
}

#[test]
fn records_keep_the_time_of_their_producer_where_the_topic_says_nothing() {
    Cluster::start(2, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 2).await;
        for (partition, compression) in (0..).zip(COMPRESSIONS) {
            let bytes = batch_at(compression, [START_MS, START_MS + 5, START_MS + 2]);
            let appended = client.produce("t", partition, bytes).await;
            assert_eq!((appended.error_code, appended.log_append_time_ms), (0, -1));
            assert_eq!(list(&mut client, 9, partition, -3).await, (0, (1, START_MS + 5)));
        }
    });
}

/// It was answered with the time of the retry, which no record has.
#[test]
fn a_duplicate_is_told_the_time_of_its_first_append() {
    for (seed, end) in (0..).zip([End::Kill, End::Stop]) {
        let cluster = Cluster::start(seed, &["log.message.timestamp.type=LogAppendTime"]);
        let again = |cluster: &Cluster| {
            cluster.run(|peer| async move {
                let mut client = peer.connect().await;
                client.create_topic("t", 1).await;
                let mut times = Vec::new();
                for sequence in [0, 2, 0, 2] {
                    peer.shard.sleep(Duration::from_secs(60)).await;
                    let sent = batch_of(9, 0, sequence, &["a", "b"]);
                    let appended = client.produce("t", 0, sent).await;
                    assert_eq!((appended.error_code, appended.base_offset), (0, sequence.into()));
                    times.push(appended.log_append_time_ms);
                }
                assert_eq!((times[0], times[1]), (times[2], times[3]));
                assert!(times[0] + 60_000 <= times[1], "{times:?}");
                times
            })
        };
        let before = again(&cluster);
        end_and_start(&cluster, end);
        assert_eq!(again(&cluster), before, "{end:?}");
        // The producer's own time is what counts for a batch that carries it, and from then on.
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            client.produce("t", 0, batch_of(9, 0, 4, &["c"])).await;
            set(&mut client, "t", "message.timestamp.type", "CreateTime").await;
            for (sequence, values) in [(4, &["c"][..]), (5, &["d"]), (5, &["d"])] {
                let appended = client.produce("t", 0, batch_of(9, 0, sequence, values)).await;
                assert_eq!((appended.error_code, appended.log_append_time_ms), (0, -1));
            }
            set(&mut client, "t", "message.timestamp.type", "LogAppendTime").await;
            let created = client.produce("t", 0, batch_of(9, 0, 5, &["d"])).await;
            assert_eq!((created.base_offset, created.log_append_time_ms), (5, -1));
        });
    }
}

#[test]
fn timestamps_from_another_time_are_refused() {
    const HOUR_MS: i64 = 3_600_000;
    Cluster::start(6, &["log.message.timestamp.before.max.ms=1000"]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        peer.shard.sleep(Duration::from_secs(60)).await;
        let at = async |client: &mut Client, ahead_ms: i64, compression| {
            let time = peer.shard.wall_ms() + ahead_ms;
            client.produce("t", 0, batch_at(compression, [time; 3])).await.error_code
        };
        let refused = ErrorCode::InvalidTimestamp.number();
        for compression in COMPRESSIONS {
            // The broker's clock goes on for some milliseconds until it has the batch.
            for (ahead_ms, code) in [
                (-1_001, refused),
                (-900, 0),
                (HOUR_MS, 0),
                (HOUR_MS + 100, refused),
                (2 * HOUR_MS, refused),
            ] {
                assert_eq!(at(&mut client, ahead_ms, compression).await, code, "{ahead_ms} ms");
            }
        }
        set(&mut client, "t", "message.timestamp.after.max.ms", &i64::MAX.to_string()).await;
        for ahead_ms in [2 * HOUR_MS, i64::MAX / 2] {
            assert_eq!(at(&mut client, ahead_ms, Compression::None).await, 0, "{ahead_ms} ms");
        }
        assert_eq!(client.produce("t", 0, batch(&["x"])).await.error_code, refused);
    });
}
