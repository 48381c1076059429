//! Operations on sockets, tried without waiting.

use crate::lease::Lease;
use crate::op::{Completion, Fd, Key, Op, Payload};
use std::io;
use std::ptr;

/// What a receive into memory of the driver's takes at most.
const POOLED_BYTES: usize = 4096;

/// The operation's end; its number is `-EAGAIN` if it would have to wait.
pub(super) fn attempt(key: Key, op: &Op) -> Completion {
    match *op {
        Op::RecvPooled { fd } => recv_pooled(key, fd),
        ref op => Completion::number(key, number(op)),
    }
}

/// Received on the stack and copied out, so that an idle connection holds nothing.
fn recv_pooled(key: Key, fd: Fd) -> Completion {
    let mut bytes = [0u8; POOLED_BYTES];
    let result = recv(fd, bytes.as_mut_ptr(), bytes.len());
    let payload = match usize::try_from(result) {
        Ok(n) if n > 0 => Payload::Bytes(Lease::from(&bytes[..n])),
        _ => Payload::None,
    };
    Completion { key, result, payload }
}

fn number(op: &Op) -> i32 {
    match *op {
        Op::Accept { fd, peer } => {
            let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            // SAFETY: the operation's slot keeps the value, and nobody else looks at it before the
            // completion. At most `len` bytes of its storage are written, and then `len`.
            let raw = unsafe {
                let (addr, len) = (&raw mut (*peer).storage, &raw mut (*peer).len);
                libc::accept4(fd.raw, addr.cast(), len, flags)
            };
            result(raw as isize)
        }
        Op::Connect { fd, peer } => {
            // SAFETY: as above; the address is only read.
            let connected = unsafe {
                let (addr, len) = (&raw const (*peer).storage, (*peer).len);
                libc::connect(fd.raw, addr.cast(), len)
            };
            match result(connected as isize) {
                // Called again it says how far it is.
                e if e == -libc::EINPROGRESS || e == -libc::EALREADY => -libc::EAGAIN,
                result => result,
            }
        }
        Op::Recv { fd, memory, len } => recv(fd, memory, len as usize),
        Op::Send { fd, memory, len } => {
            let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
            // SAFETY: reads memory that the operation's slot keeps.
            result(unsafe { libc::send(fd.raw, memory.cast(), len as usize, flags) })
        }
        Op::TrySendMsg { fd, message } => {
            let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
            // SAFETY: reads a header, a vector and memory that the operation's slot keeps.
            result(unsafe { libc::sendmsg(fd.raw, message, flags) })
        }
        Op::PollWritable { fd } => poll(fd, libc::POLLOUT),
        // Errors and the end of both directions are told unasked.
        Op::PollEnd { fd } => poll(fd, libc::POLLRDHUP),
        Op::Shutdown { fd } => {
            // SAFETY: takes numbers.
            result(unsafe { libc::shutdown(fd.raw, libc::SHUT_RDWR) } as isize)
        }
        Op::Splice { from, position: None, to, len } => {
            // From a pipe, whose pages are there, to a socket, which is non-blocking. The signal
            // that a broken one brings is ignored since the program began: Rust sees to that.
            let (none, flags) = (ptr::null_mut(), libc::SPLICE_F_NONBLOCK);
            // SAFETY: takes descriptors and numbers; there are no positions.
            result(unsafe { libc::splice(from.raw, none, to.raw, none, len as usize, flags) })
        }
        _ => unreachable!("the driver sends only operations on sockets here"),
    }
}

fn recv(fd: Fd, memory: *mut u8, len: usize) -> i32 {
    // SAFETY: writes at most `len` bytes, which the operation's slot, or the caller, keeps.
    result(unsafe { libc::recv(fd.raw, memory.cast(), len, libc::MSG_DONTWAIT) })
}

fn poll(fd: Fd, events: libc::c_short) -> i32 {
    let mut poll = libc::pollfd { fd: fd.raw, events, revents: 0 };
    // SAFETY: one pollfd of ours.
    match result(unsafe { libc::poll(&mut poll, 1, 0) } as isize) {
        0 => -libc::EAGAIN,
        n if n > 0 => poll.revents.into(),
        e => e,
    }
}

/// What a call has returned, with its error's number if it failed.
pub(super) fn result(returned: isize) -> i32 {
    match i32::try_from(returned) {
        Ok(n) if n >= 0 => n,
        _ => -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO),
    }
}
