//! Makes one file of the ring, so that no later write changes a size or touches a fresh extent.

use crate::journal::place::file_name;
use crate::shortage::Shortage;
use runtime::{Buffer, File, Open, Shard};
use std::io;
use std::path::{Path, PathBuf};

/// Zeros are written in pieces of this size: the disk's full speed, a few pages of memory.
const PIECE_BYTES: usize = 256 << 10;

/// A file could not be made; what there was of it has been removed if that was possible.
#[derive(Debug)]
pub(crate) struct MakeError {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

impl MakeError {
    /// What was short, if it is that.
    pub(crate) fn shortage(&self) -> Option<Shortage> {
        Shortage::of(&self.error)
    }
}

/// Allocates, writes zeros, syncs, gives it its name, and syncs the folder.
pub(crate) async fn make_file(
    shard: &Shard,
    dir: &Path,
    number: u32,
    size_bytes: u64,
) -> Result<File, MakeError> {
    let path = dir.join(file_name(number));
    let unfinished = dir.join(format!("{}.new", file_name(number)));
    match fill(shard, dir, &unfinished, &path, size_bytes).await {
        Ok(file) => Ok(file),
        Err(error) => {
            // Half a file only takes space; if it stays, the next start removes it. A whole one
            // whose name was not saved takes it under that name, which is nobody else's.
            for name in [&unfinished, &path] {
                let _ = shard.disk().remove_file(name).await;
            }
            Err(MakeError { path, error })
        }
    }
}

async fn fill(
    shard: &Shard,
    dir: &Path,
    unfinished: &Path,
    path: &Path,
    size_bytes: u64,
) -> io::Result<File> {
    let disk = shard.disk();
    let how = Open::read().write().create().truncate().direct();
    let file = disk.open(unfinished, how).await?;
    file.allocate(0, size_bytes).await?;
    let zeros = Buffer::aligned(PIECE_BYTES).freeze();
    let mut position = 0;
    while position < size_bytes {
        let len = (size_bytes - position).min(PIECE_BYTES as u64);
        file.write(zeros.slice(0..len as usize), position).await?;
        position += len;
    }
    file.sync_all().await?;
    disk.rename(unfinished, path).await?;
    #[cfg(not(feature = "known-bad-skip-dir-sync"))]
    disk.sync_dir(dir).await?;
    #[cfg(feature = "known-bad-skip-dir-sync")]
    let _ = dir;
    Ok(file)
}
