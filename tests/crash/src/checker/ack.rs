//! Rule: an acknowledgement's offset is where its record stands, and nobody else is told the same.

use std::collections::BTreeMap;

use super::Violation;
use super::facts::Facts;
use crate::history::{Place, Value};

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    let mut told: BTreeMap<Place, Value> = BTreeMap::new();
    for (&value, fate) in &facts.fates {
        let Some(ack) = fate.acked else { continue };
        if !fate.sent {
            violations.push(Violation::AckInvented { value });
        }
        if let Some(again) = fate.acked_again {
            let offsets = [ack.offset, again.offset];
            violations.push(Violation::AckMoved { value, offsets });
        }
        let Some(offset) = ack.offset else { continue };
        let place = Place { partition: value.partition, offset };
        if let Some(other) = told.insert(place, value) {
            violations.push(Violation::AckClash { place, values: [other, value] });
        }
        // A record that is nowhere is lost, and said so by that rule.
        let places = facts.places_of(value);
        if !places.is_empty() && !places.contains(&place) {
            let places = places.to_vec();
            violations.push(Violation::OffsetMismatch { value, acked_offset: offset, places });
        }
    }
}
