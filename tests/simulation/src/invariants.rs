//! What must hold of a store whenever it has been opened, and of its files. One property a file.

pub mod acknowledged_survives;
pub mod deleted_stays_deleted;
pub mod epochs_are_right;
pub mod files_are_kafkas;
pub mod look_ups_are_right;
pub mod windows_are_right;

use std::collections::BTreeMap;

use runtime::Shard;
use storage::{LogId, Store};

use crate::history::{Expected, Moment};
use crate::inspect;
use crate::violation::{Property, Violation};

/// What an opening found of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survived {
    /// So many of its operations.
    pub operations: usize,
    /// What the log is.
    pub found: Expected,
}

/// Checks every property of a store that was opened a moment ago, against what the outside knew
/// when its predecessor stopped. Answers with what survived of each log.
pub async fn hold(
    shard: &Shard,
    store: &Store,
    moment: &Moment,
) -> Result<BTreeMap<LogId, Survived>, Violation> {
    let mut survived = BTreeMap::new();
    let own = |id: &LogId| u16::from(id.topic_id[15]) == shard.id().0;
    for (id, (history, asked)) in moment.logs.iter().filter(|(id, _)| own(id)) {
        let log = store.log(id);
        let found = match &log {
            Some(log) => inspect::read_back(log).await?,
            None => Expected::default(),
        };
        let operations = &history.operations.borrow()[..*asked].to_vec();
        deleted_stays_deleted::check(id, operations, history.acknowledged, &found)?;
        let (count, expected) =
            acknowledged_survives::check(id, operations, history.acknowledged, &found)?;
        if let Some(log) = &log {
            windows_are_right::check(log, &expected)?;
            epochs_are_right::check(log, &expected)?;
            look_ups_are_right::check(log, &expected).await?;
        }
        survived.insert(*id, Survived { operations: count, found });
    }
    for log in store.logs() {
        if !moment.logs.contains_key(&log.id()) {
            let evidence = "nobody asked for that log";
            return Err(Violation::of_log(Property::InventsNothing, log.id(), evidence));
        }
    }
    Ok(survived)
}
