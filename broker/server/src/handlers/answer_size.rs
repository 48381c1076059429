//! How large the answer to a request can become, known before it is made: it is charged for that.

use std::fmt;

use protocol::generated::create_topics::CreatableTopic;
use protocol::generated::list_offsets::ListOffsetsTopic;
use protocol::generated::metadata::MetadataRequestTopic;
use protocol::generated::request_body::RequestBody;
use protocol::{fetch, produce};

use super::{create_topics, metadata};
use crate::view::ClusterView;

/// Topics, partitions and the like that one request may name, repeated or not. The largest that a
/// client has reason to send is a tenth of it.
const ROWS_MAX: usize = 100_000;
/// What a row takes while it is handled, and in the answer: its question and its result are up to
/// 200 bytes each, and where the answer carries words for people, they are the rest.
const ROW_BYTES: usize = 512;
/// Names and other text of the client's that an answer may repeat: 33,000 names of the longest
/// that a topic may have.
const TEXT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Copies of such text that are there at once: of a produce, the handler's and the answer's; its
/// request's lies in the frame.
const COPIES_OF_PRODUCE: usize = 2;
/// Of a fetch, the answer's.
const COPIES_OF_FETCH: usize = 1;
/// The request's, which becomes the result's, and the answer's.
const COPIES_OF_LIST_OFFSETS: usize = 2;
/// The request's, the result's and the answer's.
const COPIES_OF_METADATA: usize = 3;
/// The wish's, two for finding what is named twice, and the result's; of a setting, the wish's, the
/// topic's, the result's and the answer's.
const COPIES_OF_CREATE_TOPICS: usize = 4;
/// The request's, and one for finding what is named twice; then the result's and the answer's.
const COPIES_OF_DELETE_TOPICS: usize = 2;

/// A request names more than one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamesTooMuch {
    /// So many topics, partitions and the like.
    Rows(usize),
    /// So many bytes of names and values.
    TextBytes(usize),
}

impl fmt::Display for NamesTooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NamesTooMuch::Rows(rows) => write!(
                f,
                "a request with {rows} topics and partitions: at most {ROWS_MAX} are answered"
            ),
            NamesTooMuch::TextBytes(bytes) => write!(
                f,
                "a request with {bytes} bytes of names: at most {TEXT_BYTES_MAX} are answered"
            ),
        }
    }
}

/// What the answer to `request` takes at most, in bytes, while it is made and when it is encoded.
pub(crate) fn answer_size_max(
    view: &ClusterView,
    version: i16,
    request: &RequestBody<'_>,
) -> Result<usize, NamesTooMuch> {
    let Named { rows, text_bytes, copies } = Named::by(request);
    if rows > ROWS_MAX {
        return Err(NamesTooMuch::Rows(rows));
    }
    if text_bytes > TEXT_BYTES_MAX {
        return Err(NamesTooMuch::TextBytes(text_bytes));
    }
    let besides = match request {
        RequestBody::Metadata(request) => metadata::answer_bytes(view, version, request),
        RequestBody::CreateTopics(request) => create_topics::settings_bytes(version, request),
        _ => 0,
    };
    Ok(rows * ROW_BYTES + text_bytes * copies + besides)
}

/// What a request names, which its answer repeats.
struct Named {
    rows: usize,
    text_bytes: usize,
    copies: usize,
}

impl Named {
    fn by(request: &RequestBody<'_>) -> Named {
        match request {
            RequestBody::Produce(request) => {
                let of = |topic: &produce::Topic<'_>| (topic.partitions.len(), topic.name.len());
                Named::by_all(COPIES_OF_PRODUCE, request.topics.iter().map(of))
            }
            RequestBody::Fetch(request) => {
                let of = |topic: &fetch::Topic<'_>| (topic.partitions.len(), topic.name.len());
                Named::by_all(COPIES_OF_FETCH, request.topics.iter().map(of))
            }
            RequestBody::ListOffsets(request) => {
                let of = |topic: &ListOffsetsTopic| (topic.partitions.len(), topic.name.len());
                Named::by_all(COPIES_OF_LIST_OFFSETS, request.topics.iter().map(of))
            }
            RequestBody::Metadata(request) => {
                let of = |topic: &MetadataRequestTopic| (0, len(&topic.name));
                Named::by_all(COPIES_OF_METADATA, request.topics.iter().flatten().map(of))
            }
            RequestBody::CreateTopics(request) => {
                let of = |topic: &CreatableTopic| {
                    let configs = topic.configs.iter();
                    let text = configs.map(|config| config.name.len() + len(&config.value));
                    let rows = topic.assignments.len() + topic.configs.len();
                    (rows, topic.name.len() + text.sum::<usize>())
                };
                Named::by_all(COPIES_OF_CREATE_TOPICS, request.topics.iter().map(of))
            }
            RequestBody::DeleteTopics(request) => {
                let topics = request.topics.iter().map(|topic| (0, len(&topic.name)));
                let names = request.topic_names.iter().map(|name| (0, name.len()));
                Named::by_all(COPIES_OF_DELETE_TOPICS, topics.chain(names))
            }
            RequestBody::ApiVersions(_) | RequestBody::InitProducerId(_) => {
                Named { rows: 1, text_bytes: 0, copies: 0 }
            }
        }
    }

    /// By topics, each with its rows besides its own and its text.
    fn by_all(copies: usize, topics: impl Iterator<Item = (usize, usize)>) -> Named {
        let (rows, text_bytes) =
            topics.fold((0, 0), |(rows, bytes), (r, b)| (rows + 1 + r, bytes + b));
        Named { rows, text_bytes, copies }
    }
}

fn len(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}
