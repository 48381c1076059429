//! What producers may rely on.

use protocol::generated::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::generated::produce::ProduceResponse;
use protocol::{ApiKey, ErrorCode};
use record::{BatchBuilder, ProducerEpoch, ProducerId, Record, Sequence};

use crate::client::{
    PRODUCE_VERSION, batch, batch_of, fetch_request, one, produce_request, values,
};
use crate::cluster::Cluster;

#[test]
fn records_come_back_from_the_partitions_of_both_shards() {
    for seed in 0..5 {
        Cluster::start(seed, &[]).run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 4).await;
            for partition in 0..4 {
                let value = format!("value {partition}");
                let appended = client.produce("t", partition, batch(&[&value, "b"])).await;
                assert_eq!((appended.error_code, appended.base_offset), (0, 0));
            }
            let from: Vec<(i32, i64)> = (0..4).map(|partition| (partition, 0)).collect();
            let found = one(client.fetch(&fetch_request("t", &from, 0)).await.responses);
            for partition in found.partitions {
                let expect = format!("value {}", partition.partition_index);
                let records = partition.records.expect("never null");
                assert_eq!(values(&records), [(0, expect), (1, "b".into())]);
                assert_eq!((partition.error_code, partition.high_watermark), (0, 2));
            }
        });
    }
}

#[test]
fn overlapped_produces_of_a_connection_keep_their_order() {
    for seed in 0..5 {
        Cluster::start(seed, &[]).run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 2).await;
            let id = producer_id(&mut client).await;
            for sequence in 0..20 {
                let batch = batch_of(id, 0, sequence / 2, &["x"]);
                let request = produce_request("t", sequence % 2, batch);
                client.send(ApiKey::Produce, PRODUCE_VERSION, &request).await;
            }
            for sequence in 0..20 {
                // CreateTopics and InitProducerId were the first two requests.
                let id = 3 + sequence;
                let response: ProduceResponse =
                    client.receive(id, ApiKey::Produce, PRODUCE_VERSION).await;
                let appended = one(one(response.responses).partition_responses);
                assert_eq!(appended.error_code, 0, "{sequence}");
                assert_eq!(appended.base_offset, i64::from(sequence / 2));
            }
        });
    }
}

async fn producer_id(client: &mut crate::client::Client) -> i64 {
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
            let request =
                InitProducerIdRequest { producer_id, producer_epoch, ..Default::default() };
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
fn what_breaks_a_rule_is_refused_with_kafkas_code() {
    Cluster::start(3, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let mut damaged = batch(&["x"]);
        *damaged.last_mut().expect("a batch has bytes") ^= 1;
        let twice = [batch(&["a"]), batch(&["b"])].concat();
        let long = "x".repeat(70_000);
        for (partition, records, code) in [
            (0, damaged, ErrorCode::CorruptMessage),
            (0, twice, ErrorCode::InvalidRecord),
            (0, Vec::new(), ErrorCode::InvalidRecord),
            (0, batch(&[&long]), ErrorCode::MessageTooLarge),
            (1, batch(&["x"]), ErrorCode::UnknownTopicOrPartition),
            (-1, batch(&["x"]), ErrorCode::UnknownTopicOrPartition),
        ] {
            let refused = client.produce("t", partition, records).await;
            assert_eq!((refused.error_code, refused.base_offset), (code.number(), -1));
        }
        let transactional = BatchBuilder::new().transactional();
        for builder in [
            transactional.clone(),
            transactional.producer(ProducerId(1), ProducerEpoch(0), Sequence(0)),
        ] {
            let mut builder = builder;
            builder.push(&Record::default());
            let refused = client.produce("t", 0, builder.build().expect("a small batch")).await;
            let code = ErrorCode::TransactionalIdAuthorizationFailed;
            assert_eq!(refused.error_code, code.number());
        }
        let mut request = produce_request("t", 0, batch(&["x"]));
        request.acks = 2;
        let response: ProduceResponse =
            client.ask(ApiKey::Produce, PRODUCE_VERSION, &request).await;
        let refused = one(one(response.responses).partition_responses);
        assert_eq!(refused.error_code, ErrorCode::InvalidRequiredAcks.number());
        let accepted = client.produce("t", 0, batch(&["x"])).await;
        assert_eq!((accepted.error_code, accepted.base_offset), (0, 0), "nothing was appended");
    });
}

#[test]
fn acks_0_is_never_answered_and_closes_on_an_error() {
    Cluster::start(4, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let mut request = produce_request("t", 0, batch(&["x"]));
        request.acks = 0;
        client.send(ApiKey::Produce, PRODUCE_VERSION, &request).await;
        // The next answer is the metadata's.
        assert_eq!(one(client.metadata("t").await.topics).error_code, 0);
        let mut request = produce_request("t", 7, batch(&["x"]));
        request.acks = 0;
        client.send(ApiKey::Produce, PRODUCE_VERSION, &request).await;
        assert_eq!(client.next_frame().await, None);
    });
}

#[test]
fn records_get_the_time_of_the_append_where_the_topic_says_so() {
    Cluster::start(5, &["log.message.timestamp.type=LogAppendTime"]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        peer.shard.sleep(std::time::Duration::from_secs(60)).await;
        let before = peer.shard.wall_ms();
        let appended = client.produce("t", 0, batch(&["x"])).await;
        assert!(appended.log_append_time_ms >= before, "{appended:?}");
        let found = one(client.fetch(&fetch_request("t", &[(0, 0)], 0)).await.responses);
        let records = one(found.partitions).records.expect("never null");
        assert_eq!(values(&records).len(), 1, "with a good checksum");
    });
}

#[test]
fn timestamps_from_another_time_are_refused() {
    Cluster::start(6, &["log.message.timestamp.before.max.ms=1000"]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        peer.shard.sleep(std::time::Duration::from_secs(60)).await;
        let refused = client.produce("t", 0, batch(&["x"])).await;
        assert_eq!(refused.error_code, ErrorCode::InvalidTimestamp.number());
    });
}

#[test]
fn producers_wait_for_room_instead_of_failing() {
    // A journal that a few hundred batches fill many times over.
    let small = ["ringmain.journal.files.max=4", "ringmain.tail.bytes=1048576"];
    Cluster::start(7, &small).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 2).await;
        let value = "x".repeat(60_000);
        for round in 0..100 {
            let appended = client.produce("t", round % 2, batch(&[&value])).await;
            assert_eq!(appended.error_code, 0, "round {round}: {:?}", appended.error_message);
            assert_eq!(appended.base_offset, i64::from(round / 2));
        }
    });
}
