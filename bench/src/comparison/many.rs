//! What many partitions cost: the same bytes in flight, to one partition and to 10,000.

use super::Comparison;
use crate::broker::Broker;
use crate::error::BenchError;
use crate::first_ack;
use crate::flood::Flood;
use crate::measure::{Measure, Measures};
use crate::results::Round;
use crate::scenario::Scenario;
use crate::usage::{self, ProcessorTime};

const PARTITIONS: i32 = 10_000;
/// Records of 1 KiB that make a request of 16 KiB.
const BATCH_RECORDS: usize = 15;
/// 1 MiB in all.
const IN_FLIGHT: usize = 64;
const REQUESTS: usize = 60_000;

pub(super) fn measure(comparison: &mut Comparison<'_>) -> Result<Vec<Round>, BenchError> {
    let flood = |topic, partitions, requests| Flood {
        topic,
        partitions,
        batch_records: BATCH_RECORDS,
        in_flight: IN_FLIGHT,
        requests,
    };
    let requests = comparison.scaled(REQUESTS);
    let (one, many) = (flood("one", 1, requests), flood("many", PARTITIONS, requests));
    let brokers = comparison.start_brokers(|broker| {
        let create = |flood: Flood<'_>| {
            first_ack::create_topic(broker.address(), flood.topic, flood.partitions)
        };
        [one, many].into_iter().try_for_each(create)
    })?;
    let kept = comparison.in_turn(Scenario::Many, |index, _| {
        let broker = &brokers[index];
        let alone = one.run(broker.address())?.as_secs_f64();
        usage::await_quiet(broker.process())?;
        let before = ProcessorTime::of(broker.process())?;
        let spread = many.run(broker.address())?.as_secs_f64();
        usage::await_quiet(broker.process())?;
        let taken = ProcessorTime::of(broker.process())?.since(&before);
        Ok(Measures::from([
            (Measure::ProcessorUsPerRecord, taken.as_secs_f64() * 1e6 / many.records() as f64),
            (Measure::MegabytesPerSecond, many.value_bytes() as f64 / 1e6 / spread),
            (Measure::ShareOfOnePartition, alone / spread),
        ]))
    })?;
    brokers.into_iter().try_for_each(Broker::stop)?;
    Ok(kept)
}
