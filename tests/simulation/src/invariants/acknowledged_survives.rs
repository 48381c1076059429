//! A log is exactly what some of the first operations asked of it add up to, with all that were
//! acknowledged among them.
//!
//! So nothing acknowledged is lost, nothing is invented or half done, and offsets have no gap.

use storage::LogId;

use crate::history::{Expected, Operation};

/// How many operations survived, and what they add up to.
pub fn check(
    id: &LogId,
    operations: &[Operation],
    acknowledged: usize,
    found: &Expected,
) -> (usize, Expected) {
    let mut expected = Expected::after(&operations[..acknowledged]);
    let least = expected.clone();
    if visible(&expected) == *found {
        return (acknowledged, expected);
    }
    for (index, operation) in operations.iter().enumerate().skip(acknowledged) {
        expected.apply(operation);
        if visible(&expected) == *found {
            return (index + 1, expected);
        }
    }
    let unanswered = &operations[acknowledged..];
    panic!(
        "lost or invented in log {id}\n\
         found:        {found:?}\n\
         acknowledged: {:?}\n\
         then asked:   {unanswered:?}",
        visible(&least)
    );
}

/// What a reader sees: batches that end before the log's start are gone.
fn visible(expected: &Expected) -> Expected {
    let mut visible = expected.clone();
    visible.batches.retain(|(at, batch)| at + i64::from(batch.count) > expected.log_start);
    visible
}
