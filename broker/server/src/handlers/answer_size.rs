//! How large the answer to a request can become, known before it is made: it is charged for that.

mod names;

use std::fmt;

use protocol::generated::request_body::RequestBody;

use super::{
    create_topics, describe_configs, describe_log_dirs, describe_topic_partitions, metadata,
};
use crate::view::ClusterView;
use names::Names;

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

/// The request's, and the answer's; and for finding what is named twice.
const COPIES_OF_CONFIGS: usize = 4;
/// The request's, the result's and the answer's.
const COPIES_OF_OTHERS: usize = 3;
/// What the answer about settings may take: the memory of all such answers.
const DESCRIBED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A request names more than one may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamesTooMuch {
    /// So many topics, partitions and the like.
    Rows(usize),
    /// So many bytes of names and values.
    TextBytes(usize),
    /// Settings whose answer would take so many bytes.
    SettingsBytes(usize),
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
            NamesTooMuch::SettingsBytes(bytes) => write!(
                f,
                "a request for settings that take {bytes} bytes: at most {DESCRIBED_BYTES_MAX} are \
                 answered; ask for fewer topics at once, or name the settings"
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
        RequestBody::DescribeConfigs(request) => {
            let bytes = describe_configs::answer_bytes(view, request);
            if bytes > DESCRIBED_BYTES_MAX {
                return Err(NamesTooMuch::SettingsBytes(bytes));
            }
            bytes
        }
        RequestBody::DescribeTopicPartitions(request) => {
            describe_topic_partitions::answer_bytes(view, request)
        }
        RequestBody::DescribeLogDirs(request) => describe_log_dirs::answer_bytes(view, request),
        RequestBody::DescribeCluster(_) => metadata::brokers_bytes(view),
        _ => 0,
    };
    // One row is the answer's own: its header, its counts, and words for people.
    Ok((1 + rows) * ROW_BYTES + text_bytes * copies + besides)
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
            RequestBody::Produce(request) => Named::in_all(COPIES_OF_PRODUCE, &request.topics),
            RequestBody::Fetch(request) => Named::in_all(COPIES_OF_FETCH, &request.topics),
            RequestBody::ListOffsets(request) => {
                Named::in_all(COPIES_OF_LIST_OFFSETS, &request.topics)
            }
            RequestBody::OffsetForLeaderEpoch(request) => {
                Named::in_all(COPIES_OF_LIST_OFFSETS, &request.topics)
            }
            RequestBody::Metadata(request) => {
                Named::in_all(COPIES_OF_METADATA, request.topics.iter().flatten())
            }
            RequestBody::CreateTopics(request) => {
                Named::in_all(COPIES_OF_CREATE_TOPICS, &request.topics)
            }
            RequestBody::DeleteTopics(request) => {
                let topics = Named::in_all(COPIES_OF_DELETE_TOPICS, &request.topics);
                let names = Named::in_all(COPIES_OF_DELETE_TOPICS, &request.topic_names);
                let rows = topics.rows + names.rows;
                Named { rows, text_bytes: topics.text_bytes + names.text_bytes, ..topics }
            }
            RequestBody::CreatePartitions(request) => {
                Named::in_all(COPIES_OF_OTHERS, &request.topics)
            }
            RequestBody::DescribeConfigs(request) => {
                Named::in_all(COPIES_OF_OTHERS, &request.resources)
            }
            RequestBody::AlterConfigs(request) => {
                Named::in_all(COPIES_OF_CONFIGS, &request.resources)
            }
            RequestBody::IncrementalAlterConfigs(request) => {
                Named::in_all(COPIES_OF_CONFIGS, &request.resources)
            }
            RequestBody::DescribeTopicPartitions(request) => {
                Named::in_all(COPIES_OF_OTHERS, &request.topics)
            }
            RequestBody::DescribeLogDirs(request) => {
                Named::in_all(COPIES_OF_OTHERS, request.topics.iter().flatten())
            }
            RequestBody::ListPartitionReassignments(request) => {
                Named::in_all(COPIES_OF_OTHERS, request.topics.iter().flatten())
            }
            RequestBody::ApiVersions(_)
            | RequestBody::InitProducerId(_)
            | RequestBody::DescribeCluster(_) => Named { rows: 1, text_bytes: 0, copies: 0 },
        }
    }

    /// By topics and the like, each with its rows besides its own and its text.
    fn in_all<'a, N: Names + 'a>(copies: usize, all: impl IntoIterator<Item = &'a N>) -> Named {
        let named = Named { rows: 0, text_bytes: 0, copies };
        all.into_iter().fold(named, |sum, one| Named {
            rows: sum.rows + 1 + one.rows(),
            text_bytes: sum.text_bytes + one.text_bytes(),
            ..sum
        })
    }
}
