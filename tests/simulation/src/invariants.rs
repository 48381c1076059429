//! What must hold of a store whenever it has been opened. One property a file.

mod acknowledged_survives;
mod deleted_stays_deleted;
mod look_ups_are_right;
mod windows_are_right;

use std::collections::BTreeMap;

use runtime::Shard;
use storage::{LogId, Store};

use crate::history::{Expected, Moment};
use crate::inspect;

/// Checks every property of a store that was opened a moment ago, against what the outside knew
/// when its predecessor stopped. Answers with how many operations of each log survived.
///
/// # Panics
/// If a property does not hold, saying which, of which log, and what was found.
pub async fn hold(shard: &Shard, store: &Store, moment: &Moment) -> BTreeMap<LogId, usize> {
    let mut survived = BTreeMap::new();
    let own = |id: &LogId| u16::from(id.topic_id[15]) == shard.id().0;
    for (id, (history, asked)) in moment.logs.iter().filter(|(id, _)| own(id)) {
        let log = store.log(id);
        let found = match &log {
            Some(log) => inspect::read_back(log).await,
            None => Expected::default(),
        };
        let operations = &history.operations.borrow()[..*asked].to_vec();
        deleted_stays_deleted::check(id, operations, history.acknowledged, &found);
        let (count, expected) =
            acknowledged_survives::check(id, operations, history.acknowledged, &found);
        if let Some(log) = &log {
            windows_are_right::check(log, &expected);
            look_ups_are_right::check(log, &expected).await;
        }
        survived.insert(*id, count);
    }
    for log in store.logs() {
        assert!(moment.logs.contains_key(&log.id()), "invented: log {}", log.id());
    }
    survived
}
