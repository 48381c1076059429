//! Judges a history: each rule is a file with its statement, each breach a typed violation.
//!
//! The checker demands, of a history whose producers have all finished:
//! every acknowledged record is in the log, once if its producer is idempotent, at the offset that
//! the acknowledgement named, in order per producer and partition; nothing else is in the log;
//! every offset is taken; every read saw the same; and enough was acknowledged for this to mean
//! something.

pub mod floor;
pub mod violation;

mod facts;

mod aborted_read;
mod ack;
mod complaint;
mod duplicate;
mod gap;
mod invented;
mod live;
mod lost;
mod reorder;
mod reread;

mod report;

use std::collections::BTreeMap;

use crate::history::History;
use facts::Facts;

use floor::Floor;
use violation::Violation;

/// A rule: reads the facts, adds what it finds.
type Rule = fn(&Facts<'_>, &mut Vec<Violation>);

const RULES: [Rule; 10] = [
    complaint::check,
    lost::check,
    duplicate::check,
    reorder::check,
    invented::check,
    aborted_read::check,
    ack::check,
    gap::check,
    reread::check,
    live::check,
];

/// How much a history holds; without it a clean verdict says little.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records that producers took.
    pub sent: u64,
    /// Records that the broker acknowledged.
    pub acked: u64,
    /// Records whose producer gave up, or never learned the outcome.
    pub unknown: u64,
    /// Acknowledged records per producer.
    pub acked_by_producer: BTreeMap<u32, u64>,
    /// Surplus copies of plain producers' records in the log: allowed, and worth knowing.
    pub plain_duplicates: u64,
    /// Records in the log, as the first whole read found it.
    pub read: u64,
}

/// What the checker says of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the history holds.
    pub counts: Counts,
    /// Every breach of a rule; none in a good history.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// Whether the history is good.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The kinds of the violations with their numbers.
    pub fn kinds(&self) -> BTreeMap<&'static str, usize> {
        let mut kinds = BTreeMap::new();
        for violation in &self.violations {
            *kinds.entry(violation.kind()).or_default() += 1;
        }
        kinds
    }

    /// The verdict in words: counts, kinds, and the first violations of each kind with the records
    /// around them. `history` must be the one that was judged.
    pub fn report(&self, history: &History) -> String {
        report::write(self, history)
    }
}

/// Judges `history`, which must reach `floor`.
pub fn check(history: &History, floor: &Floor) -> Verdict {
    let facts = Facts::gather(history);
    let mut violations = Vec::new();
    for rule in RULES {
        rule(&facts, &mut violations);
    }
    let counts = facts.counts();
    floor::check(history, floor, &counts, &mut violations);
    Verdict { counts, violations }
}

#[cfg(test)]
mod tests;
