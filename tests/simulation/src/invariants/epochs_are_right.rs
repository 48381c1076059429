//! Asked where a leader epoch ends, a log names the start of the next one, or its own end.

use record::{LeaderEpoch, Offset};
use storage::{EpochEnd, Log};

use crate::history::Expected;
use crate::violation::{Property, Violation};

/// Every epoch of the log, and one that is newer.
pub fn check(log: &Log, expected: &Expected) -> Result<(), Violation> {
    let mut ends = expected.epochs.iter().skip(1).map(|(_, start)| *start);
    for (epoch, _) in &expected.epochs {
        let end_offset = Offset(ends.next().unwrap_or(expected.log_end));
        let right = EpochEnd { epoch: LeaderEpoch(*epoch), end_offset };
        let answer = log.end_offset_for_epoch(LeaderEpoch(*epoch));
        if answer != Some(right) {
            let evidence = format!("epoch {epoch} ends: {answer:?}, not {right:?}");
            return Err(Violation::of_log(Property::KnowsEpochs, log.id(), evidence));
        }
    }
    let newer = expected.epochs.last().map_or(0, |(epoch, _)| epoch + 1);
    match log.end_offset_for_epoch(LeaderEpoch(newer)) {
        None => Ok(()),
        Some(answer) => {
            let evidence = format!("epoch {newer} has not begun, but ends: {answer:?}");
            Err(Violation::of_log(Property::KnowsEpochs, log.id(), evidence))
        }
    }
}
