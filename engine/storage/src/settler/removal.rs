//! Removes the folders of deleted logs, once their tombstones are synced.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use runtime::Shard;

use crate::journal::EntryPlace;
use crate::log_id::LogId;
use crate::store::StoreCore;

/// Removes what can be removed. Answers with the tombstones that are done with, if the removal of
/// names is made durable.
pub(super) async fn remove_folders(
    core: &StoreCore,
    tombstones: &[(EntryPlace, LogId)],
    synced: u64,
) -> Vec<(EntryPlace, LogId)> {
    let due: Vec<_> = tombstones.iter().filter(|(place, _)| place.sequence <= synced).collect();
    if due.is_empty() {
        return Vec::new();
    }
    // By id, not by name: a log that never settled has no folder, and its label may be forgotten.
    let folders = match core.shard.disk().list(&core.partitions_dir).await {
        Ok(entries) => entries,
        Err(error) => {
            warn(core, &core.partitions_dir, &error);
            return Vec::new();
        }
    };
    let by_id: BTreeMap<LogId, String> = folders
        .into_iter()
        .filter_map(|folder| Some((LogId::from_folder_name(&folder.name)?, folder.name)))
        .collect();
    let mut removed = Vec::new();
    for (place, id) in due {
        let Some(name) = by_id.get(id) else {
            removed.push((*place, *id));
            continue;
        };
        let folder = core.partitions_dir.join(name);
        match remove_folder(&core.shard, &folder).await {
            Ok(()) => removed.push((*place, *id)),
            Err(error) => warn(core, &folder, &error),
        }
    }
    removed
}

/// Once of each: it is tried ten times a second.
fn warn(core: &StoreCore, path: &Path, error: &io::Error) {
    core.say_once(
        path,
        format_args!("can't remove {}: {error}; it is tried again and again", path.display()),
    );
}

/// Removes a folder and its files.
async fn remove_folder(shard: &Shard, folder: &Path) -> io::Result<()> {
    let disk = shard.disk();
    for file in disk.list(folder).await? {
        disk.remove_file(&folder.join(&file.name)).await?;
    }
    disk.remove_dir(folder).await
}
