//! The data folder as a whole: its sub-folders, and the layout file that says how many shards it
//! has.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use metadata::BrokerId;
use protocol::Uuid;
use runtime::{Buffer, FileSystem, Open, Shard};
use storage::inspect::BLOCK_BYTES;
use storage::{Layout, LayoutFault};

/// Why a data folder can't be used.
#[derive(Debug)]
pub enum FolderError {
    /// A file or folder can't be used.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The layout file can't be read.
    Layout {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: LayoutFault,
    },
    /// The data is spread over another number of shards.
    Shards {
        /// In the folder.
        there: u16,
        /// Wanted.
        wanted: u16,
    },
    /// A part of the folder is on another device than the folder itself.
    Devices {
        /// Which part.
        path: PathBuf,
    },
    /// Another broker's data.
    Broker {
        /// In the folder.
        there: BrokerId,
        /// Configured.
        wanted: BrokerId,
    },
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FolderError::Io { path, error } => write!(f, "{}: {error}", path.display()),
            FolderError::Layout { path, fault } => write!(f, "{}: {fault}", path.display()),
            FolderError::Shards { there, wanted } => write!(
                f,
                "the data is spread over {there} shards and {wanted} are wanted: set \
                 ringmain.shards={there}"
            ),
            FolderError::Devices { path } => write!(
                f,
                "{} is on another device than the data folder: one flush must save both; move it \
                 there",
                path.display()
            ),
            FolderError::Broker { there, wanted } => write!(
                f,
                "the data belongs to broker {} and node.id is {}: set node.id={}",
                there.0, wanted.0, there.0
            ),
        }
    }
}

impl std::error::Error for FolderError {}

/// The name of the layout file in the data folder.
pub const LAYOUT_FILE_NAME: &str = "layout";

/// Reads the layout file's bytes; `path` is for messages.
pub fn decode_layout(bytes: &[u8], path: &Path) -> Result<Layout, FolderError> {
    Layout::decode(bytes).map_err(|fault| FolderError::Layout { path: path.into(), fault })
}

/// The cluster's id as clients see it.
pub(crate) fn cluster_id_text(layout: &Layout) -> String {
    Uuid(layout.cluster_id).to_string()
}

/// Makes what is missing of the folder and reads the layout; writes one into a fresh folder. For
/// shard 0 alone, before the others touch the folder.
pub(crate) async fn prepare(
    shard: &Shard,
    folder: &Path,
    broker: BrokerId,
) -> Result<Layout, FolderError> {
    make_dir(shard, folder).await?;
    make_dir(shard, &folder.join("partitions")).await?;
    for index in 0..shard.count() {
        make_dir(shard, &folder.join(format!("shard-{index:03}"))).await?;
    }
    let path = folder.join(LAYOUT_FILE_NAME);
    let layout = match shard.disk().open(&path, Open::read()).await {
        Ok(file) => {
            let (got, mut bytes) = file.read(Buffer::plain(BLOCK_BYTES), 0).await;
            bytes.truncate(got.map_err(io_at(&path))?);
            // As above: a start that was killed may have left it in the device's cache.
            file.sync_all().await.map_err(io_at(&path))?;
            shard.disk().sync_dir(folder).await.map_err(io_at(folder))?;
            decode_layout(&bytes, &path)?
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let mut cluster_id = [0; 16];
            cluster_id[..8].copy_from_slice(&shard.random_u64().to_be_bytes());
            cluster_id[8..].copy_from_slice(&shard.random_u64().to_be_bytes());
            let shard_count = shard.count();
            let (generation, broker_id) = (1, broker.0);
            let layout = Layout { shard_count, broker_id, generation, cluster_id };
            write(shard, folder, &layout).await?;
            layout
        }
        Err(error) => return Err(FolderError::Io { path, error }),
    };
    if layout.shard_count != shard.count() {
        return Err(FolderError::Shards { there: layout.shard_count, wanted: shard.count() });
    }
    let there = BrokerId(layout.broker_id);
    if there != broker {
        return Err(FolderError::Broker { there, wanted: broker });
    }
    Ok(layout)
}

/// The file system that holds the folder and everything in it: a settle flushes one device.
pub(crate) async fn file_system(shard: &Shard, folder: &Path) -> Result<FileSystem, FolderError> {
    let disk = shard.disk();
    let whole = disk.identity(folder).await.map_err(io_at(folder))?;
    for part in ["partitions".into(), format!("shard-{:03}", shard.id().0)] {
        let path = folder.join(part);
        let own = disk.identity(&path).await.map_err(io_at(&path))?;
        if own.device != whole.device {
            return Err(FolderError::Devices { path });
        }
    }
    Ok(whole)
}

async fn write(shard: &Shard, folder: &Path, layout: &Layout) -> Result<(), FolderError> {
    let (new, path) = (folder.join("layout.new"), folder.join(LAYOUT_FILE_NAME));
    let disk = shard.disk();
    let file = disk.open(&new, Open::read().write().create().truncate()).await;
    let file = file.map_err(io_at(&new))?;
    file.write(layout.encode().into(), 0).await.map_err(io_at(&new))?;
    file.sync_all().await.map_err(io_at(&new))?;
    disk.rename(&new, &path).await.map_err(io_at(&path))?;
    disk.sync_dir(folder).await.map_err(io_at(folder))
}

/// Makes a folder, and its name durable.
async fn make_dir(shard: &Shard, path: &Path) -> Result<(), FolderError> {
    match shard.disk().create_dir(path).await {
        Ok(()) => {}
        // Its name may not be durable yet: whoever made it may have been killed before that.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(FolderError::Io { path: path.into(), error }),
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            shard.disk().sync_dir(parent).await.map_err(io_at(parent))
        }
        Some(_) => shard.disk().sync_dir(Path::new(".")).await.map_err(io_at(path)),
        None => Ok(()),
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |error| FolderError::Io { path, error }
}
