//! The threads of the process that may block: one does what the ring cannot do without waiting,
//! one syncs whole file systems, which can take so long that nothing else may wait behind it.

mod sync_thread;

use crate::bell::{Bell, Letter};
use crate::disk::{DirEntry, EntryKind, FileSystem, FileSystemKind, SYNC_FS_LATE_AFTER, Space};
use crate::op::{Blocking, Completion, Key, Payload};
use std::fs::{self, File};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;
use sync_thread::SyncThread;

/// Magic numbers of `statfs(2)`.
const EXT4: i64 = 0xef53;
const XFS: i64 = 0x5846_5342;

struct Job {
    bell: Arc<Bell>,
    key: Key,
    what: Blocking,
}

struct Helpers {
    jobs: Sender<Job>,
    syncs: SyncThread,
}

/// Runs an operation on a helper thread; its completion comes as a letter.
///
/// The queues are not bounded here: each job is an operation in flight, and those are bounded by
/// the tasks that wait for them.
pub(crate) fn run(bell: &Arc<Bell>, key: Key, what: Blocking) {
    static HELPERS: OnceLock<Helpers> = OnceLock::new();
    let helpers = HELPERS.get_or_init(|| Helpers::start(SYNC_FS_LATE_AFTER, sync_fs));
    helpers.submit(Job { bell: bell.clone(), key, what });
}

impl Helpers {
    fn start(
        late_after: Duration,
        sync_fs: impl Fn(&Path) -> io::Result<()> + Send + 'static,
    ) -> Helpers {
        let (jobs, queue) = channel::<Job>();
        let work = move || queue.into_iter().for_each(finish);
        let thread = thread::Builder::new().name("ringmain-helper".to_owned());
        thread.spawn(work).expect("a process that runs shards can start one more thread");
        Helpers { jobs, syncs: SyncThread::start(late_after, sync_fs) }
    }

    fn submit(&self, job: Job) {
        match job {
            Job { bell, key, what: Blocking::SyncFs(path) } => {
                let done = move |result: Result<(), i32>| {
                    let number = result.map_or_else(|code| -code, |()| 0);
                    complete(&bell, Completion::number(key, number));
                };
                self.syncs.submit(path, Box::new(done));
            }
            job => self.jobs.send(job).expect("the helper thread never ends"),
        }
    }
}

fn finish(job: Job) {
    let completion = match perform(job.what) {
        Ok(payload) => Completion { key: job.key, result: 0, payload },
        Err(e) => Completion::number(job.key, -e.raw_os_error().unwrap_or(libc::EIO)),
    };
    complete(&job.bell, completion);
}

fn complete(bell: &Bell, completion: Completion) {
    // A shard that has ended is not waiting.
    let _ = bell.post(Letter::Done(completion));
}

fn perform(what: Blocking) -> io::Result<Payload> {
    match what {
        Blocking::List(path) => list(&path).map(Payload::Entries),
        Blocking::FreeSpace(path) => free_space(&path).map(Payload::Space),
        Blocking::Identity(path) => identity(&path).map(Payload::FileSystem),
        Blocking::SyncFs(_) => unreachable!("it has a thread of its own"),
        Blocking::Truncate { raw, len } => truncate(raw, len).map(|()| Payload::None),
    }
}

fn list(path: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let kind = if kind.is_file() {
            EntryKind::File
        } else if kind.is_dir() {
            EntryKind::Directory
        } else {
            EntryKind::Other
        };
        let size_bytes = match entry.metadata() {
            Ok(metadata) if kind == EntryKind::File => metadata.len(),
            Ok(_) => 0,
            // Removed since it was read: it is not in the directory any more.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.push(DirEntry { name, kind, size_bytes });
    }
    Ok(entries)
}

fn free_space(path: &Path) -> io::Result<Space> {
    let stat = statfs(path)?;
    let block = u64::try_from(stat.f_bsize).unwrap_or(0);
    Ok(Space {
        free_bytes: stat.f_bavail.saturating_mul(block),
        total_bytes: stat.f_blocks.saturating_mul(block),
    })
}

fn identity(path: &Path) -> io::Result<FileSystem> {
    #[allow(clippy::unnecessary_cast, reason = "the field's type differs between libc targets")]
    let kind = match statfs(path)?.f_type as i64 {
        EXT4 => FileSystemKind::Ext4,
        XFS => FileSystemKind::Xfs,
        _ => FileSystemKind::Other,
    };
    Ok(FileSystem { device: fs::metadata(path)?.dev(), kind })
}

fn statfs(path: &Path) -> io::Result<libc::statfs> {
    let file = File::open(path)?;
    let mut stat = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: writes one statfs.
    checked(unsafe { libc::fstatfs(file.as_raw_fd(), stat.as_mut_ptr()) })?;
    // SAFETY: zeroed at first and filled by the call that succeeded.
    Ok(unsafe { stat.assume_init() })
}

fn sync_fs(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    // SAFETY: takes a descriptor.
    checked(unsafe { libc::syncfs(file.as_raw_fd()) })
}

fn truncate(raw: RawFd, len: u64) -> io::Result<()> {
    let len = i64::try_from(len).map_err(|_| io::Error::from_raw_os_error(libc::EFBIG))?;
    // SAFETY: takes a descriptor, which the operation's slot keeps open, and a number.
    checked(unsafe { libc::ftruncate(raw, len) })
}

fn checked(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// The next letters of a shard that has nothing else to do.
    fn next_done(bell: &Bell) -> Vec<Key> {
        loop {
            let Some(letters) = bell.answer().filter(|letters| !letters.is_empty()) else {
                thread::yield_now();
                continue;
            };
            let key = |letter| match letter {
                Letter::Done(Completion { key, result: 0, .. }) => key,
                other => panic!("{other:?}"),
            };
            return letters.into_iter().map(key).collect();
        }
    }

    /// All shards' looks at folders and free space used to wait behind a `syncfs`.
    #[test]
    fn a_sync_of_a_file_system_that_does_not_end_holds_up_nothing_else() {
        let (release, released) = channel::<()>();
        let wait = move |_: &Path| released.recv().map_err(|_| io::ErrorKind::TimedOut.into());
        let helpers = Helpers::start(Duration::MAX, wait);
        let bell = Bell::hang(None);
        let submit = |key, what| helpers.submit(Job { bell: bell.clone(), key: Key(key), what });
        let root = || PathBuf::from("/");
        submit(1, Blocking::SyncFs(root()));
        for (key, what) in [(2, Blocking::FreeSpace(root())), (3, Blocking::List(root()))] {
            submit(key, what);
            assert_eq!(next_done(&bell), [Key(key)]);
        }
        release.send(()).expect("the sync waits");
        assert_eq!(next_done(&bell), [Key(1)]);
        bell.take_down();
    }
}
