//! ListOffsets: first, last, and by timestamp.

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::ErrorCode;
use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use record::{LeaderEpoch, Timestamp};
use runtime::Lane;

use crate::error_codes::Refusal;
use crate::message::{OffsetFound, OffsetOf, OffsetQuestion, Reply, Request};
use crate::router::ask_owners;
use crate::shard::Core;
use crate::view::{ClusterView, log_id};

/// From this version on answers tell the leader epoch (KIP-320); before it they can't.
const LEADER_EPOCH_FROM: i16 = 4;

/// Asks the owners and answers in the order of the request.
pub(crate) async fn handle(
    core: &Rc<Core>,
    version: i16,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let view = core.view();
    let mut seen: BTreeMap<(&str, i32), u32> = BTreeMap::new();
    for (topic, partition) in each(&request) {
        *seen.entry((topic, partition.partition_index)).or_default() += 1;
    }
    let questions = each(&request).map(|(topic, partition)| {
        // Kafka's rule: what is asked for twice is not answered at all.
        match seen[&(topic, partition.partition_index)] {
            1 => question(&view, version, topic, partition),
            _ => Err(Refusal::bare(ErrorCode::InvalidRequest)),
        }
    });
    let offsets = |reply| match reply {
        Reply::Offsets(offsets) => Some(offsets),
        _ => None,
    };
    let found = ask_owners(core, Lane::Fetch, questions, Request::FindOffsets, offsets).await;
    let mut found = found.into_iter();
    let mut answer_one = |partition: ListOffsetsPartition| {
        let found = found.next().expect("one answer for each");
        answer(version, partition.partition_index, found)
    };
    let topics = request.topics.into_iter().map(|topic| ListOffsetsTopicResponse {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(&mut answer_one).collect(),
    });
    ListOffsetsResponse { throttle_time_ms: 0, topics: topics.collect() }
}

/// Every partition of a request, with its topic.
fn each(request: &ListOffsetsRequest) -> impl Iterator<Item = (&str, &ListOffsetsPartition)> {
    let topics = request.topics.iter();
    topics.flat_map(|topic| topic.partitions.iter().map(|partition| (&*topic.name, partition)))
}

fn question(
    view: &ClusterView,
    version: i16,
    topic: &str,
    partition: &ListOffsetsPartition,
) -> Result<(runtime::ShardId, OffsetQuestion), Refusal> {
    let unknown = || Refusal::bare(ErrorCode::UnknownTopicOrPartition);
    let topic = view.image.topic(topic).ok_or_else(unknown)?;
    let owner = view.owner(topic, partition.partition_index).ok_or_else(unknown)?;
    let wanted = match (partition.timestamp, version) {
        (-1, _) => OffsetOf::Latest,
        (-2, _) => OffsetOf::Earliest,
        (-3, 7..) => OffsetOf::MaxTimestamp,
        // What is local begins where the log begins: nothing is tiered.
        (-4, 8..) => OffsetOf::Earliest,
        (-5, 9..) | (-6, 11..) => OffsetOf::Tiered,
        (time @ 0.., _) => OffsetOf::Time(Timestamp(time)),
        _ => return Err(ErrorCode::UnsupportedVersion.into()),
    };
    // -1 is none. As in Kafka any other number is one, and older than every leader's below that.
    let epoch = partition.current_leader_epoch;
    let leader_epoch = (epoch != -1).then_some(LeaderEpoch(epoch));
    let partition = log_id(&topic.id, partition.partition_index as u32);
    Ok((owner, OffsetQuestion { partition, wanted, leader_epoch }))
}

fn answer(
    version: i16,
    index: i32,
    found: Result<OffsetFound, Refusal>,
) -> ListOffsetsPartitionResponse {
    let has_epochs = |_: &_| version >= LEADER_EPOCH_FROM;
    let nothing = ListOffsetsPartitionResponse { partition_index: index, ..Default::default() };
    match found {
        Ok(OffsetFound { offset_and_timestamp: Some((offset, timestamp)), leader_epoch }) => {
            ListOffsetsPartitionResponse {
                offset: offset.0,
                timestamp: timestamp.0,
                leader_epoch: leader_epoch.filter(has_epochs).map_or(-1, |epoch| epoch.0),
                ..nothing
            }
        }
        // Not found is no error: offset and timestamp stay at -1.
        Ok(_) => nothing,
        Err(refusal) => {
            ListOffsetsPartitionResponse { error_code: refusal.code.number(), ..nothing }
        }
    }
}
