//! A segment's file that is not there any more, or not all of it: what is said, and what is done.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A file that has settled bytes by the manifest and lacks them on the disk. No write and no power
/// cut of ours leaves that: somebody removed or cut it, or an old copy took its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostFile {
    /// Where it belongs.
    pub path: PathBuf,
    /// How many bytes of it are settled.
    pub settled_bytes: u64,
    /// How many there are; none without a file.
    pub found_bytes: Option<u64>,
}

impl LostFile {
    /// What opening a file has shown that has so many settled bytes, if it is a loss. `found` is
    /// the size of the opened file.
    pub(crate) fn of(path: &Path, settled_bytes: u64, found: &io::Result<u64>) -> Option<LostFile> {
        let found_bytes = match found {
            Ok(size_bytes) => Some(*size_bytes),
            Err(error) if is_gone(error) => None,
            Err(_) => return None,
        };
        (found_bytes.unwrap_or(0) < settled_bytes).then(|| LostFile {
            path: path.to_path_buf(),
            settled_bytes,
            found_bytes,
        })
    }
}

/// Whether an error says that there is no such file, or something else in its place.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

impl fmt::Display for LostFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LostFile { path, settled_bytes, found_bytes } = self;
        let path = path.display();
        match found_bytes {
            None => write!(f, "{path} is missing, with {settled_bytes} settled bytes")?,
            Some(found) => write!(f, "{path} has {found} of {settled_bytes} settled bytes left")?,
        }
        write!(f, ": restore the partition's folder from a copy")
    }
}
