//! How much each part of a request names: topics and the like, with rows and text of their own.

use protocol::generated::alter_configs::AlterConfigsResource;
use protocol::generated::create_partitions::CreatePartitionsTopic;
use protocol::generated::create_topics::CreatableTopic;
use protocol::generated::delete_topics::DeleteTopicState;
use protocol::generated::describe_configs::DescribeConfigsResource;
use protocol::generated::describe_log_dirs::DescribableLogDirTopic;
use protocol::generated::describe_topic_partitions::TopicRequest;
use protocol::generated::incremental_alter_configs as incremental;
use protocol::generated::list_offsets::ListOffsetsTopic;
use protocol::generated::list_partition_reassignments::ListPartitionReassignmentsTopics;
use protocol::generated::metadata::MetadataRequestTopic;
use protocol::generated::offset_for_leader_epoch::OffsetForLeaderTopic;
use protocol::{fetch, produce};

/// A topic or the like in a request.
pub(super) trait Names {
    /// Its partitions, settings and the like.
    fn rows(&self) -> usize;
    /// Its names and values.
    fn text_bytes(&self) -> usize;
}

/// Says of a type how many rows and how much text it has.
macro_rules! names {
    ($($ty:ty: $rows:expr, $text_bytes:expr;)*) => {
        $(
            impl Names for $ty {
                fn rows(&self) -> usize {
                    let rows: fn(&Self) -> usize = $rows;
                    rows(self)
                }

                fn text_bytes(&self) -> usize {
                    let text_bytes: fn(&Self) -> usize = $text_bytes;
                    text_bytes(self)
                }
            }
        )*
    };
}

names! {
    produce::Topic<'_>: |topic| topic.partitions.len(), |topic| topic.name.len();
    fetch::Topic<'_>: |topic| topic.partitions.len(), |topic| topic.name.len();
    ListOffsetsTopic: |topic| topic.partitions.len(), |topic| topic.name.len();
    OffsetForLeaderTopic: |topic| topic.partitions.len(), |topic| topic.topic.len();
    DescribableLogDirTopic: |topic| topic.partitions.len(), |topic| topic.topic.len();
    ListPartitionReassignmentsTopics: |topic| topic.partition_indexes.len(),
        |topic| topic.name.len();
    MetadataRequestTopic: |_| 0, |topic| len(&topic.name);
    TopicRequest: |_| 0, |topic| topic.name.len();
    DeleteTopicState: |_| 0, |topic| len(&topic.name);
    String: |_| 0, |name| name.len();
    CreatableTopic: |topic| topic.assignments.len() + topic.configs.len(), |topic| {
        let configs = topic.configs.iter().map(|config| config.name.len() + len(&config.value));
        topic.name.len() + configs.sum::<usize>()
    };
    CreatePartitionsTopic: |topic| {
        let assignments = topic.assignments.iter().flatten();
        assignments.map(|assignment| 1 + assignment.broker_ids.len()).sum()
    }, |topic| topic.name.len();
    DescribeConfigsResource: |resource| resource.configuration_keys.iter().flatten().count(),
        |resource| {
            let keys = resource.configuration_keys.iter().flatten().map(String::len);
            resource.resource_name.len() + keys.sum::<usize>()
        };
    AlterConfigsResource: |resource| resource.configs.len(), |resource| {
        let configs = resource.configs.iter().map(|config| config.name.len() + len(&config.value));
        resource.resource_name.len() + configs.sum::<usize>()
    };
    incremental::AlterConfigsResource: |resource| resource.configs.len(), |resource| {
        let configs = resource.configs.iter().map(|config| config.name.len() + len(&config.value));
        resource.resource_name.len() + configs.sum::<usize>()
    };
}

fn len(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}
