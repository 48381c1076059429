//! Writes records to a topic: in batches by partition, several requests in flight, and each record
//! once and in order, as an idempotent producer does (KIP-98).
//!
//! ```text
//! push ─► Queue of a partition ─► request to its leader ─► Link ─► broker
//!              ▲   open batch, closed batches                        │
//!              └──────────── acknowledged, or to be sent again ◄─────┘
//! ```
//!
//! Nothing here waits for a broker, but [`Producer::open`], a look for new leaders, and a write to
//! a socket that is full. What links hear comes as [`LinkEvent`]s into the channel that the owner
//! made, among events of its own.

pub mod link;
mod outage;
mod partitioner;
mod queue;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use protocol::ErrorCode;
use protocol::generated::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use protocol::generated::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use record::{BuildError, Compression, ProducerEpoch, ProducerId, Record};

use super::cluster::{Cluster, Topic, insist};
use super::error::{ClientError, Refusal};
use link::{Link, LinkEvent};
use outage::Outage;
use partitioner::Partitioner;
use queue::{Answer, BatchKind, Filled, Queue};

/// More in flight than a broker remembers of a producer would lose the order (KIP-98).
const IN_FLIGHT_MAX: usize = 5;
/// A request takes batches up to here, in bytes: several of the usual size, far below what a
/// broker takes at once.
const REQUEST_SIZE_BYTES: usize = 4 << 20;
/// What is held until it is acknowledged, in bytes: some requests for each of a few leaders.
const HELD_MAX_BYTES: usize = 64 << 20;
/// The pauses before brokers are looked for again grow from the first to the last of these.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// What a producer is to do.
#[derive(Clone, Copy, Debug)]
pub struct ProducerConfig {
    /// The codec.
    pub compression: Compression,
    /// Where a batch ends, in bytes before compression.
    pub batch_size_bytes: usize,
}

/// Why records can't be written.
#[derive(Debug)]
pub enum ProduceError {
    /// The cluster can't be asked.
    Client(ClientError),
    /// The broker refuses a record; it stood between these places of the input.
    Refused {
        /// As they were pushed.
        from: RangeInclusive<u64>,
        /// What it says.
        refusal: Refusal,
    },
    /// A batch can't be built.
    Build(BuildError),
    /// A record is for a partition that there is not.
    NoPartition {
        /// Of the record.
        partition: i32,
        /// How many there are.
        count: usize,
    },
    /// Nothing was acknowledged for as long as the client's patience.
    Late {
        /// How long.
        after: Duration,
        /// What went wrong last, if anything did.
        last: Option<ClientError>,
    },
}

/// What has been written to one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Records.
    pub records: u64,
    /// The first one's offset; -1 if the broker did not say.
    pub first_offset: i64,
    /// The last one's offset; -1 if the broker did not say.
    pub last_offset: i64,
}

/// What a broker has acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Records.
    pub records: u64,
    /// The bytes of their keys, values and headers.
    pub bytes: u64,
}

/// What whoever waits for a producer wants to know.
#[derive(Debug)]
pub enum News<'a> {
    /// Nothing has been possible for a while, because of this; it is tried again.
    Away(&'a ClientError),
    /// It goes on.
    Back,
}

/// A writer to one topic.
#[derive(Debug)]
pub struct Producer<E> {
    cluster: Cluster,
    topic: Topic,
    queues: Vec<Queue>,
    partitioner: Partitioner,
    /// The partitions of each leader, those that it is the turn of first.
    leaders: BTreeMap<i32, Vec<i32>>,
    links: BTreeMap<i32, Link>,
    events: Sender<E>,
    next_life: u64,
    next_request: u64,
    unacknowledged: u64,
    written: BTreeMap<i32, Written>,
    last_progress: Instant,
    /// When leaders are looked for again, if something went wrong, and what.
    trouble: Option<(Instant, Option<ClientError>)>,
    outage: Outage,
    pause: Duration,
}

impl<E: From<LinkEvent> + Send + 'static> Producer<E> {
    /// Finds the topic's leaders and gets a producer id. What is heard will go to `events`.
    pub fn open(
        mut cluster: Cluster,
        topic: &str,
        config: ProducerConfig,
        events: Sender<E>,
    ) -> Result<Self, ProduceError> {
        let topic = cluster.topic_with_leaders(topic)?;
        let (id, epoch) = producer_id(&mut cluster)?;
        let kind = BatchKind {
            producer: (ProducerId(id), ProducerEpoch(epoch)),
            compression: config.compression,
            size_max_bytes: config.batch_size_bytes,
        };
        let count = topic.partitions.len();
        let mut this = Self {
            cluster,
            queues: (0..count).map(|_| Queue::new(kind)).collect(),
            partitioner: Partitioner::new(count, nanoseconds()),
            leaders: BTreeMap::new(),
            topic,
            links: BTreeMap::new(),
            events,
            next_life: 0,
            next_request: 0,
            unacknowledged: 0,
            written: BTreeMap::new(),
            last_progress: Instant::now(),
            trouble: None,
            outage: Outage::default(),
            pause: FIRST_PAUSE,
        };
        this.group_by_leader();
        Ok(this)
    }

    /// Whether more may be pushed: what is held is bounded.
    pub fn has_room(&self) -> bool {
        self.queues.iter().map(Queue::held_bytes).sum::<usize>() < HELD_MAX_BYTES
    }

    /// Takes a record, which stood at `from` in the input, for this partition or for the one that
    /// its key chooses.
    pub fn push(
        &mut self,
        record: &Record<'_>,
        partition: Option<i32>,
        from: u64,
    ) -> Result<(), ProduceError> {
        let count = self.queues.len();
        let at = match partition {
            None => self.partitioner.partition(record.key),
            Some(partition) => usize::try_from(partition)
                .ok()
                .filter(|at| *at < count)
                .ok_or(ProduceError::NoPartition { partition, count })?,
        };
        if self.unacknowledged == 0 {
            self.last_progress = Instant::now();
        }
        self.unacknowledged += 1;
        if self.queues[at].push(record, from)? == Filled::Yes {
            self.partitioner.closed(at);
        }
        Ok(())
    }

    /// Closes the batches that need not wait for more: where nothing is on its way, it is quicker
    /// to send what there is; elsewhere the answers give the pace.
    pub fn close_ready(&mut self) -> Result<(), ProduceError> {
        self.close(Queue::is_ready_to_close)
    }

    /// Closes all batches: nothing more will come.
    pub fn close_all(&mut self) -> Result<(), ProduceError> {
        self.close(|_| true)
    }

    /// Sends what may be sent.
    pub fn dispatch(&mut self) -> Result<(), ProduceError> {
        let now = Instant::now();
        let patience = self.cluster.patience();
        if self.unacknowledged > 0 && now.duration_since(self.last_progress) > patience {
            let last = self.trouble.take().and_then(|(_, error)| error);
            return Err(ProduceError::Late { after: patience, last });
        }
        let again_at = self.trouble.as_ref().map(|(again_at, _)| *again_at);
        match again_at {
            Some(again_at) if now < again_at => return Ok(()),
            Some(_) if !self.look_for_leaders()? => return Ok(()),
            _ => {}
        }
        for leader in self.leaders.keys().copied().collect::<Vec<_>>() {
            if let Err(error) = self.send_to(leader) {
                self.lose(leader);
                self.pause_after(error)?;
            }
        }
        Ok(())
    }

    /// Takes what was heard from a broker. Answers what is acknowledged by it.
    pub fn hear(&mut self, event: LinkEvent) -> Result<Acknowledged, ProduceError> {
        let LinkEvent { broker, life, heard } = event;
        let mut acknowledged = Acknowledged::default();
        let Some(link) = self.links.get_mut(&broker).filter(|link| link.life() == life) else {
            return Ok(acknowledged);
        };
        let answered = match heard {
            Ok(frame) => link.heard(&frame),
            Err(error) => Err(link.broken(error)),
        };
        let (sent, answer) = match answered {
            Ok(answered) => answered,
            Err(error) => {
                self.lose(broker);
                self.pause_after(error)?;
                return Ok(acknowledged);
            }
        };
        for partition in answer.responses.iter().flat_map(|topic| &topic.partition_responses) {
            let Acknowledged { records, bytes } = self.take_answer(sent.request, partition)?;
            acknowledged.records += records;
            acknowledged.bytes += bytes;
        }
        // A partition that the answer leaves out would wait for ever.
        for partition in sent.partitions {
            self.queue(partition).lost(sent.request);
        }
        Ok(acknowledged)
    }

    /// How long to wait for an event before [`Producer::dispatch`] is worth a call.
    pub fn patience(&self) -> Duration {
        /// So that what is late is noticed.
        const GLANCE: Duration = Duration::from_millis(500);
        let again =
            self.trouble.as_ref().map(|(at, _)| at.saturating_duration_since(Instant::now()));
        again.unwrap_or(GLANCE).min(GLANCE)
    }

    /// What is to be told of the brokers, each thing once.
    pub fn news(&mut self) -> Option<News<'_>> {
        if self.outage.tells_end() {
            return Some(News::Back);
        }
        // Without trouble something was sent, and its answer will say how it stands.
        let (_, error) = self.trouble.as_ref()?;
        let error = error.as_ref()?;
        self.outage.tells_begin(Instant::now()).then_some(News::Away(error))
    }

    /// Records that were pushed and are not acknowledged.
    pub fn unacknowledged(&self) -> u64 {
        self.unacknowledged
    }

    /// What has been written, by partition.
    pub fn written(&self) -> &BTreeMap<i32, Written> {
        &self.written
    }

    fn close(&mut self, which: impl Fn(&Queue) -> bool) -> Result<(), ProduceError> {
        for (at, queue) in self.queues.iter_mut().enumerate() {
            if which(queue) && queue.close()? == Filled::Yes {
                self.partitioner.closed(at);
            }
        }
        Ok(())
    }

    fn send_to(&mut self, leader: i32) -> Result<(), ClientError> {
        loop {
            let in_flight = self.links.get(&leader).map_or(0, Link::in_flight_count);
            let (question, partitions) = match in_flight < IN_FLIGHT_MAX {
                true => self.next_request(leader),
                false => return Ok(()),
            };
            if partitions.is_empty() {
                return Ok(());
            }
            let request = self.next_request - 1;
            let sent = match self.link(leader) {
                Ok(link) => link.send(&question, request, partitions),
                Err(error) => {
                    partitions.iter().for_each(|partition| self.queue(*partition).lost(request));
                    Err(error)
                }
            };
            sent?;
        }
    }

    /// A request of at most one batch from each partition of a leader. The partitions that it is
    /// full without come first in the next one.
    fn next_request(&mut self, leader: i32) -> (ProduceRequest, Vec<i32>) {
        let request = self.next_request;
        self.next_request += 1;
        let mut size_bytes = 0;
        let mut data = Vec::new();
        let turns = self.leaders.get_mut(&leader).map_or(&mut [][..], Vec::as_mut_slice);
        let mut looked_at = 0;
        for &partition in turns.iter() {
            // The partitions of a topic are numbered from 0 without gaps.
            let queue = &mut self.queues[partition as usize];
            let more = queue.next_size_bytes().unwrap_or(0);
            if size_bytes > 0 && size_bytes + more > REQUEST_SIZE_BYTES {
                break;
            }
            looked_at += 1;
            if let Some(batch) = queue.send(request) {
                size_bytes += more;
                data.push(PartitionProduceData { index: partition, records: Some(batch.to_vec()) });
            }
        }
        turns.rotate_left(looked_at);
        let partitions = data.iter().map(|partition| partition.index).collect();
        let timeout_ms = i32::try_from(self.cluster.patience().as_millis()).unwrap_or(i32::MAX);
        let name = self.topic.name.clone();
        let topic = TopicProduceData { name, partition_data: data, ..TopicProduceData::default() };
        let question = ProduceRequest {
            transactional_id: None,
            acks: -1,
            timeout_ms,
            topic_data: vec![topic],
        };
        (question, partitions)
    }

    fn link(&mut self, leader: i32) -> Result<&mut Link, ClientError> {
        if !self.links.contains_key(&leader) {
            let connection = self.cluster.connect(leader)?;
            let life = self.next_life;
            self.next_life += 1;
            let link = Link::new(connection, leader, life, self.events.clone())?;
            self.links.insert(leader, link);
        }
        Ok(self.links.get_mut(&leader).expect("it was there or has been put there"))
    }

    fn take_answer(
        &mut self,
        request: u64,
        answer: &PartitionProduceResponse,
    ) -> Result<Acknowledged, ProduceError> {
        let partition = answer.index;
        if usize::try_from(partition).map_or(true, |at| at >= self.queues.len()) {
            return Ok(Acknowledged::default());
        }
        match self.queue(partition).answered(request, answer.error_code)? {
            Answer::Acknowledged { record_count, content_bytes } => {
                let records = u64::from(record_count.unsigned_abs());
                self.unacknowledged -= records;
                self.last_progress = Instant::now();
                self.pause = FIRST_PAUSE;
                self.outage.is_over();
                note(self.written.entry(partition).or_insert(NOTHING), records, answer.base_offset);
                Ok(Acknowledged { records, bytes: content_bytes })
            }
            Answer::Again => {
                let what = || format!("write to partition {partition} of {}", self.topic.name);
                let said = answer.error_message.as_deref();
                if let Err(refusal) = Refusal::check(what, answer.error_code, said) {
                    self.pause_after(refusal.into())?;
                }
                Ok(Acknowledged::default())
            }
            Answer::Split => Ok(Acknowledged::default()),
            Answer::Fatal { from } => {
                let what = format!("write to partition {partition} of {}", self.topic.name);
                let message = answer.error_message.as_deref();
                let refusal = Refusal::new(what, answer.error_code, message);
                Err(ProduceError::Refused { from, refusal })
            }
        }
    }

    /// After something that may pass, looks for leaders a little later; the pauses grow.
    fn pause_after(&mut self, error: ClientError) -> Result<(), ProduceError> {
        if !error.is_retriable() && !matches!(error, ClientError::Refused(_)) {
            return Err(error.into());
        }
        let now = Instant::now();
        self.outage.has_failed(now);
        self.trouble = Some((now + self.pause, Some(error)));
        self.pause = (self.pause * 2).min(LAST_PAUSE);
        Ok(())
    }

    /// Whether all partitions with something to send have a leader; if not, it will be tried again.
    fn look_for_leaders(&mut self) -> Result<bool, ProduceError> {
        match self.cluster.try_topic(&self.topic.name) {
            Ok(topic) if topic.partitions.len() >= self.queues.len() => {
                self.topic = topic;
                self.topic.partitions.truncate(self.queues.len());
                self.group_by_leader();
                match self.topic.partitions.iter().find(|partition| partition.leader.is_none()) {
                    Some(leaderless) => {
                        let (topic, partition) = (self.topic.name.clone(), leaderless.index);
                        self.pause_after(ClientError::NoLeader { topic, partition })?;
                    }
                    None => {
                        self.trouble = None;
                        // With nothing to send no acknowledgement will tell that all is well.
                        if self.unacknowledged == 0 {
                            self.outage.is_over();
                        }
                    }
                }
                Ok(true)
            }
            // A broker that has just started may not have heard of it yet.
            Ok(_) | Err(ClientError::NoTopic { .. }) => {
                let what = format!("find the topic {}", self.topic.name);
                let code = ErrorCode::UnknownTopicOrPartition.number();
                self.pause_after(Refusal::new(what, code, None).into())?;
                Ok(false)
            }
            Err(error) => self.pause_after(error).map(|()| false),
        }
    }

    fn group_by_leader(&mut self) {
        self.leaders.clear();
        for partition in &self.topic.partitions {
            if let Some(leader) = partition.leader {
                self.leaders.entry(leader).or_default().push(partition.index);
            }
        }
    }

    fn lose(&mut self, broker: i32) {
        let Some(link) = self.links.remove(&broker) else { return };
        for sent in link.end() {
            for partition in sent.partitions {
                self.queue(partition).lost(sent.request);
            }
        }
    }

    fn queue(&mut self, partition: i32) -> &mut Queue {
        // Only numbers that were checked, or that we sent ourselves, come here.
        &mut self.queues[partition as usize]
    }
}

const NOTHING: Written = Written { records: 0, first_offset: -1, last_offset: -1 };

fn note(written: &mut Written, records: u64, base_offset: i64) {
    written.records += records;
    if base_offset >= 0 {
        if written.first_offset < 0 {
            written.first_offset = base_offset;
        }
        written.last_offset = base_offset.saturating_add(records.cast_signed() - 1);
    }
}

fn producer_id(cluster: &mut Cluster) -> Result<(i64, i16), ClientError> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        // It has no meaning without a transactional id.
        transaction_timeout_ms: 60_000,
        ..InitProducerIdRequest::default()
    };
    insist(cluster.patience(), || {
        let answer: InitProducerIdResponse = cluster.ask(&request)?;
        Refusal::check(|| "get a producer id".to_owned(), answer.error_code, None)?;
        Ok((answer.producer_id, answer.producer_epoch))
    })
}

/// Another number each time.
fn nanoseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::from(since.subsec_nanos()))
}

impl ProduceError {
    /// Kafka's number of the error, if Kafka has one.
    pub fn kafka_code(&self) -> Option<i16> {
        match self {
            Self::Client(error) => error.kafka_code(),
            Self::Refused { refusal, .. } => Some(refusal.code),
            Self::Build(_) => None,
            Self::NoPartition { .. } => Some(ErrorCode::UnknownTopicOrPartition.number()),
            Self::Late { last: Some(error), .. } => error.kafka_code(),
            Self::Late { last: None, .. } => Some(ErrorCode::RequestTimedOut.number()),
        }
    }
}

impl From<ClientError> for ProduceError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<BuildError> for ProduceError {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

impl fmt::Display for ProduceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Refused { refusal, .. } => refusal.fmt(f),
            Self::Build(error) => write!(f, "a batch cannot be built: {error}"),
            Self::NoPartition { partition, count } => write!(
                f,
                "there is no partition {partition}: the topic has {count}, counted from 0"
            ),
            Self::Late { after, last } => {
                write!(f, "nothing was acknowledged for {} s", after.as_secs())?;
                match last {
                    Some(error) => write!(f, ": {error}"),
                    None => write!(f, "; is the broker overloaded? --timeout gives it longer"),
                }
            }
        }
    }
}
