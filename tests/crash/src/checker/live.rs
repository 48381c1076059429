//! Rule: what a consumer saw while the broker was dying stays so: no skip, no return, no other
//! record at that offset later.

use super::Violation;
use super::facts::Facts;
use super::gap::contiguous;
use crate::history::Extent;

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    for read in facts.history.reads.iter().filter(|read| read.extent == Extent::Live) {
        contiguous(read, violations);
        for record in &read.records {
            let log = facts.log.get(&record.place).copied();
            if log != Some(&record.content) {
                violations.push(Violation::LiveDiff {
                    place: record.place,
                    live: record.content.clone(),
                    log: log.cloned(),
                });
            }
        }
    }
}
