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
mod repeated;

use std::collections::BTreeSet;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use connection::Part;
use protocol::fetch::response::{self, PartitionResponse, TopicResponse};
use protocol::fetch::{self, Request};
use protocol::response::Answered;
use protocol::{EncodeError, ErrorCode};
use record::{LeaderEpoch, Offset};
use runtime::sync::first;
use runtime::{Instant, Lane, Lease, ShardId, Socket};
use storage::AtLeast;

use crate::error_codes::Refusal;
use crate::message::{FetchFrom, Found, ReadFrom, Reply, Watch};
use crate::owner::watch::add_up;
use crate::router::{ask, ask_owners};
use crate::shard::Core;
use crate::view::{ClusterView, log_id};

/// The longest wait, whatever the client asks for: a peer whose machine went away unseen costs no
/// more.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How long a fetch waits before it is looked whether the peer is still there.
const PEER_UNSEEN_MAX: Duration = Duration::from_secs(1);
/// The isolation level that wants to know of aborted transactions.
const READ_COMMITTED: i8 = 1;

/// One partition of the request, in its order.
type Asked = Result<(ShardId, FetchFrom), Refusal>;

/// Answers a fetch with the places of its bytes.
pub(crate) async fn handle(
    core: &Rc<Core>,
    answered: Answered,
    request: Request<'_>,
    peer: &Socket,
) -> Result<Vec<Part>, EncodeError> {
    if let Some(code) = session_error(&request) {
        return empty(answered, code);
    }
    let request = repeated::last_of_each(request);
    let view = core.view();
    let asked = resolve(&view, answered.api_version, &request);
    let available = wait(core, &request, &asked, peer).await;
    let reads = allot(core, &request, &asked, &available);
    let found = read(core, &asked, reads, available).await;
    respond(core, answered, &request, &asked, found)
}

/// There are no sessions: whoever believes to have one is told so, and asks in full (KIP-227).
fn session_error(request: &Request<'_>) -> Option<ErrorCode> {
    match request.session_epoch {
        // No session at all, and a new one, which takes the place of whatever there was.
        -1 | 0 => None,
        _ => Some(ErrorCode::FetchSessionIdNotFound),
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
                    leader_epoch: known_epoch(partition),
                };
                Ok((owner, from))
            }));
        }
    }
    asked
}

/// The leader epoch that the client knows (KIP-320), none if it does not say. As in Kafka no
/// negative number is one here, while ListOffsets knows only -1 for none.
fn known_epoch(partition: &fetch::Partition) -> Option<LeaderEpoch> {
    let epoch = partition.current_leader_epoch;
    (epoch >= 0).then_some(LeaderEpoch(epoch))
}

/// Returns when there is enough, an error to tell, or no time left: what each partition has then.
async fn wait(
    core: &Rc<Core>,
    request: &Request<'_>,
    asked: &[Asked],
    peer: &Socket,
) -> Vec<Result<u64, Refusal>> {
    let wanted = u64::try_from(request.min_bytes).unwrap_or(0);
    let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let available = probe(core, asked).await;
    let total = total_of(asked, &available);
    if wait.is_zero() || total.is_none_or(|total| total >= wanted) {
        return available;
    }
    let deadline = core.shard.now() + wait.min(WAIT_MAX);
    let parked = core.purgatory.park(wanted);
    let id = parked.id();
    let watch = |from| crate::message::Request::Watch(Watch { id, from });
    let watched = ask_owners(core, Lane::Fetch, asked.iter().cloned(), watch, probed).await;
    for owner in owners(asked) {
        let of_owner = asked.iter().zip(&watched).filter(|(asked, _)| is_at(asked, owner));
        parked.begin(owner, add_up(of_owner.map(|(_, found)| found.as_ref().copied())));
    }
    until(core, deadline, parked.enough(), peer).await;
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
    probe(core, asked).await
}

/// What each partition has now.
async fn probe(core: &Rc<Core>, asked: &[Asked]) -> Vec<Result<u64, Refusal>> {
    let probe = crate::message::Request::Probe;
    ask_owners(core, Lane::Fetch, asked.iter().cloned(), probe, probed).await
}

/// Waits for `enough`, but not longer than to `deadline`, nor for a peer that has left. That is
/// looked for only once the wait is long: most fetches end before, and it costs an operation.
async fn until(core: &Core, deadline: Instant, enough: impl Future<Output = ()>, peer: &Socket) {
    let mut enough = pin!(enough);
    let left = deadline.since(core.shard.now());
    let soon = core.shard.timeout(left.min(PEER_UNSEEN_MAX), enough.as_mut()).await;
    if soon.is_ok() || left <= PEER_UNSEEN_MAX {
        return;
    }
    let left = deadline.since(core.shard.now());
    let enough_or_ended = first(enough, peer.peer_ended());
    let _enough_or_late = core.shard.timeout(left, enough_or_ended).await;
}

/// The bytes of all partitions, none if waiting is of no use: an owner has an error to tell, or
/// nobody was asked. As in Kafka, what does not exist leaves the others their wait: a client that
/// has not heard yet that a topic is gone would else ask again and again.
fn total_of(asked: &[Asked], available: &[Result<u64, Refusal>]) -> Option<u64> {
    let of_owners = asked.iter().zip(available).filter(|(asked, _)| asked.is_ok());
    let mut total = None;
    for (_, one) in of_owners {
        total = Some(total.unwrap_or(0u64).saturating_add(*one.as_ref().ok()?));
    }
    total
}

fn owners(asked: &[Asked]) -> BTreeSet<ShardId> {
    asked.iter().flatten().map(|(owner, _)| *owner).collect()
}

fn is_at(asked: &Asked, owner: ShardId) -> bool {
    asked.as_ref().is_ok_and(|(of, _)| *of == owner)
}

fn probed(reply: Reply) -> Option<Vec<Result<u64, Refusal>>> {
    match reply {
        Reply::Probed(found) => Some(found),
        _ => None,
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
    let item = |((asked, read), available): ((&Asked, Option<ReadFrom>), _)| {
        let _there: u64 = available?;
        let (owner, _) = asked.clone()?;
        Ok((owner, read.expect("what is available gets a share")))
    };
    let items = asked.iter().zip(reads).zip(available).map(item);
    let found = |reply| match reply {
        Reply::Read(found) => Some(found),
        _ => None,
    };
    ask_owners(core, Lane::Fetch, items, crate::message::Request::Read, found).await
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
        Err(refusal) => PartitionResponse {
            // As in Kafka, where no log has been asked, whatever the isolation level.
            aborted_transactions: match refusal.code {
                ErrorCode::UnknownTopicOrPartition | ErrorCode::UnknownTopicId => Some(Vec::new()),
                _ => None,
            },
            ..PartitionResponse::error(index, refusal.code)
        },
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
