//! Produce: batches to the owners of their partitions, and the answer when they are durable.

use std::rc::Rc;
use std::time::Duration;

use connection::Part;
use protocol::error_code::ErrorCode;
use protocol::header::RequestHeader;
use protocol::produce::{Partition, PartitionResponse, Request, TopicResponse};
use protocol::response::Answered;
use protocol::{ApiKey, Uuid, produce};
use record::BatchView;
use replica::Acks;
use runtime::{Instant, Lane, Lease, Unanswered};

use crate::error_codes::Refusal;
use crate::message::{Append, AppendBatch, Appended, Reply};
use crate::router::{ByShard, InOrder, Started, ask};
use crate::shard::Core;
use crate::view::log_id;

/// From this version on batches may be compressed with zstd (KIP-110).
const ZSTD_FROM: i16 = 7;
/// The number of zstd in a batch's attributes.
const ZSTD: u8 = 4;
/// The longest that an append waits for room, whatever the client asks for.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// A request whose batches have their places in the logs, or were refused.
pub(crate) struct BegunProduce {
    answered: Answered,
    answers: Answers,
    topics: Vec<BegunTopic>,
    groups: Vec<Group>,
}

/// How a request ends for its client.
pub(crate) enum Outcome {
    /// With an answer.
    Answer(Vec<Part>),
    /// With nothing: acks=0.
    Silence,
    /// With the end of the connection.
    Close,
}

/// Whether the client wants to hear anything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Yes,
    /// acks=0: whatever is wrong with the request, an answer would be taken for the next one's.
    No,
}

struct BegunTopic {
    name: String,
    id: Uuid,
    partitions: Vec<(i32, Place)>,
}

/// What became of one partition's batch.
enum Place {
    Refused(Refusal),
    /// It is the so-manieth of all that owners were asked.
    Asked(usize),
}

/// What one owner was asked.
struct Group {
    places: Vec<usize>,
    reply: Started<Result<Reply, Unanswered>>,
}

/// Begins a request: when this returns, its batches stand in their logs, or in the owners' queues,
/// in front of all that come later on this connection.
pub(crate) async fn begin(
    core: &Rc<Core>,
    frame: &Lease,
    header: RequestHeader<'_>,
    request: Request<'_>,
) -> BegunProduce {
    let view = core.view();
    let acks = acks_of(&request);
    let mut batches = ByShard::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let found = view.find_topic(header.api_version, topic.name, topic.topic_id);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let outcome = acks.clone().and_then(|_| {
                let known = found.clone()?;
                let records = check_records(partition, header.api_version)?;
                let unknown = || Refusal::bare(ErrorCode::UnknownTopicOrPartition);
                let owner = view.owner(known, partition.index).ok_or_else(unknown)?;
                let start = partition.records_position;
                let batch = AppendBatch {
                    partition: log_id(&known.id, partition.index as u32),
                    records: frame.slice(start..start + records.len()),
                };
                Ok(batches.push(owner, batch))
            });
            let outcome = outcome.map_or_else(Place::Refused, Place::Asked);
            partitions.push((partition.index, outcome));
        }
        topics.push(BegunTopic { name: topic.name.into(), id: topic.topic_id, partitions });
    }
    let answers = if request.acks == 0 { Answers::No } else { Answers::Yes };
    let deadline = deadline(core, request.timeout_ms);
    let mut groups = Vec::new();
    for (owner, places, batches) in batches.into_groups() {
        let acks = acks.clone().expect("nothing is asked if acks is refused");
        let append = crate::message::Request::Append(Append { acks, deadline, batches });
        let reply = Started::start(ask(core.clone(), owner, Lane::Produce, append)).await;
        groups.push(Group { places, reply });
    }
    BegunProduce { answered: Answered::from(header), answers, topics, groups }
}

impl BegunProduce {
    /// Waits until all batches are as durable as was asked for, and answers.
    pub(crate) async fn finish(self, core: &Core) -> Outcome {
        let mut results = InOrder::new();
        for Group { places, reply } in self.groups {
            match reply.finish().await {
                Ok(Reply::Appended(appended)) => results.put(&places, appended),
                Ok(_) => unreachable!("an append is answered with what was appended"),
                Err(e) => results.put(&places, places.iter().map(|_| Err(Refusal::from(e)))),
            }
        }
        let mut topics = Vec::with_capacity(self.topics.len());
        for topic in self.topics {
            let result = |(index, outcome)| match outcome {
                Place::Refused(refusal) => (index, Err(refusal)),
                Place::Asked(place) => (index, results.take(place)),
            };
            let partitions: Vec<_> = topic.partitions.into_iter().map(result).collect();
            for (_, result) in &partitions {
                if let Err(refusal) = result {
                    core.meters.refused(ApiKey::Produce, refusal.code);
                }
            }
            topics.push((topic.name, topic.id, partitions));
        }
        match self.answers {
            Answers::Yes => encode(self.answered, &topics),
            // There is no answer that could carry the error: closing tells the client.
            Answers::No if topics.iter().any(|(_, _, of)| of.iter().any(|(_, r)| r.is_err())) => {
                Outcome::Close
            }
            Answers::No => Outcome::Silence,
        }
    }
}

type Results = Vec<(i32, Result<Appended, Refusal>)>;

fn encode(answered: Answered, topics: &[(String, Uuid, Results)]) -> Outcome {
    let topics = topics.iter().map(|(name, topic_id, results)| TopicResponse {
        name,
        topic_id: *topic_id,
        partitions: results.iter().map(|(index, result)| partition(*index, result)).collect(),
    });
    let response = produce::Response { topics: topics.collect(), ..Default::default() };
    match response.encode(answered) {
        Ok(frame) => Outcome::Answer(vec![Part::Memory(Lease::from(frame))]),
        // Names came from the request, and messages are short: there is nothing that won't fit.
        Err(_) => Outcome::Close,
    }
}

fn partition(index: i32, result: &Result<Appended, Refusal>) -> PartitionResponse<'_> {
    match result {
        Ok(appended) => PartitionResponse {
            base_offset: appended.base_offset.0,
            log_append_time_ms: appended.log_append_time.map_or(-1, |time| time.0),
            log_start_offset: appended.log_start_offset.0,
            ..PartitionResponse::error(index, ErrorCode::None)
        },
        Err(refusal) => PartitionResponse {
            error_message: refusal.message.as_deref(),
            ..PartitionResponse::error(index, refusal.code)
        },
    }
}

fn acks_of(request: &Request<'_>) -> Result<Acks, Refusal> {
    if request.transactional_id.is_some() {
        // As InitProducerId says it. A Java client ends on it, where others make it abort first.
        let why = "there are no transactions here yet: leave transactional.id unset";
        return Err(Refusal::because(ErrorCode::UnsupportedVersion, why));
    }
    match request.acks {
        0 => Ok(Acks::None),
        1 => Ok(Acks::Leader),
        -1 => Ok(Acks::All),
        _ => Err(ErrorCode::InvalidRequiredAcks.into()),
    }
}

/// What can be seen before the owner is asked; what is no batch at all is refused there.
fn check_records<'a>(partition: &Partition<'a>, version: i16) -> Result<&'a [u8], Refusal> {
    let missing = || Refusal::because(ErrorCode::InvalidRecord, "a partition without a batch");
    let records = partition.records.filter(|records| !records.is_empty()).ok_or_else(missing)?;
    let Ok((batch, _)) = BatchView::parse(records) else { return Ok(records) };
    if batch.is_transactional() {
        let why = "a batch of a transaction, in a request without transactional id";
        return Err(Refusal::because(ErrorCode::TransactionalIdAuthorizationFailed, why));
    }
    if version < ZSTD_FROM && batch.compression_id() == ZSTD {
        let why = "zstd needs Produce version 7 or newer";
        return Err(Refusal::because(ErrorCode::UnsupportedCompressionType, why));
    }
    Ok(records)
}

fn deadline(core: &Core, timeout_ms: i32) -> Instant {
    let wait = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    core.shard.now() + wait.min(WAIT_MAX)
}
