//! DescribeLogDirs: the data folder, what is free there, and how large each log is (KIP-113).

use std::collections::BTreeMap;
use std::rc::Rc;

use metadata::Topic;
use protocol::ErrorCode;
use protocol::generated::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};
use runtime::{Lane, ShardId};
use storage::LogId;

use crate::message::{Reply, Request};
use crate::router::ask_owners;
use crate::shard::Core;
use crate::view::{ClusterView, log_id};

/// A partition in an answer, with its question and its result.
const PARTITION_BYTES: usize = 160;
/// The folder's path, as long as Linux takes one, as a value and encoded.
const PATH_BYTES: usize = 2 * 4096;

/// What an answer takes while it is made and when it is encoded, at most.
pub(crate) fn answer_bytes(view: &ClusterView, request: &DescribeLogDirsRequest) -> usize {
    let bytes = |topic: &Topic| topic.name.len() + topic.partitions.len() * PARTITION_BYTES;
    let all: usize = match &request.topics {
        Some(_) => 0,
        None => view.image.topics().map(bytes).sum(),
    };
    all + PATH_BYTES
}

/// Asks the owners; topics and partitions that are not there are left out, as in Kafka.
pub(crate) async fn handle(
    core: &Rc<Core>,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let view = core.view();
    let partitions = partitions(&view, request);
    let questions = partitions.iter().map(|(_, owner, log)| Ok((*owner, *log)));
    let sizes = |reply| match reply {
        Reply::LogSizes(sizes) => Some(sizes),
        _ => None,
    };
    let sizes = ask_owners(core, Lane::Control, questions, Request::MeasureLogs, sizes).await;
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for ((topic, _, log), size) in partitions.iter().zip(sizes) {
        // One that has no log, or not yet, or no more, is not in the folder.
        let Ok(size) = size else { continue };
        let partition = DescribeLogDirsPartition {
            partition_index: log.partition as i32,
            partition_size: i64::try_from(size).unwrap_or(i64::MAX),
            // What a leader appends is its own log's end.
            offset_lag: 0,
            is_future_key: false,
        };
        topics.entry(&topic.name).or_default().push(partition);
    }
    let topic =
        |(name, partitions): (&str, _)| DescribeLogDirsTopic { name: name.into(), partitions };
    let topics = topics.into_iter().map(topic).collect();
    let results = vec![folder(core, topics).await];
    DescribeLogDirsResponse { results, ..DescribeLogDirsResponse::default() }
}

/// The partitions that are asked for and exist, each once.
fn partitions(
    view: &ClusterView,
    request: DescribeLogDirsRequest,
) -> Vec<(&Topic, ShardId, LogId)> {
    let find = |topic, index| {
        let owner = view.owner(topic, index)?;
        Some((topic, owner, log_id(&topic.id, index as u32)))
    };
    let Some(asked) = request.topics else {
        let all = view.image.topics().flat_map(|topic| {
            (0..topic.partitions.len() as i32).filter_map(move |index| find(topic, index))
        });
        return all.collect();
    };
    let mut found = BTreeMap::new();
    for asked in asked {
        let Some(topic) = view.image.topic(&asked.topic) else { continue };
        let there = asked.partitions.into_iter().filter_map(|index| find(topic, index));
        found.extend(there.map(|one| (one.2, one)));
    }
    found.into_values().collect()
}

async fn folder(core: &Core, topics: Vec<DescribeLogDirsTopic>) -> DescribeLogDirsResult {
    let path = &core.config.data_folder;
    let log_dir = path.to_string_lossy().into_owned();
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    match core.shard.disk().free_space(path).await {
        Ok(space) => DescribeLogDirsResult {
            log_dir,
            topics,
            total_bytes: bytes(space.total_bytes),
            usable_bytes: bytes(space.free_bytes),
            ..DescribeLogDirsResult::default()
        },
        Err(e) => {
            core.warn_of_peer(format_args!("{log_dir}: its free space can't be read: {e}"));
            DescribeLogDirsResult {
                error_code: ErrorCode::KafkaStorageError.number(),
                log_dir,
                ..DescribeLogDirsResult::default()
            }
        }
    }
}
