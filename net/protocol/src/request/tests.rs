//! Tests of the server's entry: what it tells apart, and what hostile bytes cannot do.

use crate::error::{DecodeError, Fault, Malformed};
use crate::generated::api_key::ApiKey;
use crate::generated::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::generated::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use crate::generated::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use crate::generated::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use crate::generated::init_producer_id::InitProducerIdRequest;
use crate::generated::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use crate::generated::metadata::{MetadataRequest, MetadataRequestTopic};
use crate::generated::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use crate::generated::request_body::RequestBody;
use crate::header::RequestHeader;
use crate::message::Message;
use crate::response::{Answered, decode_response, encode_request, encode_response};
use crate::uuid::Uuid;

use super::decode_request;

/// The frame of a request, without its size prefix.
fn frame(api_key: ApiKey, api_version: i16, body: &impl Message) -> Vec<u8> {
    let client_id = Some("client");
    let header = RequestHeader { api_key, api_version, correlation_id: 7, client_id };
    let frame = encode_request(header, body).expect("the test writes what the version carries");
    frame[4..].to_vec()
}

/// Requests of several APIs in both forms, with something in every array.
fn frames() -> Vec<Vec<u8>> {
    let topic_id = Uuid([7; 16]);
    let produce = ProduceRequest {
        transactional_id: Some("transaction".to_string()),
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: "topic".to_string(),
            topic_id,
            partition_data: vec![PartitionProduceData { index: 1, records: Some(vec![5; 70]) }; 2],
        }],
    };
    let fetch = FetchRequest {
        topics: vec![FetchTopic {
            partitions: vec![FetchPartition { high_watermark: 9, ..Default::default() }; 3],
            topic_id,
            ..Default::default()
        }],
        forgotten_topics_data: vec![ForgottenTopic {
            topic_id,
            partitions: vec![1, 2],
            ..Default::default()
        }],
        rack_id: "rack".to_string(),
        ..Default::default()
    };
    let list_offsets = ListOffsetsRequest {
        topics: vec![ListOffsetsTopic {
            name: "topic".to_string(),
            partitions: vec![ListOffsetsPartition::default(); 3],
        }],
        ..Default::default()
    };
    let topic = MetadataRequestTopic { topic_id, name: Some("topic".to_string()) };
    let metadata = MetadataRequest { topics: Some(vec![topic; 2]), ..Default::default() };
    let name = "topic".to_string();
    let create_topics = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: name.clone(),
            assignments: vec![CreatableReplicaAssignment {
                partition_index: 0,
                broker_ids: vec![1],
            }],
            configs: vec![CreatableTopicConfig { name: name.clone(), value: None }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let deleted = DeleteTopicState { name: Some(name.clone()), topic_id };
    let delete_topics = DeleteTopicsRequest { topics: vec![deleted], ..Default::default() };
    let init = InitProducerIdRequest { transactional_id: Some(name), ..Default::default() };
    let api_versions = ApiVersionsRequest {
        client_software_name: "client".to_string(),
        client_software_version: "1.0".to_string(),
    };
    vec![
        frame(ApiKey::Produce, 13, &produce),
        frame(ApiKey::Produce, 3, &produce),
        frame(ApiKey::Fetch, 18, &fetch),
        frame(ApiKey::Fetch, 7, &FetchRequest { rack_id: String::new(), ..fetch }),
        frame(ApiKey::ListOffsets, 11, &list_offsets),
        frame(ApiKey::Metadata, 13, &metadata),
        frame(ApiKey::Metadata, 1, &MetadataRequest::default()),
        frame(ApiKey::ApiVersions, 4, &api_versions),
        frame(ApiKey::CreateTopics, 7, &create_topics),
        frame(ApiKey::DeleteTopics, 6, &delete_topics),
        frame(ApiKey::InitProducerId, 5, &init),
    ]
}

#[test]
fn every_sample_is_a_request_of_its_api() {
    for frame in frames() {
        let request = decode_request(&frame).expect("the sample is whole");
        assert_eq!(frame[..2], request.header.api_key.number().to_be_bytes());
        assert_eq!(request.header.correlation_id, 7);
    }
}

#[test]
fn every_truncation_is_refused() {
    for frame in frames() {
        for length in 0..frame.len() {
            let refused = decode_request(&frame[..length]);
            assert!(matches!(refused, Err(DecodeError::Malformed(_))), "{length}: {refused:?}");
        }
    }
}

#[test]
fn bytes_behind_the_body_are_ignored() {
    for mut frame in frames() {
        let length = frame.len();
        frame.extend([0xff; 9]);
        assert_eq!(decode_request(&frame), decode_request(&frame[..length]));
    }
}

#[test]
fn mutations_and_noise_never_panic() {
    let mut state = 1_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let samples = frames();
    let (mut requests, mut refusals) = (0, 0);
    for turn in 0..200_000 {
        let mut frame = samples[turn % samples.len()].clone();
        for _ in 0..=random() % 4 {
            let place = (random() % frame.len() as u64) as usize;
            match random() % 4 {
                0 => frame[place] = random() as u8,
                1 => frame[place] = [0, 1, 0x7f, 0x80, 0xff][(random() % 5) as usize],
                2 => frame.truncate(place.max(1)),
                _ => frame.insert(place, random() as u8),
            }
        }
        match decode_request(&frame) {
            Ok(_) => requests += 1,
            Err(_) => refusals += 1,
        }
    }
    // Both ends are met, or the mutations would show nothing.
    assert!(requests > 1000 && refusals > 1000, "{requests} requests, {refusals} refusals");
}

#[test]
fn array_of_two_billion_in_twenty_bytes_is_refused() {
    for (api_key, api_version, length) in [
        (ApiKey::Metadata, 0, vec![0x7f, 0xff, 0xff, 0xff]),
        (ApiKey::Metadata, 9, vec![0xff, 0xff, 0xff, 0xff, 0x07]),
        (ApiKey::Metadata, 12, vec![0x80, 0x80, 0x80, 0x80, 0x08]),
        (ApiKey::ListOffsets, 1, vec![0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]),
    ] {
        let header = RequestHeader { api_key, api_version, correlation_id: 1, client_id: None };
        let mut writer = crate::primitive::writer::Writer::new();
        header.encode(&mut writer);
        writer.raw(&length);
        let mut frame = writer.finish().expect("the header is short");
        frame.extend([0; 2]);
        assert!(frame.len() <= 20, "{}", frame.len());
        let refused = decode_request(&frame);
        let is_too_many = |fault| matches!(fault, Fault::TooMany { most: 0..=2, .. });
        match refused {
            Err(DecodeError::Malformed(Malformed { fault, .. })) if is_too_many(fault) => {}
            other => panic!("{} {api_version}: {other:?}", api_key.name()),
        }
    }
}

#[test]
fn unknown_keys_and_versions_are_told_apart() {
    let request = |api_key: i16, api_version: i16| {
        let mut frame = Vec::new();
        frame.extend(api_key.to_be_bytes());
        frame.extend(api_version.to_be_bytes());
        frame.extend(9_i32.to_be_bytes());
        frame
    };
    let unknown = DecodeError::UnknownApiKey { api_key: 999, correlation_id: 9 };
    assert_eq!(decode_request(&request(999, 0)), Err(unknown));
    let negative = DecodeError::UnknownApiKey { api_key: -1, correlation_id: 9 };
    assert_eq!(decode_request(&request(-1, 0)), Err(negative));
    for (api_key, api_version) in [
        (ApiKey::ApiVersions, 5),
        (ApiKey::ApiVersions, -1),
        (ApiKey::Produce, 2),
        (ApiKey::Fetch, i16::MAX),
        (ApiKey::InitProducerId, 6),
    ] {
        let unsupported =
            DecodeError::UnsupportedVersion { api_key, api_version, correlation_id: 9 };
        assert_eq!(decode_request(&request(api_key.number(), api_version)), Err(unsupported));
    }
}

#[test]
fn answer_to_an_unknown_version_of_api_versions_is_readable_as_version_0() {
    let error_code = crate::ErrorCode::UnsupportedVersion.number();
    let body = ApiVersionsResponse { error_code, ..Default::default() };
    let answered = Answered { api_key: ApiKey::ApiVersions, api_version: 0, correlation_id: 9 };
    let frame = encode_response(answered, &body).expect("the answer is short");
    assert_eq!(frame, [0, 0, 0, 10, 0, 0, 0, 9, 0, 35, 0, 0, 0, 0]);
    let read = decode_response::<ApiVersionsResponse>(&frame[4..], ApiKey::ApiVersions, 0);
    assert_eq!(read, Ok((9, body)));
}

#[test]
fn client_id_is_in_the_plain_form_in_both_headers() {
    for api_version in [8, 9] {
        let frame = frame(ApiKey::Metadata, api_version, &MetadataRequest::default());
        assert_eq!(&frame[8..16], b"\0\x06client");
        let request = decode_request(&frame).expect("the frame is whole");
        assert_eq!(request.header.client_id, Some("client"));
        assert_eq!(request.body, RequestBody::Metadata(MetadataRequest::default()));
    }
}
