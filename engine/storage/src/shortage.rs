//! Which errors of the disk pass by themselves: something is short, and nothing was changed.

use std::io;
use std::path::Path;
use std::time::Duration;

use runtime::Shard;

/// How long to wait for a descriptor before a folder is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(50);
/// `ENFILE` and `EMFILE`: the system, or the process, has too many files open.
const NO_DESCRIPTOR: [i32; 2] = [23, 24];

/// What is short. Whoever meets one waits and tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// The file system is full, or a quota is used up.
    Space,
    /// Too many files are open.
    Descriptors,
}

impl Shortage {
    /// What is short if an operation that **takes** something fails like this; none if time mends
    /// nothing. A write into what was taken, and a sync, have no shortages: their errors end the
    /// shard.
    pub(crate) fn of(error: &io::Error) -> Option<Shortage> {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Shortage::Space),
            _ if error.raw_os_error().is_some_and(|code| NO_DESCRIPTOR.contains(&code)) => {
                Some(Shortage::Descriptors)
            }
            _ => None,
        }
    }

    /// What is said of the file that wants it, and what the operator does about it.
    pub(crate) fn for_file(self, path: &Path) -> String {
        let path = path.display();
        match self {
            Shortage::Space => format!("no space for {path}: delete records or topics"),
            Shortage::Descriptors => {
                format!("too many files are open for {path}: raise `ulimit -n`")
            }
        }
    }
}

/// Makes the names in a folder durable. A folder is opened for that: for want of a descriptor it is
/// waited, as nothing has been synced yet then and no sync has failed.
pub(crate) async fn sync_dir(shard: &Shard, folder: &Path) -> io::Result<()> {
    loop {
        match shard.disk().sync_dir(folder).await {
            Err(e) if Shortage::of(&e) == Some(Shortage::Descriptors) => {
                shard.sleep(RETRY_DELAY).await;
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_and_descriptors_are_short_and_nothing_else_is() {
        for (code, expected) in [
            (5, None),                         // EIO
            (13, None),                        // EACCES
            (23, Some(Shortage::Descriptors)), // ENFILE
            (24, Some(Shortage::Descriptors)), // EMFILE
            (28, Some(Shortage::Space)),       // ENOSPC
            (122, Some(Shortage::Space)),      // EDQUOT
        ] {
            assert_eq!(Shortage::of(&io::Error::from_raw_os_error(code)), expected, "{code}");
        }
    }
}
