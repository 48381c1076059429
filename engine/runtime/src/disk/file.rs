//! An open file: positioned reads and writes, syncs, and the part of it that other shards may hold.

use crate::bell::{Bell, Letter};
use crate::buffer::Buffer;
use crate::lease::Lease;
use crate::memory::Parked;
use crate::op::{CloseKind, Fd, Op, SyncKind, check};
use crate::ring::{Holder, Keep};
use crate::shard::Core;
use std::cell::OnceCell;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;

/// Linux moves at most so many bytes in one call; more is a programmer's error here.
const IO_MAX_BYTES: usize = 0x7fff_f000;

/// An open file of this shard. Clones are the same file; it closes, through the ring, when the last
/// clone, the last operation on it and the last [`SharedFile`] are gone.
#[derive(Clone)]
pub struct File(Rc<Inner>);

struct Inner {
    core: Rc<Core>,
    fd: Fd,
    shared: OnceCell<SharedFile>,
}

/// A file that other shards may splice from. It keeps the file open.
#[derive(Clone)]
pub struct SharedFile(Arc<Shared>);

struct Shared {
    raw: RawFd,
    /// The shard that opened it, which closes it too.
    home: Arc<Bell>,
}

impl File {
    pub(crate) fn adopt(core: &Rc<Core>, raw: RawFd) -> File {
        let fd = core.driver().adopt(raw);
        File(Rc::new(Inner { core: core.clone(), fd, shared: OnceCell::new() }))
    }

    /// Reads into the whole of `buf` from `position` on; short only at the end of the file. The
    /// buffer comes back in either case.
    pub async fn read(&self, buf: Buffer, position: u64) -> (io::Result<usize>, Buffer) {
        let holder = || Holder::File(self.clone());
        read_into(&self.0.core, self.0.fd, holder, buf, position).await
    }

    /// Writes all of `bytes` at `position`. A short write is an error.
    pub async fn write(&self, bytes: Lease, position: u64) -> io::Result<()> {
        let len = bytes.len();
        let op = Op::Write {
            fd: self.0.fd,
            memory: bytes.as_ptr(),
            len: io_len(len),
            position,
            fixed: bytes.fixed_in(self.0.core.number),
        };
        let outcome = self.submit(op, Keep::Lease(bytes)).await;
        written(outcome.result, len)
    }

    /// Writes all of `bytes` at `position` and makes them durable, in one operation, with what
    /// reading them back needs: itself, and no other write. A device with FUA is not flushed for
    /// it, so it is no barrier for what completed before. Several may be in flight. After an error
    /// nothing is known about the file: stop.
    pub async fn write_durably(&self, bytes: Lease, position: u64) -> io::Result<()> {
        let len = bytes.len();
        let op = Op::WriteDurable {
            fd: self.0.fd,
            memory: bytes.as_ptr(),
            len: io_len(len),
            position,
            fixed: bytes.fixed_in(self.0.core.number),
        };
        let outcome = self.submit(op, Keep::Lease(bytes)).await;
        written(outcome.result, len)
    }

    /// Makes durable what was written before, and what reading it back needs.
    pub async fn sync_data(&self) -> io::Result<()> {
        self.sync(SyncKind::Data).await
    }

    /// Makes durable what was written before, and the whole inode.
    pub async fn sync_all(&self) -> io::Result<()> {
        self.sync(SyncKind::All).await
    }

    /// Cuts the file, or lengthens it with a hole.
    pub async fn truncate(&self, len: u64) -> io::Result<()> {
        self.done(Op::Truncate { fd: self.0.fd, len }).await
    }

    /// Takes space for a range; the file's size grows to its end.
    pub async fn allocate(&self, position: u64, len: u64) -> io::Result<()> {
        self.done(Op::Allocate { fd: self.0.fd, position, len }).await
    }

    /// Cached pages of the range are not needed any more: what a cold reader leaves behind it shall
    /// not push out what others read.
    pub async fn drop_cached(&self, position: u64, len: u64) -> io::Result<()> {
        self.done(Op::DropCached { fd: self.0.fd, position, len }).await
    }

    /// The file's size.
    pub async fn size_bytes(&self) -> io::Result<u64> {
        // SAFETY: plain integers; zeroes are a valid value.
        let stat = Parked::new(unsafe { std::mem::zeroed::<libc::statx>() });
        let op = Op::Stat { fd: self.0.fd, into: stat.as_ptr() };
        let outcome = self.submit(op, Keep::Stat(stat)).await;
        check(outcome.result)?;
        match outcome.keep {
            Keep::Stat(stat) => Ok(stat.get().stx_size),
            _ => unreachable!("the slot was given a stat"),
        }
    }

    /// A handle that may go to another shard.
    pub fn share(&self) -> SharedFile {
        let make = || {
            let home = self.0.core.bell.clone();
            SharedFile(Arc::new(Shared { raw: self.0.fd.raw, home }))
        };
        self.0.shared.get_or_init(make).clone()
    }

    pub(super) async fn sync(&self, kind: SyncKind) -> io::Result<()> {
        self.done(Op::Sync { fd: self.0.fd, kind }).await
    }

    async fn done(&self, op: Op) -> io::Result<()> {
        check(self.submit(op, Keep::Nothing).await.result).map(|_| ())
    }

    fn submit(&self, op: Op, keep: Keep) -> crate::ring::Ticket {
        self.0.core.submit(op, keep, Holder::File(self.clone()))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.shared.get().is_some() {
            // The descriptor is the shared file's, which closes it when its last clone is gone.
            self.core.driver().disown(self.fd);
        } else {
            self.core.close(self.fd, CloseKind::MayBlock);
        }
    }
}

impl SharedFile {
    pub(crate) fn fd(&self) -> Fd {
        Fd::plain(self.0.raw)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Its own shard closes it, as closing may block. Without that shard the process is ending
        // (or its simulated node has ended), and closes everything.
        let _ = self.home.post(Letter::Close(self.raw));
    }
}

/// Fills `buf` from `position` on, as far as the file goes.
pub(super) async fn read_into(
    core: &Rc<Core>,
    fd: Fd,
    holder: impl Fn() -> Holder,
    buf: Buffer,
    position: u64,
) -> (io::Result<usize>, Buffer) {
    let mut buf = buf;
    let mut got = 0;
    while got < buf.len() {
        let memory = &mut buf[got..];
        let op = Op::Read {
            fd,
            memory: memory.as_mut_ptr(),
            len: io_len(memory.len()),
            position: position + got as u64,
        };
        let outcome = core.submit(op, Keep::Buffer(buf), holder()).await;
        buf = outcome.keep.buffer();
        match check(outcome.result) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return (Err(e), buf),
        }
        if !(position + got as u64).is_multiple_of(crate::memory::DIRECT_ALIGN as u64) {
            break; // a read ends early between two pages only; direct I/O may not go on from here
        }
    }
    (Ok(got), buf)
}

fn io_len(len: usize) -> u32 {
    assert!(len <= IO_MAX_BYTES, "{len} bytes are more than one operation moves");
    len as u32
}

fn written(result: i32, wanted: usize) -> io::Result<()> {
    let n = check(result)?;
    if n == wanted {
        return Ok(());
    }
    let text = format!("wrote {n} of {wanted} bytes: is the disk full?");
    Err(io::Error::new(io::ErrorKind::WriteZero, text))
}
