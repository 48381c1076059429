//! The lock on a data directory, which outlives a killed process by its writes in flight.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How often somebody else's lock is tried.
const PAUSE: Duration = Duration::from_millis(5);

/// An exclusive `flock` on the file `.lock` of a directory, held until the last clone, and every
/// ring that [holds](crate::Shard::hold) it, is gone.
///
/// After `kill -9`, direct writes in flight outlive the process by milliseconds. They keep their
/// ring alive, the ring keeps the lock's description, and so a restarted process waits for them
/// instead of racing them.
#[derive(Clone, Debug)]
pub struct DirLock(Arc<File>);

/// Why there is no lock.
#[derive(Debug)]
pub enum LockError {
    /// Somebody else has held it for all the time that there was: look which process does, and
    /// end it or take another directory.
    InUse,
    /// The file can't be made or locked.
    Io(io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockError::InUse => {
                write!(f, "another process uses it: end that one, or name another directory")
            }
            LockError::Io(e) => e.fmt(f),
        }
    }
}

impl DirLock {
    /// Takes the lock. Blocks for up to `patience`: to be called before the shards start. `on_wait`
    /// is called once if somebody else holds it, before waiting.
    pub fn acquire(
        path: &Path,
        patience: Duration,
        on_wait: impl FnOnce(),
    ) -> Result<DirLock, LockError> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false);
        let file = file.open(path.join(".lock")).map_err(LockError::Io)?;
        if !try_lock(&file)? {
            on_wait();
            let began = Instant::now();
            while !try_lock(&file)? {
                if began.elapsed() >= patience {
                    return Err(LockError::InUse);
                }
                thread::sleep(PAUSE);
            }
        }
        Ok(DirLock(Arc::new(file)))
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Whether the lock was free.
fn try_lock(file: &File) -> Result<bool, LockError> {
    match flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(e) => Err(LockError::Io(e)),
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
