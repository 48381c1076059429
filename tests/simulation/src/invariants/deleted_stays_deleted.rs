//! A log whose deletion was acknowledged never comes back, under whatever name a later one has.

use storage::LogId;

use crate::history::{Expected, Operation};

pub fn check(id: &LogId, operations: &[Operation], acknowledged: usize, found: &Expected) {
    let deleted = operations[..acknowledged].contains(&Operation::Delete);
    assert!(!(deleted && found.exists), "log {id} was deleted, and is back: {found:?}");
}
