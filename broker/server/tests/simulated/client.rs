//! A client of one connection that knows only the protocol's bytes.

use protocol::generated::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};
use protocol::generated::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use protocol::generated::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use protocol::generated::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData,
};
use protocol::header::RequestHeader;
use protocol::response::{decode_response, encode_request};
use protocol::{ApiKey, Message};
use record::{BatchBuilder, ProducerEpoch, ProducerId, Record, Sequence, Timestamp};
use runtime::{Buffer, Socket};

pub const PRODUCE_VERSION: i16 = 9;
pub const FETCH_VERSION: i16 = 12;
/// When the simulated world's clock starts.
pub const START_MS: i64 = 1_767_225_600_000;

/// What is to follow from a wish that is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is done.
    Change,
    /// Nothing: `validate_only`.
    Nothing,
}

/// One connection.
pub struct Client {
    socket: Socket,
    correlation_id: i32,
    received: Vec<u8>,
}

impl Client {
    pub fn new(socket: Socket) -> Client {
        Client { socket, correlation_id: 0, received: Vec::new() }
    }

    /// Sends bytes as they are.
    pub async fn send_raw(&self, bytes: Vec<u8>) {
        self.socket.send(bytes.into()).await.expect("the broker reads");
    }

    /// The same to a broker that may close the connection meanwhile.
    pub async fn try_send_raw(&self, bytes: Vec<u8>) {
        let _sent_or_closed = self.socket.send(bytes.into()).await;
    }

    /// The next frame, none if the broker has closed the connection.
    pub async fn next_frame(&mut self) -> Option<Vec<u8>> {
        self.next_frame_after(async || ()).await
    }

    /// The same for a client that makes a pause whenever it has read 64 KiB at most.
    pub async fn next_frame_after(&mut self, pause: impl AsyncFn()) -> Option<Vec<u8>> {
        loop {
            if let Some(prefix) = self.received.first_chunk::<4>() {
                let end = 4 + u32::from_be_bytes(*prefix) as usize;
                if self.received.len() >= end {
                    let rest = self.received.split_off(end);
                    let frame = std::mem::replace(&mut self.received, rest);
                    return Some(frame[4..].to_vec());
                }
            }
            let (got, bytes) = self.socket.recv(Buffer::with_capacity(64 * 1024)).await;
            match got {
                Ok(0) | Err(_) => return None,
                Ok(n) => self.received.extend_from_slice(&bytes[..n]),
            }
            pause().await;
        }
    }

    /// Sends a request and does not wait.
    pub async fn send(&mut self, api_key: ApiKey, api_version: i16, body: &impl Message) {
        self.correlation_id += 1;
        let bytes = Client::encode((api_key, api_version), self.correlation_id, body);
        self.send_raw(bytes).await;
    }

    /// A request as it is sent.
    pub fn encode(api: (ApiKey, i16), correlation_id: i32, body: &impl Message) -> Vec<u8> {
        let ((api_key, api_version), client_id) = (api, Some("test"));
        let header = RequestHeader { api_key, api_version, correlation_id, client_id };
        encode_request(header, body).expect("it fits the version")
    }

    /// The next response, which must answer request `correlation_id`.
    pub async fn receive<R: Message>(&mut self, id: i32, api_key: ApiKey, version: i16) -> R {
        let frame = self.next_frame().await.expect("an answer");
        let (correlation_id, body) = decode_response(&frame, api_key, version).expect("a response");
        assert_eq!(correlation_id, id, "responses come in the order of the requests");
        body
    }

    /// Sends a request and waits for its response.
    pub async fn ask<R: Message>(
        &mut self,
        api_key: ApiKey,
        version: i16,
        body: &impl Message,
    ) -> R {
        self.send(api_key, version, body).await;
        self.receive(self.correlation_id, api_key, version).await
    }

    /// Makes a topic.
    pub async fn create_topic(&mut self, name: &str, partitions: i32) -> CreateTopicsResponse {
        let topic = CreatableTopic {
            name: name.into(),
            num_partitions: partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        self.ask(ApiKey::CreateTopics, 7, &request).await
    }

    /// Asks for one topic; it comes into being if need be.
    pub async fn metadata(&mut self, topic: &str) -> MetadataResponse {
        let topic = MetadataRequestTopic { name: Some(topic.into()), ..Default::default() };
        let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
        self.ask(ApiKey::Metadata, 12, &request).await
    }

    /// Produces one batch with acks=all.
    pub async fn produce(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Vec<u8>,
    ) -> PartitionProduceResponse {
        let request = produce_request(topic, partition, batch);
        let response: ProduceResponse = self.ask(ApiKey::Produce, PRODUCE_VERSION, &request).await;
        one(one(response.responses).partition_responses)
    }

    /// Fetches partitions from these offsets.
    pub async fn fetch(&mut self, request: &FetchRequest) -> FetchResponse {
        self.try_fetch(request).await.expect("an answer")
    }

    /// The same where the broker may close the connection instead.
    pub async fn try_fetch(&mut self, request: &FetchRequest) -> Option<FetchResponse> {
        self.send(ApiKey::Fetch, FETCH_VERSION, request).await;
        let frame = self.next_frame().await?;
        let answer = decode_response(&frame, ApiKey::Fetch, FETCH_VERSION);
        let (correlation_id, body) = answer.expect("a response");
        assert_eq!(correlation_id, self.correlation_id, "it is the one that was asked for");
        Some(body)
    }
}

/// The only one.
pub fn one<T>(items: Vec<T>) -> T {
    let count = items.len();
    let mut items = items.into_iter();
    items.next().filter(|_| count == 1).unwrap_or_else(|| panic!("{count} instead of one"))
}

/// A request for one partition, with acks=all.
pub fn produce_request(topic: &str, partition: i32, batch: Vec<u8>) -> ProduceRequest {
    let data = PartitionProduceData { index: partition, records: Some(batch) };
    let topic = TopicProduceData {
        name: topic.into(),
        partition_data: vec![data],
        ..TopicProduceData::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}

/// A fetch from several partitions of a topic that waits for a byte for up to `max_wait_ms`.
pub fn fetch_request(topic: &str, from: &[(i32, i64)], max_wait_ms: i32) -> FetchRequest {
    let partition = |(partition, fetch_offset): &(i32, i64)| FetchPartition {
        partition: *partition,
        fetch_offset: *fetch_offset,
        partition_max_bytes: 1 << 20,
        ..FetchPartition::default()
    };
    let partitions = from.iter().map(partition).collect();
    let topic = FetchTopic { topic: topic.into(), partitions, ..FetchTopic::default() };
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: i32::MAX,
        topics: vec![topic],
        ..FetchRequest::default()
    }
}

/// A batch of records with these values.
pub fn batch(values: &[&str]) -> Vec<u8> {
    build(BatchBuilder::new(), values)
}

/// A batch of an idempotent producer.
pub fn batch_of(id: i64, epoch: i16, sequence: i32, values: &[&str]) -> Vec<u8> {
    let producer = (ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    build(BatchBuilder::new().producer(producer.0, producer.1, producer.2), values)
}

/// A batch with one record of that time.
pub fn batch_of_time(timestamp_ms: i64, value: &str) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    let (timestamp, value) = (Timestamp(timestamp_ms), Some(value.as_bytes()));
    builder.push(&Record { timestamp, key: None, value, headers: &[] });
    builder.build().expect("a small batch")
}

fn build(mut builder: BatchBuilder, values: &[&str]) -> Vec<u8> {
    for (i, value) in (0..).zip(values) {
        // Just after that.
        let timestamp = Timestamp(START_MS + i);
        let value = Some(value.as_bytes());
        builder.push(&Record { timestamp, key: None, value, headers: &[] });
    }
    builder.build().expect("a small batch")
}

/// The values in what a fetch brought, each with its offset.
pub fn values(records: &[u8]) -> Vec<(i64, String)> {
    let limits = record::ReadLimits { decompressed_size_max_bytes: 1 << 20 };
    let mut values = Vec::new();
    for batch in record::split(records) {
        let batch = batch.expect("whole batches");
        batch.validate_crc().expect("the bytes that were sent");
        for record in record::records(&batch, &limits).expect("records").iter() {
            let record = record.expect("a record");
            let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            values.push((record.offset.0, value));
        }
    }
    values
}
