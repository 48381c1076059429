//! Producing: as fast as librdkafka can, or at a rate.

use std::time::Duration;

use rdkafka::producer::Producer;

use crate::Sent;
use crate::client::{self, LoadProducer};
use crate::error::LoadError;
use crate::gate::Span;
use crate::latency::Clock;
use crate::outcome::Outcome;
use crate::pace::Pace;

/// Longer than the interval of librdkafka's statistics, so that the last ones know all records.
const STATISTICS_WAIT: Duration = Duration::from_millis(500);

/// Warms up, then sends all records and waits for their acknowledgements.
pub fn run(sent: &Sent) -> Result<Outcome, LoadError> {
    let clock = Clock::start();
    let producer = client::producer(&sent.target, clock)?;
    let value = value(sent);
    warm_up(&producer, sent, &value)?;
    if sent.rate.is_some() {
        producer.context().keep_latencies();
    }
    let span = Span::begin()?;
    let pace = sent.rate.map(|rate| Pace::start(clock, rate));
    for index in 0..sent.records {
        let from_ns = pace.map_or(0, |pace| pace.wait(clock, index));
        client::send(&producer, &sent.target, index, &value, from_ns)?;
    }
    client::flush(&producer)?;
    let length = span.end()?;
    std::thread::sleep(STATISTICS_WAIT);
    Ok(Outcome {
        records: sent.records,
        value_bytes: sent.records * u64::from(sent.record_size),
        length,
        latencies: producer.context().latencies(),
        records_per_request: producer.context().records_per_request(),
    })
}

/// Sends the records of the warm-up, at the rate of the load if it has one.
pub fn warm_up(producer: &LoadProducer, sent: &Sent, value: &[u8]) -> Result<(), LoadError> {
    let clock = Clock::start();
    let pace = sent.rate.map(|rate| Pace::start(clock, rate));
    for index in 0..sent.warm_up_records {
        if let Some(pace) = pace {
            pace.wait(clock, index);
        }
        client::send(producer, &sent.target, index, value, 0)?;
    }
    client::flush(producer)
}

/// Bytes without a pattern, so that nobody on the way can make them fewer.
pub fn value(sent: &Sent) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(byte).take(sent.record_size as usize).collect()
}
