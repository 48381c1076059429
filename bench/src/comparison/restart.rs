//! Starts after kill -9 on what there is: 5 GB in 1,000 partitions, and what was last written.

use super::{Comparison, TOPIC};
use crate::broker::Broker;
use crate::error::BenchError;
use crate::first_ack;
use crate::flood::Flood;
use crate::measure::{Measure, Measures};
use crate::results::Round;
use crate::scenario::{RECORD_SIZE, Scenario};

/// Requests of 16 KiB that fill it: 5 GB.
const FILL_REQUESTS: usize = 5_000_000_000 / (BATCH_RECORDS * RECORD_SIZE);
/// Requests right before each kill, so that a journal or a page cache holds something.
const LAST_REQUESTS: usize = 8_000;
const BATCH_RECORDS: usize = 15;
const IN_FLIGHT: usize = 64;

pub(super) fn measure(comparison: &mut Comparison<'_>) -> Result<Vec<Round>, BenchError> {
    let partitions = Scenario::Restart.partitions();
    let flood = |requests| Flood {
        topic: TOPIC,
        partitions,
        batch_records: BATCH_RECORDS,
        in_flight: IN_FLIGHT,
        requests,
    };
    let fill = flood(comparison.cli.scaled(FILL_REQUESTS));
    let last = flood(comparison.cli.scaled(LAST_REQUESTS));
    let mut brokers = comparison.start_brokers(|broker| {
        first_ack::create_topic(broker.address(), TOPIC, partitions)?;
        fill.run(broker.address()).map(drop)
    })?;
    let kept = comparison.in_turn(Scenario::Restart, |index, subject| {
        let broker = &mut brokers[index];
        last.run(broker.address())?;
        broker.kill_and_start(subject)?;
        first_ack::produce(broker.address(), TOPIC, &[b'x'; RECORD_SIZE])?;
        let first_ack = broker.began().elapsed();
        Ok(Measures::from([
            (Measure::PortOpenMs, broker.port_open().as_secs_f64() * 1e3),
            (Measure::FirstAckMs, first_ack.as_secs_f64() * 1e3),
        ]))
    })?;
    brokers.into_iter().try_for_each(Broker::stop)?;
    Ok(kept)
}
