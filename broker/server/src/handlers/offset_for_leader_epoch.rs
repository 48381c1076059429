//! OffsetForLeaderEpoch: where a leader epoch ends, by which clients and followers find out that a
//! log was truncated (KIP-101, KIP-320).

use std::rc::Rc;

use protocol::ErrorCode;
use protocol::generated::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition, OffsetForLeaderTopicResult,
};
use record::LeaderEpoch;
use runtime::{Lane, ShardId};
use storage::EpochEnd;

use crate::error_codes::Refusal;
use crate::message::{EpochQuestion, Reply, Request};
use crate::router::ask_owners;
use crate::shard::Core;
use crate::view::{ClusterView, log_id};

/// Asks the owners and answers in the order of the request.
pub(crate) async fn handle(
    core: &Rc<Core>,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let view = core.view();
    let questions = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(|partition| question(&view, &topic.topic, partition))
    });
    let ends = |reply| match reply {
        Reply::EpochEnds(ends) => Some(ends),
        _ => None,
    };
    let found = ask_owners(core, Lane::Fetch, questions, Request::FindEpochEnds, ends).await;
    let mut found = found.into_iter();
    let mut answer_one = |partition: OffsetForLeaderPartition| {
        answer(partition.partition, found.next().expect("one answer for each"))
    };
    let topics = request.topics.into_iter().map(|topic| OffsetForLeaderTopicResult {
        topic: topic.topic,
        partitions: topic.partitions.into_iter().map(&mut answer_one).collect(),
    });
    OffsetForLeaderEpochResponse { throttle_time_ms: 0, topics: topics.collect() }
}

fn question(
    view: &ClusterView,
    topic: &str,
    partition: &OffsetForLeaderPartition,
) -> Result<(ShardId, EpochQuestion), Refusal> {
    let unknown = || Refusal::bare(ErrorCode::UnknownTopicOrPartition);
    let topic = view.image.topic(topic).ok_or_else(unknown)?;
    let owner = view.owner(topic, partition.partition).ok_or_else(unknown)?;
    // -1 is none, as everywhere.
    let known = partition.current_leader_epoch;
    let question = EpochQuestion {
        partition: log_id(&topic.id, partition.partition as u32),
        epoch: LeaderEpoch(partition.leader_epoch),
        leader_epoch: (known != -1).then_some(LeaderEpoch(known)),
    };
    Ok((owner, question))
}

fn answer(index: i32, found: Result<Option<EpochEnd>, Refusal>) -> EpochEndOffset {
    let nothing = EpochEndOffset { partition: index, ..EpochEndOffset::default() };
    match found {
        Ok(Some(EpochEnd { epoch, end_offset })) => {
            EpochEndOffset { leader_epoch: epoch.0, end_offset: end_offset.0, ..nothing }
        }
        // The log knows no such epoch: both stay at -1, and that is no error.
        Ok(None) => nothing,
        Err(refusal) => EpochEndOffset { error_code: refusal.code.number(), ..nothing },
    }
}
