//! Rule: a run in which little happened proves nothing.

use super::facts::whole_reads;
use super::{Counts, Violation};
use crate::history::History;

/// The least that a history must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// Acknowledged records of each producer.
    pub acked_by_producer: u64,
    /// Whole reads.
    pub whole_reads: usize,
}

pub(super) fn check(
    history: &History,
    floor: &Floor,
    counts: &Counts,
    violations: &mut Vec<Violation>,
) {
    for &producer in history.producers.keys() {
        let acked = counts.acked_by_producer.get(&producer).copied().unwrap_or(0);
        if acked < floor.acked_by_producer {
            let floor = floor.acked_by_producer;
            violations.push(Violation::TooFewAcks { producer, acked, floor });
        }
    }
    let reads = whole_reads(history).count();
    if reads < floor.whole_reads {
        violations.push(Violation::TooFewReads { reads, floor: floor.whole_reads });
    }
}
