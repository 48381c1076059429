//! What many partitions cost: the same bytes in flight, to one partition and to 10,000.

use super::Comparison;
use crate::Cli;
use crate::broker::Broker;
use crate::error::BenchError;
use crate::flood::Flood;
use crate::measure::{Measure, Measures};
use crate::results::Round;
use crate::scenario::Scenario;

const PARTITIONS: i32 = 10_000;
/// Records of 1 KiB that make a request of 16 KiB.
const BATCH_RECORDS: usize = 15;
/// 1 MiB in all.
const IN_FLIGHT: usize = 64;
const REQUESTS: usize = 60_000;

/// Requests of 16 KiB, 1 MiB in flight, to 10,000 partitions in turn.
pub fn flood(cli: &Cli) -> Flood<'static> {
    Flood {
        topic: "many",
        partitions: PARTITIONS,
        batch_records: BATCH_RECORDS,
        in_flight: IN_FLIGHT,
        requests: cli.scaled(REQUESTS),
    }
}

pub(super) fn measure(comparison: &mut Comparison<'_>) -> Result<Vec<Round>, BenchError> {
    let many = flood(comparison.cli);
    let one = Flood { topic: "one", partitions: 1, ..many };
    let brokers = comparison.start_brokers(|broker| {
        [one, many].iter().try_for_each(|flood| flood.create_topic(broker.address()))
    })?;
    let mut many_first = false;
    let kept = comparison.in_turn(Scenario::Many, |index, _| {
        // Who comes second finds a journal that is settling still.
        many_first = !many_first;
        let broker = &brokers[index];
        let (alone, spread) = if many_first {
            let spread = many.measure(broker)?;
            (one.measure(broker)?, spread)
        } else {
            (one.measure(broker)?, many.measure(broker)?)
        };
        Ok(Measures::from([
            (Measure::ProcessorUsPerRecord, spread.processor_us_per_record),
            (Measure::MegabytesPerSecond, many.value_bytes() as f64 / 1e6 / spread.seconds),
            (Measure::ShareOfOnePartition, alone.seconds / spread.seconds),
        ]))
    })?;
    brokers.into_iter().try_for_each(Broker::stop)?;
    Ok(kept)
}
