//! librdkafka's clients as every load uses them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::Target;
use crate::error::LoadError;
use crate::latency::{Clock, Latencies};

/// How long a load waits for the next sign of the broker before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The properties of all loads; `--set` comes after them and may change any.
const PROPERTIES: [(&str, &str); 4] = [
    // Small requests must not wait for one another.
    ("socket.nagle.disable", "true"),
    ("acks", "all"),
    ("message.timeout.ms", "300000"),
    ("statistics.interval.ms", "200"),
];

/// A consumer that reads given partitions and neither joins a group nor keeps offsets.
const CONSUMER_PROPERTIES: [(&str, &str); 4] = [
    ("group.id", "load"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "error"),
];

/// A producer whose deliveries are counted by [`Deliveries`].
pub type LoadProducer = ThreadedProducer<Deliveries>;

/// A producer for the target.
pub fn producer(target: &Target, clock: Clock) -> Result<LoadProducer, LoadError> {
    let deliveries = Deliveries { clock, seen: Mutex::new(Seen::default()) };
    let config = config(target, &[]);
    ThreadedProducer::from_config_and_context(&config, deliveries).map_err(LoadError::Property)
}

/// A consumer of all partitions of the target, from `offset` on.
pub fn consumer(target: &Target, offset: Offset) -> Result<BaseConsumer, LoadError> {
    let config = config(target, &CONSUMER_PROPERTIES);
    let consumer: BaseConsumer = BaseConsumer::from_config(&config).map_err(LoadError::Property)?;
    let mut partitions = TopicPartitionList::new();
    for partition in 0..target.partitions {
        partitions
            .add_partition_offset(&target.topic, partition, offset)
            .map_err(LoadError::Consume)?;
    }
    consumer.assign(&partitions).map_err(LoadError::Consume)?;
    Ok(consumer)
}

fn config(target: &Target, more: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &target.bootstrap);
    for (key, value) in PROPERTIES.iter().chain(more) {
        config.set(*key, *value);
    }
    for (key, value) in &target.settings {
        config.set(key, value);
    }
    config
}

/// Hands one record over, and waits while librdkafka's queue is full.
///
/// `from_ns` is what the record's latency counts from; 0 counts none.
pub fn send(
    producer: &LoadProducer,
    target: &Target,
    index: u64,
    value: &[u8],
    from_ns: u64,
) -> Result<(), LoadError> {
    let partitions = u64::from(target.partitions.unsigned_abs());
    let partition = i32::try_from(index % partitions).expect("it is below a 32-bit count");
    let from = usize::try_from(from_ns).expect("addresses have 64 bits here");
    let mut record = BaseRecord::<(), [u8], usize>::with_opaque_to(&target.topic, from)
        .partition(partition)
        .payload(value);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                record = refused;
                std::thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(LoadError::Send(error)),
        }
    }
}

/// Waits for every answer as long as answers come, and fails if one is an error.
pub fn flush(producer: &LoadProducer) -> Result<(), LoadError> {
    let mut fewest = i32::MAX;
    let mut progress = Instant::now();
    // A flush that waits itself would sleep up to 100 ms past the last answer.
    while producer.flush(Duration::ZERO).is_err() {
        let in_flight = producer.in_flight_count();
        if in_flight < fewest {
            (fewest, progress) = (in_flight, Instant::now());
        } else if progress.elapsed() > PATIENCE {
            let first = producer.context().lock().first_error.take();
            return Err(LoadError::Undelivered { count: u64::from(fewest.unsigned_abs()), first });
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut seen = producer.context().lock();
    let first = seen.first_error.take();
    match seen.failed {
        0 => Ok(()),
        count => Err(LoadError::Undelivered { count, first }),
    }
}

/// What became of the records of one producer.
#[derive(Debug)]
pub struct Deliveries {
    clock: Clock,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    acknowledged: u64,
    failed: u64,
    first_error: Option<KafkaError>,
    latencies: Option<Latencies>,
    records_per_request: Option<f64>,
}

impl Deliveries {
    /// Counts latencies from now on.
    pub fn keep_latencies(&self) {
        self.lock().latencies = Some(Latencies::new());
    }

    /// The latencies so far.
    pub fn latencies(&self) -> Option<Latencies> {
        self.lock().latencies.clone()
    }

    /// How many records a request carried on average, by librdkafka's own statistics of up to now.
    pub fn records_per_request(&self) -> Option<f64> {
        self.lock().records_per_request
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("whoever holds it does nothing that panics")
    }
}

impl ClientContext for Deliveries {
    fn stats(&self, statistics: Statistics) {
        // librdkafka counts requests by kind in a map; the order of its sum does not matter.
        let brokers: BTreeMap<_, _> = statistics.brokers.into_iter().collect();
        let requests: i64 = brokers.values().filter_map(|broker| broker.req.get("Produce")).sum();
        if requests > 0 {
            let records_per_request = statistics.txmsgs as f64 / requests as f64;
            self.lock().records_per_request = Some(records_per_request);
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, from_ns: usize) {
        let now_ns = self.clock.now_ns();
        let mut seen = self.lock();
        match result {
            Ok(_) => seen.acknowledged += 1,
            Err((error, _)) => {
                seen.failed += 1;
                seen.first_error.get_or_insert_with(|| error.clone());
            }
        }
        let from_ns = from_ns as u64;
        if let Some(latencies) = &mut seen.latencies
            && from_ns > 0
        {
            latencies.record(Duration::from_nanos(now_ns.saturating_sub(from_ns)));
        }
    }
}
