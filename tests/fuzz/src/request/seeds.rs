//! One small request of every API in every version that is served.

use protocol::generated::alter_configs::{self, AlterConfigsRequest};
use protocol::generated::api_versions::ApiVersionsRequest;
use protocol::generated::create_partitions::{self, CreatePartitionsRequest};
use protocol::generated::create_topics::{self, CreateTopicsRequest};
use protocol::generated::delete_topics::{self, DeleteTopicsRequest};
use protocol::generated::describe_cluster::DescribeClusterRequest;
use protocol::generated::describe_configs::{self, DescribeConfigsRequest};
use protocol::generated::describe_log_dirs::{self, DescribeLogDirsRequest};
use protocol::generated::describe_topic_partitions::{self, DescribeTopicPartitionsRequest};
use protocol::generated::fetch::{self, FetchRequest};
use protocol::generated::incremental_alter_configs::{self, IncrementalAlterConfigsRequest};
use protocol::generated::init_producer_id::InitProducerIdRequest;
use protocol::generated::list_offsets::{self, ListOffsetsRequest};
use protocol::generated::list_partition_reassignments::{self, ListPartitionReassignmentsRequest};
use protocol::generated::metadata::{self, MetadataRequest};
use protocol::generated::offset_for_leader_epoch::{self, OffsetForLeaderEpochRequest};
use protocol::generated::produce::{self, ProduceRequest};
use protocol::header::RequestHeader;
use protocol::primitive::writer::Writer;
use protocol::{ApiKey, Message, Uuid};

use crate::sample;

const TOPIC: &str = "flights";
const TOPIC_ID: Uuid = Uuid(*b"sixteen bytes id");
/// A topic's number among the types of resources.
const TOPIC_RESOURCE: i8 = 2;
const CONFIG: &str = "segment.bytes";

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    ApiKey::ALL.iter().flat_map(|api_key| of_api(*api_key)).collect()
}

fn of_api(api_key: ApiKey) -> Vec<Vec<u8>> {
    match api_key {
        ApiKey::Produce => in_all_versions(api_key, produce),
        ApiKey::Fetch => in_all_versions(api_key, fetch),
        ApiKey::ListOffsets => in_all_versions(api_key, |_| list_offsets()),
        ApiKey::Metadata => in_all_versions(api_key, metadata),
        ApiKey::ApiVersions => in_all_versions(api_key, |_| api_versions()),
        ApiKey::CreateTopics => in_all_versions(api_key, |_| create_topics()),
        ApiKey::DeleteTopics => in_all_versions(api_key, delete_topics),
        ApiKey::InitProducerId => in_all_versions(api_key, |_| InitProducerIdRequest::default()),
        ApiKey::OffsetForLeaderEpoch => in_all_versions(api_key, |_| offset_for_leader_epoch()),
        ApiKey::DescribeConfigs => in_all_versions(api_key, |_| describe_configs()),
        ApiKey::AlterConfigs => in_all_versions(api_key, |_| alter_configs()),
        ApiKey::DescribeLogDirs => in_all_versions(api_key, |_| describe_log_dirs()),
        ApiKey::CreatePartitions => in_all_versions(api_key, |_| create_partitions()),
        ApiKey::IncrementalAlterConfigs => {
            in_all_versions(api_key, |_| incremental_alter_configs())
        }
        ApiKey::ListPartitionReassignments => {
            in_all_versions(api_key, |_| list_partition_reassignments())
        }
        ApiKey::DescribeCluster => in_all_versions(api_key, |_| DescribeClusterRequest::default()),
        ApiKey::DescribeTopicPartitions => {
            in_all_versions(api_key, |_| describe_topic_partitions())
        }
    }
}

fn in_all_versions<M: Message>(api_key: ApiKey, body: impl Fn(i16) -> M) -> Vec<Vec<u8>> {
    let versions = api_key.min_version()..=api_key.max_version();
    let frame = |version| {
        let mut writer = Writer::new();
        let client_id = Some("fuzz");
        RequestHeader { api_key, api_version: version, correlation_id: 7, client_id }
            .encode(&mut writer);
        body(version).encode(&mut writer, version);
        writer.finish().expect("a body of that version")
    };
    versions.map(frame).collect()
}

fn topic_name(version: i16, id_from: i16) -> String {
    if version < id_from { TOPIC.to_string() } else { String::new() }
}

fn topic_id(version: i16, id_from: i16) -> Uuid {
    if version < id_from { Uuid::ZERO } else { TOPIC_ID }
}

fn produce(version: i16) -> ProduceRequest {
    let records = Some(sample::batch(0, 2, record::Compression::None));
    let partition_data = vec![produce::PartitionProduceData { index: 1, records }];
    let topic = produce::TopicProduceData {
        name: topic_name(version, 13),
        topic_id: topic_id(version, 13),
        partition_data,
    };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

fn fetch(version: i16) -> FetchRequest {
    let partition = fetch::FetchPartition {
        partition: 1,
        fetch_offset: 7,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let (topic, topic_id) = (topic_name(version, 13), topic_id(version, 13));
    let partitions = vec![1];
    let forgotten = fetch::ForgottenTopic { topic: topic.clone(), topic_id, partitions };
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        topics: vec![fetch::FetchTopic { topic, topic_id, partitions: vec![partition] }],
        forgotten_topics_data: if version >= 7 { vec![forgotten] } else { Vec::new() },
        ..Default::default()
    }
}

fn list_offsets() -> ListOffsetsRequest {
    let partition = list_offsets::ListOffsetsPartition { timestamp: -2, ..Default::default() };
    let partitions = vec![partition];
    let topic = list_offsets::ListOffsetsTopic { name: TOPIC.to_string(), partitions };
    ListOffsetsRequest { topics: vec![topic], ..Default::default() }
}

fn metadata(version: i16) -> MetadataRequest {
    let (name, topic_id) = (Some(TOPIC.to_string()), topic_id(version, 10));
    let topics = Some(vec![metadata::MetadataRequestTopic { topic_id, name }]);
    MetadataRequest { topics, ..Default::default() }
}

fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "fuzz".to_string(),
        client_software_version: "1".to_string(),
    }
}

fn create_topics() -> CreateTopicsRequest {
    let value = Some("1048576".to_string());
    let topic = create_topics::CreatableTopic {
        name: TOPIC.to_string(),
        num_partitions: 2,
        replication_factor: 1,
        assignments: vec![create_topics::CreatableReplicaAssignment {
            partition_index: 0,
            broker_ids: vec![1],
        }],
        configs: vec![create_topics::CreatableTopicConfig { name: CONFIG.to_string(), value }],
    };
    CreateTopicsRequest { topics: vec![topic], ..Default::default() }
}

fn delete_topics(version: i16) -> DeleteTopicsRequest {
    let name = Some(TOPIC.to_string());
    let topic = delete_topics::DeleteTopicState { name, topic_id: TOPIC_ID };
    match version {
        ..6 => DeleteTopicsRequest { topic_names: vec![TOPIC.to_string()], ..Default::default() },
        _ => DeleteTopicsRequest { topics: vec![topic], ..Default::default() },
    }
}

fn offset_for_leader_epoch() -> OffsetForLeaderEpochRequest {
    let partition = offset_for_leader_epoch::OffsetForLeaderPartition::default();
    let topic = TOPIC.to_string();
    let partitions = vec![partition];
    let topics = vec![offset_for_leader_epoch::OffsetForLeaderTopic { topic, partitions }];
    OffsetForLeaderEpochRequest { topics, ..Default::default() }
}

fn describe_configs() -> DescribeConfigsRequest {
    let resource = describe_configs::DescribeConfigsResource {
        resource_type: TOPIC_RESOURCE,
        resource_name: TOPIC.to_string(),
        configuration_keys: Some(vec![CONFIG.to_string()]),
    };
    DescribeConfigsRequest { resources: vec![resource], ..Default::default() }
}

fn alter_configs() -> AlterConfigsRequest {
    let (name, value) = (CONFIG.to_string(), Some("1048576".to_string()));
    let resource = alter_configs::AlterConfigsResource {
        resource_type: TOPIC_RESOURCE,
        resource_name: TOPIC.to_string(),
        configs: vec![alter_configs::AlterableConfig { name, value }],
    };
    AlterConfigsRequest { resources: vec![resource], ..Default::default() }
}

fn incremental_alter_configs() -> IncrementalAlterConfigsRequest {
    let (name, value) = (CONFIG.to_string(), Some("1048576".to_string()));
    let config = incremental_alter_configs::AlterableConfig { name, config_operation: 0, value };
    let resource = incremental_alter_configs::AlterConfigsResource {
        resource_type: TOPIC_RESOURCE,
        resource_name: TOPIC.to_string(),
        configs: vec![config],
    };
    IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() }
}

fn describe_log_dirs() -> DescribeLogDirsRequest {
    let topic = TOPIC.to_string();
    let topics = vec![describe_log_dirs::DescribableLogDirTopic { topic, partitions: vec![0, 1] }];
    DescribeLogDirsRequest { topics: Some(topics) }
}

fn create_partitions() -> CreatePartitionsRequest {
    let assignment = create_partitions::CreatePartitionsAssignment { broker_ids: vec![1] };
    let topic = create_partitions::CreatePartitionsTopic {
        name: TOPIC.to_string(),
        count: 3,
        assignments: Some(vec![assignment]),
    };
    CreatePartitionsRequest { topics: vec![topic], ..Default::default() }
}

fn list_partition_reassignments() -> ListPartitionReassignmentsRequest {
    let topic = list_partition_reassignments::ListPartitionReassignmentsTopics {
        name: TOPIC.to_string(),
        partition_indexes: vec![0],
    };
    ListPartitionReassignmentsRequest { topics: Some(vec![topic]), ..Default::default() }
}

fn describe_topic_partitions() -> DescribeTopicPartitionsRequest {
    let topic_name = TOPIC.to_string();
    DescribeTopicPartitionsRequest {
        topics: vec![describe_topic_partitions::TopicRequest { name: TOPIC.to_string() }],
        cursor: Some(describe_topic_partitions::Cursor { topic_name, partition_index: 1 }),
        ..Default::default()
    }
}
