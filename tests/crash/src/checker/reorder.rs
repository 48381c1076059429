//! Rule: the records of one producer stand in a partition in the order in which they were sent.
//!
//! Only a record's first occurrence counts. A plain producer with one request in flight may write
//! `a b a b c`: it repeated a request whose answer was lost. It may never write `b a`.

use std::collections::BTreeMap;

use super::Violation;
use super::facts::Facts;
use crate::history::{Content, Place, Value};

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    let mut latest: BTreeMap<(i32, u32), (Value, Place)> = BTreeMap::new();
    // The log is in the order of partition and offset.
    for (place, content) in &facts.log {
        let Content::Value(value) = content else { continue };
        // One that stands in another partition is misplaced, and said so by that rule.
        let home = value.partition == place.partition;
        if !home || facts.places_of(*value).first() != Some(place) {
            continue;
        }
        let before = latest.entry((place.partition, value.producer)).or_insert((*value, *place));
        if before.0.counter > value.counter {
            violations.push(Violation::Reorder { before: *before, after: (*value, *place) });
        } else {
            *before = (*value, *place);
        }
    }
}
