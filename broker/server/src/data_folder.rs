//! The data folder as a whole: its sub-folders, and the layout file that says how many shards it
//! has.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use metadata::BrokerId;
use protocol::Uuid;
use runtime::{Buffer, FileSystem, Open, Shard};
use storage::inspect::{self, BLOCK_BYTES};
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
    /// There is a broker's data, and no layout that says how it is spread.
    NoLayout {
        /// Where the layout belongs.
        path: PathBuf,
        /// What is there all the same.
        there: PathBuf,
    },
    /// A part that the layout promises is not there, and what was acknowledged in it neither.
    Missing {
        /// Which part.
        path: PathBuf,
        /// What it is.
        what: &'static str,
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
            FolderError::NoLayout { path, there } => write!(
                f,
                "{} is missing, but there is data in {}: restore the layout from a copy of this \
                 data folder, or name an empty folder in log.dirs",
                path.display(),
                there.display()
            ),
            FolderError::Missing { path, what } => write!(
                f,
                "{} is missing: {what}, and what was acknowledged is not whole without it; \
                 restore the data folder from a copy, or name an empty folder in log.dirs",
                path.display()
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
/// The folder of all partitions' folders in the data folder.
const PARTITIONS: &str = "partitions";
/// What the names of the shards' folders begin with.
const SHARD_PREFIX: &str = "shard-";

/// Reads the layout file's bytes; `path` is for messages.
pub fn decode_layout(bytes: &[u8], path: &Path) -> Result<Layout, FolderError> {
    Layout::decode(bytes).map_err(|fault| FolderError::Layout { path: path.into(), fault })
}

/// The cluster's id as clients see it.
pub(crate) fn cluster_id_text(layout: &Layout) -> String {
    Uuid(layout.cluster_id).to_string()
}

/// The layout's generation while a first start has not made everything yet.
const UNFINISHED: u64 = 0;

/// Reads the layout, or makes a fresh folder. For shard 0 alone, before the others touch the
/// folder. What a broker has made and is gone is not made anew: the rest of the data would be
/// taken for nobody's.
///
/// ```text
/// folders ─► layout, generation 0 ─► each shard's journal and manifest ─► layout, generation 1
/// ```
///
/// Each step is durable before the next, so whatever the layout promises was there once; a first
/// start that was cut in between goes on.
pub(crate) async fn prepare(
    shard: &Shard,
    folder: &Path,
    broker: BrokerId,
) -> Result<Layout, FolderError> {
    make_dir(shard, folder).await?;
    let path = folder.join(LAYOUT_FILE_NAME);
    let layout = match shard.disk().open(&path, Open::read()).await {
        Ok(file) => {
            let (got, mut bytes) = file.read(Buffer::plain(BLOCK_BYTES), 0).await;
            bytes.truncate(got.map_err(io_at(&path))?);
            // A start that was killed may have left it, and names, in the device's cache.
            file.sync_all().await.map_err(io_at(&path))?;
            shard.disk().sync_dir(folder).await.map_err(io_at(folder))?;
            decode_layout(&bytes, &path)?
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            check_fresh(shard, folder).await?;
            make(shard, folder, broker).await?
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
    check_whole(shard, folder, &layout).await?;
    Ok(layout)
}

/// Every shard has its journal and its manifest: says so in the layout, before anything is
/// acknowledged. From now on a shard without them has lost them.
pub(crate) async fn finish(
    shard: &Shard,
    folder: &Path,
    layout: &Layout,
) -> Result<(), FolderError> {
    if layout.generation != UNFINISHED {
        return Ok(());
    }
    write(shard, folder, &Layout { generation: UNFINISHED + 1, ..*layout }).await
}

async fn make(shard: &Shard, folder: &Path, broker: BrokerId) -> Result<Layout, FolderError> {
    create_dir(shard, &folder.join(PARTITIONS)).await?;
    for index in 0..shard.count() {
        create_dir(shard, &folder.join(shard_folder_name(index))).await?;
    }
    shard.disk().sync_dir(folder).await.map_err(io_at(folder))?;
    let mut cluster_id = [0; 16];
    cluster_id[..8].copy_from_slice(&shard.random_u64().to_be_bytes());
    cluster_id[8..].copy_from_slice(&shard.random_u64().to_be_bytes());
    let (shard_count, broker_id) = (shard.count(), broker.0);
    let layout = Layout { shard_count, broker_id, generation: UNFINISHED, cluster_id };
    write(shard, folder, &layout).await?;
    Ok(layout)
}

/// Nothing but empty folders may be there without a layout, as that is durable before any file.
async fn check_fresh(shard: &Shard, folder: &Path) -> Result<(), FolderError> {
    for entry in shard.disk().list(folder).await.map_err(io_at(folder))? {
        let is_part = entry.name == PARTITIONS || entry.name.starts_with(SHARD_PREFIX);
        if !is_part {
            continue;
        }
        let there = folder.join(&entry.name);
        if !shard.disk().list(&there).await.map_err(io_at(&there))?.is_empty() {
            return Err(FolderError::NoLayout { path: folder.join(LAYOUT_FILE_NAME), there });
        }
    }
    Ok(())
}

/// What the layout promises is there.
async fn check_whole(shard: &Shard, folder: &Path, layout: &Layout) -> Result<(), FolderError> {
    let partitions = folder.join(PARTITIONS);
    list_or_missing(shard, &partitions, "it holds the segments of all partitions").await?;
    for index in 0..layout.shard_count {
        let path = folder.join(shard_folder_name(index));
        let names = list_or_missing(shard, &path, "it is one shard's journal and manifest").await?;
        if layout.generation == UNFINISHED {
            continue;
        }
        let has = |is: fn(&str) -> bool| names.iter().any(|name| is(name));
        if !has(|name| inspect::manifest_file_number(name).is_some()) {
            let (path, what) = (path.join("manifest-*.rm"), "it says what is in the segments");
            return Err(FolderError::Missing { path, what });
        }
        if !has(|name| inspect::journal_file_number(name).is_some()) {
            let (path, what) = (path.join("journal-*.rj"), "it holds what is in no segment yet");
            return Err(FolderError::Missing { path, what });
        }
    }
    Ok(())
}

async fn list_or_missing(
    shard: &Shard,
    path: &Path,
    what: &'static str,
) -> Result<Vec<String>, FolderError> {
    match shard.disk().list(path).await {
        Ok(entries) => Ok(entries.into_iter().map(|entry| entry.name).collect()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(FolderError::Missing { path: path.into(), what })
        }
        Err(error) => Err(FolderError::Io { path: path.into(), error }),
    }
}

fn shard_folder_name(index: u16) -> String {
    format!("{SHARD_PREFIX}{index:03}")
}

/// The file system that holds the folder and everything in it: a settle flushes one device.
pub(crate) async fn file_system(shard: &Shard, folder: &Path) -> Result<FileSystem, FolderError> {
    let disk = shard.disk();
    let whole = disk.identity(folder).await.map_err(io_at(folder))?;
    for part in [PARTITIONS.into(), shard_folder_name(shard.id().0)] {
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
    create_dir(shard, path).await?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            shard.disk().sync_dir(parent).await.map_err(io_at(parent))
        }
        Some(_) => shard.disk().sync_dir(Path::new(".")).await.map_err(io_at(path)),
        None => Ok(()),
    }
}

/// Makes a folder whose name the caller makes durable, even if it is there already: whoever made it
/// may have been killed before that.
async fn create_dir(shard: &Shard, path: &Path) -> Result<(), FolderError> {
    match shard.disk().create_dir(path).await {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(io_at(path)(e)),
        _ => Ok(()),
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |error| FolderError::Io { path, error }
}
