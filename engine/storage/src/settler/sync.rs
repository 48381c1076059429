//! Makes a round's files durable before the manifest speaks of them, at a cost that does not grow
//! with their number.
//!
//! `syncfs` saves the inodes and names of the whole file system. It waits for what strangers wrote,
//! may report a stranger's error, and is no barrier for overwritten blocks on XFS; so a flush of
//! the device follows, by an fdatasync of one file of the round. With few files, on an error, past
//! a deadline, or on another file system than ext4 and XFS, each file and folder is synced instead.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use runtime::{FileSystemKind, Level, SYNC_FS_LATE_AFTER};

use crate::segment::Unsynced;
use crate::shortage::sync_dir;
use crate::store::StoreCore;

/// Returns when everything in `unsynced` is on disk: blocks, sizes, names. A failed sync
/// ends the shard.
pub(super) async fn make_durable(core: &StoreCore, unsynced: Vec<Unsynced>) {
    if unsynced.is_empty() {
        return;
    }
    let known = matches!(core.file_system, FileSystemKind::Ext4 | FileSystemKind::Xfs);
    let many = unsynced.len() > core.config.sync_each_max;
    if known && many && sync_everything(core).await {
        if cfg!(feature = "known-bad-recycle-before-flush") {
            return;
        }
        // Any file's sync flushes the device, and with it every write that has completed.
        return sync_file(core, &unsynced[0]).await;
    }
    for file in &unsynced {
        sync_file(core, file).await;
    }
    let folders = folders_of_new(&unsynced);
    // Folders are opened for their syncs: what the round's files take of the limit on open files
    // must not be what that waits for.
    drop(unsynced);
    sync_names(core, &folders).await;
}

/// One `syncfs`. False if it failed or took too long, which may be a stranger's doing.
async fn sync_everything(core: &StoreCore) -> bool {
    if cfg!(feature = "known-bad-skip-syncfs") {
        return true;
    }
    let sync = core.shard.disk().sync_fs(&core.partitions_dir);
    match core.shard.timeout(SYNC_FS_LATE_AFTER, sync).await {
        Ok(Ok(())) => return true,
        // It has been said of the one that takes so long.
        Ok(Err(error)) if error.kind() == io::ErrorKind::ResourceBusy => {}
        Ok(Err(error)) => {
            core.shard.log(Level::Warn, format_args!("syncfs: {error}; syncing file by file"));
        }
        Err(_) => core.shard.log(
            Level::Warn,
            format_args!(
                "syncfs takes more than {} s: syncing file by file until it has ended",
                SYNC_FS_LATE_AFTER.as_secs()
            ),
        ),
    }
    false
}

async fn sync_file(core: &StoreCore, unsynced: &Unsynced) {
    let synced = match unsynced.is_new {
        true => unsynced.file.sync_all().await,
        false => unsynced.file.sync_data().await,
    };
    if let Err(error) = synced {
        core.shard.fatal(&format_args!(
            "the sync of {} failed: {error}; check the disk, then start again",
            unsynced.path.display()
        ));
    }
}

/// The names of new files, in their folders, and of new folders.
async fn sync_names(core: &StoreCore, folders: &BTreeSet<PathBuf>) {
    if cfg!(feature = "known-bad-skip-dir-sync") {
        return;
    }
    for folder in folders {
        sync_folder(core, folder).await;
    }
    if !folders.is_empty() {
        sync_folder(core, &core.partitions_dir).await;
    }
}

fn folders_of_new(unsynced: &[Unsynced]) -> BTreeSet<PathBuf> {
    let new = unsynced.iter().filter(|file| file.is_new);
    new.filter_map(|file| file.path.parent().map(Path::to_path_buf)).collect()
}

/// Makes the names in a folder durable, those that went too.
pub(super) async fn sync_folder(core: &StoreCore, folder: &Path) {
    if let Err(error) = sync_dir(&core.shard, folder).await {
        core.shard.fatal(&format_args!(
            "the sync of {} failed: {error}; check the disk, then start again",
            folder.display()
        ));
    }
}
