//! Peers that claim and ask for more than they give: they cost little, and others are served.

use std::time::Duration;

use protocol::generated::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use protocol::generated::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use protocol::generated::delete_topics::{
    DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use protocol::generated::describe_configs::{DescribeConfigsRequest, DescribeConfigsResource};
use protocol::generated::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsRequest};
use protocol::generated::describe_topic_partitions::{
    DescribeTopicPartitionsRequest, TopicRequest,
};
use protocol::generated::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use protocol::generated::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use protocol::generated::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
};
use protocol::generated::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::generated::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use protocol::generated::produce;
use protocol::{ApiKey, ErrorCode, Message, Uuid};
use runtime::TaskClass;

use crate::client::{
    Client, FETCH_VERSION, PRODUCE_VERSION, batch, fetch_request, one, produce_request, values,
};
use crate::cluster::{Cluster, Peer};

/// `socket.request.max.bytes`, as a broker has it that is told nothing.
const CLAIM: i32 = 100 * 1024 * 1024;

/// Produces and fetches; returns how long that took.
async fn produce_and_fetch(peer: &Peer, client: &mut Client) -> Duration {
    let began = peer.shard.now();
    let appended = client.produce("t", 0, batch(&["x"])).await;
    assert_eq!(appended.error_code, 0, "{appended:?}");
    let from = [(0, appended.base_offset)];
    let found = one(client.fetch(&fetch_request("t", &from, 0)).await.responses);
    let records = one(found.partitions).records.expect("never null");
    assert_eq!(values(&records), [(appended.base_offset, "x".into())]);
    peer.shard.now().since(began)
}

#[test]
fn claims_of_large_requests_stop_nobody_and_are_closed_after_a_while() {
    for (seed, claims) in [(1, 12), (2, 200)] {
        Cluster::start(seed, &[]).run(move |peer| async move {
            let mut honest = peer.connect().await;
            honest.create_topic("t", 1).await;
            let mut liars = Vec::new();
            for silent in 0..claims {
                let liar = peer.connect().await;
                let mut bytes = CLAIM.to_be_bytes().to_vec();
                bytes.resize(4 + silent % 2, 0);
                liar.send_raw(bytes).await;
                liars.push(liar);
            }
            let mut newcomer = peer.connect().await;
            for _ in 0..20 {
                for client in [&mut honest, &mut newcomer] {
                    let took = produce_and_fetch(&peer, client).await;
                    assert!(took < Duration::from_millis(500), "{took:?}");
                }
                peer.shard.sleep(Duration::from_secs(1)).await;
            }
            let all_closed = async {
                for liar in &mut liars {
                    assert_eq!(liar.next_frame().await, None);
                }
            };
            let closed = peer.shard.timeout(Duration::from_secs(30), all_closed).await;
            assert!(closed.is_ok(), "a begun request may take half a minute");
        });
    }
}

#[test]
fn metadata_tells_of_a_topic_once_however_often_it_is_named() {
    Cluster::start(3, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let id = one(client.create_topic("t", 8).await.topics).topic_id;
        let named = |name: &str| MetadataRequestTopic { name: Some(name.into()), ..<_>::default() };
        let by_id = |topic_id| MetadataRequestTopic { name: None, topic_id };
        let unknown = Uuid([7; 16]);
        for (topics, expect) in [
            (vec![named("t"); 1000], vec![0]),
            (vec![by_id(id); 1000], vec![0]),
            (vec![named("a"), named("t"), named("a")], vec![3, 0]),
            (vec![by_id(unknown), by_id(unknown), by_id(id)], vec![100, 0]),
        ] {
            let request = MetadataRequest {
                topics: Some(topics),
                allow_auto_topic_creation: false,
                ..MetadataRequest::default()
            };
            let told: MetadataResponse = client.ask(ApiKey::Metadata, 12, &request).await;
            let codes: Vec<i16> = told.topics.iter().map(|topic| topic.error_code).collect();
            assert_eq!(codes, expect);
        }
    });
}

#[test]
fn a_partition_that_is_fetched_twice_is_answered_once_from_where_it_was_named_last() {
    Cluster::start(4, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 2).await;
        for value in ["a", "b"] {
            client.produce("t", 0, batch(&[value])).await;
        }
        let mut from = vec![(0, 0); 999];
        from.extend([(1, 0), (0, 1)]);
        let found = one(client.fetch(&fetch_request("t", &from, 0)).await.responses);
        let indexes: Vec<i32> = found.partitions.iter().map(|p| p.partition_index).collect();
        assert_eq!(indexes, [0, 1]);
        let records = found.partitions[0].records.as_deref().expect("never null");
        assert_eq!(values(records), [(1, "b".into())]);
    });
}

#[test]
fn offsets_of_a_partition_that_is_asked_for_twice_are_not_looked_up() {
    Cluster::start(5, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 2).await;
        let topic = |indexes: &[i32]| {
            let partition = |index: &i32| ListOffsetsPartition {
                partition_index: *index,
                timestamp: -1,
                ..ListOffsetsPartition::default()
            };
            let partitions = indexes.iter().map(partition).collect();
            ListOffsetsTopic { name: "t".into(), partitions }
        };
        let topics = vec![topic(&[0, 1]), topic(&[0])];
        let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
        let told: ListOffsetsResponse = client.ask(ApiKey::ListOffsets, 7, &request).await;
        let partitions = told.topics.iter().flat_map(|topic| &topic.partitions);
        let codes: Vec<i16> = partitions.map(|partition| partition.error_code).collect();
        let twice = ErrorCode::InvalidRequest.number();
        assert_eq!(codes, [twice, 0, twice]);
    });
}

#[test]
fn topics_that_are_created_or_deleted_twice_in_a_request_are_refused_once() {
    Cluster::start(6, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        let invalid = ErrorCode::InvalidRequest.number();
        let topic = CreatableTopic {
            name: "new".into(),
            num_partitions: 1,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic; 500], ..Default::default() };
        let created: protocol::generated::create_topics::CreateTopicsResponse =
            client.ask(ApiKey::CreateTopics, 7, &request).await;
        assert_eq!(one(created.topics).error_code, invalid);
        let id = one(client.create_topic("t", 1).await.topics).topic_id;
        let named = |name: Option<&str>, topic_id| DeleteTopicState {
            name: name.map(String::from),
            topic_id,
        };
        for (states, expect) in [
            (vec![named(Some("t"), Uuid::ZERO); 500], invalid),
            (vec![named(None, id); 500], invalid),
            (vec![named(None, Uuid::ZERO)], invalid),
            (vec![named(Some("t"), id)], invalid),
            (vec![named(Some("t"), Uuid::ZERO), named(None, id)], invalid),
            (vec![named(Some("t"), Uuid::ZERO)], 0),
        ] {
            let request =
                DeleteTopicsRequest { topics: states, timeout_ms: 30_000, ..Default::default() };
            let deleted: DeleteTopicsResponse = client.ask(ApiKey::DeleteTopics, 6, &request).await;
            assert_eq!(one(deleted.responses).error_code, expect);
        }
    });
}

#[test]
fn acks_0_is_not_answered_even_if_the_request_is_refused_as_a_whole() {
    Cluster::start(7, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let mut request = produce_request("t", 0, batch(&["x"]));
        request.acks = 0;
        request.transactional_id = Some("a".into());
        client.send(ApiKey::Produce, PRODUCE_VERSION, &request).await;
        assert_eq!(client.next_frame().await, None, "refused, which only a close can tell");
    });
}

#[test]
fn a_transactional_id_is_refused_alike_wherever_it_is_given() {
    Cluster::start(13, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let unsupported = ErrorCode::UnsupportedVersion.number();
        let mut request = produce_request("t", 0, batch(&["x"]));
        request.transactional_id = Some("a".into());
        let told: produce::ProduceResponse =
            client.ask(ApiKey::Produce, PRODUCE_VERSION, &request).await;
        assert_eq!(one(one(told.responses).partition_responses).error_code, unsupported);
        let request =
            InitProducerIdRequest { transactional_id: Some("a".into()), ..Default::default() };
        let told: InitProducerIdResponse = client.ask(ApiKey::InitProducerId, 4, &request).await;
        assert_eq!(told.error_code, unsupported);
    });
}

#[test]
fn a_connection_is_idle_while_nothing_is_asked_and_not_while_a_fetch_waits() {
    Cluster::start(14, &["connections.max.idle.ms=5000"]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        client.fetch(&fetch_request("t", &[(0, 0)], 20_000)).await;
        let began = peer.shard.now();
        assert_eq!(client.next_frame().await, None);
        let idle = peer.shard.now().since(began);
        assert!((5..8).contains(&idle.as_secs()), "{idle:?}");
    });
}

/// It used to be closed when its answer had left.
#[test]
fn a_connection_is_not_idle_while_its_answer_leaves_slowly() {
    Cluster::start(17, &["connections.max.idle.ms=2000"]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let value = "x".repeat(60_000);
        for _ in 0..50 {
            client.produce("t", 0, batch(&[&value])).await;
        }
        let mut request = fetch_request("t", &[(0, 0)], 0);
        request.topics[0].partitions[0].partition_max_bytes = i32::MAX;
        client.send(ApiKey::Fetch, FETCH_VERSION, &request).await;
        let began = peer.shard.now();
        let pause = async || peer.shard.sleep(Duration::from_millis(200)).await;
        let answer = client.next_frame_after(pause).await.expect("all of it");
        let took = peer.shard.now().since(began);
        assert!(answer.len() > 50 * 60_000 && took > Duration::from_secs(8), "{took:?}");
        // Its time begins now.
        peer.shard.sleep(Duration::from_millis(1500)).await;
        produce_and_fetch(&peer, &mut client).await;
        let began = peer.shard.now();
        assert_eq!(client.next_frame().await, None);
        let idle = peer.shard.now().since(began);
        assert!((2..5).contains(&idle.as_secs()), "{idle:?}");
    });
}

#[test]
fn a_request_with_more_partitions_than_any_cluster_closes_its_connection() {
    Cluster::start(8, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        let mut request = fetch_request("t", &[(0, 0)], 0);
        request.topics[0].partitions =
            (0..100_001).map(|partition| FetchPartition { partition, ..<_>::default() }).collect();
        client.send(ApiKey::Fetch, FETCH_VERSION, &request).await;
        assert_eq!(client.next_frame().await, None);
        let mut client = peer.connect().await;
        produce_and_fetch(&peer, &mut client).await;
    });
}

/// Asks everything that names topics about `names`, none of which exists. How many answers came.
async fn ask_about(peer: &Peer, names: &[String]) -> usize {
    let mut answers = 0;
    let produce = produce::ProduceRequest {
        acks: -1,
        timeout_ms: 1000,
        topic_data: names.iter().map(|name| topic_to_produce(name)).collect(),
        ..<_>::default()
    };
    answers += ask_once(peer, ApiKey::Produce, PRODUCE_VERSION, &produce).await;
    let mut fetch = fetch_request("", &[(0, 0)], 0);
    let topic = one(std::mem::take(&mut fetch.topics));
    let named = |name: &String| FetchTopic { topic: name.clone(), ..topic.clone() };
    fetch.topics = names.iter().map(named).collect();
    answers += ask_once(peer, ApiKey::Fetch, FETCH_VERSION, &fetch).await;
    let topic = |name: &String| ListOffsetsTopic {
        name: name.clone(),
        partitions: vec![ListOffsetsPartition::default()],
    };
    let topics = names.iter().map(topic).collect();
    let offsets = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    answers += ask_once(peer, ApiKey::ListOffsets, 7, &offsets).await;
    let topic = |name: &String| MetadataRequestTopic { name: Some(name.clone()), ..<_>::default() };
    let topics = Some(names.iter().map(topic).collect());
    let metadata = MetadataRequest { topics, ..Default::default() };
    answers += ask_once(peer, ApiKey::Metadata, 12, &metadata).await;
    let topic = |name: &String| DeleteTopicState { name: Some(name.clone()), ..<_>::default() };
    let topics = names.iter().map(topic).collect();
    let delete = DeleteTopicsRequest { topics, timeout_ms: 1000, ..Default::default() };
    answers += ask_once(peer, ApiKey::DeleteTopics, 6, &delete).await;
    let topic = |name: &String| CreatableTopic { name: name.clone(), ..<_>::default() };
    let topics = names.iter().map(topic).collect();
    let create = CreateTopicsRequest { topics, ..Default::default() };
    answers += ask_once(peer, ApiKey::CreateTopics, 7, &create).await;
    let topic = |(index, name): (usize, &String)| CreatableTopic {
        name: format!("new-{index}"),
        num_partitions: 1,
        replication_factor: 1,
        configs: vec![CreatableTopicConfig {
            name: "leader.replication.throttled.replicas".into(),
            value: Some(name.clone()),
        }],
        ..CreatableTopic::default()
    };
    let topics = names.iter().enumerate().map(topic).collect();
    let create = CreateTopicsRequest { topics, validate_only: true, ..Default::default() };
    answers += ask_once(peer, ApiKey::CreateTopics, 7, &create).await;
    answers + ask_administrators_questions(peer, names).await
}

/// The rest of it.
async fn ask_administrators_questions(peer: &Peer, names: &[String]) -> usize {
    let mut answers = 0;
    let topic = |name: &String| OffsetForLeaderTopic {
        topic: name.clone(),
        partitions: vec![OffsetForLeaderPartition::default()],
    };
    let topics = names.iter().map(topic).collect();
    let epochs = OffsetForLeaderEpochRequest { topics, ..Default::default() };
    answers += ask_once(peer, ApiKey::OffsetForLeaderEpoch, 4, &epochs).await;
    let topic = |name: &String| CreatePartitionsTopic { name: name.clone(), ..<_>::default() };
    let topics = names.iter().map(topic).collect();
    let partitions = CreatePartitionsRequest { topics, timeout_ms: 1000, ..Default::default() };
    answers += ask_once(peer, ApiKey::CreatePartitions, 3, &partitions).await;
    let topics = names.iter().map(|name| TopicRequest { name: name.clone() }).collect();
    let describe = DescribeTopicPartitionsRequest { topics, ..Default::default() };
    answers += ask_once(peer, ApiKey::DescribeTopicPartitions, 0, &describe).await;
    let topic = |name: &String| DescribableLogDirTopic { topic: name.clone(), ..<_>::default() };
    let folders = DescribeLogDirsRequest { topics: Some(names.iter().map(topic).collect()) };
    answers += ask_once(peer, ApiKey::DescribeLogDirs, 5, &folders).await;
    let describe = describe_settings(names, Some(vec!["segment.ms".into()]));
    answers += ask_once(peer, ApiKey::DescribeConfigs, 4, &describe).await;
    let resource = |name: &String| AlterConfigsResource {
        resource_type: 2,
        resource_name: name.clone(),
        configs: vec![AlterableConfig {
            name: "segment.ms".into(),
            config_operation: 0,
            value: Some("77000".into()),
        }],
    };
    let resources = names.iter().map(resource).collect();
    let alter = IncrementalAlterConfigsRequest { resources, validate_only: false };
    answers + ask_once(peer, ApiKey::IncrementalAlterConfigs, 1, &alter).await
}

fn describe_settings(names: &[String], keys: Option<Vec<String>>) -> DescribeConfigsRequest {
    let resource = |name: &String| DescribeConfigsResource {
        resource_type: 2,
        resource_name: name.clone(),
        configuration_keys: keys.clone(),
    };
    let resources = names.iter().map(resource).collect();
    DescribeConfigsRequest { resources, ..DescribeConfigsRequest::default() }
}

#[test]
fn settings_of_as_many_topics_as_an_answer_may_take_are_told_and_no_more() {
    Cluster::start(14, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        for name in ["t", "measurements"] {
            client.create_topic(name, 1).await;
        }
        for (count, answers) in [(7000, 1), (10_000, 0)] {
            let request = describe_settings(&vec!["measurements".to_string(); count], None);
            let answered = ask_once(&peer, ApiKey::DescribeConfigs, 4, &request).await;
            assert_eq!(answered, answers, "{count} topics");
        }
        produce_and_fetch(&peer, &mut client).await;
    });
}

fn topic_to_produce(name: &str) -> produce::TopicProduceData {
    one(produce_request(name, 0, batch(&["x"])).topic_data)
}

/// How many answers come to a request of its own connection: one, or none if it is closed.
async fn ask_once(peer: &Peer, api: ApiKey, version: i16, request: &impl Message) -> usize {
    let mut client = peer.connect().await;
    client.send(api, version, request).await;
    usize::from(client.next_frame().await.is_some())
}

#[test]
fn names_that_answers_repeat_are_reserved_for_and_bounded() {
    Cluster::start(12, &[]).run(|peer| async move {
        let long = |index: usize, length: usize| format!("{index:0>length$}");
        for (count, length) in [(1, 10), (1, 32_000), (250, 32_000), (20_000, 249)] {
            let names: Vec<String> = (0..count).map(|index| long(index, length)).collect();
            assert_eq!(ask_about(&peer, &names).await, 13, "{count} names of {length} bytes");
        }
        let names: Vec<String> = (0..300).map(|index| long(index, 32_000)).collect();
        assert_eq!(ask_about(&peer, &names).await, 0, "more than is repeated");
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        produce_and_fetch(&peer, &mut client).await;
    });
}

#[test]
fn answers_that_nobody_reads_are_closed_and_others_get_theirs() {
    Cluster::start(9, &[]).run(|peer| async move {
        let mut honest = peer.connect().await;
        honest.create_topic("t", 1).await;
        honest.create_topic("wide", 3000).await;
        let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
        let mut deaf = Vec::new();
        for _ in 0..100 {
            let mut client = peer.connect().await;
            for _ in 0..20 {
                client.send(ApiKey::Metadata, 12, &all).await;
            }
            deaf.push(client);
        }
        let asked = async move {
            let told: MetadataResponse = honest.ask(ApiKey::Metadata, 12, &all).await;
            assert_eq!(told.topics.len(), 2);
            honest
        };
        let asked = peer.shard.spawn(TaskClass::Foreground, "ask", asked);
        let told = peer.shard.timeout(Duration::from_secs(60), asked).await;
        let mut honest = told.expect("the deaf are closed").expect("not aborted");
        produce_and_fetch(&peer, &mut honest).await;
        peer.shard.sleep(Duration::from_secs(60)).await;
        for client in &mut deaf {
            // What had left before is there, then the end.
            let mut frames = 0;
            while client.next_frame().await.is_some() {
                frames += 1;
            }
            assert!(frames < 20, "{frames} answers waited for their reader");
        }
    });
}

#[test]
fn a_fetch_of_many_partitions_is_answered_like_one_of_few() {
    Cluster::start(10, &[]).run(|peer| async move {
        let mut client = peer.connect().await;
        client.create_topic("t", 1).await;
        produce_and_fetch(&peer, &mut client).await;
        let from: Vec<(i32, i64)> = (0..20_000).map(|partition| (partition, 0)).collect();
        let found: FetchResponse = client.fetch(&fetch_request("t", &from, 0)).await;
        let partitions = one(found.responses).partitions;
        assert_eq!(partitions.len(), 20_000);
        assert_eq!((partitions[0].error_code, partitions[1].error_code), (0, 3));
    });
}

/// A fetch of the first partition from `offset` and of many that don't exist, as wide as may be.
pub fn wide_fetch(offset: i64, rows: i32) -> FetchRequest {
    let missing = (1..rows).map(|partition| (partition, 0));
    let from: Vec<(i32, i64)> = [(0, offset)].into_iter().chain(missing).collect();
    fetch_request("t", &from, 300_000)
}

/// Each wide fetch used to hold half of the memory for the answers of its shard for as long as it
/// waited, and every other fetch waited for it.
#[test]
fn wide_fetches_that_wait_stop_no_other_fetch() {
    // On two shards, as many as find a place to wait in, and more: those are answered at once and
    // make a pause, or are closed, where four wait for room for their answer already.
    for (seed, count, waiting_min) in [(15, 6, 6), (16, 60, 16)] {
        Cluster::start(seed, &[]).run(move |peer| async move {
            let mut honest = peer.connect().await;
            honest.create_topic("t", 1).await;
            let mut wide = Vec::new();
            for _ in 0..count {
                let mut client = peer.connect().await;
                let ask = async move {
                    let told = client.try_fetch(&wide_fetch(0, 99_000)).await?;
                    let partitions = one(told.responses).partitions;
                    assert_eq!(partitions.len(), 99_000);
                    let records = partitions[0].records.as_ref();
                    Some(records.is_some_and(|records| !records.is_empty()))
                };
                wide.push(peer.shard.spawn(TaskClass::Foreground, "wide", ask));
            }
            peer.shard.sleep(Duration::from_secs(1)).await;
            for rows in [1, 200, 5_000] {
                let began = peer.shard.now();
                let mut newcomer = peer.connect().await;
                let mut request = wide_fetch(0, rows);
                request.max_wait_ms = 0;
                newcomer.fetch(&request).await;
                let took = peer.shard.now().since(began);
                assert!(took < Duration::from_millis(500), "{rows} partitions: {took:?}");
            }
            // What waits, waits still, and is answered when there is something.
            let took = produce_and_fetch(&peer, &mut honest).await;
            assert!(took < Duration::from_millis(500), "{took:?}");
            let mut with_record = 0;
            for wide in wide {
                with_record += usize::from(wide.await.expect("not aborted") == Some(true));
            }
            assert!(with_record >= waiting_min, "{with_record} of {count} had waited");
        });
    }
}

#[test]
fn peers_that_are_closed_again_and_again_do_not_fill_the_log() {
    let cluster = Cluster::start(11, &[]);
    let closed = |cluster: &Cluster| {
        let lines = cluster.log_lines();
        let of = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        (of("connection closed"), of("were left out"))
    };
    let misbehave = |cluster: &Cluster, times: usize| {
        cluster.run(move |peer| async move {
            for _ in 0..times {
                let mut client = peer.connect().await;
                client.send_raw(i32::MAX.to_be_bytes().to_vec()).await;
                assert_eq!(client.next_frame().await, None);
            }
            // Past the minute that runs.
            peer.shard.sleep(Duration::from_secs(60)).await;
        });
    };
    misbehave(&cluster, 500);
    let (lines, left_out) = closed(&cluster);
    // So many on each of two shards.
    assert!((20..=40).contains(&lines), "{lines} lines");
    assert_eq!(left_out, 0);
    misbehave(&cluster, 20);
    let (more, left_out) = closed(&cluster);
    assert_eq!(more, lines + 20);
    assert!(left_out > 0);
}
