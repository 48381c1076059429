//! From an operation that may block to its system call.

use super::attempt::result;
use crate::op::{Op, SyncKind, UnlinkKind};
use std::os::fd::RawFd;
use std::ptr;

/// Performs the operation on the calling thread; its number, or its error's.
pub(super) fn perform(op: Op) -> i32 {
    match op {
        Op::Open { .. } | Op::MakeDir { .. } | Op::Rename { .. } | Op::Unlink { .. } => name(op),
        Op::Read { fd, memory, len, position } => {
            // SAFETY: writes at most `len` bytes of memory that the operation's slot keeps.
            result(unsafe { libc::pread64(fd.raw, memory.cast(), len as usize, position as i64) })
        }
        Op::Write { fd, memory, len, position, .. } => write(fd.raw, memory, len, position),
        Op::WriteDurable { fd, memory, len, position, .. } => {
            write_durably(fd.raw, memory, len, position)
        }
        Op::Splice { from, position: Some(position), to, len } => {
            // From a file to a pipe, which is non-blocking.
            let (mut position, none) = (position as i64, ptr::null_mut());
            let len = len as usize;
            // SAFETY: reads and writes one number of ours, besides descriptors and numbers.
            result(unsafe { libc::splice(from.raw, &mut position, to.raw, none, len, 0) })
        }
        op => whole_file(op),
    }
}

fn name(op: Op) -> i32 {
    let returned = match op {
        // SAFETY: reads a C string that the operation's slot keeps.
        Op::Open { path, flags } => unsafe { libc::open(path, flags, 0o644) },
        // SAFETY: as above.
        Op::MakeDir { path } => unsafe { libc::mkdir(path, 0o755) },
        // SAFETY: as above, two of them.
        Op::Rename { from, to } => unsafe { libc::rename(from, to) },
        // SAFETY: as for an open.
        Op::Unlink { path, kind: UnlinkKind::File } => unsafe { libc::unlink(path) },
        // SAFETY: as for an open.
        Op::Unlink { path, kind: UnlinkKind::Directory } => unsafe { libc::rmdir(path) },
        _ => unreachable!("`perform` sends only these here"),
    };
    result(returned as isize)
}

fn whole_file(op: Op) -> i32 {
    let returned = match op {
        Op::Stat { fd, into } => {
            let (empty, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
            let mask = libc::STATX_SIZE | libc::STATX_TYPE;
            // SAFETY: writes one value that the operation's slot keeps.
            unsafe { libc::statx(fd.raw, empty, flags, mask, into) }
        }
        // SAFETY: takes a descriptor.
        Op::Sync { fd, kind: SyncKind::Data } => unsafe { libc::fdatasync(fd.raw) },
        // SAFETY: takes a descriptor.
        Op::Sync { fd, kind: SyncKind::All } => unsafe { libc::fsync(fd.raw) },
        Op::Allocate { fd, position, len } => {
            // SAFETY: takes a descriptor and numbers.
            unsafe { libc::fallocate64(fd.raw, 0, position as i64, len as i64) }
        }
        Op::DropCached { fd, position, len } => {
            let len = i64::try_from(len).unwrap_or(0); // 0 means to the end
            let advice = libc::POSIX_FADV_DONTNEED;
            // SAFETY: takes a descriptor and numbers. It returns its error.
            return -unsafe { libc::posix_fadvise64(fd.raw, position as i64, len, advice) };
        }
        // SAFETY: takes a descriptor and a number.
        Op::Truncate { fd, len } => unsafe { libc::ftruncate64(fd.raw, len as i64) },
        // SAFETY: nobody else uses the descriptor any more: its last user asks for this.
        Op::Close { fd, .. } => unsafe { libc::close(fd.raw) },
        _ => unreachable!("the driver does the rest itself"),
    };
    result(returned as isize)
}

fn write(raw: RawFd, memory: *const u8, len: u32, position: u64) -> i32 {
    // SAFETY: reads memory that the operation's slot keeps.
    result(unsafe { libc::pwrite64(raw, memory.cast(), len as usize, position as i64) })
}

/// A kernel, or who guards it, that does not know the flag or the call gets a write and a sync,
/// which save at least as much. Only a write that is whole is worth a sync.
fn write_durably(raw: RawFd, memory: *const u8, len: u32, position: u64) -> i32 {
    let vector = libc::iovec { iov_base: memory.cast_mut().cast(), iov_len: len as usize };
    let offset = position as i64;
    // SAFETY: reads one vector of ours, and memory that the operation's slot keeps.
    let written = result(unsafe { libc::pwritev2(raw, &vector, 1, offset, libc::RWF_DSYNC) });
    if !matches!(-written, libc::EOPNOTSUPP | libc::ENOSYS | libc::EPERM) {
        return written;
    }
    let written = write(raw, memory, len, position);
    if u32::try_from(written) != Ok(len) {
        return written;
    }
    // SAFETY: takes a descriptor.
    match result(unsafe { libc::fdatasync(raw) } as isize) {
        0 => written,
        e => e,
    }
}
