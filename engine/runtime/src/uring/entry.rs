//! From an operation to the kernel's submission entry.

use crate::op::{CloseKind, Fd, Op, SyncKind, UnlinkKind};
use io_uring::{opcode, squeue, types};

/// What a file without a position is told: a pipe or a socket.
const NO_POSITION: i64 = -1;

/// The entry of every operation that is one entry.
pub(super) fn of(op: Op) -> squeue::Entry {
    match op {
        Op::Accept { .. }
        | Op::Connect { .. }
        | Op::Recv { .. }
        | Op::Send { .. }
        | Op::TrySendMsg { .. }
        | Op::PollWritable { .. }
        | Op::PollEnd { .. }
        | Op::Shutdown { .. }
        | Op::Splice { .. } => socket(op),
        Op::Cancel { key } => opcode::AsyncCancel::new(key.0).build(),
        op => file(op),
    }
}

/// An entry that was built for a descriptor, on that descriptor's place in the table if it has one.
pub(super) fn on(fd: Fd, build: impl FnOnce(types::Fd) -> squeue::Entry) -> squeue::Entry {
    match fd.slot {
        Some(slot) => build(types::Fd(slot as i32)).flags(squeue::Flags::FIXED_FILE),
        None => build(types::Fd(fd.raw)),
    }
}

fn socket(op: Op) -> squeue::Entry {
    match op {
        Op::Accept { fd, peer } => on(fd, |fd| {
            let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            // SAFETY: only the addresses of the parked value's parts are taken.
            let (addr, len) = unsafe { (&raw mut (*peer).storage, &raw mut (*peer).len) };
            opcode::Accept::new(fd, addr.cast(), len).flags(flags).build()
        }),
        Op::Connect { fd, peer } => on(fd, |fd| {
            // SAFETY: the slot keeps the value, and nobody writes it while we copy its length.
            let (addr, len) = unsafe { (&raw const (*peer).storage, (*peer).len) };
            opcode::Connect::new(fd, addr.cast(), len).build()
        }),
        Op::Recv { fd, memory, len } => on(fd, |fd| opcode::Recv::new(fd, memory, len).build()),
        Op::Send { fd, memory, len } => on(fd, |fd| {
            let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
            opcode::Send::new(fd, memory, len).flags(flags).build()
        }),
        Op::TrySendMsg { fd, message } => on(fd, |fd| {
            let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
            opcode::SendMsg::new(fd, message).flags(flags as u32).build()
        }),
        Op::PollWritable { fd } => {
            on(fd, |fd| opcode::PollAdd::new(fd, libc::POLLOUT as u32).build())
        }
        Op::PollEnd { fd } => {
            // Errors and the end of both directions are told unasked.
            on(fd, |fd| opcode::PollAdd::new(fd, libc::POLLRDHUP as u32).build())
        }
        Op::Shutdown { fd } => on(fd, |fd| opcode::Shutdown::new(fd, libc::SHUT_RDWR).build()),
        Op::Splice { from, position, to, len } => {
            // Splice takes plain descriptors.
            let at = position.map_or(NO_POSITION, |p| p as i64);
            let (from, to) = (types::Fd(from.raw), types::Fd(to.raw));
            opcode::Splice::new(from, at, to, NO_POSITION, len).build()
        }
        _ => unreachable!("`of` sends only these here"),
    }
}

fn file(op: Op) -> squeue::Entry {
    let at = types::Fd(libc::AT_FDCWD);
    match op {
        Op::Open { path, flags } => opcode::OpenAt::new(at, path).flags(flags).mode(0o644).build(),
        Op::Stat { fd, into } => {
            let (empty, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
            let mask = libc::STATX_SIZE | libc::STATX_TYPE;
            let stat = opcode::Statx::new(types::Fd(fd.raw), empty, into.cast());
            stat.flags(flags).mask(mask).build()
        }
        Op::Read { fd, memory, len, position } => {
            on(fd, |fd| opcode::Read::new(fd, memory, len).offset(position).build())
        }
        Op::Write { fd, memory, len, position, fixed: None } => {
            on(fd, |fd| opcode::Write::new(fd, memory, len).offset(position).build())
        }
        Op::Write { fd, memory, len, position, fixed: Some(index) } => {
            on(fd, |fd| opcode::WriteFixed::new(fd, memory, len, index).offset(position).build())
        }
        Op::WriteDurable { fd, memory, len, position, fixed: None } => on(fd, |fd| {
            let write = opcode::Write::new(fd, memory, len).offset(position);
            write.rw_flags(libc::RWF_DSYNC).build()
        }),
        Op::WriteDurable { fd, memory, len, position, fixed: Some(index) } => on(fd, |fd| {
            let write = opcode::WriteFixed::new(fd, memory, len, index).offset(position);
            write.rw_flags(libc::RWF_DSYNC).build()
        }),
        Op::Sync { fd, kind } => on(fd, |fd| {
            let flags = match kind {
                SyncKind::Data => types::FsyncFlags::DATASYNC,
                SyncKind::All => types::FsyncFlags::empty(),
            };
            opcode::Fsync::new(fd).flags(flags).build()
        }),
        Op::Allocate { fd, position, len } => {
            on(fd, |fd| opcode::Fallocate::new(fd, len).offset(position).build())
        }
        Op::DropCached { fd, position, len } => on(fd, |fd| {
            let len = i64::try_from(len).unwrap_or(0); // 0 means to the end
            opcode::Fadvise::new(fd, len as _, libc::POSIX_FADV_DONTNEED).offset(position).build()
        }),
        Op::Truncate { fd, len } => on(fd, |fd| opcode::Ftruncate::new(fd, len).build()),
        Op::MakeDir { path } => opcode::MkDirAt::new(at, path).mode(0o755).build(),
        Op::Rename { from, to } => opcode::RenameAt::new(at, from, at, to).build(),
        Op::Unlink { path, kind } => {
            let flags = match kind {
                UnlinkKind::File => 0,
                UnlinkKind::Directory => libc::AT_REMOVEDIR,
            };
            opcode::UnlinkAt::new(at, path).flags(flags).build()
        }
        Op::Close { fd, kind } => {
            let entry = opcode::Close::new(types::Fd(fd.raw)).build();
            match kind {
                CloseKind::Quick => entry,
                CloseKind::MayBlock => entry.flags(squeue::Flags::ASYNC),
            }
        }
        _ => unreachable!("`of` sends sockets elsewhere, and the driver does the rest itself"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FD: Fd = Fd { raw: 3, slot: None };

    /// The flags of a read, a write or a sync, which share a place in the entry:
    ///
    /// ```text
    /// 0 opcode, flags, ioprio, fd | 8 offset | 16 address | 24 length | 28 flags of the operation
    /// ```
    fn operation_flags(op: Op) -> u32 {
        let entry = of(op);
        assert_eq!(size_of_val(&entry), 64, "an entry as the ring was set up for");
        // SAFETY: an entry is the kernel's 64 bytes, plain integers, and lives until the end.
        let bytes = unsafe { (&raw const entry).cast::<[u8; 64]>().read_unaligned() };
        let [.., a, b, c, d] = *bytes.first_chunk::<32>().expect("32 of 64");
        u32::from_ne_bytes([a, b, c, d])
    }

    fn write(fixed: Option<u16>) -> Op {
        Op::Write { fd: FD, memory: std::ptr::null(), len: 4096, position: 0, fixed }
    }

    fn durable_write(fixed: Option<u16>) -> Op {
        Op::WriteDurable { fd: FD, memory: std::ptr::null(), len: 4096, position: 0, fixed }
    }

    #[test]
    fn a_durable_write_asks_the_kernel_for_durability_and_a_plain_one_does_not() {
        for fixed in [None, Some(7)] {
            let flags = operation_flags(durable_write(fixed));
            assert_eq!(flags, libc::RWF_DSYNC as u32, "memory registered as {fixed:?}");
            assert_eq!(operation_flags(write(fixed)), 0, "memory registered as {fixed:?}");
        }
    }

    #[test]
    fn a_sync_of_data_leaves_out_what_reading_does_not_need_and_a_full_one_nothing() {
        const DATASYNC: u32 = 1; // IORING_FSYNC_DATASYNC
        assert_eq!(operation_flags(Op::Sync { fd: FD, kind: SyncKind::Data }), DATASYNC);
        assert_eq!(operation_flags(Op::Sync { fd: FD, kind: SyncKind::All }), 0);
    }
}
