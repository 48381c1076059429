//! Rule: a record whose producer knows that it was never written is not in the log.

use super::Violation;
use super::facts::Facts;

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    for (value, fate) in &facts.fates {
        if let (true, Some(place)) = (fate.failed, facts.places_of(*value).first()) {
            violations.push(Violation::AbortedRead { value: *value, place: *place });
        }
    }
}
