//! What producers may rely on.

use protocol::generated::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::generated::produce::ProduceResponse;
use protocol::{ApiKey, ErrorCode};
use record::{BatchBuilder, Compression, ProducerEpoch, ProducerId, Record, Sequence, Timestamp};

use crate::client::{
    PRODUCE_VERSION, batch, batch_of, fetch_request, one, produce_request, values,
};
use crate::cluster::Cluster;
use crate::producers::producer_id;

/// Where a batch has its attributes, the first of what its CRC covers.
const ATTRIBUTES_AT: usize = 21;

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
        let mut damaged = batch(&["x"]);
        *damaged.last_mut().expect("a batch has bytes") ^= 1;
        let long = batch(&[&"x".repeat(70_000)]);
        for (partition, records) in [(7, batch(&["x"])), (0, damaged), (0, long)] {
            let mut other = peer.connect().await;
            let mut request = produce_request("t", partition, records);
            request.acks = 0;
            other.send(ApiKey::Produce, PRODUCE_VERSION, &request).await;
            assert_eq!(other.next_frame().await, None, "partition {partition}");
        }
        assert_eq!(client.produce("t", 0, batch(&["y"])).await.base_offset, 1);
    });
}

#[test]
fn requests_with_and_without_an_answer_keep_their_order() {
    for seed in 0..8 {
        Cluster::start(seed, &[]).run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 1).await;
            let topics =
                vec![MetadataRequestTopic { name: Some("t".into()), ..Default::default() }];
            let metadata = MetadataRequest { topics: Some(topics), ..Default::default() };
            for (acks, value) in [(0, "a"), (1, "b"), (-1, "c"), (0, "d"), (9, ""), (-1, "e")] {
                if acks == 9 {
                    client.send(ApiKey::Metadata, 12, &metadata).await;
                    continue;
                }
                let mut request = produce_request("t", 0, batch(&[value]));
                request.acks = acks;
                client.send(ApiKey::Produce, PRODUCE_VERSION, &request).await;
            }
            // CreateTopics was the first; the second and the fifth want no answer.
            for (id, offset) in [(3, 1), (4, 2), (6, -1), (7, 4)] {
                if offset < 0 {
                    let told: MetadataResponse = client.receive(id, ApiKey::Metadata, 12).await;
                    assert_eq!(one(told.topics).error_code, 0);
                    continue;
                }
                let told: ProduceResponse =
                    client.receive(id, ApiKey::Produce, PRODUCE_VERSION).await;
                let appended = one(one(told.responses).partition_responses);
                assert_eq!((appended.error_code, appended.base_offset), (0, offset));
            }
            let found = client.fetch(&fetch_request("t", &[(0, 0)], 0)).await;
            let records = one(one(found.responses).partitions).records.expect("never null");
            let told: Vec<_> = values(&records).into_iter().map(|(_, value)| value).collect();
            assert_eq!(told, ["a", "b", "c", "d", "e"]);
        });
    }
}

/// A batch whose attributes say that it is compressed by the codec of that number.
fn compressed_by(codec: u8) -> Vec<u8> {
    let mut bytes = batch(&["x"]);
    bytes[ATTRIBUTES_AT + 1] = codec;
    let crc = crc32c(&bytes[ATTRIBUTES_AT..]);
    bytes[ATTRIBUTES_AT - 4..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn crc32c(bytes: &[u8]) -> u32 {
    let shifted = |crc: u32, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), shifted))
}

#[test]
fn a_codec_that_nobody_knows_or_that_the_version_lacks_is_refused() {
    Cluster::start(8, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let mut zstd = BatchBuilder::new().compression(Compression::Zstd);
        let (timestamp, value) = (Timestamp(1_767_225_600_000), Some(&b"x"[..]));
        zstd.push(&Record { timestamp, value, ..Record::default() });
        let zstd = zstd.build().expect("a small batch");
        let unsupported = ErrorCode::UnsupportedCompressionType.number();
        for (version, records, code) in [
            (3, zstd.clone(), unsupported),
            (6, zstd.clone(), unsupported),
            (7, zstd.clone(), 0),
            (12, zstd, 0),
            (6, batch(&["x"]), 0),
            (12, compressed_by(5), unsupported),
            (12, compressed_by(6), unsupported),
            (12, compressed_by(7), unsupported),
        ] {
            let request = produce_request("t", 0, records);
            let told: ProduceResponse = client.ask(ApiKey::Produce, version, &request).await;
            let told = one(one(told.responses).partition_responses);
            assert_eq!(told.error_code, code, "version {version}: {told:?}");
        }
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
