//! What survives the end of a broker, however it came.

use protocol::ErrorCode;

use crate::client::{batch_of, fetch_request, one, values};
use crate::cluster::Cluster;

/// How a broker ends.
#[derive(Clone, Copy, Debug)]
pub enum End {
    Stop,
    Kill,
    PowerCut,
}

/// Ends the broker in that way and starts it again.
pub fn end_and_start(cluster: &Cluster, end: End) {
    match end {
        End::Stop => {
            cluster.stop();
            cluster.start_again();
        }
        End::Kill => cluster.kill_and_start(),
        End::PowerCut => cluster.cut_power_and_start(),
    }
}

#[test]
fn topics_records_and_producers_survive_and_leaders_lead_in_a_new_epoch() {
    for (seed, end) in (0..).zip([End::Stop, End::Kill, End::PowerCut].repeat(2)) {
        let cluster = Cluster::start(seed, &[]);
        let id = cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            let made = one(client.create_topic("t", 4).await.topics);
            for partition in 0..4 {
                for sequence in 0..3 {
                    client.produce("t", partition, batch_of(9, 0, sequence, &["x"])).await;
                }
            }
            made.topic_id
        });
        end_and_start(&cluster, end);
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            let topic = one(client.metadata("t").await.topics);
            assert_eq!((topic.topic_id, topic.partitions.len()), (id, 4), "{end:?}");
            assert!(topic.partitions.iter().all(|p| p.leader_epoch == 1), "{end:?}: {topic:?}");
            for partition in 0..4 {
                let again = client.produce("t", partition, batch_of(9, 0, 1, &["x"])).await;
                assert_eq!((again.error_code, again.base_offset), (0, 1), "a duplicate");
                let gap = client.produce("t", partition, batch_of(9, 0, 7, &["x"])).await;
                assert_eq!(gap.error_code, ErrorCode::OutOfOrderSequenceNumber.number());
                let next = client.produce("t", partition, batch_of(9, 0, 3, &["new"])).await;
                assert_eq!((next.error_code, next.base_offset), (0, 3));
                let request = fetch_request("t", &[(partition, 0)], 0);
                let found = one(one(client.fetch(&request).await.responses).partitions);
                let offsets: Vec<i64> =
                    values(&found.records.unwrap()).iter().map(|(offset, _)| *offset).collect();
                assert_eq!(offsets, [0, 1, 2, 3]);
                let mut stale = fetch_request("t", &[(partition, 0)], 0);
                stale.topics[0].partitions[0].current_leader_epoch = 0;
                let fenced = one(one(client.fetch(&stale).await.responses).partitions);
                assert_eq!(fenced.error_code, ErrorCode::FencedLeaderEpoch.number());
            }
        });
    }
}

#[test]
fn a_deleted_topic_stays_deleted() {
    for (seed, end) in (0..).zip([End::Stop, End::Kill, End::PowerCut]) {
        let cluster = Cluster::start(seed, &["auto.create.topics.enable=false"]);
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("gone", 4).await;
            client.create_topic("kept", 4).await;
            client.produce("gone", 0, batch_of(1, 0, 0, &["x"])).await;
            assert_eq!(crate::admin::delete(&mut client, "gone").await, 0);
        });
        end_and_start(&cluster, end);
        cluster.run(|peer| async move {
            let mut client = peer.connect().await;
            let gone = one(client.metadata("gone").await.topics);
            assert_eq!(gone.error_code, ErrorCode::UnknownTopicOrPartition.number());
            let kept = one(client.metadata("kept").await.topics);
            assert_eq!(kept.partitions.len(), 4);
        });
    }
}
