//! ListOffsets: first, last, and by timestamp.

use std::collections::BTreeMap;
use std::rc::Rc;

use protocol::ErrorCode;
use protocol::generated::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use record::Timestamp;
use runtime::Lane;

use super::known_epoch;
use crate::error_codes::Refusal;
use crate::message::{OffsetFound, OffsetOf, OffsetQuestion, Reply, Request};
use crate::router::{ByShard, InOrder, ask, together};
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
    let mut questions = ByShard::new();
    let mut topics = Vec::new();
    for topic in &request.topics {
        let mut seen: BTreeMap<i32, u32> = BTreeMap::new();
        for partition in &topic.partitions {
            *seen.entry(partition.partition_index).or_default() += 1;
        }
        let ask_one = |partition: &ListOffsetsPartition| {
            let asked = match seen[&partition.partition_index] {
                1 => question(&view, &topic.name, partition),
                _ => Err(Refusal::bare(ErrorCode::InvalidRequest)),
            };
            let place = asked.map(|(owner, question)| questions.push(owner, question));
            (partition.partition_index, place)
        };
        let partitions: Vec<_> = topic.partitions.iter().map(ask_one).collect();
        topics.push((topic.name.clone(), partitions));
    }
    let mut found = gather(core, questions).await;
    let topics = topics.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(index, place)| {
            answer(version, index, place.and_then(|place| found.take(place)))
        });
        ListOffsetsTopicResponse { name, partitions: partitions.collect() }
    });
    ListOffsetsResponse { throttle_time_ms: 0, topics: topics.collect() }
}

async fn gather(
    core: &Rc<Core>,
    questions: ByShard<OffsetQuestion>,
) -> InOrder<Result<OffsetFound, Refusal>> {
    let groups = questions.into_groups().map(|(owner, places, questions)| {
        let asked = ask(core.clone(), owner, Lane::Fetch, Request::FindOffsets(questions));
        async move { (places, asked.await) }
    });
    let mut found = InOrder::new();
    for (places, reply) in together(groups).await {
        match reply {
            Ok(Reply::Offsets(offsets)) => found.put(&places, offsets),
            Ok(_) => unreachable!("offsets are answered with offsets"),
            Err(e) => found.put(&places, places.iter().map(|_| Err(Refusal::from(e)))),
        }
    }
    found
}

fn question(
    view: &ClusterView,
    topic: &str,
    partition: &ListOffsetsPartition,
) -> Result<(runtime::ShardId, OffsetQuestion), Refusal> {
    let unknown = || Refusal::bare(ErrorCode::UnknownTopicOrPartition);
    let topic = view.image.topic(topic).ok_or_else(unknown)?;
    let owner = view.owner(topic, partition.partition_index).ok_or_else(unknown)?;
    let wanted = match partition.timestamp {
        -1 => OffsetOf::Latest,
        // What is local begins where the log begins: nothing is tiered.
        -2 | -4 => OffsetOf::Earliest,
        -3 => OffsetOf::MaxTimestamp,
        -5 | -6 => OffsetOf::Tiered,
        time @ 0.. => OffsetOf::Time(Timestamp(time)),
        _ => return Err(ErrorCode::UnsupportedVersion.into()),
    };
    let leader_epoch = known_epoch(partition.current_leader_epoch);
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
