//! Every record is found by its offset and by its time, wherever it lies.

use storage::Log;

use crate::history::Expected;
use crate::inspect;

pub async fn check(log: &Log, expected: &Expected) {
    let mut reachable = expected.clone();
    reachable.batches.retain(|(at, batch)| at + i64::from(batch.count) > expected.log_start);
    inspect::check_look_ups(log, &reachable).await;
}
