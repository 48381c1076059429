//! Rule: a record of an idempotent producer is in the log at most once, acknowledged or not.
//!
//! Plain producers may leave copies behind (a retry after a lost answer); those are only counted.

use super::Violation;
use super::facts::Facts;
use crate::history::Promise;

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    for (value, places) in &facts.places {
        if places.len() > 1 && facts.promise(*value) == Promise::Idempotent {
            violations.push(Violation::Duplicate { value: *value, places: places.clone() });
        }
    }
}
