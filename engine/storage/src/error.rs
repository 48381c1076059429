//! Why a store does not do what it was asked for.

use std::fmt;

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
    /// The journal did not take it.
    Append(AppendError),
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CreateError::Exists(id) => write!(f, "log {id} exists already"),
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
