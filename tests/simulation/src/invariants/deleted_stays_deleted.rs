//! A log whose deletion was acknowledged never comes back, under whatever name a later one has, and
//! its folder goes.

use std::time::Duration;

use runtime::Shard;
use storage::{LogId, Store};

use crate::history::{Expected, Operation};
use crate::violation::{Property, Violation};
use crate::world::PARTITIONS_DIR;

/// More virtual time than the settler takes to remove what a start finds.
const REMOVED_WITHIN: Duration = Duration::from_secs(10);
/// How long until it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The log is not there if it was deleted.
pub fn check(
    id: &LogId,
    operations: &[Operation],
    acknowledged: usize,
    found: &Expected,
) -> Result<(), Violation> {
    let deleted = operations[..acknowledged].contains(&Operation::Delete);
    if deleted && found.exists {
        let evidence = format!("it was deleted, and is back: {found:?}");
        return Err(Violation::of_log(Property::KeepsDeleted, *id, evidence));
    }
    Ok(())
}

/// Soon only the shard's own logs have folders.
pub async fn check_folders(shard: &Shard, store: &Store) -> Result<(), Violation> {
    let deadline = shard.now() + REMOVED_WITHIN;
    loop {
        let listed = shard.disk().list(PARTITIONS_DIR.as_ref()).await;
        let listed =
            listed.map_err(|e| Violation::of_store(Property::IsReadable, e.to_string()))?;
        let ids = listed.iter().filter_map(|folder| LogId::from_folder_name(&folder.name));
        let own = |id: &LogId| u16::from(id.topic_id[15]) == shard.id().0;
        let Some(orphan) = ids.filter(own).find(|id| store.log(id).is_none()) else {
            return Ok(());
        };
        if shard.now() >= deadline {
            let evidence = "its folder stays, though the log is not there";
            return Err(Violation::of_log(Property::RemovesFolders, orphan, evidence));
        }
        shard.sleep(LOOK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = LogId { topic_id: [7; 16], partition: 0 };

    #[test]
    fn a_deleted_log_may_come_back_only_if_nobody_was_told() {
        let operations = [Operation::Create, Operation::Delete];
        let found = Expected::after(&operations[..1]);
        assert_eq!(check(&LOG, &operations, 1, &found), Ok(()));
        let resurrected = check(&LOG, &operations, 2, &found).expect_err("it is back");
        assert_eq!(resurrected.property, Property::KeepsDeleted);
        assert_eq!(check(&LOG, &operations, 2, &Expected::default()), Ok(()));
    }
}
