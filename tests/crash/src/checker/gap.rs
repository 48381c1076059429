//! Rule: a whole read takes every offset from 0 to the end that the broker told, in order.
//!
//! The histories hold no transactions, no compaction and no retention, so each offset is a record.

use std::collections::BTreeMap;

use super::Violation;
use super::facts::{Facts, whole_reads};
use crate::history::{Place, Read};

pub(super) fn check(facts: &Facts<'_>, violations: &mut Vec<Violation>) {
    for read in whole_reads(facts.history) {
        let next = contiguous(read, violations);
        for (&partition, bounds) in &read.bounds {
            let offset = next.get(&partition).copied().unwrap_or(0);
            if offset < bounds.end {
                violations.push(Violation::Gap {
                    read: read.name.clone(),
                    missing: Place { partition, offset },
                    found_offset: None,
                });
            }
        }
    }
}

/// Checks that each partition's records follow one another from offset 0; returns the offset after
/// the last of each.
pub(super) fn contiguous(read: &Read, violations: &mut Vec<Violation>) -> BTreeMap<i32, i64> {
    let mut next: BTreeMap<i32, i64> = BTreeMap::new();
    for record in &read.records {
        let Place { partition, offset } = record.place;
        let expected = next.entry(partition).or_insert(0);
        if offset > *expected {
            violations.push(Violation::Gap {
                read: read.name.clone(),
                missing: Place { partition, offset: *expected },
                found_offset: Some(offset),
            });
        } else if offset < *expected {
            violations.push(Violation::Nonmonotonic {
                read: read.name.clone(),
                place: record.place,
                previous_offset: *expected - 1,
            });
        }
        *expected = offset + 1;
    }
    next
}
