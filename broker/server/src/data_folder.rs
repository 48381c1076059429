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
/// Its name until a first start has made everything.
const BEGUN_LAYOUT_FILE_NAME: &str = "layout.new";
/// The folder of all partitions' folders in the data folder.
const PARTITIONS: &str = "partitions";
/// What the names of the shards' folders begin with.
const SHARD_PREFIX: &str = "shard-";
/// A layout's generation until the number of shards changes.
const FIRST_GENERATION: u64 = 1;

/// Reads the layout file's bytes; `path` is for messages.
pub fn decode_layout(bytes: &[u8], path: &Path) -> Result<Layout, FolderError> {
    Layout::decode(bytes).map_err(|fault| FolderError::Layout { path: path.into(), fault })
}

/// The cluster's id as clients see it.
pub(crate) fn cluster_id_text(layout: &Layout) -> String {
    Uuid(layout.cluster_id).to_string()
}

/// The data folder at a start.
pub(crate) struct DataFolder {
    /// Who it belongs to, and how many shards it has.
    pub(crate) layout: Layout,
    standing: Standing,
}

/// How far a first start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Shards may lack a journal or a manifest: nothing has been acknowledged.
    Begun,
    /// Everything was made: what is not there is lost.
    Whole,
}

/// Finds the data folder, or makes it. For shard 0 alone, before the others touch the folder. What
/// a broker has made and is gone is not made anew: the rest of the data would be taken for
/// nobody's.
///
/// ```text
/// folders and layout.new ─► each shard's journal and manifest ─► layout.new renamed to layout
/// ```
///
/// Each step is durable before the next, so whatever the layout promises was there once; a first
/// start that was cut in between goes on.
pub(crate) async fn prepare(
    shard: &Shard,
    folder: &Path,
    broker: BrokerId,
) -> Result<DataFolder, FolderError> {
    create_dir(shard, folder).await?;
    let (layout, standing) = match read_layout(shard, folder, LAYOUT_FILE_NAME).await? {
        Some(layout) => (layout, Standing::Whole),
        None => (begin(shard, folder, broker).await?, Standing::Begun),
    };
    if layout.shard_count != shard.count() {
        return Err(FolderError::Shards { there: layout.shard_count, wanted: shard.count() });
    }
    let there = BrokerId(layout.broker_id);
    if there != broker {
        return Err(FolderError::Broker { there, wanted: broker });
    }
    let found = DataFolder { layout, standing };
    check_whole(shard, folder, &found).await?;
    Ok(found)
}

/// Every shard has its journal and its manifest: says so by the layout's name, before anything is
/// acknowledged. From now on a shard without them has lost them.
pub(crate) async fn finish(
    shard: &Shard,
    folder: &Path,
    found: &DataFolder,
) -> Result<(), FolderError> {
    if found.standing == Standing::Whole {
        return Ok(());
    }
    let (begun, path) = (folder.join(BEGUN_LAYOUT_FILE_NAME), folder.join(LAYOUT_FILE_NAME));
    shard.disk().rename(&begun, &path).await.map_err(io_at(&path))?;
    shard.disk().sync_dir(folder).await.map_err(io_at(folder))
}

/// Reads a layout and makes it durable: a start that was killed may have left it, and names, in
/// the device's cache. None if it is not there.
async fn read_layout(
    shard: &Shard,
    folder: &Path,
    name: &str,
) -> Result<Option<Layout>, FolderError> {
    let path = folder.join(name);
    let file = match shard.disk().open(&path, Open::read()).await {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FolderError::Io { path, error }),
    };
    let (got, mut bytes) = file.read(Buffer::plain(BLOCK_BYTES), 0).await;
    bytes.truncate(got.map_err(io_at(&path))?);
    file.sync_all().await.map_err(io_at(&path))?;
    sync_names(shard, folder).await?;
    decode_layout(&bytes, &path).map(Some)
}

/// Makes the folders and the layout, or goes on where a first start was cut. All is made before
/// anything is synced: the file system's first sync saves most of it, and the others find little.
async fn begin(shard: &Shard, folder: &Path, broker: BrokerId) -> Result<Layout, FolderError> {
    let begun = match read_layout(shard, folder, BEGUN_LAYOUT_FILE_NAME).await {
        Ok(begun) => begun,
        Err(e @ FolderError::Layout { fault: LayoutFault::Newer { .. }, .. }) => return Err(e),
        // It was torn before it was durable, so nothing was made after it.
        Err(FolderError::Layout { .. }) => None,
        Err(e) => return Err(e),
    };
    if begun.is_none() {
        check_fresh(shard, folder).await?;
    }
    let layout = begun.unwrap_or_else(|| fresh_layout(shard, broker));
    create_dir(shard, &folder.join(PARTITIONS)).await?;
    for index in 0..layout.shard_count {
        create_dir(shard, &folder.join(shard_folder_name(index))).await?;
    }
    if begun.is_none() {
        let path = folder.join(BEGUN_LAYOUT_FILE_NAME);
        let how = Open::read().write().create().truncate();
        let file = shard.disk().open(&path, how).await.map_err(io_at(&path))?;
        file.write(layout.encode().into(), 0).await.map_err(io_at(&path))?;
        file.sync_all().await.map_err(io_at(&path))?;
    }
    sync_names(shard, folder).await?;
    Ok(layout)
}

fn fresh_layout(shard: &Shard, broker: BrokerId) -> Layout {
    let mut cluster_id = [0; 16];
    cluster_id[..8].copy_from_slice(&shard.random_u64().to_be_bytes());
    cluster_id[8..].copy_from_slice(&shard.random_u64().to_be_bytes());
    let (shard_count, broker_id) = (shard.count(), broker.0);
    Layout { shard_count, broker_id, generation: FIRST_GENERATION, cluster_id }
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
async fn check_whole(shard: &Shard, folder: &Path, found: &DataFolder) -> Result<(), FolderError> {
    let partitions = folder.join(PARTITIONS);
    list_or_missing(shard, &partitions, "it holds the segments of all partitions").await?;
    for index in 0..found.layout.shard_count {
        let path = folder.join(shard_folder_name(index));
        let names = list_or_missing(shard, &path, "it is one shard's journal and manifest").await?;
        if found.standing == Standing::Begun {
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

/// Makes the names in the folder durable, and its own.
async fn sync_names(shard: &Shard, folder: &Path) -> Result<(), FolderError> {
    shard.disk().sync_dir(folder).await.map_err(io_at(folder))?;
    match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            shard.disk().sync_dir(parent).await.map_err(io_at(parent))
        }
        Some(_) => shard.disk().sync_dir(Path::new(".")).await.map_err(io_at(folder)),
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
