//! Rule: every acknowledged record is in the log.

use super::Violation;
use super::facts::Facts;

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    for (value, fate) in &facts.fates {
        if let (Some(ack), []) = (fate.acked, facts.places_of(*value)) {
            violations.push(Violation::Lost { value: *value, acked_offset: ack.offset });
        }
    }
}
