//! What administrators may rely on of partitions, leader epochs, log folders and the cluster.

use protocol::generated::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse,
    CreatePartitionsTopic,
};
use protocol::generated::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use protocol::generated::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
};
use protocol::generated::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, TopicRequest,
};
use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::generated::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};
use protocol::generated::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use protocol::{ApiKey, ErrorCode};

use crate::client::{Client, Then, batch, fetch_request, one};
use crate::cluster::Cluster;
use crate::restart::{End, end_and_start};

fn wish(name: &str, count: i32, assignments: Option<Vec<Vec<i32>>>) -> CreatePartitionsTopic {
    let assign = |broker_ids| CreatePartitionsAssignment { broker_ids };
    let assignments = assignments.map(|all| all.into_iter().map(assign).collect());
    CreatePartitionsTopic { name: name.into(), count, assignments }
}

async fn add_partitions(
    client: &mut Client,
    topics: Vec<CreatePartitionsTopic>,
    then: Then,
    timeout_ms: i32,
) -> Vec<(String, i16)> {
    let request =
        CreatePartitionsRequest { topics, timeout_ms, validate_only: then == Then::Nothing };
    let response: CreatePartitionsResponse =
        client.ask(ApiKey::CreatePartitions, 3, &request).await;
    response.results.into_iter().map(|result| (result.name, result.error_code)).collect()
}

#[test]
fn added_partitions_serve_everybody_when_they_are_answered_and_survive_every_end() {
    for (seed, end) in (0..).zip([End::Stop, End::Kill, End::PowerCut]) {
        let cluster = Cluster::start(seed, &[]);
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 2).await;
            assert_eq!(client.produce("t", 1, batch(&["old"])).await.error_code, 0);
            let added =
                add_partitions(&mut client, vec![wish("t", 5, None)], Then::Change, 9000).await;
            assert_eq!(added, [("t".into(), 0)]);
            for _ in 0..4 {
                let mut other = peer.connect().await;
                let parts = one(other.metadata("t").await.topics).partitions;
                assert_eq!(parts.len(), 5);
                assert!(parts.iter().all(|p| p.leader_epoch == 0), "of the old ones, too");
                for partition in 2..5 {
                    let appended = other.produce("t", partition, batch(&["x"])).await;
                    assert_eq!(appended.error_code, 0);
                }
            }
        });
        end_and_start(&cluster, end);
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            let topic = one(client.metadata("t").await.topics);
            assert_eq!(topic.partitions.len(), 5, "{end:?}");
            assert!(topic.partitions.iter().all(|partition| partition.leader_epoch == 1));
            for (partition, end_offset) in (0..).zip([0, 1, 4, 4, 4]) {
                let request = fetch_request("t", &[(partition, 0)], 0);
                let found = one(one(client.fetch(&request).await.responses).partitions);
                assert_eq!(found.high_watermark, end_offset, "{end:?}");
            }
        });
    }
}

#[test]
fn partitions_that_can_not_be_added_are_refused_one_by_one() {
    Cluster::start(30, &["auto.create.topics.enable=false"]).run(|peer| async move {
        let mut client = peer.connect().await;
        for name in ["same", "fewer", "unknown-broker", "too-few", "copies", "by-hand", "t"] {
            client.create_topic(name, 2).await;
        }
        let rows = [
            (wish("same", 2, None), ErrorCode::InvalidPartitions),
            (wish("fewer", 1, None), ErrorCode::InvalidPartitions),
            (wish("gone", 3, None), ErrorCode::UnknownTopicOrPartition),
            (wish("unknown-broker", 3, Some(vec![vec![9]])), ErrorCode::InvalidReplicaAssignment),
            (wish("too-few", 4, Some(vec![vec![1]])), ErrorCode::InvalidReplicaAssignment),
            (wish("copies", 3, Some(vec![vec![]])), ErrorCode::InvalidReplicaAssignment),
            (wish("by-hand", 4, Some(vec![vec![1], vec![1]])), ErrorCode::None),
        ];
        let topics = rows.iter().map(|(wish, _)| wish.clone()).collect();
        let codes = add_partitions(&mut client, topics, Then::Change, 9000).await;
        for ((name, code), (wish, expect)) in codes.iter().zip(&rows) {
            assert_eq!((name, *code), (&wish.name, expect.number()));
        }
        let twice = vec![wish("t", 3, None), wish("t", 4, None)];
        let invalid = ErrorCode::InvalidRequest.number();
        assert_eq!(
            add_partitions(&mut client, twice, Then::Change, 9000).await,
            [("t".into(), invalid)]
        );
        for count in [20_000, i32::MAX] {
            let many = vec![wish("t", count, None)];
            let policy = ErrorCode::PolicyViolation.number();
            let refused = add_partitions(&mut client, many, Then::Change, 9000).await;
            assert_eq!(refused, [("t".into(), policy)]);
        }
        let checked =
            add_partitions(&mut client, vec![wish("t", 3, None)], Then::Nothing, 9000).await;
        assert_eq!(checked, [("t".into(), 0)]);
        let late = add_partitions(&mut client, vec![wish("t", 3, None)], Then::Change, 0).await;
        assert_eq!(late, [("t".into(), ErrorCode::RequestTimedOut.number())]);
        assert_eq!(one(client.metadata("t").await.topics).partitions.len(), 2);
        assert_eq!(one(client.metadata("by-hand").await.topics).partitions.len(), 4);
    });
}

async fn epoch_end(client: &mut Client, partition: i32, known: i32, epoch: i32) -> EpochEndOffset {
    let asked =
        OffsetForLeaderPartition { partition, current_leader_epoch: known, leader_epoch: epoch };
    let topic = OffsetForLeaderTopic { topic: "t".into(), partitions: vec![asked] };
    let request = OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() };
    let response: OffsetForLeaderEpochResponse =
        client.ask(ApiKey::OffsetForLeaderEpoch, 4, &request).await;
    one(one(response.topics).partitions)
}

/// An epoch that goes back, or differs between APIs, makes a Java client ignore all metadata.
#[test]
fn every_api_tells_the_same_leader_epoch_and_where_the_epochs_before_it_end() {
    let cluster = Cluster::start(31, &[]);
    for life in 0..3 {
        cluster.run(move |peer| async move {
            let mut client = peer.connect().await;
            if life == 0 {
                client.create_topic("t", 2).await;
            }
            for partition in 0..2 {
                for _ in 0..=life {
                    client.produce("t", partition, batch(&["x"])).await;
                }
                let topic = one(client.metadata("t").await.topics);
                assert_eq!(topic.partitions[partition as usize].leader_epoch, life);
                let asked = ListOffsetsPartition {
                    partition_index: partition,
                    timestamp: -1,
                    ..ListOffsetsPartition::default()
                };
                let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![asked] };
                let request = ListOffsetsRequest { topics: vec![topic], ..Default::default() };
                let offsets: ListOffsetsResponse =
                    client.ask(ApiKey::ListOffsets, 7, &request).await;
                assert_eq!(one(one(offsets.topics).partitions).leader_epoch, life);
                let described = describe(&mut client, &["t"], 2000, None).await;
                let parts = one(described.topics).partitions;
                assert_eq!(parts[partition as usize].leader_epoch, life);
                // One record in the first life, two in the second, three in the third.
                for (epoch, end_offset) in
                    [(0, 1), (1, 3), (2, 6)].into_iter().take(1 + life as usize)
                {
                    for known in [-1, life] {
                        let end = epoch_end(&mut client, partition, known, epoch).await;
                        assert_eq!((end.error_code, end.leader_epoch), (0, epoch));
                        assert_eq!(end.end_offset, end_offset, "epoch {epoch} in life {life}");
                    }
                }
                for unknown in [-1, life + 1] {
                    let end = epoch_end(&mut client, partition, -1, unknown).await;
                    assert_eq!((end.error_code, end.leader_epoch, end.end_offset), (0, -1, -1));
                }
                let newer = epoch_end(&mut client, partition, life + 1, 0).await;
                assert_eq!(newer.error_code, ErrorCode::UnknownLeaderEpoch.number());
            }
            let fenced = epoch_end(&mut client, 0, life - 1, 0).await.error_code;
            let older = if life == 0 { 0 } else { ErrorCode::FencedLeaderEpoch.number() };
            assert_eq!(fenced, older, "-1 is no epoch");
            let unknown = epoch_end(&mut client, 7, -1, 0).await;
            assert_eq!(unknown.error_code, ErrorCode::UnknownTopicOrPartition.number());
        });
        end_and_start(&cluster, [End::Kill, End::PowerCut, End::Stop][life as usize]);
    }
}

async fn describe(
    client: &mut Client,
    topics: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> DescribeTopicPartitionsResponse {
    let cursor =
        cursor.map(|(name, partition_index)| Cursor { topic_name: name.into(), partition_index });
    let request = DescribeTopicPartitionsRequest {
        topics: topics.iter().map(|name| TopicRequest { name: (*name).into() }).collect(),
        response_partition_limit: limit,
        cursor,
    };
    client.ask(ApiKey::DescribeTopicPartitions, 0, &request).await
}

#[test]
fn partitions_are_told_in_pages_that_follow_one_another_without_gaps() {
    Cluster::start(32, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        for (name, count) in [("a", 3), ("b", 1), ("c", 5)] {
            client.create_topic(name, count).await;
        }
        for limit in [-1, 0, 1, 2, 3, 4, 9, 2000, i32::MAX] {
            for topics in [&[][..], &["c", "a", "b", "a"]] {
                let mut seen = Vec::new();
                let mut cursor: Option<(String, i32)> = None;
                loop {
                    let from = cursor.as_ref().map(|(name, index)| (name.as_str(), *index));
                    let page = describe(&mut client, topics, limit, from).await;
                    let count: usize = page.topics.iter().map(|t| t.partitions.len()).sum();
                    assert!(count as i32 <= limit.max(1), "{count} of {limit}");
                    for topic in page.topics {
                        let name = topic.name.expect("asked for by name");
                        assert_eq!(topic.error_code, 0);
                        let index = |partition: i32| (name.clone(), partition);
                        seen.extend(topic.partitions.iter().map(|p| index(p.partition_index)));
                    }
                    let Some(next) = page.next_cursor else { break };
                    cursor = Some((next.topic_name, next.partition_index));
                }
                let all = [("a", 3), ("b", 1), ("c", 5)].into_iter();
                let all = all.flat_map(|(name, n)| (0..n).map(move |i| (name.to_string(), i)));
                assert_eq!(seen, all.collect::<Vec<_>>(), "limit {limit}");
            }
        }
        let odd = describe(&mut client, &["gone", "a/b", "b"], 2000, None).await;
        let codes: Vec<i16> = odd.topics.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [17, 0, 3], "in the order of names: a/b, b, gone");
        for (topics, cursor) in [
            (&["a"][..], ("a", -1)),
            (&["c"], ("zzz", 0)),
            (&["c"], ("b", 1)),
            (&["a", "c"], ("", 0)),
        ] {
            let nowhere = describe(&mut client, topics, 2000, Some(cursor)).await;
            let told: Vec<(Option<&str>, i16)> =
                nowhere.topics.iter().map(|t| (t.name.as_deref(), t.error_code)).collect();
            let refused = topics.iter().map(|name| (Some(*name), 42));
            assert_eq!(told, refused.collect::<Vec<_>>(), "{cursor:?}: invalid request");
            assert_eq!(nowhere.next_cursor, None);
        }
        let far = describe(&mut client, &[], 2000, Some(("b", i32::MAX))).await;
        let counts: Vec<usize> = far.topics.iter().map(|topic| topic.partitions.len()).collect();
        assert_eq!(counts, [0, 5]);
        let elr = one(describe(&mut client, &["b"], 1, None).await.topics);
        assert_eq!(elr.topic_authorized_operations, 3576);
        let partition = one(elr.partitions);
        let empty = Some(Vec::new());
        assert_eq!(
            (partition.eligible_leader_replicas, partition.last_known_elr),
            (empty.clone(), empty)
        );
    });
}

async fn log_dirs(client: &mut Client, topics: Option<&[(&str, &[i32])]>) -> DescribeLogDirsResult {
    let topic = |(name, partitions): &(&str, &[i32])| DescribableLogDirTopic {
        topic: (*name).into(),
        partitions: partitions.to_vec(),
    };
    let topics = topics.map(|topics| topics.iter().map(topic).collect());
    let request = DescribeLogDirsRequest { topics };
    let response: DescribeLogDirsResponse = client.ask(ApiKey::DescribeLogDirs, 5, &request).await;
    assert_eq!(response.error_code, 0);
    one(response.results)
}

fn sizes(folder: &DescribeLogDirsResult) -> Vec<(&str, i32, i64)> {
    let topics = folder.topics.iter();
    let partitions = topics.flat_map(|topic| topic.partitions.iter().map(|p| (&*topic.name, p)));
    partitions.map(|(name, p)| (name, p.partition_index, p.partition_size)).collect()
}

#[test]
fn the_size_of_a_log_is_that_of_its_batches_settled_or_not() {
    let cluster = Cluster::start(33, &["log.segment.bytes=20000"]);
    let ask = |client: &Cluster, expect: i64| {
        client.run(move |peer| async move {
            let mut client = peer.connect().await;
            let folder = log_dirs(&mut client, None).await;
            assert_eq!((folder.log_dir.as_str(), folder.error_code), ("/data", 0));
            assert!(0 < folder.usable_bytes && folder.usable_bytes <= folder.total_bytes);
            assert_eq!(sizes(&folder), [("t", 0, expect), ("t", 1, 0), ("t", 2, 0)]);
            let asked: &[(&str, &[i32])] = &[("t", &[2, 0, 0, 7, -1]), ("gone", &[0])];
            let some = log_dirs(&mut client, Some(asked)).await;
            assert_eq!(sizes(&some), [("t", 0, expect), ("t", 2, 0)]);
            assert_eq!(sizes(&log_dirs(&mut client, Some(&[])).await), []);
        });
    };
    let one_batch = batch(&["x".repeat(5000).as_str()]);
    let size = one_batch.len() as i64;
    cluster.run(move |peer| {
        let one_batch = one_batch.clone();
        async move {
            let mut client = peer.connect().await;
            client.create_topic("t", 3).await;
            for count in 1..=20 {
                client.produce("t", 0, one_batch.clone()).await;
                let folder = log_dirs(&mut client, Some(&[("t", &[0])])).await;
                assert_eq!(sizes(&folder), [("t", 0, count * size)]);
                // Some of it settles meanwhile.
                peer.shard.sleep(std::time::Duration::from_secs(count as u64 % 4)).await;
            }
        }
    });
    ask(&cluster, 20 * size);
    for end in [End::Kill, End::Stop, End::PowerCut] {
        end_and_start(&cluster, end);
        ask(&cluster, 20 * size);
    }
}

#[test]
fn the_cluster_tells_its_brokers_and_what_kinds_of_endpoints_it_has() {
    Cluster::start(34, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let id = client.metadata("t").await.cluster_id;
        for version in 0..=2 {
            for asks in [true, false] {
                let request = DescribeClusterRequest {
                    include_cluster_authorized_operations: asks,
                    ..DescribeClusterRequest::default()
                };
                let told: DescribeClusterResponse =
                    client.ask(ApiKey::DescribeCluster, version, &request).await;
                assert_eq!((told.error_code, told.controller_id), (0, 1));
                assert_eq!(Some(told.cluster_id), id);
                let operations = if asks { 8096 } else { i32::MIN };
                assert_eq!(told.cluster_authorized_operations, operations);
                let broker = one(told.brokers);
                assert_eq!((broker.broker_id, &*broker.host, broker.port), (1, "broker", 9092));
            }
        }
        for (endpoint_type, code) in
            [(2, ErrorCode::MismatchedEndpointType), (3, ErrorCode::UnsupportedEndpointType)]
        {
            let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
            let told: DescribeClusterResponse =
                client.ask(ApiKey::DescribeCluster, 2, &request).await;
            assert_eq!((told.error_code, told.brokers.len()), (code.number(), 0));
        }
        let all = ListPartitionReassignmentsRequest::default();
        let told: ListPartitionReassignmentsResponse =
            client.ask(ApiKey::ListPartitionReassignments, 0, &all).await;
        assert_eq!((told.error_code, told.topics.len()), (0, 0));
    });
}
