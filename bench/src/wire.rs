//! One connection that speaks Kafka's protocol, for what must not wait for a client's timers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use protocol::frame;
use protocol::generated::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::generated::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use protocol::header::{self, RequestHeader};
use protocol::primitive::reader::Reader;
use protocol::primitive::writer::Writer;
use protocol::{ApiKey, Message};
use record::{BatchBuilder, Record};

use crate::error::BenchError;

/// Longest answer to the few requests that are sent here, in bytes.
const FRAME_SIZE_MAX: usize = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);
const TIMEOUT_MS: i32 = 30_000;

/// The last versions that name topics instead of their ids.
const CREATE_TOPICS_VERSION: i16 = 5;
const PRODUCE_VERSION: i16 = 9;

/// A connection on which one request at a time is asked and answered.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    next_id: i32,
}

impl Wire {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(address).map_err(broken("connect"))?;
        stream.set_nodelay(true).map_err(broken("connect"))?;
        stream.set_read_timeout(Some(TIMEOUT)).map_err(broken("connect"))?;
        Ok(Self { stream, next_id: 0 })
    }

    /// Creates a topic and gives the broker's error code, 0 for none.
    pub fn create_topic(&mut self, name: &str, partitions: i32) -> Result<i16, BenchError> {
        let topic = CreatableTopic {
            name: name.to_string(),
            num_partitions: partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: TIMEOUT_MS,
            validate_only: false,
        };
        let key = ApiKey::CreateTopics;
        let answer: CreateTopicsResponse = self.call(key, CREATE_TOPICS_VERSION, &request)?;
        let topic = answer.topics.first().ok_or_else(|| nothing("create a topic"))?;
        Ok(topic.error_code)
    }

    /// Produces one record of `value` to partition 0 with acks=all and gives the error code.
    pub fn produce(&mut self, topic: &str, value: &[u8]) -> Result<i16, BenchError> {
        let mut batch = BatchBuilder::new();
        batch.push(&Record { value: Some(value), ..Record::default() });
        let records = batch.build().map_err(|error| BenchError::Wire {
            what: "build a batch",
            reason: error.to_string(),
        })?;
        let partition = PartitionProduceData { index: 0, records: Some(records) };
        let topic = TopicProduceData {
            name: topic.to_string(),
            partition_data: vec![partition],
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: TIMEOUT_MS,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        let answer: ProduceResponse = self.call(ApiKey::Produce, PRODUCE_VERSION, &request)?;
        let topic = answer.responses.first().ok_or_else(|| nothing("produce"))?;
        let partition = topic.partition_responses.first().ok_or_else(|| nothing("produce"))?;
        Ok(partition.error_code)
    }

    fn call<Q: Message, A: Message>(
        &mut self,
        api_key: ApiKey,
        api_version: i16,
        request: &Q,
    ) -> Result<A, BenchError> {
        let what = Q::NAME;
        let wrong = |reason: String| BenchError::Wire { what, reason };
        let correlation_id = self.next_id;
        self.next_id += 1;
        let mut writer = Writer::new();
        RequestHeader { api_key, api_version, correlation_id, client_id: Some("bench") }
            .encode(&mut writer);
        request.encode(&mut writer, api_version);
        let body = writer.finish().map_err(|error| wrong(error.to_string()))?;
        let prefix = frame::frame_prefix(body.len()).map_err(|error| wrong(error.to_string()))?;
        let request = [&prefix[..], &body].concat();
        self.stream.write_all(&request).map_err(broken(what))?;
        let mut prefix = [0; frame::PREFIX_SIZE];
        self.stream.read_exact(&mut prefix).map_err(broken(what))?;
        let size = frame::frame_size(prefix, FRAME_SIZE_MAX);
        let mut answer = vec![0; size.map_err(|error| wrong(error.to_string()))?];
        self.stream.read_exact(&mut answer).map_err(broken(what))?;
        let mut reader = Reader::new(&answer);
        header::decode_response_header(&mut reader, api_key, api_version)
            .map_err(|error| wrong(error.to_string()))?;
        A::decode(&mut reader, api_version).map_err(|error| wrong(error.to_string()))
    }
}

fn broken(what: &'static str) -> impl FnOnce(io::Error) -> BenchError {
    move |error| BenchError::Wire { what, reason: error.to_string() }
}

fn nothing(what: &'static str) -> BenchError {
    BenchError::Wire { what, reason: "the answer names no topic or partition".to_string() }
}
