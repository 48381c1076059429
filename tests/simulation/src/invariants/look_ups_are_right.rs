//! Every record is found by its offset and by its time, wherever it lies.

use record::{BatchView, Offset, Timestamp};
use storage::Log;

use crate::history::Expected;
use crate::violation::{Property, Violation};
use crate::world::READ_LIMITS;

/// Looks up a third of the batches: that is the dearest of the checks.
const STEP: usize = 3;

/// Compares what is found with the history.
pub async fn check(log: &Log, expected: &Expected) -> Result<(), Violation> {
    let reachable = expected.visible();
    let end = Offset(expected.log_end);
    for (at, batch) in reachable.batches.iter().step_by(STEP) {
        let wanted = batch.timestamp + i64::from(batch.count) / 2;
        let found = log.offset_for_timestamp(Timestamp(wanted), end, &READ_LIMITS).await;
        let found = found.map(|found| found.map(|record| record.offset.0));
        let right = first_at(&reachable, wanted);
        if found.as_ref().ok() != Some(&right) {
            return Err(wrong(log, &format!("time {wanted} at {found:?}, not {right:?}")));
        }
        let inside = Offset((at + i64::from(batch.count) - 1).max(expected.log_start));
        let bytes = log.read_whole(inside, end, 1).await;
        let base = bytes.as_ref().ok().and_then(|bytes| BatchView::parse(bytes).ok());
        let base = base.map(|(view, _)| view.base_offset().0);
        if base != Some(*at) {
            return Err(wrong(log, &format!("offset {inside} in the batch at {base:?}, not {at}")));
        }
    }
    let behind = reachable.batches.iter().map(|(_, b)| b.timestamp + i64::from(b.count)).max();
    let behind = behind.unwrap_or_default();
    match log.offset_for_timestamp(Timestamp(behind), end, &READ_LIMITS).await {
        Ok(None) => Ok(()),
        found => Err(wrong(log, &format!("time {behind}, after all records, at {found:?}"))),
    }
}

/// The first offset with that timestamp or a later one.
fn first_at(expected: &Expected, timestamp: i64) -> Option<i64> {
    let records = expected.batches.iter().flat_map(|(at, batch)| {
        (0..i64::from(batch.count)).map(move |i| (at + i, batch.timestamp + i))
    });
    let counts = |&(at, stamp): &(i64, i64)| at >= expected.log_start && stamp >= timestamp;
    records.into_iter().find(counts).map(|(at, _)| at)
}

fn wrong(log: &Log, evidence: &str) -> Violation {
    Violation::of_log(Property::FindsRecords, log.id(), evidence)
}
