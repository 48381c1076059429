//! One connection that speaks Kafka's protocol, for what must not wait for a client's timers, nor
//! cost what a client costs.

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

/// A connection; answers come in the order of the requests.
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
        self.send_batch(topic, 0, &batch(&[value])?)?;
        self.receive_ack()
    }

    /// Sends a batch to a partition with acks=all; [`Wire::receive_ack`] is its answer's turn.
    pub fn send_batch(
        &mut self,
        topic: &str,
        partition: i32,
        batch: &[u8],
    ) -> Result<(), BenchError> {
        let partition = PartitionProduceData { index: partition, records: Some(batch.to_vec()) };
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
        self.send(ApiKey::Produce, PRODUCE_VERSION, &request)
    }

    /// Waits for the answer to the oldest batch that has none, and gives its error code.
    pub fn receive_ack(&mut self) -> Result<i16, BenchError> {
        let answer: ProduceResponse = self.receive(ApiKey::Produce, PRODUCE_VERSION)?;
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
        self.send(api_key, api_version, request)?;
        self.receive(api_key, api_version)
    }

    fn send<Q: Message>(
        &mut self,
        api_key: ApiKey,
        api_version: i16,
        request: &Q,
    ) -> Result<(), BenchError> {
        let what = Q::NAME;
        let wrong = |reason: String| BenchError::Wire { what, reason };
        let correlation_id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let mut writer = Writer::new();
        RequestHeader { api_key, api_version, correlation_id, client_id: Some("bench") }
            .encode(&mut writer);
        request.encode(&mut writer, api_version);
        let body = writer.finish().map_err(|error| wrong(error.to_string()))?;
        let prefix = frame::frame_prefix(body.len()).map_err(|error| wrong(error.to_string()))?;
        self.stream.write_all(&[&prefix[..], &body].concat()).map_err(broken(what))
    }

    fn receive<A: Message>(&mut self, api_key: ApiKey, api_version: i16) -> Result<A, BenchError> {
        let what = A::NAME;
        let wrong = |reason: String| BenchError::Wire { what, reason };
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

/// A batch of records with these values, without compression.
pub fn batch(values: &[&[u8]]) -> Result<Vec<u8>, BenchError> {
    let mut batch = BatchBuilder::new();
    for value in values {
        batch.push(&Record { value: Some(value), ..Record::default() });
    }
    let wrong = |reason| BenchError::Wire { what: "build a batch", reason };
    batch.build().map_err(|error| wrong(error.to_string()))
}

fn broken(what: &'static str) -> impl FnOnce(io::Error) -> BenchError {
    move |error| BenchError::Wire { what, reason: error.to_string() }
}

fn nothing(what: &'static str) -> BenchError {
    BenchError::Wire { what, reason: "the answer names no topic or partition".to_string() }
}
