//! How much of what the disk can do reaches it: requests of 64 KiB, beside `fio`.

use super::{Comparison, TOPIC};
use crate::Cli;
use crate::broker::Broker;
use crate::error::BenchError;
use crate::fio::Fio;
use crate::flood::Flood;
use crate::measure::{Measure, Measures};
use crate::results::Round;
use crate::scenario::Scenario;

/// Records of 1 KiB that make a request of 64 KiB.
const BATCH_RECORDS: usize = 63;
const IN_FLIGHT: usize = 16;
/// 2.6 GB: several times what a journal holds, so that what is settled is measured with it.
const REQUESTS: usize = 40_000;

/// Sixteen requests of 64 KiB in flight.
pub fn flood(cli: &Cli) -> Flood<'static> {
    Flood {
        topic: TOPIC,
        partitions: Scenario::Durable.partitions(),
        batch_records: BATCH_RECORDS,
        in_flight: IN_FLIGHT,
        requests: cli.scaled(REQUESTS),
    }
}

pub(super) fn measure(comparison: &mut Comparison<'_>) -> Result<Vec<Round>, BenchError> {
    let flood = flood(comparison.cli);
    let fio = Fio::prepare(&comparison.cli.folder)?;
    let brokers = comparison.start_brokers(|broker| flood.create_topic(broker.address()))?;
    let kept = comparison.in_turn(Scenario::Durable, |index, _| {
        let fio = fio.durable_mb_per_second()?;
        let taken = flood.measure(&brokers[index])?;
        let disk = taken.disk_bytes as f64 / 1e6 / taken.seconds;
        Ok(Measures::from([
            (Measure::ProcessorUsPerRecord, taken.processor_us_per_record),
            (Measure::MegabytesPerSecond, flood.value_bytes() as f64 / 1e6 / taken.seconds),
            (Measure::DiskMegabytesPerSecond, disk),
            (Measure::FioMegabytesPerSecond, fio),
            (Measure::ShareOfFio, disk / fio),
        ]))
    })?;
    brokers.into_iter().try_for_each(Broker::stop)?;
    Ok(kept)
}
