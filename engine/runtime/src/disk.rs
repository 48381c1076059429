//! Files and directories of one shard, asynchronously, with buffers that change owner.

pub(crate) mod file;
pub(crate) mod open;

use crate::buffer::Buffer;
use crate::memory::Parked;
use crate::op::{Blocking, Op, Payload, SyncKind, UnlinkKind, check};
use crate::ring::{Holder, Keep, Outcome};
use crate::shard::Core;
use file::{File, SharedFile};
use open::Open;
use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// A `syncfs` that runs for longer waits for somebody else's data: it goes on, whoever waits for it
/// does better without, and until it has ended no other is begun.
pub const SYNC_FS_LATE_AFTER: Duration = Duration::from_secs(2);

/// What a name in a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Anything else, symbolic links included.
    Other,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name, without the directory. Names that are not UTF-8 are shown with replacements.
    pub name: String,
    /// What it stands for.
    pub kind: EntryKind,
    /// The file's size; 0 for what is not a file.
    pub size_bytes: u64,
}

/// Room on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that an unprivileged process may still take.
    pub free_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
}

/// Which file system holds a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// The device's number: two paths on one device are saved by one flush.
    pub device: u64,
    /// What we know about it.
    pub kind: FileSystemKind,
}

/// The file systems whose syncs were measured, and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystemKind {
    /// `syncfs` is a barrier here.
    Ext4,
    /// `syncfs` saves inodes and names, and is no barrier for overwritten data.
    Xfs,
    /// Nothing is known: sync each file and directory.
    Other,
}

/// Paths: open, create, rename, remove, list, sync. None of it blocks the shard.
#[derive(Clone)]
pub struct Disk {
    core: Rc<Core>,
}

impl Disk {
    pub(crate) fn new(core: Rc<Core>) -> Disk {
        Disk { core }
    }

    /// Opens a file; a directory too, if it is opened for nothing but syncing.
    pub async fn open(&self, path: &Path, how: Open) -> io::Result<File> {
        let path = c_string(path)?;
        let op = Op::Open { path: path.get().as_ptr(), flags: how.flags() };
        let outcome = self.run(op, Keep::Path(path)).await;
        let raw = check(outcome.result)?;
        Ok(File::adopt(&self.core, raw as i32))
    }

    /// Makes one directory. Its name is durable after a [`sync_dir`](Disk::sync_dir) of its parent.
    pub async fn create_dir(&self, path: &Path) -> io::Result<()> {
        let path = c_string(path)?;
        self.done(Op::MakeDir { path: path.get().as_ptr() }, Keep::Path(path)).await
    }

    /// The names in a directory, sorted.
    pub async fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        match self.blocking(Blocking::List(path.to_path_buf())).await? {
            Payload::Entries(mut entries) => {
                entries.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(entries)
            }
            other => unreachable!("a list answers with entries, not {other:?}"),
        }
    }

    /// Gives a file another name, replacing what had it, in one step.
    pub async fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (c_string(from)?, c_string(to)?);
        let op = Op::Rename { from: from.get().as_ptr(), to: to.get().as_ptr() };
        self.done(op, Keep::Paths(from, to)).await
    }

    /// Removes a file's name.
    pub async fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.unlink(path, UnlinkKind::File).await
    }

    /// Removes an empty directory.
    pub async fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.unlink(path, UnlinkKind::Directory).await
    }

    /// Makes the names in a directory durable.
    pub async fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let path = c_string(path)?;
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let op = Op::Open { path: path.get().as_ptr(), flags };
        let outcome = self.run(op, Keep::Path(path)).await;
        let directory = File::adopt(&self.core, check(outcome.result)? as i32);
        directory.sync(SyncKind::All).await
    }

    /// `syncfs`: makes inodes and names of the whole file system durable. It waits for strangers'
    /// data too, and is **no** barrier for data that was overwritten in place.
    /// One runs at a time; while one takes too long, others get [`io::ErrorKind::ResourceBusy`].
    pub async fn sync_fs(&self, path: &Path) -> io::Result<()> {
        self.blocking(Blocking::SyncFs(path.to_path_buf())).await.map(|_| ())
    }

    /// Room on the file system that holds the path.
    pub async fn free_space(&self, path: &Path) -> io::Result<Space> {
        match self.blocking(Blocking::FreeSpace(path.to_path_buf())).await? {
            Payload::Space(space) => Ok(space),
            other => unreachable!("free space answers with a space, not {other:?}"),
        }
    }

    /// Reads from a file that this shard or another one shares, as [`File::read`] does.
    pub async fn read_shared(
        &self,
        file: &SharedFile,
        buf: Buffer,
        position: u64,
    ) -> (io::Result<usize>, Buffer) {
        file::read_into(&self.core, file.fd(), || Holder::Shared(file.clone()), buf, position).await
    }

    /// Which file system holds the path.
    pub async fn identity(&self, path: &Path) -> io::Result<FileSystem> {
        match self.blocking(Blocking::Identity(path.to_path_buf())).await? {
            Payload::FileSystem(identity) => Ok(identity),
            other => unreachable!("an identity answers with a file system, not {other:?}"),
        }
    }

    async fn unlink(&self, path: &Path, kind: UnlinkKind) -> io::Result<()> {
        let path = c_string(path)?;
        self.done(Op::Unlink { path: path.get().as_ptr(), kind }, Keep::Path(path)).await
    }

    async fn run(&self, op: Op, keep: Keep) -> Outcome {
        self.core.submit(op, keep, Holder::Nobody).await
    }

    async fn done(&self, op: Op, keep: Keep) -> io::Result<()> {
        check(self.run(op, keep).await.result).map(|_| ())
    }

    async fn blocking(&self, what: Blocking) -> io::Result<Payload> {
        let outcome = self.run(Op::Blocking(what), Keep::Nothing).await;
        check(outcome.result)?;
        Ok(outcome.payload)
    }
}

/// A name as the kernel reads it, at an address that stays.
fn c_string(path: &Path) -> io::Result<Parked<CString>> {
    CString::new(path.as_os_str().as_bytes()).map(Parked::new).map_err(|_| {
        let path = PathBuf::from(path);
        io::Error::new(io::ErrorKind::InvalidInput, format!("{} holds a zero byte", path.display()))
    })
}
