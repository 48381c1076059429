//! The closed list of APIs: one handler each.

pub(crate) mod answer_size;
pub(crate) mod api_versions;
pub(crate) mod fetch;
pub(crate) mod init_producer_id;
pub(crate) mod metadata;
pub(crate) mod produce;

pub(crate) mod create_topics;
mod delete_topics;
mod list_offsets;
mod offset_for_leader_epoch;

mod create_partitions;
mod describe_cluster;
mod describe_log_dirs;
mod describe_topic_partitions;
mod list_partition_reassignments;

mod alter_configs;
mod describe_configs;
mod incremental_alter_configs;

use std::rc::Rc;
use std::time::Duration;

use connection::Part;
use protocol::generated::request_body::RequestBody;
use protocol::header::RequestHeader;
use protocol::response::Answered;
use protocol::{EncodeError, Message, encode_response};
use runtime::Lease;

use crate::shard::Core;

/// Handles one request, and returns the parts of its response's frame. Produce is not among them:
/// the session overlaps it; nor is fetch, which may wait for long.
pub(crate) async fn handle(
    core: &Rc<Core>,
    header: RequestHeader<'_>,
    body: RequestBody<'_>,
) -> Result<Vec<Part>, EncodeError> {
    let answered = Answered::from(header);
    match body {
        RequestBody::Produce(_) | RequestBody::Fetch(_) => {
            unreachable!("the session handles it itself")
        }
        RequestBody::ListOffsets(request) => {
            frame(answered, &list_offsets::handle(core, answered.api_version, request).await)
        }
        RequestBody::Metadata(request) => {
            frame(answered, &metadata::handle(core, answered.api_version, request).await)
        }
        RequestBody::ApiVersions(request) => {
            frame(answered, &api_versions::handle(answered.api_version, &request))
        }
        RequestBody::CreateTopics(request) => {
            frame(answered, &create_topics::handle(core, answered.api_version, request).await)
        }
        RequestBody::DeleteTopics(request) => {
            frame(answered, &delete_topics::handle(core, request).await)
        }
        RequestBody::InitProducerId(request) => {
            frame(answered, &init_producer_id::handle(core, request).await)
        }
        RequestBody::OffsetForLeaderEpoch(request) => {
            frame(answered, &offset_for_leader_epoch::handle(core, request).await)
        }
        RequestBody::DescribeConfigs(request) => {
            frame(answered, &describe_configs::handle(core, request))
        }
        RequestBody::AlterConfigs(request) => {
            frame(answered, &alter_configs::handle(core, request).await)
        }
        RequestBody::DescribeLogDirs(request) => {
            frame(answered, &describe_log_dirs::handle(core, request).await)
        }
        RequestBody::CreatePartitions(request) => {
            frame(answered, &create_partitions::handle(core, request).await)
        }
        RequestBody::IncrementalAlterConfigs(request) => {
            frame(answered, &incremental_alter_configs::handle(core, request).await)
        }
        RequestBody::ListPartitionReassignments(_) => {
            frame(answered, &list_partition_reassignments::handle())
        }
        RequestBody::DescribeCluster(request) => {
            frame(answered, &describe_cluster::handle(core, answered.api_version, &request))
        }
        RequestBody::DescribeTopicPartitions(request) => {
            frame(answered, &describe_topic_partitions::handle(core, request))
        }
    }
}

/// A response that is in memory as a whole.
pub(crate) fn frame(answered: Answered, body: &impl Message) -> Result<Vec<Part>, EncodeError> {
    Ok(vec![Part::Memory(Lease::from(encode_response(answered, body)?))])
}

/// How long a change may take, none if the client gives it no time: then nothing is begun, as in
/// Kafka.
fn time_for_change(timeout_ms: i32) -> Option<Duration> {
    u64::try_from(timeout_ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}
