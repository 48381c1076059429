//! Compares the hand-written Produce and Fetch of a server with Kafka's classes.
//!
//! Requests: what is read by hand from their bytes, put into the owned struct field by field, is
//! the owned struct of the value. Responses: what is written by hand from the owned struct of the
//! value are their bytes.

use conformance::oracle::values::normal;
use conformance::oracle::{Oracle, UnknownTags};
use protocol::fetch::response::{self as fetch_response, Part};
use protocol::generated::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic, PartitionData,
    ReplicaState,
};
use protocol::generated::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use protocol::header::decode_response_header;
use protocol::oracle::Json;
use protocol::primitive::reader::Reader;
use protocol::{Answered, ApiKey, ErrorCode, Malformed, Message, fetch, produce};
use serde_json::Value;

use crate::Sample;

/// Compares one value, if its message has a codec by hand.
pub fn compare(oracle: &mut Oracle, name: &str, sample: &Sample<'_>, place: &str) {
    match name {
        "ProduceRequest" => produce_request(sample, place),
        "FetchRequest" => fetch_request(sample, place),
        "ProduceResponse" => produce_response(sample, place),
        "FetchResponse" => fetch_response(oracle, sample, place),
        _ => {}
    }
}

/// Reads a request by hand, if its message has a codec by hand.
pub fn decode(name: &str, bytes: &[u8], version: i16) -> Option<Result<(), Malformed>> {
    let mut reader = Reader::new(bytes);
    match name {
        "ProduceRequest" => Some(produce::Request::decode(&mut reader, version).map(|_| ())),
        "FetchRequest" => Some(fetch::Request::decode(&mut reader, version).map(|_| ())),
        _ => None,
    }
}

/// The bytes of a request with and without unknown tagged fields.
fn requests<'a>(sample: &'a Sample<'_>) -> impl Iterator<Item = &'a Vec<u8>> {
    [Some(&sample.theirs), sample.tagged.as_ref()].into_iter().flatten()
}

fn owned<M: Message + Json>(value: &Value) -> M {
    M::from_json(value).expect("the value was made for this message")
}

fn produce_request(sample: &Sample<'_>, place: &str) {
    let expected: ProduceRequest = owned(&sample.value);
    for bytes in requests(sample) {
        let mut reader = Reader::new(bytes);
        let request = produce::Request::decode(&mut reader, sample.version);
        let request = request.unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(reader.left(), 0, "{place}");
        for partition in request.topics.iter().flat_map(|topic| &topic.partitions) {
            let records = partition.records.unwrap_or_default();
            assert_eq!(&bytes[partition.records_position..][..records.len()], records, "{place}");
        }
        assert_eq!(owned_produce_request(&request), expected, "{place}");
        assert_ne!(owned_produce_request(&swapped_produce(request.clone())), expected);
    }
}

/// A planted bug: two numbers change places and become different.
fn swapped_produce(mut request: produce::Request<'_>) -> produce::Request<'_> {
    let acks = i32::from(request.acks);
    (request.acks, request.timeout_ms) = (request.timeout_ms as i16, acks);
    request.acks = request.acks.wrapping_add(i16::from(request.timeout_ms == acks));
    request
}

fn owned_produce_request(request: &produce::Request<'_>) -> ProduceRequest {
    let topic_data = request.topics.iter().map(|topic| TopicProduceData {
        name: topic.name.to_string(),
        topic_id: topic.topic_id,
        partition_data: topic
            .partitions
            .iter()
            .map(|partition| PartitionProduceData {
                index: partition.index,
                records: partition.records.map(<[u8]>::to_vec),
            })
            .collect(),
    });
    ProduceRequest {
        transactional_id: request.transactional_id.map(str::to_string),
        acks: request.acks,
        timeout_ms: request.timeout_ms,
        topic_data: topic_data.collect(),
    }
}

fn fetch_request(sample: &Sample<'_>, place: &str) {
    let expected: FetchRequest = owned(&sample.value);
    for bytes in requests(sample) {
        let mut reader = Reader::new(bytes);
        let request = fetch::Request::decode(&mut reader, sample.version);
        let request = request.unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(reader.left(), 0, "{place}");
        assert_eq!(owned_fetch_request(&request, sample.version), expected, "{place}");

        // A planted bug: two fields of one type change places.
        let mut swapped = request.clone();
        std::mem::swap(&mut swapped.min_bytes, &mut swapped.max_bytes);
        let is_found = owned_fetch_request(&swapped, sample.version) != expected;
        assert_eq!(is_found, request.min_bytes != request.max_bytes, "{place}");
    }
}

fn owned_fetch_request(request: &fetch::Request<'_>, version: i16) -> FetchRequest {
    let mut replica_state = ReplicaState::default();
    let mut replica_id = -1;
    match version {
        15.. => {
            replica_state.replica_id = request.replica_id;
            replica_state.replica_epoch = request.replica_epoch;
        }
        _ => replica_id = request.replica_id,
    }
    let topics = request.topics.iter().map(|topic| FetchTopic {
        topic: topic.name.to_string(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(owned_fetch_partition).collect(),
    });
    let forgotten = request.forgotten_topics.iter().map(|topic| ForgottenTopic {
        topic: topic.name.to_string(),
        topic_id: topic.topic_id,
        partitions: topic.partitions.clone(),
    });
    FetchRequest {
        cluster_id: request.cluster_id.map(str::to_string),
        replica_id,
        replica_state,
        max_wait_ms: request.max_wait_ms,
        min_bytes: request.min_bytes,
        max_bytes: request.max_bytes,
        isolation_level: request.isolation_level,
        session_id: request.session_id,
        session_epoch: request.session_epoch,
        topics: topics.collect(),
        forgotten_topics_data: forgotten.collect(),
        rack_id: request.rack_id.to_string(),
    }
}

fn owned_fetch_partition(partition: &fetch::Partition) -> FetchPartition {
    FetchPartition {
        partition: partition.index,
        current_leader_epoch: partition.current_leader_epoch,
        fetch_offset: partition.fetch_offset,
        last_fetched_epoch: partition.last_fetched_epoch,
        log_start_offset: partition.log_start_offset,
        partition_max_bytes: partition.max_bytes,
        replica_directory_id: partition.replica_directory_id,
        high_watermark: partition.high_watermark,
    }
}

fn code(number: i16) -> ErrorCode {
    ErrorCode::from_number(number).expect("values only have error codes that exist")
}

/// The body of a response's frame, whose prefix and header are checked.
fn body(frame: &[u8], answered: Answered) -> &[u8] {
    let (prefix, frame) = frame.split_at(4);
    assert_eq!(prefix, (frame.len() as u32).to_be_bytes(), "the size prefix");
    let mut reader = Reader::new(frame);
    let correlation_id =
        decode_response_header(&mut reader, answered.api_key, answered.api_version);
    assert_eq!(correlation_id, Ok(answered.correlation_id));
    &frame[reader.position()..]
}

fn produce_response(sample: &Sample<'_>, place: &str) {
    let response: ProduceResponse = owned(&sample.value);
    let topics = response.responses.iter().map(|topic| produce::TopicResponse {
        name: &topic.name,
        topic_id: topic.topic_id,
        partitions: topic
            .partition_responses
            .iter()
            .map(|partition| produce::PartitionResponse {
                index: partition.index,
                error_code: code(partition.error_code),
                base_offset: partition.base_offset,
                log_append_time_ms: partition.log_append_time_ms,
                log_start_offset: partition.log_start_offset,
                record_errors: partition.record_errors.clone(),
                error_message: partition.error_message.as_deref(),
                current_leader: partition.current_leader.clone(),
            })
            .collect(),
    });
    let by_hand = produce::Response {
        topics: topics.collect(),
        throttle_time_ms: response.throttle_time_ms,
        node_endpoints: response.node_endpoints.clone(),
    };
    let api_version = sample.version;
    let answered = Answered { api_key: ApiKey::Produce, api_version, correlation_id: 77 };
    let frame = by_hand.encode(answered).unwrap_or_else(|error| panic!("{place}: {error}"));
    assert_eq!(body(&frame, answered), sample.theirs, "{place}");
}

fn fetch_response(oracle: &mut Oracle, sample: &Sample<'_>, place: &str) {
    // A server never writes null records: without records it writes none.
    let mut response: FetchResponse = owned(&sample.value);
    let partitions = response.responses.iter_mut().flat_map(|topic| &mut topic.partitions);
    for partition in partitions {
        partition.records.get_or_insert_default();
    }
    let value = normal(sample.schema, sample.version, &response.to_json());
    let theirs = oracle
        .encode("FetchResponse", sample.version, &value, UnknownTags::None)
        .unwrap_or_else(|error| panic!("{place}: {error}"));

    let topics = response.responses.iter().map(|topic| fetch_response::TopicResponse {
        name: &topic.topic,
        topic_id: topic.topic_id,
        partitions: topic.partitions.iter().map(partition_by_hand).collect(),
    });
    let by_hand = fetch_response::Response {
        throttle_time_ms: response.throttle_time_ms,
        error_code: code(response.error_code),
        session_id: response.session_id,
        topics: topics.collect(),
        node_endpoints: response.node_endpoints.clone(),
    };
    let api_version = sample.version;
    let answered = Answered { api_key: ApiKey::Fetch, api_version, correlation_id: 77 };
    let frame = by_hand.encode(answered).unwrap_or_else(|error| panic!("{place}: {error}"));

    let all: Vec<&PartitionData> =
        response.responses.iter().flat_map(|topic| &topic.partitions).collect();
    let mut sent = Vec::new();
    for part in &frame.parts {
        match part {
            Part::Bytes(range) => sent.extend_from_slice(&frame.head[range.clone()]),
            Part::Records { index, len } => {
                let records = all[*index].records.as_deref().unwrap_or_default();
                assert_eq!(records.len(), *len, "{place}");
                sent.extend_from_slice(records);
            }
        }
    }
    assert_eq!(sent.len(), frame.size_bytes, "{place}");
    assert_eq!(body(&sent, answered), theirs, "{place}");
}

fn partition_by_hand(partition: &PartitionData) -> fetch_response::PartitionResponse {
    fetch_response::PartitionResponse {
        index: partition.partition_index,
        error_code: code(partition.error_code),
        high_watermark: partition.high_watermark,
        last_stable_offset: partition.last_stable_offset,
        log_start_offset: partition.log_start_offset,
        diverging_epoch: partition.diverging_epoch.clone(),
        current_leader: partition.current_leader.clone(),
        snapshot_id: partition.snapshot_id.clone(),
        aborted_transactions: partition.aborted_transactions.clone(),
        preferred_read_replica: partition.preferred_read_replica,
        records_size_bytes: partition.records.as_ref().map_or(0, Vec::len),
    }
}
