//! Idempotent producers: what the broker remembers of them, and for how long.

use std::time::Duration;

use protocol::generated::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::{ApiKey, ErrorCode};
use runtime::TaskClass;

use crate::client::{
    Client, PRODUCE_VERSION, batch_of, fetch_request, one, produce_request, values,
};
use crate::cluster::Cluster;
use crate::restart::{End, end_and_start};

/// A producer id that nobody had before.
pub async fn producer_id(client: &mut Client) -> i64 {
    let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    let given: InitProducerIdResponse = client.ask(ApiKey::InitProducerId, 4, &request).await;
    assert_eq!((given.error_code, given.producer_epoch), (0, 0));
    given.producer_id
}

#[test]
fn a_batch_that_comes_again_gets_its_first_offset_and_a_gap_is_refused() {
    Cluster::start(1, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let id = producer_id(&mut client).await;
        for (sequence, expect) in [(0, 0), (2, 2), (0, 0), (2, 2)] {
            let appended = client.produce("t", 0, batch_of(id, 0, sequence, &["a", "b"])).await;
            assert_eq!((appended.error_code, appended.base_offset), (0, expect));
        }
        let code = |code: ErrorCode| code.number();
        let gap = client.produce("t", 0, batch_of(id, 0, 5, &["c"])).await;
        assert_eq!(gap.error_code, code(ErrorCode::OutOfOrderSequenceNumber));
        let newer = client.produce("t", 0, batch_of(id, 1, 0, &["d"])).await;
        assert_eq!((newer.error_code, newer.base_offset), (0, 4));
        let older = client.produce("t", 0, batch_of(id, 0, 4, &["e"])).await;
        assert_eq!(older.error_code, code(ErrorCode::InvalidProducerEpoch));
    });
}

#[test]
fn an_id_without_its_epoch_is_no_request() {
    Cluster::start(8, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        for (producer_id, producer_epoch) in [(5, -1), (-1, 3)] {
            let transactional_id = None;
            let request = InitProducerIdRequest {
                transactional_id,
                producer_id,
                producer_epoch,
                ..Default::default()
            };
            let given: InitProducerIdResponse =
                client.ask(ApiKey::InitProducerId, 4, &request).await;
            let expect = (ErrorCode::InvalidRequest.number(), -1);
            assert_eq!((given.error_code, given.producer_id), expect);
        }
    });
}

#[test]
fn no_two_producers_get_the_same_id() {
    let cluster = Cluster::start(2, &[]);
    let ids = |cluster: &Cluster| {
        cluster.run(|peer| async move {
            let mut ids = Vec::new();
            for _ in 0..4 {
                let mut client = peer.connect().await;
                ids.push(producer_id(&mut client).await);
            }
            ids
        })
    };
    let mut all = ids(&cluster);
    cluster.kill_and_start();
    all.extend(ids(&cluster));
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "{all:?}");
}

#[test]
fn the_last_five_batches_may_come_again_and_sequences_go_on_behind_the_largest() {
    Cluster::start(4, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let id = producer_id(&mut client).await;
        let gap = (ErrorCode::OutOfOrderSequenceNumber.number(), -1);
        let last = i32::MAX - 1;
        let in_order = (0..7).map(|n| (0, 2 * n, 2, (0, i64::from(2 * n))));
        let again = (2..7).map(|n| (0, 2 * n, 2, (0, i64::from(2 * n))));
        for (epoch, sequence, count, expect) in in_order.chain(again).chain([
            (0, 2, 2, gap),
            // The same place with another number of records is another batch.
            (0, 12, 1, gap),
            (1, 14, 2, gap),
            (1, 0, 2, (0, 14)),
        ]) {
            let values = &["a", "b", "c"][..count];
            let told = client.produce("t", 0, batch_of(id, epoch, sequence, values)).await;
            let case = format!("epoch {epoch}, sequence {sequence}, {count} records");
            assert_eq!((told.error_code, told.base_offset), expect, "{case}");
        }
        // Sequences begin again at 0, in the midst of a batch if need be.
        let other = producer_id(&mut client).await;
        for (sequence, expect) in [(last, (0, 16)), (last, (0, 16)), (2, gap), (1, (0, 19))] {
            let told = client.produce("t", 0, batch_of(other, 0, sequence, &["a", "b", "c"])).await;
            assert_eq!((told.error_code, told.base_offset), expect, "sequence {sequence}");
        }
    });
}

#[test]
fn a_duplicate_is_acknowledged_when_the_batch_itself_may_be() {
    let mut unanswered = 0;
    for step in 0..30 {
        let cluster = Cluster::start(step, &[]);
        cluster.run(|peer| async move {
            peer.connect().await.create_topic("t", 1).await;
        });
        let was_answered = cluster.run(move |peer| async move {
            let (mut first, mut second) = (peer.connect().await, peer.connect().await);
            let sent = || batch_of(9, 0, 0, &["x"]);
            first.send(ApiKey::Produce, PRODUCE_VERSION, &produce_request("t", 0, sent())).await;
            let first = peer
                .shard
                .spawn(TaskClass::Foreground, "first", async move { first.next_frame().await });
            peer.shard.sleep(Duration::from_micros(10 * step)).await;
            let was_answered = first.is_finished();
            let told = second.produce("t", 0, sent()).await;
            assert_eq!((told.error_code, told.base_offset), (0, 0));
            was_answered
        });
        unanswered += usize::from(!was_answered);
        cluster.cut_power_and_start();
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            let found = client.fetch(&fetch_request("t", &[(0, 0)], 0)).await;
            let records = one(one(found.responses).partitions).records.expect("never null");
            assert_eq!(values(&records), [(0, "x".to_string())], "step {step}");
        });
    }
    assert!(unanswered > 10, "else it would show nothing: {unanswered}");
}

#[test]
fn a_producer_that_had_an_id_gets_another_one_in_its_first_epoch() {
    Cluster::start(9, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let mut had = vec![producer_id(&mut client).await];
        for version in 3..=5 {
            for producer_epoch in [0, 5] {
                let producer_id = had[0];
                let transactional_id = None;
                let request = InitProducerIdRequest {
                    transactional_id,
                    producer_id,
                    producer_epoch,
                    ..Default::default()
                };
                let given: InitProducerIdResponse =
                    client.ask(ApiKey::InitProducerId, version, &request).await;
                assert_eq!((given.error_code, given.producer_epoch), (0, 0), "version {version}");
                assert!(!had.contains(&given.producer_id), "version {version}: {given:?}");
                had.push(given.producer_id);
            }
        }
    });
}

/// It was known until its own log took part in the settler's work, which comes to a log that is
/// written to: the next batch of a producer that had been silent for days was refused.
#[test]
fn a_silent_producer_is_forgotten() {
    let gap = ErrorCode::OutOfOrderSequenceNumber.number();
    for (seed, end) in (0..).zip([None, Some(End::Kill), Some(End::PowerCut), Some(End::Stop)]) {
        let cluster = Cluster::start(seed, &["producer.id.expiration.ms=60000"]);
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 1).await;
            for sequence in 0..3 {
                client.produce("t", 0, batch_of(9, 0, sequence, &["x"])).await;
            }
            peer.shard.sleep(Duration::from_secs(40)).await;
            client.produce("t", 0, batch_of(8, 0, 0, &["x"])).await;
        });
        if let Some(end) = end {
            end_and_start(&cluster, end);
        }
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            for (wait, id, sequence, expect) in [
                (10, 9, 77, (gap, -1)),
                (10, 9, 77, (0, 4)),
                (0, 9, 77, (0, 4)),
                (0, 9, 2, (gap, -1)),
                (0, 8, 5, (gap, -1)),
                (0, 8, 0, (0, 3)),
                (0, 9, 78, (0, 5)),
            ] {
                peer.shard.sleep(Duration::from_secs(wait)).await;
                let answer = client.produce("t", 0, batch_of(id, 0, sequence, &["x"])).await;
                let told = (answer.error_code, answer.base_offset);
                assert_eq!(told, expect, "{end:?}: producer {id}, sequence {sequence}");
            }
        });
    }
}
