//! The one thread of the process that may block: what the ring cannot do without waiting.

use crate::bell::{Bell, Letter};
use crate::disk::{DirEntry, EntryKind, FileSystem, FileSystemKind, Space};
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

/// Magic numbers of `statfs(2)`.
const EXT4: i64 = 0xef53;
const XFS: i64 = 0x5846_5342;

struct Job {
    bell: Arc<Bell>,
    key: Key,
    what: Blocking,
}

/// Runs an operation on the helper thread; its completion comes as a letter.
///
/// The queue is not bounded here: each job is an operation in flight, and those are bounded by the
/// tasks that wait for them.
pub(crate) fn run(bell: &Arc<Bell>, key: Key, what: Blocking) {
    static HELPER: OnceLock<Sender<Job>> = OnceLock::new();
    let helper = HELPER.get_or_init(|| {
        let (jobs, queue) = channel::<Job>();
        let work = move || queue.into_iter().for_each(finish);
        let thread = thread::Builder::new().name("ringmain-helper".to_owned());
        thread.spawn(work).expect("a process that runs shards can start one more thread");
        jobs
    });
    let job = Job { bell: bell.clone(), key, what };
    helper.send(job).expect("the helper thread never ends");
}

fn finish(job: Job) {
    let completion = match perform(job.what) {
        Ok(payload) => Completion { key: job.key, result: 0, payload },
        Err(e) => Completion::number(job.key, -e.raw_os_error().unwrap_or(libc::EIO)),
    };
    // A shard that has ended is not waiting.
    let _ = job.bell.post(Letter::Done(completion));
}

fn perform(what: Blocking) -> io::Result<Payload> {
    match what {
        Blocking::List(path) => list(&path).map(Payload::Entries),
        Blocking::FreeSpace(path) => free_space(&path).map(Payload::Space),
        Blocking::Identity(path) => identity(&path).map(Payload::FileSystem),
        Blocking::SyncFs(path) => sync_fs(&path).map(|()| Payload::None),
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
