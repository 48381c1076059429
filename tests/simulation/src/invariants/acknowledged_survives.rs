//! A log is exactly what some of the first operations asked of it add up to, with all that were
//! acknowledged among them.
//!
//! So nothing acknowledged is lost, nothing is invented, doubled, moved or half done, and offsets
//! have no gap.

use std::collections::BTreeMap;

use storage::LogId;

use crate::history::{Batch, Expected, Operation};
use crate::violation::{Property, Violation};

/// How many operations survived, and what they add up to.
pub fn check(
    id: &LogId,
    operations: &[Operation],
    acknowledged: usize,
    found: &Expected,
) -> Result<(usize, Expected), Violation> {
    let mut expected = Expected::after(&operations[..acknowledged]);
    let least = expected.visible();
    if least == *found {
        return Ok((acknowledged, expected));
    }
    for (index, operation) in operations.iter().enumerate().skip(acknowledged) {
        expected.apply(operation);
        if expected.visible() == *found {
            return Ok((index + 1, expected));
        }
    }
    let unanswered = &operations[acknowledged..];
    let evidence =
        format!("\nfound:        {found:?}\nacknowledged: {least:?}\nthen asked:   {unanswered:?}");
    Err(Violation::of_log(diagnose(operations, &least, found), *id, evidence))
}

/// What is wrong with a log that no number of operations explains.
fn diagnose(operations: &[Operation], least: &Expected, found: &Expected) -> Property {
    let asked: BTreeMap<u64, (usize, &Batch)> = operations
        .iter()
        .enumerate()
        .filter_map(|(index, operation)| match operation {
            Operation::Append(_, batch) => Some((batch.id, (index, batch))),
            _ => None,
        })
        .collect();
    let has = |wanted: &Batch| found.batches.iter().any(|(_, batch)| batch.id == wanted.id);
    let mut order: Vec<usize> = Vec::new();
    for (_, batch) in &found.batches {
        match asked.get(&batch.id) {
            None => return Property::InventsNothing,
            Some((_, sent)) if *sent != batch => return Property::IsWhole,
            Some((index, _)) if order.contains(index) => return Property::DoublesNothing,
            Some((index, _)) => order.push(*index),
        }
    }
    if !order.is_sorted() {
        return Property::KeepsOrder;
    }
    let is_missing = least.exists && !found.exists;
    if is_missing || least.batches.iter().any(|(_, batch)| !has(batch)) {
        return Property::LosesNothing;
    }
    Property::DoesNothingByHalves
}

#[cfg(test)]
mod tests;
