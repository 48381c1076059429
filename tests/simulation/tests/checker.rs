//! The checks refuse a store that is not what its history says: here the store is sound, and the
//! history is not.

use simulation::campaign;
use simulation::history::{Batch, Expected, Operation};
use simulation::lives::{Cut, Lives, Space};
use simulation::violation::{Failure, Property};
use simulation::world::Sizes;

use runtime::sim::Rng;
use storage::LogId;

/// A store after a life, and a log of it of which everything that was asked is acknowledged, with
/// two batches of one size and epoch at its end.
fn lived() -> (Cut, LogId) {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let mut lives = Lives::new(Sizes::draw(&mut rng), &mut rng);
        lives.live(Space::Enough, &mut rng).expect("a sound store");
        let cut = lives.now();
        let suits = |operations: &[Operation]| match operations {
            [.., Operation::Append(_, one), Operation::Append(_, other)] => {
                one.count == other.count && one.epoch == other.epoch
            }
            _ => false,
        };
        let found = cut.moment.logs.iter().find(|(_, (history, asked))| {
            history.acknowledged == *asked && suits(&history.operations.borrow()[..*asked])
        });
        if let Some((id, _)) = found {
            let id = *id;
            return (cut, id);
        }
    }
    panic!("no life has such a log");
}

/// What the checks say when that log's history is another.
fn verdict(change: impl FnOnce(&mut Vec<Operation>)) -> Option<Property> {
    let (mut cut, id) = lived();
    let (history, asked) = cut.moment.logs.get_mut(&id).expect("found a moment ago");
    change(&mut history.operations.borrow_mut());
    *asked = history.operations.borrow().len();
    history.acknowledged = *asked;
    failed(&cut)
}

fn failed(cut: &Cut) -> Option<Property> {
    match campaign::check(cut, 1).err()? {
        Failure::Violated(violation) => Some(violation.property),
        Failure::Panicked(message) => panic!("{message}"),
    }
}

/// The last two operations, which are appends.
fn last_two(operations: &mut [Operation]) -> [&mut Batch; 2] {
    match operations {
        [.., Operation::Append(_, one), Operation::Append(_, other)] => [one, other],
        _ => panic!("another log than was looked for"),
    }
}

#[test]
fn a_true_history_is_accepted() {
    assert_eq!(verdict(|_| ()), None);
}

#[test]
fn a_record_that_was_acknowledged_and_is_not_there_is_lost() {
    let more = |operations: &mut Vec<Operation>| {
        let end = Expected::after(operations).log_end;
        let batch = Batch { id: u64::MAX, producer: None, ..last_two(operations)[1].clone() };
        operations.push(Operation::Append(end, batch));
    };
    assert_eq!(verdict(more), Some(Property::LosesNothing));
}

#[test]
fn a_record_that_nobody_asked_for_is_invented() {
    let fewer = |operations: &mut Vec<Operation>| operations.truncate(operations.len() - 1);
    assert_eq!(verdict(fewer), Some(Property::InventsNothing));
}

#[test]
fn records_that_stand_in_another_order_are_noticed() {
    let swapped = |operations: &mut Vec<Operation>| {
        let [one, other] = last_two(operations);
        std::mem::swap(one, other);
    };
    assert_eq!(verdict(swapped), Some(Property::KeepsOrder));
}

#[test]
fn a_record_with_other_bytes_is_noticed() {
    let altered = |operations: &mut Vec<Operation>| last_two(operations)[0].timestamp += 1;
    assert_eq!(verdict(altered), Some(Property::IsWhole));
}

#[test]
fn a_log_that_was_deleted_and_is_there_is_noticed() {
    let deleted = |operations: &mut Vec<Operation>| operations.push(Operation::Delete);
    assert_eq!(verdict(deleted), Some(Property::KeepsDeleted));
}

#[test]
fn a_log_that_nobody_made_is_noticed() {
    let (mut cut, id) = lived();
    cut.moment.logs.remove(&id);
    assert!(matches!(failed(&cut), Some(Property::InventsNothing | Property::RemovesFolders)));
}
