//! Tests of the gaps; that the bytes follow the schema is shown beside Kafka's own classes.

use super::{Part, PartitionResponse, Response, TopicResponse};
use crate::error::EncodeError;
use crate::error_code::ErrorCode;
use crate::generated::api_key::ApiKey;
use crate::generated::fetch::FetchResponse;
use crate::response::{Answered, decode_response};

fn response<'a>(sizes: &[usize]) -> Response<'a> {
    let partitions = sizes.iter().enumerate().map(|(index, &records_size_bytes)| {
        let empty = PartitionResponse::error(index as i32, ErrorCode::None);
        PartitionResponse { records_size_bytes, ..empty }
    });
    Response {
        throttle_time_ms: 0,
        error_code: ErrorCode::None,
        session_id: 0,
        topics: vec![TopicResponse {
            name: "topic",
            partitions: partitions.collect(),
            ..Default::default()
        }],
        node_endpoints: Vec::new(),
    }
}

fn answered(api_version: i16) -> Answered {
    Answered { api_key: ApiKey::Fetch, api_version, correlation_id: 3 }
}

#[test]
fn parts_in_order_make_the_whole_frame() {
    let sizes = [0, 300, 0, 7];
    for api_version in [4, 11, 12, 18] {
        let frame = response(&sizes).encode(answered(api_version)).expect("it is short");
        let mut sent = Vec::new();
        let mut gaps = Vec::new();
        for part in &frame.parts {
            match part {
                Part::Bytes(range) => sent.extend_from_slice(&frame.head[range.clone()]),
                Part::Records { index, len } => {
                    gaps.push((*index, *len));
                    sent.extend(vec![*index as u8; *len]);
                }
            }
        }
        assert_eq!(gaps, [(1, 300), (3, 7)]);
        assert_eq!(sent.len(), frame.size_bytes);
        assert_eq!(sent[..4], (sent.len() as u32 - 4).to_be_bytes());
        let read = decode_response(&sent[4..], ApiKey::Fetch, api_version);
        let (correlation_id, body): (_, FetchResponse) = read.expect("it was just written");
        assert_eq!(correlation_id, 3);
        for (index, partition) in body.responses[0].partitions.iter().enumerate() {
            assert_eq!(partition.records, Some(vec![index as u8; sizes[index]]));
        }
    }
}

#[test]
fn head_grows_by_headers_not_by_records() {
    let small = response(&[1; 5]).encode(answered(11)).expect("it is short");
    let large = response(&[100 << 20; 5]).encode(answered(11)).expect("500 MiB are legal");
    assert_eq!(small.head.len(), large.head.len());
    assert_eq!(large.size_bytes, large.head.len() + (500 << 20));
}

#[test]
fn frame_above_the_size_prefix_is_refused() {
    let refused = response(&[1 << 30, 1 << 30]).encode(answered(18));
    assert!(matches!(refused, Err(EncodeError::FrameTooLarge { .. })), "{refused:?}");
    let refused = response(&[1 << 31]).encode(answered(4));
    assert_eq!(refused, Err(EncodeError::TooLong { field: "records", length: 1 << 31 }));
}

#[test]
fn no_records_are_zero_bytes_and_never_null() {
    let frame = response(&[0]).encode(answered(4)).expect("it is short");
    assert_eq!(frame.parts, [Part::Bytes(0..frame.head.len())]);
    assert_eq!(frame.head[frame.head.len() - 4..], [0; 4]);
}
