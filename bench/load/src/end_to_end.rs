//! End to end: one thread sends at a rate, another consumes the same records one by one.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::Offset;

use crate::Sent;
use crate::client::{self, PATIENCE};
use crate::error::LoadError;
use crate::gate::Span;
use crate::latency::{Clock, Latencies};
use crate::outcome::Outcome;
use crate::pace::Pace;
use crate::produce;

/// The first 8 bytes of a record of the warm-up, in place of a time.
const WARM_UP: u64 = 0;

/// Sends and consumes; the latency of a record ends when the consumer has it.
pub fn run(sent: &Sent) -> Result<Outcome, LoadError> {
    let Some(rate) = sent.rate else { return Err(LoadError::NoRate) };
    let clock = Clock::start();
    let producer = client::producer(&sent.target, clock)?;
    // The consumer starts behind what earlier loads left, and is heard once the partitions answer.
    let consumer = client::consumer(&sent.target, Offset::End)?;
    let (arrivals, arrived) = mpsc::channel();
    let records = sent.records;
    let receiver = std::thread::spawn(move || receive(&consumer, clock, records, &arrivals));
    let mut value = produce::value(sent);
    value[..8].copy_from_slice(&WARM_UP.to_be_bytes());
    warm_up(&producer, sent, &value, &arrived)?;
    let span = Span::begin()?;
    let pace = Pace::start(clock, rate);
    for index in 0..sent.records {
        let from_ns = pace.wait(clock, index);
        value[..8].copy_from_slice(&from_ns.to_be_bytes());
        client::send(&producer, &sent.target, index, &value, 0)?;
    }
    client::flush(&producer)?;
    let latencies = receiver.join().expect("the receiver does not panic")?;
    let length = span.end()?;
    Ok(Outcome {
        records: sent.records,
        value_bytes: sent.records * u64::from(sent.record_size),
        length,
        latencies: Some(latencies),
        records_per_request: None,
    })
}

/// Sends warm-ups until every partition's fetch position is known: until a whole one has arrived.
///
/// What is sent before a consumer has found the end of a partition lies before its position.
fn warm_up(
    producer: &client::LoadProducer,
    sent: &Sent,
    value: &[u8],
    arrived: &Receiver<i32>,
) -> Result<(), LoadError> {
    let deadline = Instant::now() + PATIENCE;
    let partitions = usize::try_from(sent.target.partitions).expect("clap reads a small count");
    let mut heard = vec![false; partitions];
    while heard.contains(&false) {
        if Instant::now() > deadline {
            return Err(LoadError::Silence { missing: sent.records });
        }
        produce::warm_up(producer, sent, value)?;
        while let Ok(partition) = arrived.recv_timeout(Duration::from_millis(100)) {
            heard[usize::try_from(partition).expect("partitions are not negative")] = true;
        }
    }
    Ok(())
}

/// Consumes until `records` measured records have come; tells the partition of each warm-up.
fn receive(
    consumer: &BaseConsumer,
    clock: Clock,
    records: u64,
    arrivals: &Sender<i32>,
) -> Result<Latencies, LoadError> {
    let mut latencies = Latencies::new();
    let mut missing = records;
    while missing > 0 {
        let Some(message) = consumer.poll(PATIENCE) else {
            return Err(LoadError::Silence { missing });
        };
        let message = message.map_err(LoadError::Consume)?;
        let now_ns = clock.now_ns();
        let stamp = message.payload().and_then(|value| value.first_chunk::<8>());
        let Some(from_ns) = stamp.copied().map(u64::from_be_bytes) else { continue };
        if from_ns == WARM_UP {
            // It fails when the sender has given up: then nobody needs to know.
            let _ = arrivals.send(message.partition());
            continue;
        }
        latencies.record(Duration::from_nanos(now_ns.saturating_sub(from_ns)));
        missing -= 1;
    }
    Ok(latencies)
}
