//! Fetch: waits until there is enough, then says where the bytes are.
//!
//! ```text
//! home                                   owners
//!  │ probe ────────────────────────────►  bytes below the high watermark
//!  │ too little? watch ────────────────►  told of every change, at most once a turn
//!  │ enough, error or deadline: forget ►
//!  │ allot bytes in the request's order
//!  │ read ─────────────────────────────►  places: memory or file
//! ```

mod lend;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use connection::Part;
use protocol::fetch::response::{self, PartitionResponse, TopicResponse};
use protocol::fetch::{self, Request};
use protocol::response::Answered;
use protocol::{EncodeError, ErrorCode};
use record::Offset;
use runtime::{Lane, Lease, ShardId, Unanswered};
use storage::AtLeast;

use super::known_epoch;
use crate::error_codes::Refusal;
use crate::message::{FetchFrom, Found, ReadFrom, Reply, Watch};
use crate::owner::watch::add_up;
use crate::router::{ByShard, InOrder, ask, together};
use crate::shard::Core;
use crate::view::{ClusterView, log_id};

/// The longest wait, whatever the client asks for: a peer that went away unseen costs no more.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// The isolation level that wants to know of aborted transactions.
const READ_COMMITTED: i8 = 1;

/// One partition of the request, in its order.
type Asked = Result<(ShardId, FetchFrom), Refusal>;

/// Answers a fetch with the places of its bytes.
pub(crate) async fn handle(
    core: &Rc<Core>,
    answered: Answered,
    request: Request<'_>,
) -> Result<Vec<Part>, EncodeError> {
    if let Some(code) = session_error(&request) {
        return empty(answered, code);
    }
    let view = core.view();
    let asked = resolve(&view, answered.api_version, &request);
    let available = wait(core, &request, &asked).await;
    let reads = allot(core, &request, &asked, &available);
    let found = read(core, &asked, reads, available).await;
    respond(core, answered, &request, &asked, found)
}

/// There are no sessions: whoever believes to have one is told so, and asks in full (KIP-227).
fn session_error(request: &Request<'_>) -> Option<ErrorCode> {
    match (request.session_id, request.session_epoch) {
        (0, -1 | 0) => None,
        (0, _) => Some(ErrorCode::InvalidFetchSessionEpoch),
        (_, -1) => None,
        (_, _) => Some(ErrorCode::FetchSessionIdNotFound),
    }
}

fn resolve(view: &ClusterView, version: i16, request: &Request<'_>) -> Vec<Asked> {
    let mut asked = Vec::new();
    for topic in &request.topics {
        let found = view.find_topic(version, topic.name, topic.topic_id);
        for partition in &topic.partitions {
            asked.push(found.clone().and_then(|found| {
                // Copies are made by brokers, and there is but one.
                if request.replica_id >= 0 {
                    return Err(ErrorCode::NotLeaderOrFollower.into());
                }
                let unknown = || Refusal::bare(ErrorCode::UnknownTopicOrPartition);
                let owner = view.owner(found, partition.index).ok_or_else(unknown)?;
                let from = FetchFrom {
                    partition: log_id(&found.id, partition.index as u32),
                    offset: Offset(partition.fetch_offset),
                    max_bytes: u32::try_from(partition.max_bytes).unwrap_or(0),
                    leader_epoch: known_epoch(partition.current_leader_epoch),
                };
                Ok((owner, from))
            }));
        }
    }
    asked
}

/// Returns when there is enough, an error to tell, or no time left: what each partition has then.
async fn wait(
    core: &Rc<Core>,
    request: &Request<'_>,
    asked: &[Asked],
) -> Vec<Result<u64, Refusal>> {
    let wanted = u64::try_from(request.min_bytes).unwrap_or(0);
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let probe = |_, from| crate::message::Request::Probe(from);
    let available = gather(core, asked, probe, |_, _| {}).await;
    let total = total_of(&available);
    if wait.is_zero() || total.is_none_or(|total| total >= wanted) {
        return available;
    }
    let deadline = core.shard.now() + wait.min(WAIT_MAX);
    let parked = core.purgatory.park(wanted);
    let id = parked.id();
    let watch = |_, from| crate::message::Request::Watch(Watch { id, from });
    gather(core, asked, watch, |owner, found| parked.begin(owner, add_up(found))).await;
    let left = deadline.since(core.shard.now());
    let _enough_or_late = core.shard.timeout(left, parked.enough()).await;
    for owner in owners(asked) {
        let forget = ask(core.clone(), owner, Lane::Fetch, crate::message::Request::Forget(id));
        if owner == core.shard.id() {
            let _forgotten = forget.await;
        } else {
            core.spawn("fetch forgotten", async move {
                let _owner_is_ending = forget.await;
            });
        }
    }
    drop(parked);
    gather(core, asked, probe, |_, _| {}).await
}

/// The bytes of all partitions, none if one has an error to tell.
fn total_of(available: &[Result<u64, Refusal>]) -> Option<u64> {
    available.iter().try_fold(0u64, |sum, one| Some(sum.saturating_add(*one.as_ref().ok()?)))
}

fn owners(asked: &[Asked]) -> impl Iterator<Item = ShardId> {
    let owners: BTreeMap<ShardId, ()> =
        asked.iter().flatten().map(|(owner, _)| (*owner, ())).collect();
    owners.into_keys()
}

/// Asks every owner about its partitions; `each` sees the answers of each of them.
async fn gather(
    core: &Rc<Core>,
    asked: &[Asked],
    request: impl Fn(ShardId, Vec<FetchFrom>) -> crate::message::Request,
    each: impl Fn(ShardId, Vec<Result<u64, ()>>),
) -> Vec<Result<u64, Refusal>> {
    let mut groups = ByShard::new();
    let places: Vec<Result<usize, Refusal>> = asked
        .iter()
        .map(|asked| asked.clone().map(|(owner, from)| groups.push(owner, from)))
        .collect();
    let calls = groups.into_groups().map(|(owner, places, from)| {
        let asked = ask(core.clone(), owner, Lane::Fetch, request(owner, from));
        async move { (owner, places, asked.await) }
    });
    let mut found = InOrder::new();
    for (owner, places, reply) in together(calls).await {
        let results = probed(reply, places.len());
        each(
            owner,
            results.iter().map(|result| result.as_ref().copied().map_err(|_| ())).collect(),
        );
        found.put(&places, results);
    }
    places.into_iter().map(|place| place.and_then(|place| found.take(place))).collect()
}

fn probed(reply: Result<Reply, Unanswered>, count: usize) -> Vec<Result<u64, Refusal>> {
    match reply {
        Ok(Reply::Probed(found)) => found,
        Ok(_) => unreachable!("a probe is answered with what there is"),
        Err(e) => vec![Err(Refusal::from(e)); count],
    }
}

/// Shares the response's bytes out, in the order of the request. The first partition that has
/// something gets a whole batch at least, so that a reader always gets on (KIP-74).
fn allot(
    core: &Core,
    request: &Request<'_>,
    asked: &[Asked],
    available: &[Result<u64, Refusal>],
) -> Vec<Option<ReadFrom>> {
    let max_bytes = u32::try_from(request.max_bytes).unwrap_or(0);
    let mut left = max_bytes.min(core.config.fetch_size_max);
    let mut at_least = AtLeast::OneBatch;
    let mut share = |(asked, available): (&Asked, &Result<u64, Refusal>)| {
        let (Ok((_, from)), Ok(available)) = (asked, available) else { return None };
        let mut read = ReadFrom { from: *from, max_bytes: 0, at_least: AtLeast::Nothing };
        if *available > 0 {
            // What a segment has is an estimate: the partition's own limit is the bound.
            read.max_bytes = from.max_bytes.min(left);
            (read.at_least, at_least) = (at_least, AtLeast::Nothing);
            if read.at_least == AtLeast::OneBatch {
                read.max_bytes = read.max_bytes.max(1);
            }
            let estimate = u32::try_from(*available).unwrap_or(u32::MAX).min(read.max_bytes);
            left = left.saturating_sub(estimate);
        }
        Some(read)
    };
    asked.iter().zip(available).map(&mut share).collect()
}

async fn read(
    core: &Rc<Core>,
    asked: &[Asked],
    reads: Vec<Option<ReadFrom>>,
    available: Vec<Result<u64, Refusal>>,
) -> Vec<Result<Found, Refusal>> {
    let mut groups = ByShard::new();
    let mut places = Vec::with_capacity(asked.len());
    for ((asked, read), available) in asked.iter().zip(reads).zip(available) {
        places.push(match (asked, read, available) {
            (Ok((owner, _)), Some(read), _) => Ok(groups.push(*owner, read)),
            (_, _, Err(refusal)) => Err(refusal),
            _ => unreachable!("what was not asked for has a refusal"),
        });
    }
    let calls = groups.into_groups().map(|(owner, places, from)| {
        let asked = ask(core.clone(), owner, Lane::Fetch, crate::message::Request::Read(from));
        async move { (places, asked.await) }
    });
    let mut found = InOrder::new();
    for (places, reply) in together(calls).await {
        match reply {
            Ok(Reply::Read(read)) => found.put(&places, read),
            Ok(_) => unreachable!("a read is answered with what was found"),
            Err(e) => found.put(&places, places.iter().map(|_| Err(Refusal::from(e)))),
        }
    }
    places.into_iter().map(|place| place.and_then(|place| found.take(place))).collect()
}

fn respond(
    core: &Rc<Core>,
    answered: Answered,
    request: &Request<'_>,
    asked: &[Asked],
    found: Vec<Result<Found, Refusal>>,
) -> Result<Vec<Part>, EncodeError> {
    let mut results = found.iter();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let answer = |(asked, result): (&fetch::Partition, &Result<Found, Refusal>)| {
            partition(asked.index, request.isolation_level, result)
        };
        let partitions = topic.partitions.iter().zip(results.by_ref()).map(answer).collect();
        topics.push(TopicResponse { name: topic.name, topic_id: topic.topic_id, partitions });
    }
    let frame = response_of(ErrorCode::None, topics).encode(answered)?;
    let head = Lease::from(frame.head);
    let mut parts = Vec::new();
    for part in frame.parts {
        match part {
            response::Part::Bytes(range) => parts.push(Part::Memory(head.slice(range))),
            response::Part::Records { index, .. } => {
                let found = found[index].as_ref().expect("only what was found has records");
                let (owner, from) = asked[index].as_ref().expect("and was asked for");
                parts.extend(lend::parts(core, *owner, from.partition, &found.parts));
            }
        }
    }
    Ok(parts)
}

fn partition(index: i32, isolation: i8, result: &Result<Found, Refusal>) -> PartitionResponse {
    match result {
        Ok(found) => PartitionResponse {
            high_watermark: found.high_watermark.0,
            // Without transactions, whatever is below the high watermark is stable.
            last_stable_offset: found.high_watermark.0,
            log_start_offset: found.log_start_offset.0,
            aborted_transactions: (isolation == READ_COMMITTED).then(Vec::new),
            records_size_bytes: found.size_bytes as usize,
            ..PartitionResponse::error(index, ErrorCode::None)
        },
        Err(refusal) => PartitionResponse::error(index, refusal.code),
    }
}

fn empty(answered: Answered, code: ErrorCode) -> Result<Vec<Part>, EncodeError> {
    let frame = response_of(code, Vec::new()).encode(answered)?;
    Ok(vec![Part::Memory(Lease::from(frame.head))])
}

fn response_of(error_code: ErrorCode, topics: Vec<TopicResponse<'_>>) -> response::Response<'_> {
    response::Response {
        throttle_time_ms: 0,
        error_code,
        session_id: 0,
        topics,
        node_endpoints: Vec::new(),
    }
}
