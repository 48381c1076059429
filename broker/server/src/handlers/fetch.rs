//! Fetch: waits until there is enough, then says where the bytes are.
//!
//! ```text
//! home                                   owners
//!  │ probe ────────────────────────────►  bytes below the high watermark
//!  │ too little? watch ────────────────►  told of every change, at most once a turn
//!  │ enough, error or deadline: forget ►
//!  │ probe ────────────────────────────►
//!  │ allot bytes in the request's order
//!  │ read ─────────────────────────────►  places: memory or file
//! ```

mod lend;
mod repeated;
mod wait;

use std::rc::Rc;
use std::time::Duration;

use connection::Part;
use protocol::fetch::response::{self, PartitionResponse, TopicResponse};
use protocol::fetch::{self, Request};
use protocol::generated::request_body::RequestBody;
use protocol::response::Answered;
use protocol::{ApiKey, EncodeError, ErrorCode, decode_request};
use record::{LeaderEpoch, Offset};
use runtime::{Lane, Lease, ShardId, Socket};
use storage::AtLeast;

use self::wait::Wait;
use crate::answer_memory::{AnswerTo, OwnAnswers, Reserved};
use crate::error_codes::Refusal;
use crate::message::{FetchFrom, Found, ReadFrom, ReadPurpose, Reply};
use crate::router::ask_owners;
use crate::shard::Core;
use crate::view::{ClusterView, log_id};

/// The isolation level that wants to know of aborted transactions.
const READ_COMMITTED: i8 = 1;

/// One partition of the request, in its order.
type Asked = Result<(ShardId, FetchFrom), Refusal>;

/// A fetch, and what there was for it when it was looked.
struct Looked<'a> {
    request: Request<'a>,
    asked: Vec<Asked>,
    available: Vec<Result<u64, Refusal>>,
}

/// Who asks: the connection, and what its answers hold.
pub(crate) struct Asker<'a> {
    pub(crate) peer: &'a Socket,
    pub(crate) answers: &'a OwnAnswers,
}

/// How a fetch ends.
pub(crate) struct Fetched {
    /// The places of its bytes.
    pub(crate) parts: Vec<Part>,
    /// The room for the answer.
    pub(crate) reserved: Reserved,
    /// How long its connection is not read then: it should have waited, and found no place.
    pub(crate) pause: Option<Duration>,
}

/// Answers a fetch with the places of its bytes. `reserved` is the room for the answer. While the
/// fetch waits that is given back, and nothing is kept but its frame and what is watched.
pub(crate) async fn handle(
    core: &Rc<Core>,
    frame: &Lease,
    (answered, request): (Answered, Request<'_>),
    reserved: Reserved,
    asker: Asker<'_>,
) -> Result<Fetched, EncodeError> {
    if let Some(code) = session_error(&request) {
        return Ok(Fetched { parts: empty(answered, code)?, reserved, pause: None });
    }
    let (mut looked, mut reserved) = (look(core, &answered, request).await, reserved);
    let wait = Wait::of(core, &looked);
    let place = wait.as_ref().and_then(|_| wait::place(core, frame, &reserved, &looked.asked));
    let pause = wait.as_ref().filter(|_| place.is_none()).map(|wait| wait.pause(core));
    if let (Some(wait), Some(place)) = (wait, place) {
        let size_max_bytes = reserved.size_max_bytes();
        drop(reserved);
        let watched: Vec<(ShardId, FetchFrom)> = looked.asked.into_iter().flatten().collect();
        drop((looked.request, looked.available));
        let parked_at = core.shard.now();
        wait.run(core, watched, asker.peer).await;
        core.meters.purgatory.record(core.shard.now().since(parked_at));
        let answers = asker.answers;
        reserved = core.answer_memory.reserve(AnswerTo::Fetch, size_max_bytes, answers).await;
        drop(place);
        looked = look(core, &answered, decode_again(frame)).await;
    }
    let Looked { request, asked, available } = looked;
    let reads = allot(core, &request, &asked, &available);
    let found = read(core, &asked, reads, available).await;
    let parts = respond(core, answered, &request, &asked, found)?;
    Ok(Fetched { parts, reserved, pause })
}

async fn look<'a>(core: &Rc<Core>, answered: &Answered, request: Request<'a>) -> Looked<'a> {
    let request = repeated::last_of_each(request);
    let asked = resolve(&core.view(), answered.api_version, &request);
    let available = probe(core, asked.iter().cloned()).await;
    Looked { request, asked, available }
}

/// What a fetch asks for that has waited.
fn decode_again(frame: &Lease) -> Request<'_> {
    match decode_request(frame) {
        Ok(protocol::Request { body: RequestBody::Fetch(request), .. }) => request,
        _ => unreachable!("the same bytes were a fetch before it waited"),
    }
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

/// What each partition has now.
async fn probe(core: &Rc<Core>, asked: impl Iterator<Item = Asked>) -> Vec<Result<u64, Refusal>> {
    ask_owners(core, Lane::Fetch, asked, crate::message::Request::Probe, probed).await
}

fn probed(reply: Reply) -> Option<Vec<Result<u64, Refusal>>> {
    match reply {
        Reply::Probed(found) => Some(found),
        _ => None,
    }
}

/// The most bytes of records in one response, but for a first batch that is larger.
fn records_size_max(core: &Core, request: &Request<'_>) -> u32 {
    u32::try_from(request.max_bytes).unwrap_or(0).min(core.config.fetch_size_max)
}

/// Shares the response's bytes out, in the order of the request. The first partition that has
/// something gets a whole batch at least, so that a reader always gets on (KIP-74).
fn allot(
    core: &Core,
    request: &Request<'_>,
    asked: &[Asked],
    available: &[Result<u64, Refusal>],
) -> Vec<Option<ReadFrom>> {
    let mut left = records_size_max(core, request);
    let mut at_least = AtLeast::OneBatch;
    let mut share = |(asked, available): (&Asked, &Result<u64, Refusal>)| {
        let (Ok((_, from)), Ok(available)) = (asked, available) else { return None };
        let mut read = ReadFrom {
            from: *from,
            max_bytes: 0,
            at_least: AtLeast::Nothing,
            purpose: ReadPurpose::Fetch,
        };
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
    for refusal in found.iter().filter_map(|result| result.as_ref().err()) {
        core.meters.refused(ApiKey::Fetch, refusal.code);
    }
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
