//! Starts on an empty folder, one broker at a time.

use std::time::Duration;

use super::{Comparison, TOPIC};
use crate::broker::Broker;
use crate::error::BenchError;
use crate::first_ack;
use crate::measure::{Measure, Measures};
use crate::results::Round;
use crate::scenario::{RECORD_SIZE, Scenario};
use crate::usage;

/// How long a started broker is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(3);

pub(super) fn measure(comparison: &mut Comparison<'_>) -> Result<Vec<Round>, BenchError> {
    let folder = &comparison.cli.folder;
    comparison.in_turn(Scenario::Start, |_, subject| {
        let broker = Broker::start(subject, folder)?;
        first_ack::create_topic(broker.address(), TOPIC, Scenario::Start.partitions())?;
        first_ack::produce(broker.address(), TOPIC, &[b'x'; RECORD_SIZE])?;
        let first_ack = broker.began().elapsed();
        std::thread::sleep(IDLE);
        let measures = Measures::from([
            (Measure::PortOpenMs, broker.port_open().as_secs_f64() * 1e3),
            (Measure::FirstAckMs, first_ack.as_secs_f64() * 1e3),
            (Measure::MemoryIdleMib, usage::memory_mib(broker.process())?),
        ]);
        broker.stop()?;
        Ok(measures)
    })
}
