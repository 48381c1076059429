//! The checker itself: histories with one fault each, and which property each breaks.

use super::*;

const LOG: LogId = LogId { topic_id: [7; 16], partition: 0 };

fn batch(id: u64) -> Batch {
    Batch { id, count: 2, epoch: 0, timestamp: 10, producer: None, value_size_bytes: 8 }
}

/// Three batches that were acknowledged, and one that was only asked for.
fn history() -> (Vec<Operation>, usize) {
    let append = |id: u64, at: i64| Operation::Append(at, batch(id));
    (vec![Operation::Create, append(1, 0), append(2, 2), append(3, 4), append(4, 6)], 4)
}

fn verdict(change: impl FnOnce(&mut Expected)) -> Result<usize, Property> {
    let (operations, acknowledged) = history();
    let mut found = Expected::after(&operations[..acknowledged]);
    change(&mut found);
    let verdict = check(&LOG, &operations, acknowledged, &found);
    verdict.map(|(survived, _)| survived).map_err(|violation| violation.property)
}

#[test]
fn what_was_acknowledged_is_enough_and_what_was_asked_is_not_too_much() {
    assert_eq!(verdict(|_| ()), Ok(4));
    let with_the_last = |found: &mut Expected| {
        found.batches.push((6, batch(4)));
        found.log_end = 8;
    };
    assert_eq!(verdict(with_the_last), Ok(5));
}

#[test]
fn a_lost_record_is_refused() {
    let last = |found: &mut Expected| {
        found.batches.pop();
        found.log_end = 4;
    };
    assert_eq!(verdict(last), Err(Property::LosesNothing));
    let middle = |found: &mut Expected| found.batches.retain(|(at, _)| *at != 2);
    assert_eq!(verdict(middle), Err(Property::LosesNothing));
    let all = |found: &mut Expected| *found = Expected::default();
    assert_eq!(verdict(all), Err(Property::LosesNothing));
}

#[test]
fn a_doubled_record_is_refused() {
    let at_the_end = |found: &mut Expected| {
        found.batches.push((6, batch(3)));
        found.log_end = 8;
    };
    assert_eq!(verdict(at_the_end), Err(Property::DoublesNothing));
}

#[test]
fn swapped_records_are_refused() {
    let swapped = |found: &mut Expected| {
        found.batches[0].1 = batch(2);
        found.batches[1].1 = batch(1);
    };
    assert_eq!(verdict(swapped), Err(Property::KeepsOrder));
}

#[test]
fn an_invented_record_is_refused() {
    let invented = |found: &mut Expected| {
        found.batches.push((6, batch(99)));
        found.log_end = 8;
    };
    assert_eq!(verdict(invented), Err(Property::InventsNothing));
}

#[test]
fn an_altered_record_is_refused() {
    let altered = |found: &mut Expected| found.batches[1].1.timestamp += 1;
    assert_eq!(verdict(altered), Err(Property::IsWhole));
}

#[test]
fn a_log_that_is_no_sum_of_its_first_operations_is_refused() {
    for change in [
        |found: &mut Expected| found.log_start = 2,
        |found: &mut Expected| found.log_end = 8,
        |found: &mut Expected| found.epochs[0] = (0, 2),
        |found: &mut Expected| found.epochs.push((1, 6)),
        |found: &mut Expected| found.batches[2].0 = 5,
    ] {
        assert_eq!(verdict(change), Err(Property::DoesNothingByHalves));
    }
}

#[test]
fn an_unanswered_truncation_may_have_happened_and_half_of_it_may_not() {
    let (mut operations, _) = history();
    operations.truncate(4);
    operations.push(Operation::Truncate(2));
    let check = |found: &Expected| {
        check(&LOG, &operations, 4, found).map(|(survived, _)| survived).map_err(|v| v.property)
    };
    let mut found = Expected::after(&operations[..4]);
    assert_eq!(check(&found), Ok(4));
    found.batches.truncate(2);
    found.log_end = 4;
    assert_eq!(check(&found), Err(Property::LosesNothing));
    found.batches.truncate(1);
    found.log_end = 2;
    assert_eq!(check(&found), Ok(5));
}
