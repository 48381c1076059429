//! Requests: what is decoded and encoded again is the same request, and the decoders that borrow
//! agree with the generated ones.

mod seeds;

use protocol::error::{DecodeError, Fault, Malformed};
use protocol::generated::fetch::FetchRequest;
use protocol::generated::produce::ProduceRequest;
use protocol::generated::request_body::RequestBody;
use protocol::header::RequestHeader;
use protocol::primitive::reader::Reader;
use protocol::primitive::writer::Writer;
use protocol::{ApiKey, Message, Request, decode_request, fetch, produce};

pub(crate) use seeds::seeds;

pub(crate) fn run(frame: &[u8]) {
    let decoded = decode_request(frame);
    agree_with_generated(frame, &decoded);
    let request = match decoded {
        Ok(request) => request,
        Err(error) => {
            let place = match error {
                DecodeError::Malformed(malformed) => malformed.position,
                _ => 0,
            };
            assert!(place <= frame.len(), "{error}: in a frame of {} bytes", frame.len());
            assert!(!error.to_string().is_empty(), "{error:?} says nothing");
            return;
        }
    };
    let encoded = encode_again(frame, &request);
    match decode_request(&encoded) {
        Ok(again) => assert_eq!(without_places(again), without_places(request)),
        // Arrays may take memory by the frame's size, of which unknown tagged fields were a part.
        Err(error) => assert!(is_by_size(&error), "{error} in what was encoded of {request:?}"),
    }
}

/// The frame of a request that was decoded.
fn encode_again(frame: &[u8], request: &Request<'_>) -> Vec<u8> {
    let header = &request.header;
    match &request.body {
        RequestBody::Produce(body) => produced(frame, header, body),
        RequestBody::Fetch(body) => fetched(frame, header, body),
        RequestBody::ListOffsets(body) => encoded(header, body),
        RequestBody::Metadata(body) => encoded(header, body),
        RequestBody::ApiVersions(body) => encoded(header, body),
        RequestBody::CreateTopics(body) => encoded(header, body),
        RequestBody::DeleteTopics(body) => encoded(header, body),
        RequestBody::InitProducerId(body) => encoded(header, body),
        RequestBody::OffsetForLeaderEpoch(body) => encoded(header, body),
        RequestBody::DescribeConfigs(body) => encoded(header, body),
        RequestBody::AlterConfigs(body) => encoded(header, body),
        RequestBody::DescribeLogDirs(body) => encoded(header, body),
        RequestBody::CreatePartitions(body) => encoded(header, body),
        RequestBody::IncrementalAlterConfigs(body) => encoded(header, body),
        RequestBody::ListPartitionReassignments(body) => encoded(header, body),
        RequestBody::DescribeCluster(body) => encoded(header, body),
        RequestBody::DescribeTopicPartitions(body) => encoded(header, body),
    }
}

/// Header and body as a client writes them.
fn encoded<M: Message>(header: &RequestHeader<'_>, body: &M) -> Vec<u8> {
    let mut writer = Writer::new();
    header.encode(&mut writer);
    body.encode(&mut writer, header.api_version);
    writer.finish().expect("what a version has said, it can say")
}

fn produced(frame: &[u8], header: &RequestHeader<'_>, body: &produce::Request<'_>) -> Vec<u8> {
    for partition in body.topics.iter().flat_map(|topic| &topic.partitions) {
        let Some(records) = partition.records else { continue };
        let at = partition.records_position;
        assert_eq!(frame.get(at..at + records.len()), Some(records), "at {at}");
    }
    match owned::<ProduceRequest>(frame) {
        Ok(owned) => encoded(header, &owned),
        // Its elements take more memory than those that borrow.
        Err(_) => frame.to_vec(),
    }
}

fn fetched(frame: &[u8], header: &RequestHeader<'_>, body: &fetch::Request<'_>) -> Vec<u8> {
    let Ok(owned) = owned::<FetchRequest>(frame) else { return frame.to_vec() };
    let partitions = |topic: &fetch::Topic<'_>| topic.partitions.len();
    let ours: usize = body.topics.iter().map(partitions).sum();
    let theirs: usize = owned.topics.iter().map(|topic| topic.partitions.len()).sum();
    assert_eq!((ours, body.rack_id), (theirs, owned.rack_id.as_str()));
    encoded(header, &owned)
}

/// What the generated decoder makes of a whole frame whose header is sound.
fn owned<M: Message>(frame: &[u8]) -> Result<M, Malformed> {
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader).expect("it was decoded before");
    M::decode(&mut reader, header.api_version)
}

/// The decoders by hand take what the generated ones take, and nothing else.
fn agree_with_generated(frame: &[u8], decoded: &Result<Request<'_>, DecodeError>) {
    let Ok(header) = RequestHeader::decode(&mut Reader::new(frame)) else { return };
    let generated = match header.api_key {
        ApiKey::Produce => owned::<ProduceRequest>(frame).err(),
        ApiKey::Fetch => owned::<FetchRequest>(frame).err(),
        _ => return,
    };
    let by_hand = decoded.as_ref().err();
    let by_size = by_hand.is_some_and(is_by_size)
        || generated.is_some_and(|malformed| is_by_size(&DecodeError::Malformed(malformed)));
    let agreed = by_hand.is_some() == generated.is_some();
    assert!(agreed || by_size, "by hand {by_hand:?}, generated {generated:?}");
}

fn is_by_size(error: &DecodeError) -> bool {
    matches!(error, DecodeError::Malformed(Malformed { fault: Fault::TooMany { .. }, .. }))
}

/// The request without its places in a frame: they move with what stands before them.
fn without_places(mut request: Request<'_>) -> Request<'_> {
    if let RequestBody::Produce(body) = &mut request.body {
        for partition in body.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.records_position = 0;
        }
    }
    request
}
