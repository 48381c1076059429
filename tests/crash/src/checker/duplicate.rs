//! Rule: a record is in the log at most once, acknowledged or not; one of a plain producer may have
//! another copy for each kill that came between its sending and its acknowledgement.
//!
//! A plain producer writes again what it has no answer for, and only a kill cuts an answer off: a
//! copy that no kill explains was made by the broker.

use super::Violation;
use super::facts::{Facts, Fate};
use crate::history::{Interruption, Promise};

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    for (value, places) in &facts.places {
        let retries = match (facts.promise(*value), facts.fates.get(value)) {
            (Promise::Plain, Some(fate)) => interruptions_amid(fate, &facts.history.interruptions),
            _ => 0,
        };
        if places.len() > 1 + retries {
            violations.push(Violation::Duplicate { value: *value, places: places.clone() });
        }
    }
}

/// The kills that may have cut off an answer about this record: both ends count, since the clock
/// counts whole milliseconds, and a record that was never acknowledged waits for ever.
fn interruptions_amid(fate: &Fate, interruptions: &[Interruption]) -> usize {
    let acked_at_ms = fate.acked.map_or(u64::MAX, |ack| ack.at_ms);
    let amid = |at: &&Interruption| fate.sent_at_ms <= at.until_ms && at.from_ms <= acked_at_ms;
    interruptions.iter().filter(amid).count()
}
