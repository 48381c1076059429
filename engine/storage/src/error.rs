//! Why a store does not do what it was asked for.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::journal::NoRoom;
use crate::log_id::LogId;

/// Why a batch was not appended. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// Too much waits to be settled. Wait with [`Store::room`](crate::Store::room), then try again.
    NoRoom(NoRoom),
    /// The disk is down to its reserve. It heals by itself when space comes back.
    DiskFull {
        /// What is kept free.
        reserve_bytes: u64,
    },
    /// The log has been deleted.
    Deleted,
    /// A file of the log is lost: nothing is put behind the hole.
    Quarantined,
    /// No journal file could take it.
    TooLarge {
        /// The batch.
        size_bytes: usize,
        /// The largest that fits.
        max_bytes: usize,
    },
}

impl From<NoRoom> for AppendError {
    fn from(refused: NoRoom) -> AppendError {
        AppendError::NoRoom(refused)
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendError::NoRoom(refused) => refused.fmt(f),
            AppendError::DiskFull { reserve_bytes } => write!(
                f,
                "less than {reserve_bytes} bytes of the disk are free: try again when there is more"
            ),
            AppendError::Deleted => write!(f, "the log has been deleted"),
            AppendError::Quarantined => write!(
                f,
                "a file of this partition is lost: restore it from a copy, the broker's log says \
                 which"
            ),
            AppendError::TooLarge { size_bytes, max_bytes } => {
                write!(f, "a batch of {size_bytes} bytes; at most {max_bytes} fit one commit")
            }
        }
    }
}

/// Why a log was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateError {
    /// It is there already.
    Exists(LogId),
    /// One of that id was deleted, and the journal still says so.
    Deleted(LogId),
    /// Its folder has files, though neither the journal nor the manifest knows of it.
    Folder {
        /// That folder.
        path: PathBuf,
    },
    /// The disk does not say what is in its folder.
    Io {
        /// That folder.
        path: PathBuf,
        /// Why.
        error: io::ErrorKind,
    },
    /// The journal did not take it.
    Append(AppendError),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CreateError::Exists(id) => write!(f, "log {id} exists already"),
            CreateError::Deleted(id) => write!(
                f,
                "log {id} was deleted a while ago: it can be made again when the journal has \
                 settled beyond that"
            ),
            CreateError::Folder { path } => write!(
                f,
                "{} holds its segments, and what a shard knew of them is lost: restore the data \
                 folder from a copy, or move that folder away and start again, to begin with none",
                path.display()
            ),
            CreateError::Io { path, error } => {
                write!(f, "{} cannot be listed: {error}; check the disk", path.display())
            }
            CreateError::Append(e) => e.fmt(f),
        }
    }
}

/// Why a log was not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteError {
    /// There is none.
    Unknown(LogId),
    /// The journal did not take the tombstone.
    Append(AppendError),
}

impl fmt::Display for DeleteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeleteError::Unknown(id) => write!(f, "there is no log {id}"),
            DeleteError::Append(e) => e.fmt(f),
        }
    }
}
