//! What answers may hold, from before they are made until they are sent: a small request may ask
//! for a large answer, and a peer need not read it.

use protocol::generated::request_body::RequestBody;
use runtime::{Budget, Permit};

use crate::handlers::{create_topics, metadata};
use crate::session::IN_FLIGHT_MAX;
use crate::view::ClusterView;

/// Memory for the answers of one shard's connections to fetches, and as much for all others.
const ANSWERS_BYTES: u64 = 64 * 1024 * 1024;
/// Topics, partitions and the like that one request may name, repeated or not. The largest that a
/// client has reason to send is a tenth of it.
const ROWS_MAX: usize = 100_000;
/// What a row takes while it is handled, and in the answer.
const ROW_BYTES: usize = 512;
/// Smaller answers are not charged: each connection has room for one.
const FREE_BYTES: usize = 64 * 1024;
/// The same for answers to produces, of which a connection may have several that nobody reads.
const FREE_PRODUCE_BYTES: usize = FREE_BYTES / IN_FLIGHT_MAX;

/// Two budgets, because fetches that wait hold theirs for long.
pub(crate) struct AnswerMemory {
    fetch: Budget,
    other: Budget,
}

/// A request names more than one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyRows(pub(crate) usize);

impl std::fmt::Display for TooManyRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let TooManyRows(rows) = self;
        write!(f, "a request with {rows} topics and partitions: at most {ROWS_MAX} are answered")
    }
}

impl AnswerMemory {
    /// Nothing is held.
    pub(crate) fn new() -> AnswerMemory {
        AnswerMemory {
            fetch: Budget::new("memory for answers to fetches", ANSWERS_BYTES),
            other: Budget::new("memory for answers", ANSWERS_BYTES),
        }
    }

    /// Waits for the room that an answer will need; none if that is little.
    pub(crate) async fn reserve(&self, size: AnswerSize) -> Option<Reserved> {
        let needed = size.bytes > FREE_BYTES;
        if needed { Some(reserve(&self.other, size.bytes, FREE_BYTES).await) } else { None }
    }

    /// The same for a produce.
    pub(crate) async fn reserve_produce(&self, size: AnswerSize) -> Option<Reserved> {
        let free = FREE_PRODUCE_BYTES;
        if size.bytes > free { Some(reserve(&self.other, size.bytes, free).await) } else { None }
    }

    /// The same for a fetch, which holds its frame here too: it may wait for long.
    pub(crate) async fn reserve_fetch(&self, size: AnswerSize, frame_bytes: usize) -> Reserved {
        reserve(&self.fetch, size.bytes + frame_bytes, FREE_BYTES).await
    }
}

async fn reserve(lane: &Budget, bytes: usize, free_bytes: usize) -> Reserved {
    // What is larger than all of it has all of it: then it is alone.
    let permit = lane.acquire((bytes as u64).min(lane.limit_bytes())).await;
    Reserved { permit: permit.expect("no more is asked for than there is"), free_bytes }
}

/// Room that is kept for an answer while it is made.
pub(crate) struct Reserved {
    permit: Permit,
    free_bytes: usize,
}

impl Reserved {
    /// The answer is made, and takes `size_bytes`: what it holds until it is sent, none if that is
    /// little.
    pub(crate) fn settle(self, size_bytes: usize) -> Option<Permit> {
        let Reserved { mut permit, free_bytes } = self;
        permit.shrink_to(size_bytes as u64);
        (size_bytes > free_bytes).then_some(permit)
    }
}

/// What the answer to a request takes at most, while it is made and when it is encoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnswerSize {
    bytes: usize,
}

impl AnswerSize {
    /// The answer to `request`.
    pub(crate) fn of(
        view: &ClusterView,
        version: i16,
        request: &RequestBody<'_>,
    ) -> Result<AnswerSize, TooManyRows> {
        let (rows, bytes) = rows_and_bytes(view, version, request);
        if rows > ROWS_MAX {
            return Err(TooManyRows(rows));
        }
        Ok(AnswerSize { bytes: rows * ROW_BYTES + bytes })
    }
}

/// What a request names, and what its answer has besides.
fn rows_and_bytes(view: &ClusterView, version: i16, request: &RequestBody<'_>) -> (usize, usize) {
    match request {
        RequestBody::Produce(request) => {
            rows_of(&request.topics, |topic| (1 + topic.partitions.len(), 2 * topic.name.len()))
        }
        RequestBody::Fetch(request) => {
            rows_of(&request.topics, |topic| (1 + topic.partitions.len(), topic.name.len()))
        }
        RequestBody::ListOffsets(request) => {
            rows_of(&request.topics, |topic| (1 + topic.partitions.len(), 2 * topic.name.len()))
        }
        RequestBody::Metadata(request) => {
            let named = request.topics.as_ref().map_or(0, Vec::len);
            (named, metadata::answer_bytes(view, version, request))
        }
        RequestBody::CreateTopics(request) => {
            let (rows, bytes) = rows_of(&request.topics, |topic| {
                (1 + topic.assignments.len() + topic.configs.len(), 4 * topic.name.len())
            });
            (rows, bytes + create_topics::settings_bytes(version, request))
        }
        RequestBody::DeleteTopics(request) => (request.topics.len() + request.topic_names.len(), 0),
        RequestBody::ApiVersions(_) | RequestBody::InitProducerId(_) => (1, 0),
    }
}

fn rows_of<T>(topics: &[T], of: impl Fn(&T) -> (usize, usize)) -> (usize, usize) {
    topics.iter().map(of).fold((0, 0), |(rows, bytes), (r, b)| (rows + r, bytes + b))
}
