//! The lock on a data directory, which outlives a killed process by its writes in flight.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;

/// An exclusive `flock` on the file `.lock` of a directory, held until the last clone, and every
/// ring that [holds](crate::Shard::hold) it, is gone.
///
/// After `kill -9`, direct writes in flight outlive the process by milliseconds. They keep their
/// ring alive, the ring keeps the lock's description, and so a restarted process waits for them
/// instead of racing them.
#[derive(Clone, Debug)]
pub struct DirLock(Arc<File>);

impl DirLock {
    /// Takes the lock. Blocks: to be called before the shards start. `on_wait` is called once if
    /// somebody else holds it, before waiting.
    pub fn acquire(path: &Path, on_wait: impl FnMut()) -> io::Result<DirLock> {
        let mut on_wait = on_wait;
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false);
        let file = file.open(path.join(".lock"))?;
        match flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                on_wait();
                flock(file.as_raw_fd(), libc::LOCK_EX)?;
            }
            other => other?,
        }
        Ok(DirLock(Arc::new(file)))
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

fn flock(fd: RawFd, how: i32) -> io::Result<()> {
    loop {
        // SAFETY: takes a descriptor and a number.
        if unsafe { libc::flock(fd, how) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
