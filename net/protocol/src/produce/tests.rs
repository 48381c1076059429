//! Tests of Produce by hand; that it follows the schema is shown beside Kafka's own classes.

use super::{PartitionResponse, Request, Response, TopicResponse};
use crate::error_code::ErrorCode;
use crate::generated::api_key::ApiKey;
use crate::generated::produce as owned;
use crate::message::Message;
use crate::primitive::reader::Reader;
use crate::response::{Answered, decode_response};

#[test]
fn records_borrow_from_the_frame_and_say_where_they_stand() {
    let part = |index, records| owned::PartitionProduceData { index, records };
    let body = owned::ProduceRequest {
        topic_data: vec![owned::TopicProduceData {
            name: "topic".to_string(),
            partition_data: vec![
                part(3, Some(vec![1, 2, 3])),
                part(4, None),
                part(5, Some(vec![])),
            ],
            ..Default::default()
        }],
        ..Default::default()
    };
    for version in [3, 12] {
        let bytes = body.to_bytes(version).expect("the versions have names");
        let request = Request::decode(&mut Reader::new(&bytes), version).expect("it is whole");
        let partitions = &request.topics[0].partitions;
        let records = partitions[0].records.expect("the first has records");
        assert_eq!(records, [1, 2, 3]);
        assert!(std::ptr::eq(records, &bytes[partitions[0].records_position..][..3]));
        assert_eq!(partitions[1].records, None);
        assert_eq!(partitions[2].records, Some(&[][..]));
    }
}

#[test]
fn hints_that_a_version_lacks_are_left_out() {
    let leader = owned::LeaderIdAndEpoch { leader_id: 2, leader_epoch: 5 };
    let error = PartitionResponse::error(1, ErrorCode::NotLeaderOrFollower);
    let partition = PartitionResponse { current_leader: leader.clone(), ..error };
    let response = Response {
        topics: vec![TopicResponse {
            name: "t",
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    for (api_version, expected) in [(9, owned::LeaderIdAndEpoch::default()), (10, leader)] {
        let answered = Answered { api_key: ApiKey::Produce, api_version, correlation_id: 1 };
        let frame = response.encode(answered).expect("it is short");
        let read = decode_response(&frame[4..], ApiKey::Produce, api_version);
        let (_, body): (_, owned::ProduceResponse) = read.expect("it was just written");
        assert_eq!(body.responses[0].partition_responses[0].current_leader, expected);
    }
}
