//! The few system calls beside those of the drivers, none of which blocks.

use crate::op::{Beside, PeerAddr};
use crate::pipe::PIPE_BYTES;
use crate::time::Instant;
use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::{SystemTime, UNIX_EPOCH};

/// Connections that wait to be accepted; the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

pub(crate) fn monotonic() -> Instant {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes one timespec. The monotonic clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    Instant::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

pub(crate) fn unix_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

/// Some words of entropy: a call is too dear for one.
pub(crate) fn entropy() -> io::Result<Vec<u64>> {
    let mut words = vec![0u64; 32];
    let len = size_of_val(&words[..]);
    // SAFETY: writes at most `len` bytes into the vector's own memory; up to 256 bytes are never
    // given short.
    let n = unsafe { libc::getrandom(words.as_mut_ptr().cast(), len, 0) };
    if usize::try_from(n) == Ok(len) { Ok(words) } else { Err(io::Error::last_os_error()) }
}

/// Ends the process at once: nothing is flushed, no destructor runs, as nothing can be trusted.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: does not return.
    unsafe { libc::_exit(code) }
}

/// The limit on open files that holds now.
pub(crate) fn open_files_max() -> u32 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes one rlimit.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    if got == 0 { u32::try_from(limit.rlim_cur).unwrap_or(u32::MAX) } else { 1024 }
}

/// Raises that limit as far as the process is allowed; a refusal leaves it as it was.
pub(crate) fn raise_open_files_max() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes one rlimit.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    if got == 0 && limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: reads one rlimit of ours.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    }
}

pub(crate) fn empty_eventfd(fd: RawFd) {
    let mut count = [0u8; 8];
    // SAFETY: reads at most eight bytes into our stack; the descriptor is non-blocking.
    unsafe { libc::read(fd, count.as_mut_ptr().cast(), count.len()) };
}

/// A TCP socket to connect with.
pub(crate) fn socket(peer: &SocketAddr) -> io::Result<RawFd> {
    let family = if peer.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes numbers.
    let fd = checked(unsafe { libc::socket(family, kind, 0) })?;
    closing(fd, set(fd, libc::IPPROTO_TCP, libc::TCP_NODELAY))?;
    Ok(fd)
}

/// A listening TCP socket; connections inherit `TCP_NODELAY` from it.
pub(crate) fn listen(at: &SocketAddr, beside: Beside) -> io::Result<(RawFd, SocketAddr)> {
    let fd = socket(at)?;
    let local = closing(fd, bind_and_listen(fd, at, beside))?;
    Ok((fd, local))
}

/// What is left of a socket's send buffer, by the kernel's own account of both; 0 if it gives none.
pub(crate) fn send_room(fd: RawFd) -> u64 {
    /// `SK_MEMINFO_*` in `linux/sock_diag.h`: the buffer's limit, and what is queued.
    const SNDBUF: usize = 3;
    const WMEM_QUEUED: usize = 5;
    let mut account = [0u32; 9];
    let mut len = size_of_val(&account) as libc::socklen_t;
    let into = account.as_mut_ptr().cast();
    // SAFETY: writes at most `len` bytes of ours, and how many it wrote. Nothing if it fails.
    unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, into, &mut len) };
    u64::from(account[SNDBUF].saturating_sub(account[WMEM_QUEUED]))
}

/// A pipe, as large as we wish or are allowed.
pub(crate) fn pipe() -> io::Result<(RawFd, RawFd)> {
    let mut ends = [0; 2];
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK;
    // SAFETY: writes two numbers.
    checked(unsafe { libc::pipe2(ends.as_mut_ptr(), flags) })?;
    // SAFETY: takes numbers. A refusal leaves the pipe smaller, which is fine.
    unsafe { libc::fcntl(ends[1], libc::F_SETPIPE_SZ, PIPE_BYTES as i32) };
    Ok((ends[0], ends[1]))
}

/// A socket with `SO_REUSEPORT` may listen beside every other of the same user that has it, another
/// broker's, too. So the first of a process has it only once it listens, alone: the kernel asks for
/// it when somebody binds, and groups those who listen when the next one does.
fn bind_and_listen(fd: RawFd, at: &SocketAddr, beside: Beside) -> io::Result<SocketAddr> {
    // What is left of earlier connections is nobody who listens.
    set(fd, libc::SOL_SOCKET, libc::SO_REUSEADDR)?;
    if beside == Beside::OurOwn {
        set(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
    }
    let addr = PeerAddr::new(at);
    // SAFETY: reads `len` bytes of an address of ours.
    checked(unsafe { libc::bind(fd, (&raw const addr.storage).cast(), addr.len) })?;
    // SAFETY: takes numbers.
    checked(unsafe { libc::listen(fd, BACKLOG) })?;
    if beside == Beside::Nobody {
        set(fd, libc::SOL_SOCKET, libc::SO_REUSEPORT)?;
    }
    let mut local = PeerAddr::unknown();
    let into = (&raw mut local.storage).cast();
    // SAFETY: writes at most `len` bytes of an address of ours, and its length.
    checked(unsafe { libc::getsockname(fd, into, &mut local.len) })?;
    local.get()
}

fn set(fd: RawFd, level: i32, option: i32) -> io::Result<()> {
    let on = 1i32;
    let len = size_of::<i32>() as libc::socklen_t;
    // SAFETY: reads one number of ours.
    let set = unsafe { libc::setsockopt(fd, level, option, (&raw const on).cast(), len) };
    checked(set).map(|_| ())
}

/// Closes the descriptor if what was done to it failed.
fn closing<T>(fd: RawFd, result: io::Result<T>) -> io::Result<T> {
    if result.is_err() {
        // SAFETY: the descriptor is ours, and nobody else knows it yet.
        unsafe { libc::close(fd) };
    }
    result
}

pub(crate) fn checked(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
