//! Leader epochs as clients get to see them: one that goes back, or differs between two answers,
//! makes a Java client ignore all metadata.

use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::{ApiKey, ErrorCode};
use record::{BatchBuilder, Record, Timestamp};

use crate::client::{Client, fetch_request, one};
use crate::cluster::Cluster;
use crate::restart::{End, end_and_start};

/// What the first partition tells of a time, or of one of the special ones: offset and epoch.
async fn epoch_at(client: &mut Client, timestamp: i64) -> (i64, i32) {
    let asked = ListOffsetsPartition { timestamp, ..ListOffsetsPartition::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![asked] };
    let request = ListOffsetsRequest { topics: vec![topic], ..Default::default() };
    let told: ListOffsetsResponse = client.ask(ApiKey::ListOffsets, 7, &request).await;
    let told = one(one(told.topics).partitions);
    (told.offset, told.leader_epoch)
}

/// One record, of a time that tells its number.
fn batch_at(number: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.push(&Record { timestamp: Timestamp(1_000 + number), ..Record::default() });
    builder.build().expect("a small batch")
}

/// A consumer takes the epoch of its position from the batches that it fetches.
#[test]
fn a_batch_tells_the_epoch_in_which_it_was_appended_and_look_ups_tell_the_same() {
    let epochs = [0, 1, 1, 2, 2, 2];
    for (seed, ends) in (0..).zip([
        [End::Kill, End::PowerCut],
        [End::Stop, End::Kill],
        [End::PowerCut, End::Stop],
        [End::Stop, End::Stop],
    ]) {
        let cluster = Cluster::start(seed, &[]);
        for life in 0..3 {
            cluster.run(move |peer| async move {
                let mut client = peer.connect().await;
                if life == 0 {
                    client.create_topic("t", 1).await;
                }
                let before = i64::from(life * (life + 1) / 2);
                for number in before..=before + i64::from(life) {
                    let appended = client.produce("t", 0, batch_at(number)).await;
                    assert_eq!((appended.error_code, appended.base_offset), (0, number));
                }
                let leader_epoch = one(one(client.metadata("t").await.topics).partitions);
                assert_eq!(leader_epoch.leader_epoch, life);
                for (known, code) in [
                    (-1, ErrorCode::None),
                    (life, ErrorCode::None),
                    (life + 1, ErrorCode::UnknownLeaderEpoch),
                    (0, if life == 0 { ErrorCode::None } else { ErrorCode::FencedLeaderEpoch }),
                ] {
                    let mut request = fetch_request("t", &[(0, 0)], 0);
                    request.topics[0].partitions[0].current_leader_epoch = known;
                    let found = one(one(client.fetch(&request).await.responses).partitions);
                    assert_eq!(found.error_code, code.number(), "{known} in life {life}");
                    if code == ErrorCode::None {
                        let bytes = found.records.expect("never null");
                        let batches = record::split(&bytes);
                        let told: Vec<i32> =
                            batches.map(|batch| batch.expect("whole").leader_epoch().0).collect();
                        let count = before as usize + life as usize + 1;
                        assert_eq!(told, epochs[..count], "{ends:?}, life {life}");
                    }
                }
                assert_eq!(epoch_at(&mut client, -2).await, (0, 0));
                let end = before + i64::from(life) + 1;
                assert_eq!(epoch_at(&mut client, -1).await, (end, life));
                assert_eq!(epoch_at(&mut client, -3).await, (end - 1, life));
                for (number, epoch) in (0..end).zip(epochs) {
                    assert_eq!(epoch_at(&mut client, 1_000 + number).await, (number, epoch));
                }
            });
            if let Some(end) = ends.get(life as usize) {
                end_and_start(&cluster, *end);
            }
        }
    }
}
