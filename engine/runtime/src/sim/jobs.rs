//! Disk operations of simulated processes: each takes effect on the disk when its time comes.

use std::ffi::{CStr, OsStr};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::disk::{OpenHow, Sync};
use super::driver::Caller;
use super::files::{Files, Handle, Hook};
use super::names::Entry;
use super::platter::{BLOCK_BYTES, WriteId};
use super::world::{Event, State, Universe};
use super::{DiskImage, Fault, OpKind, SyncMoment, SyncPoint};
use crate::disk::{DirEntry, EntryKind, FileSystem, Space};
use crate::op::{Blocking, Fd, Op, Payload, SyncKind, UnlinkKind};

/// What `free_space` says of a disk without a limit.
const UNLIMITED_BYTES: u64 = 1 << 40;

/// A disk operation between submission and completion.
pub(crate) struct Job {
    caller: Caller,
    work: Work,
}

/// `written` is what the durable write has to tell that the sync is a part of.
enum Work {
    Open { path: PathBuf, flags: i32 },
    Stat { inode: u64, into: *mut libc::statx },
    Read { inode: u64, memory: *mut u8, len: usize, position: u64 },
    Splice { inode: u64, pipe: u64, position: u64, len: usize },
    Write { write: Write, then_sync: Option<(u64, PathBuf)> },
    Sync { sync: Sync, path: PathBuf, written: i32 },
    Allocate { inode: u64, range: Range<u64> },
    Truncate { inode: u64, len: u64 },
    MakeDir(PathBuf),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf, UnlinkKind),
    Blocking(Blocking),
    Nothing,
}

enum Write {
    /// `landed`: how much of it reaches the device; all if none.
    Direct {
        write: WriteId,
        landed: Option<u64>,
    },
    Cached {
        inode: u64,
        position: u64,
        bytes: Vec<u8>,
        landed: Landed,
    },
    Failed(i32),
    /// Nothing is written, and nobody is told.
    Lost {
        len: u64,
    },
}

/// Whether the process that asked for something still runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    Lives,
    Gone,
}

/// Whether a write did all that was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Landed {
    Whole,
    InPart,
}

/// A sync point, on its way to the test.
#[must_use]
pub(crate) struct Notice {
    hook: Hook,
    point: SyncPoint,
    image: DiskImage,
}

impl Notice {
    fn tell(self) {
        (self.hook.borrow_mut())(self.point, self.image);
    }
}

impl Job {
    pub(crate) fn node(&self) -> usize {
        self.caller.shard.node
    }
}

impl Universe {
    /// Takes a disk operation of a living shard.
    pub(crate) fn disk_op(&self, caller: Caller, op: Op) {
        let notice = self.state.borrow_mut().begin_disk_op(caller, op);
        notice.into_iter().for_each(Notice::tell);
    }

    /// The time of a disk operation has come.
    pub(crate) fn finish_job(&self, job: Job) {
        let notices = self.state.borrow_mut().finish_job(job);
        notices.into_iter().for_each(Notice::tell);
    }
}

impl State {
    fn begin_disk_op(&mut self, caller: Caller, op: Op) -> Option<Notice> {
        let files = &mut self.machines[caller.shard.node].files;
        let mut notice = None;
        let work = match op {
            Op::Open { path, flags } => Work::Open { path: owned(path), flags },
            Op::MakeDir { path } => Work::MakeDir(owned(path)),
            Op::Rename { from, to } => Work::Rename(owned(from), owned(to)),
            Op::Unlink { path, kind } => Work::Unlink(owned(path), kind),
            Op::Stat { fd, into } => Work::Stat { inode: files.file(fd).0, into },
            Op::Read { fd, memory, len, position } => {
                let (inode, direct, path) = files.file(fd);
                if direct {
                    check_alignment(&path, memory as usize, len, position);
                }
                let len = self.pages_of(position, len as usize);
                Work::Read { inode, memory, len, position }
            }
            Op::Write { fd, memory, len, position, .. } => {
                let write = self.begin_write(caller, fd, memory, len, position);
                Work::Write { write, then_sync: None }
            }
            Op::WriteDurable { fd, memory, len, position, .. } => {
                let (inode, _, path) = files.file(fd);
                let write = self.begin_write(caller, fd, memory, len, position);
                notice = self.sync_point(caller.shard.node, SyncMoment::WriteSubmitted, &path);
                Work::Write { write, then_sync: Some((inode, path)) }
            }
            Op::Sync { fd, kind } => {
                let (inode, _, path) = files.file(fd);
                let sync = files.disk_mut().begin_sync(inode, kind);
                notice = self.sync_point(caller.shard.node, SyncMoment::Submitted, &path);
                Work::Sync { sync, path, written: 0 }
            }
            Op::Allocate { fd, position, len } => {
                Work::Allocate { inode: files.file(fd).0, range: position..position + len }
            }
            Op::Truncate { fd, len } => Work::Truncate { inode: files.file(fd).0, len },
            Op::Blocking(Blocking::Truncate { raw, len }) => {
                Work::Truncate { inode: files.file(Fd::plain(raw)).0, len }
            }
            Op::Blocking(Blocking::SyncFs(_)) => {
                let sync = files.disk_mut().begin_sync_fs();
                notice = self.sync_point(caller.shard.node, SyncMoment::Submitted, Path::new("/"));
                Work::Sync { sync, path: "/".into(), written: 0 }
            }
            Op::Blocking(other) => Work::Blocking(other),
            Op::Close { fd, .. } => {
                if let Some(Handle::File { inode, .. }) = files.remove_handle(fd) {
                    files.disk_mut().close(inode);
                }
                Work::Nothing
            }
            Op::DropCached { .. } => Work::Nothing,
            Op::Cancel { key } => {
                self.cancel_job(Caller { key, ..caller });
                return None;
            }
            _ => unreachable!("the network's operations were taken before"),
        };
        self.start_job(Job { caller, work });
        notice
    }

    fn start_job(&mut self, job: Job) {
        let delay = self.disk_delay(job.node());
        self.schedule(delay, Event::Disk(Box::new(job)));
    }

    /// Part of a file goes through a pipe.
    pub(crate) fn splice_from_file(
        &mut self,
        caller: Caller,
        fd: Fd,
        position: u64,
        pipe: u64,
        len: usize,
    ) {
        let (inode, ..) = self.machines[caller.shard.node].files.file(fd);
        let len = self.pages_of(position, len);
        let work = Work::Splice { inode, pipe, position, len };
        self.start_job(Job { caller, work });
    }

    /// All of a read, or by lot a part of it, up to the end of a page.
    fn pages_of(&mut self, position: u64, len: usize) -> usize {
        let part = self.part_of(len);
        let before = (position % BLOCK_BYTES as u64) as usize;
        match (before + part) / BLOCK_BYTES * BLOCK_BYTES {
            end if part < len && end > before => end - before,
            _ => len,
        }
    }

    fn begin_write(
        &mut self,
        caller: Caller,
        fd: Fd,
        memory: *const u8,
        len: u32,
        position: u64,
    ) -> Write {
        let files = &mut self.machines[caller.shard.node].files;
        let (inode, direct, path) = files.file(fd);
        if direct {
            check_alignment(&path, memory as usize, len, position);
        }
        // SAFETY: the contract of `Op`: the memory is valid until the completion.
        let bytes = unsafe { std::slice::from_raw_parts(memory, len as usize) };
        // Each counts every write.
        let [fails, is_short, is_lost, strays] =
            [Fault::Write, Fault::ShortWrite, Fault::LostWrite, Fault::MisdirectedWrite]
                .map(|fault| files.fails(fault));
        if !direct && fails {
            return Write::Failed(libc::EIO);
        }
        if !direct {
            let kept = if is_short { bytes.len() / 2 } else { bytes.len() };
            let landed = if is_short { Landed::InPart } else { Landed::Whole };
            return Write::Cached { inode, position, bytes: bytes[..kept].to_vec(), landed };
        }
        if is_lost {
            return Write::Lost { len: u64::from(len) };
        }
        let position = if strays { elsewhere(position, u64::from(len)) } else { position };
        let write = match files.disk_mut().begin_write(inode, position, bytes.into()) {
            Ok(write) => write,
            Err(error) => return Write::Failed(error),
        };
        let part = self.rng.below(u64::from(len) / BLOCK_BYTES as u64) * BLOCK_BYTES as u64;
        if fails {
            self.machines[caller.shard.node].files.disk_mut().end_write(write, part);
            return Write::Failed(libc::EIO);
        }
        Write::Direct { write, landed: is_short.then_some(part) }
    }

    fn sync_point(&mut self, node: usize, moment: SyncMoment, path: &Path) -> Option<Notice> {
        let now = self.now_ns;
        let files = &mut self.machines[node].files;
        files.sync_points += 1;
        self.trace.event(&[now, files.sync_points]);
        let hook = files.hook.clone()?;
        let point = SyncPoint { number: files.sync_points, moment, path: path.to_path_buf() };
        Some(Notice { hook, point, image: DiskImage(files.disk.clone()) })
    }

    fn finish_job(&mut self, job: Job) -> Vec<Notice> {
        let Job { caller, work } = job;
        let node = caller.shard.node;
        let asker = if self.lives(caller.shard) { Asker::Lives } else { Asker::Gone };
        let mut notices = Vec::new();
        let result = match work {
            Work::Write { write, then_sync } => {
                let id = write.id();
                let (result, how) = self.finish_write(node, write);
                match (result, then_sync) {
                    (Ok(len), Some((inode, path)))
                        if asker == Asker::Lives && how == Landed::Whole =>
                    {
                        notices.extend(self.sync_of_write(caller, inode, id, path, len as i32));
                        None
                    }
                    _ => Some(result.map(|len| len as i32)),
                }
            }
            Work::Sync { sync, path, written } => {
                let result = self.finish_sync(node, sync).map(|()| written);
                if result.is_ok() {
                    notices.extend(self.sync_point(node, SyncMoment::Completed, &path));
                }
                Some(result)
            }
            Work::Blocking(what) if asker == Asker::Lives => {
                let result = self.answer(node, what);
                let (result, payload) = match result {
                    Ok(payload) => (0, payload),
                    Err(error) => (-error, Payload::None),
                };
                self.complete_with(caller, result, payload);
                None
            }
            work => Some(self.finish_plain(node, asker, work)),
        };
        if let Some(result) = result {
            self.complete(caller, number(result));
        }
        if asker == Asker::Gone {
            self.landed(node);
        }
        notices
    }

    fn finish_write(&mut self, node: usize, write: Write) -> (Result<u64, i32>, Landed) {
        let mut rng = self.rng.split();
        let disk = self.machines[node].files.disk_mut();
        match write {
            Write::Failed(error) => (Err(error), Landed::InPart),
            Write::Lost { len } => (Ok(len), Landed::Whole),
            Write::Direct { write, landed: Some(part) } => {
                disk.end_write(write, part);
                (Ok(part), Landed::InPart)
            }
            Write::Direct { write, landed: None } => {
                let len = disk.write_len(write);
                disk.end_write(write, len);
                (Ok(len), Landed::Whole)
            }
            Write::Cached { inode, position, bytes, landed } => {
                let written = disk.write_cached(inode, position, &bytes, &mut rng);
                (written.map(|()| bytes.len() as u64), landed)
            }
        }
    }

    fn finish_sync(&mut self, node: usize, sync: Sync) -> Result<(), i32> {
        let files = &mut self.machines[node].files;
        let fails = files.fails(Fault::Sync).then_some(libc::EIO);
        let planned = files.planned_error(OpKind::Sync);
        let owed = files.disk_mut().take_error(&sync).then_some(libc::EIO);
        let Some(error) = planned.or(fails).or(owed) else {
            files.disk_mut().end_sync(sync);
            return Ok(());
        };
        // The error may be a stranger's: nothing is saved then, and nothing lost.
        if !sync.is_of_everything() || self.rng.chance(3, 4) {
            self.machines[node].files.disk_mut().fail_sync(sync);
        }
        Err(error)
    }

    /// The second half of a durable write.
    fn sync_of_write(
        &mut self,
        caller: Caller,
        inode: u64,
        id: Option<WriteId>,
        path: PathBuf,
        written: i32,
    ) -> Option<Notice> {
        let node = caller.shard.node;
        let disk = self.machines[node].files.disk_mut();
        let sync = match id {
            Some(id) => disk.begin_sync_of_write(inode, id),
            None => disk.begin_sync(inode, SyncKind::Data),
        };
        let notice = self.sync_point(node, SyncMoment::Submitted, &path);
        self.start_job(Job { caller, work: Work::Sync { sync, path, written } });
        notice
    }

    /// Operations whose completion is one number.
    fn finish_plain(&mut self, node: usize, asker: Asker, work: Work) -> Result<i32, i32> {
        let mut rng = self.rng.split();
        let files = &mut self.machines[node].files;
        let planned = match work.kind() {
            Some(kind) if asker == Asker::Lives => files.planned_error(kind),
            _ => None,
        };
        if let Some(error) = planned {
            return Err(error);
        }
        match work {
            Work::Open { path, flags } => open(files, asker, path, flags),
            Work::MakeDir(path) => files.disk_mut().make_dir(&path).map(|()| 0),
            Work::Rename(from, to) => files.disk_mut().rename(&from, &to).map(|()| 0),
            Work::Unlink(path, kind) => files.disk_mut().unlink(&path, kind).map(|()| 0),
            Work::Allocate { inode, range } => files.disk_mut().allocate(inode, range).map(|()| 0),
            Work::Truncate { inode, len } => files.disk_mut().truncate(inode, len).map(|()| 0),
            Work::Nothing => Ok(0),
            // What only tells something is of no use to the dead, and their memory is gone.
            _ if asker == Asker::Gone => Ok(0),
            Work::Stat { inode, into } => {
                // SAFETY: the contract of `Op`: the slot keeps the place until this completion.
                let stat = unsafe { &mut *into };
                stat.stx_size = files.disk.size(inode);
                stat.stx_mode = libc::S_IFREG as u16 | 0o644;
                Ok(0)
            }
            Work::Read { inode, memory, len, position } => {
                if files.fails(Fault::Read) {
                    return Err(libc::EIO);
                }
                // SAFETY: the contract of `Op`: the buffer is the ring's until this completion, and
                // the process lives, so the ring does.
                let into = unsafe { std::slice::from_raw_parts_mut(memory, len) };
                files.disk.read(inode, position, into, &mut rng).map(|count| count as i32)
            }
            Work::Splice { inode, pipe, position, len } => {
                if files.fails(Fault::Read) {
                    return Err(libc::EIO);
                }
                let mut bytes = vec![0; len];
                let count = files.disk.read(inode, position, &mut bytes, &mut rng)?;
                Ok(self.net.fill_pipe(pipe, &bytes[..count]) as i32)
            }
            Work::Write { .. } | Work::Sync { .. } | Work::Blocking(_) => {
                unreachable!("these were told apart before")
            }
        }
    }

    fn answer(&mut self, node: usize, what: Blocking) -> Result<Payload, i32> {
        let files = &mut self.machines[node].files;
        let kind = match what {
            Blocking::List(_) => Some(OpKind::List),
            Blocking::FreeSpace(_) => Some(OpKind::FreeSpace),
            _ => None,
        };
        if let Some(error) = kind.and_then(|kind| files.planned_error(kind)) {
            return Err(error);
        }
        let disk = &files.disk;
        match what {
            Blocking::List(path) => {
                let entry = |(name, entry, size): (std::ffi::OsString, Entry, u64)| DirEntry {
                    name: name.to_string_lossy().into_owned(),
                    kind: if entry.is_dir { EntryKind::Directory } else { EntryKind::File },
                    size_bytes: if entry.is_dir { 0 } else { size },
                };
                Ok(Payload::Entries(disk.list(&path)?.into_iter().map(entry).collect()))
            }
            Blocking::FreeSpace(path) => {
                disk.exists(&path)?;
                let total_bytes = disk.capacity_bytes().min(UNLIMITED_BYTES);
                let free_bytes = total_bytes.saturating_sub(disk.used_bytes());
                Ok(Payload::Space(Space { free_bytes, total_bytes }))
            }
            Blocking::Identity(path) => {
                disk.exists(&path)?;
                let kind = self.options.file_system;
                Ok(Payload::FileSystem(FileSystem { device: node as u64 + 1, kind }))
            }
            Blocking::SyncFs(_) | Blocking::Truncate { .. } => {
                unreachable!("these were told apart when they were submitted")
            }
        }
    }

    /// One thing less that a killed process had in flight.
    fn landed(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        machine.landing = machine.landing.saturating_sub(1);
        if machine.landing == 0 {
            machine.waiting_for_lock.drain(..).for_each(|waker| waker.wake());
        }
    }

    /// The process was killed. What it had in flight lands later, in part, or never.
    pub(crate) fn leave_writes_in_flight(&mut self, node: usize) {
        let incarnation = self.machines[node].incarnation;
        let in_flight = self.unschedule(|event| {
            matches!(event, Event::Disk(job)
                if job.node() == node && job.caller.shard.incarnation == incarnation)
        });
        for event in in_flight {
            let Event::Disk(mut job) = event else { continue };
            let lands = job.work.changes_the_disk() && self.rng.chance(3, 4);
            if let Work::Write { write, then_sync } = &mut job.work {
                *then_sync = None;
                match lands {
                    true => self.curtail(node, write),
                    false => self.abandon_write(node, write),
                }
            }
            if lands {
                let delay = self.disk_delay(node) * 4;
                self.machines[node].landing += 1;
                self.schedule(delay, Event::Disk(job));
            }
        }
    }

    /// A killed process' write lands: all of it, or by lot the first part.
    fn curtail(&mut self, node: usize, write: &mut Write) {
        let Write::Direct { write, landed } = write else { return };
        let len = self.machines[node].files.disk.write_len(*write);
        if landed.is_none() && self.rng.chance(1, 4) {
            *landed = Some(self.rng.below(len / BLOCK_BYTES as u64 + 1) * BLOCK_BYTES as u64);
        }
    }

    /// A write never reaches the device.
    fn abandon_write(&mut self, node: usize, write: &Write) {
        if let Write::Direct { write, .. } = write {
            self.machines[node].files.disk_mut().end_write(*write, 0);
        }
    }

    /// By lot an operation that has not begun ends at once, or nothing stops it any more.
    fn cancel_job(&mut self, caller: Caller) {
        if self.rng.chance(1, 2) {
            return;
        }
        let is_it = |event: &Event| match event {
            Event::Disk(job) => job.caller == caller && job.work.may_be_cancelled(),
            _ => false,
        };
        for event in self.unschedule(is_it) {
            let Event::Disk(job) = event else { continue };
            self.complete(caller, -libc::ECANCELED);
            let node = job.caller.shard.node;
            match job.work {
                Work::Write { write, .. } => self.abandon_write(node, &write),
                Work::Sync { sync, .. } => self.machines[node].files.disk_mut().cancel_sync(sync),
                _ => {}
            }
        }
    }
}

impl Write {
    /// What the device knows the write by; none if it went into the page cache.
    fn id(&self) -> Option<WriteId> {
        match self {
            Write::Direct { write, .. } => Some(*write),
            Write::Lost { .. } => Some(WriteId::NONE),
            Write::Cached { .. } | Write::Failed(_) => None,
        }
    }
}

impl Work {
    /// Whether it may be taken back before it began: not what a helper thread does, nor a close.
    fn may_be_cancelled(&self) -> bool {
        match self {
            Work::Sync { sync, .. } => !sync.is_of_everything(),
            Work::Blocking(_) | Work::Nothing => false,
            _ => true,
        }
    }

    /// What a planned error may be about, for operations that it leaves undone.
    fn kind(&self) -> Option<OpKind> {
        match self {
            Work::Open { .. } => Some(OpKind::Open),
            Work::MakeDir(_) => Some(OpKind::MakeDir),
            Work::Rename(..) => Some(OpKind::Rename),
            Work::Unlink(_, UnlinkKind::File) => Some(OpKind::RemoveFile),
            Work::Unlink(_, UnlinkKind::Directory) => Some(OpKind::RemoveDir),
            Work::Allocate { .. } => Some(OpKind::Allocate),
            Work::Truncate { .. } => Some(OpKind::Truncate),
            _ => None,
        }
    }

    fn changes_the_disk(&self) -> bool {
        !matches!(
            self,
            Work::Stat { .. }
                | Work::Read { .. }
                | Work::Splice { .. }
                | Work::Blocking(_)
                | Work::Nothing
        )
    }
}

fn open(files: &mut Files, asker: Asker, path: PathBuf, flags: i32) -> Result<i32, i32> {
    let has = |flag: i32| flags & flag == flag;
    let how = OpenHow {
        create: has(libc::O_CREAT),
        create_new: has(libc::O_CREAT | libc::O_EXCL),
        truncate: has(libc::O_TRUNC),
    };
    let disk = files.disk_mut();
    let entry = disk.open(&path, how)?;
    let refused = match entry.is_dir {
        true => has(libc::O_RDWR) || has(libc::O_WRONLY),
        false => has(libc::O_DIRECTORY),
    };
    if refused || asker == Asker::Gone {
        disk.close(entry.inode);
        return Err(if entry.is_dir { libc::EISDIR } else { libc::ENOTDIR });
    }
    Ok(files.open_handle(Handle::File { inode: entry.inode, direct: has(libc::O_DIRECT), path }))
}

/// Another place for a write: just before its own if there is one, else just behind.
fn elsewhere(position: u64, len: u64) -> u64 {
    match position.checked_sub(len) {
        Some(before) => before,
        None => position + len,
    }
}

/// What Linux answers with EINVAL is a bug of the caller, and said so at once.
fn check_alignment(path: &Path, address: usize, len: u32, position: u64) {
    let is_whole = |n: u64| n.is_multiple_of(BLOCK_BYTES as u64);
    assert!(
        is_whole(address as u64) && is_whole(u64::from(len)) && is_whole(position),
        "direct I/O on {} of {len} bytes at {position}, memory at {address:#x}: \
         all three must be multiples of {BLOCK_BYTES}",
        path.display(),
    );
}

fn owned(path: *const libc::c_char) -> PathBuf {
    // SAFETY: the contract of `Op`: a C string that lives until the completion.
    let text = unsafe { CStr::from_ptr(path) };
    PathBuf::from(OsStr::from_bytes(text.to_bytes()))
}

fn number<T: TryInto<i32>>(result: Result<T, i32>) -> i32 {
    match result {
        Ok(count) => count.try_into().unwrap_or(i32::MAX),
        Err(error) => -error,
    }
}
