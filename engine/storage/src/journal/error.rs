//! Why a journal cannot be read or opened, and what to do about it.

use super::place::{Place, file_name};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// A commit that is known to have been synced is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rot {
    pub(crate) place: Place,
    pub(crate) sequence: u64,
    pub(crate) marked: u64,
}

impl Rot {
    /// The number in the name of the damaged file.
    pub fn file(&self) -> u32 {
        self.place.file
    }

    /// Where in the file the commit should stand, in bytes.
    pub fn position(&self) -> u64 {
        self.place.position
    }

    /// The commit that is missing.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The highest commit that is known to have been synced.
    pub fn marked(&self) -> u64 {
        self.marked
    }
}

impl fmt::Display for Rot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "commit {} in {} is damaged, though all up to {} were synced: restore the shard's \
             folder from a copy; `ringmain log dump` shows what can still be read",
            self.sequence, self.place, self.marked
        )
    }
}

/// Why the journal's files do not make a journal.
#[derive(Debug)]
pub enum ScanError {
    /// The system refused.
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Something acknowledged is damaged.
    Rot {
        /// The shard's folder.
        dir: PathBuf,
        /// What and where.
        rot: Rot,
    },
    /// The file that the manifest's replay begins in is not there.
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file of another journal lies among ours.
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer version of the broker wrote this.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u16,
    },
    /// The journal has seen a manifest record that the manifest does not hold.
    ManifestBehind {
        /// The shard's folder.
        dir: PathBuf,
        /// The record that was synced.
        synced: u64,
        /// The last one that is there.
        last: u64,
    },
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScanError::Io { doing, path, error } => {
                write!(f, "{doing} {}: {error}; check the disk and the permissions", path.display())
            }
            ScanError::Rot { dir, rot } => write!(f, "{}: {rot}", dir.display()),
            ScanError::Missing { path } => write!(
                f,
                "{} is gone, and with it what was acknowledged last: restore the shard's folder \
                 from a copy; `ringmain log dump` shows what can still be read",
                path.display()
            ),
            ScanError::Foreign { path } => write!(
                f,
                "{} belongs to another journal: move it out of the folder",
                path.display()
            ),
            ScanError::Newer { path, version } => write!(
                f,
                "{} has format {version}: start the version of the broker that wrote it",
                path.display()
            ),
            ScanError::ManifestBehind { dir, synced, last } => write!(
                f,
                "{}: manifest record {synced} was synced, but the manifest ends with {last}: \
                 restore the folder from a copy; `ringmain log dump` shows what can be read",
                dir.display()
            ),
        }
    }
}

impl std::error::Error for ScanError {}

/// Why the journal could not begin its new generation.
#[derive(Debug)]
pub struct OpenError {
    pub(crate) doing: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OpenError { doing, path, error } = self;
        write!(f, "{doing} {}: {error}; check the disk, its space and permissions", path.display())
    }
}

impl std::error::Error for OpenError {}

/// Why the journal could not be read back.
#[derive(Debug)]
pub enum ReplayError {
    /// The system refused.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A commit is not what the scan found there.
    Changed {
        /// The file.
        path: PathBuf,
        /// Where in it, in bytes.
        position: u64,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplayError::Io { path, error } => {
                write!(f, "reading {}: {error}; check the disk", path.display())
            }
            ReplayError::Changed { path, position } => write!(
                f,
                "{} at position {position} is not what was read a moment ago: check the disk, and \
                 that nothing else writes to the folder",
                path.display()
            ),
        }
    }
}

impl std::error::Error for ReplayError {}

/// Why an entry was not taken. Nothing has changed; wait with [`Journal::room`] and try again.
///
/// [`Journal::room`]: super::Journal::room
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// Too little of the ring has settled.
    Journal,
    /// Too much of the tail's memory is in use.
    Tail,
    /// The journal is stopping: it takes nothing any more.
    Stopping,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoRoom::Journal => "the journal is full until more of it has settled: try again",
            NoRoom::Tail => "the tail's memory is full until more of it has settled: try again",
            NoRoom::Stopping => "the journal is stopping: try again at another broker",
        })
    }
}

impl std::error::Error for NoRoom {}

/// The file's path below the shard's folder.
pub(crate) fn file_path(dir: &std::path::Path, number: u32) -> PathBuf {
    dir.join(file_name(number))
}
