//! Rule: every whole read sees the same, though the broker was killed between them.

use std::collections::{BTreeMap, BTreeSet};

use super::Violation;
use super::facts::{Facts, whole_reads};
use crate::history::{Content, Place};

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    let mut reads = whole_reads(facts.history);
    let Some(first) = reads.next() else { return };
    for other in reads {
        let again: BTreeMap<Place, &Content> =
            other.records.iter().map(|record| (record.place, &record.content)).collect();
        if again == facts.log {
            continue;
        }
        let places: BTreeSet<&Place> = facts.log.keys().chain(again.keys()).collect();
        for &place in places {
            let (here, there) = (facts.log.get(&place).copied(), again.get(&place).copied());
            if here != there {
                violations.push(Violation::RereadDiff {
                    reads: [first.name.clone(), other.name.clone()],
                    place,
                    contents: [here.cloned(), there.cloned()],
                });
            }
        }
    }
}
