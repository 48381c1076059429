//! Brokers that have 1,000 partitions and nothing to do, one at a time.

use std::time::{Duration, Instant};

use super::{Comparison, TOPIC};
use crate::broker::Broker;
use crate::error::BenchError;
use crate::first_ack;
use crate::measure::{Measure, Measures};
use crate::results::Round;
use crate::scenario::{RECORD_SIZE, Scenario};
use crate::usage::{self, ProcessorTime};

/// How long it is watched.
const SPAN: Duration = Duration::from_secs(10);

pub(super) fn measure(comparison: &mut Comparison<'_>) -> Result<Vec<Round>, BenchError> {
    let folder = &comparison.cli.folder;
    comparison.in_turn(Scenario::Idle, |_, subject| {
        let broker = Broker::start(subject, folder)?;
        first_ack::create_topic(broker.address(), TOPIC, Scenario::Idle.partitions())?;
        first_ack::produce(broker.address(), TOPIC, &[b'x'; RECORD_SIZE])?;
        usage::await_quiet(broker.process())?;
        let (began, before) = (Instant::now(), ProcessorTime::of(broker.process())?);
        std::thread::sleep(SPAN);
        let taken = ProcessorTime::of(broker.process())?.since(&before);
        let share = taken.as_secs_f64() / began.elapsed().as_secs_f64();
        let measures = Measures::from([
            (Measure::ProcessorIdlePercent, share * 100.0),
            (Measure::MemoryIdleMib, usage::memory_mib(broker.process())?),
        ]);
        broker.stop()?;
        Ok(measures)
    })
}
