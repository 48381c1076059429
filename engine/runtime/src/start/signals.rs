//! The starting thread's wait: for signals that ask for the end, and for the shards' ends.

use crate::log::{Level, write_line};
use crate::shutdown::Shutdown;
use crate::uring::calls::unix_ms;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;

/// SIGTERM and SIGINT as a descriptor, and the descriptor that ended shards count in. The signals
/// stay blocked in this thread (and in the threads it starts) until this is dropped.
pub(super) struct Signals {
    signals: OwnedFd,
    ended: Arc<OwnedFd>,
    before: libc::sigset_t,
}

/// Says, on drop, that a shard has ended.
pub(super) struct EndNotice(Arc<OwnedFd>);

impl Signals {
    pub(super) fn block() -> io::Result<Signals> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: each call initialises or changes a set of ours; these cannot fail for signals
        // that exist.
        let (set, before) = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGTERM);
            libc::sigaddset(set.as_mut_ptr(), libc::SIGINT);
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr());
            (set.assume_init(), before.assume_init())
        };
        // SAFETY: reads the set.
        let raw = unsafe { libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        let signals = owned(raw)?;
        let ended = Arc::new(eventfd()?);
        Ok(Signals { signals, ended, before })
    }

    pub(super) fn end_notice(&self) -> EndNotice {
        EndNotice(self.ended.clone())
    }

    /// Returns when so many shards have ended. Signals meanwhile request the shutdown.
    pub(super) fn wait_for(&self, shards: usize, shutdown: &Shutdown) {
        let mut left = shards as u64;
        while left > 0 {
            let poll = |fd: &OwnedFd| libc::pollfd {
                fd: fd.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            let mut fds = [poll(&self.signals), poll(&self.ended)];
            // SAFETY: two pollfds of ours. An interruption only makes us look once more.
            unsafe { libc::poll(fds.as_mut_ptr(), 2, -1) };
            if let Some(signal) = self.next_signal() {
                let name = if signal == libc::SIGINT as u32 { "SIGINT" } else { "SIGTERM" };
                let (level, source) = (Level::Info, "start");
                if shutdown.is_requested() {
                    let line = format_args!("{name}: already ending");
                    write_line(unix_ms(), level, &source, &line);
                } else {
                    let line = format_args!("{name}: ending gracefully");
                    write_line(unix_ms(), level, &source, &line);
                    shutdown.request();
                }
            }
            left -= left.min(self.ends());
        }
    }

    fn next_signal(&self) -> Option<u32> {
        let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
        let size = size_of::<libc::signalfd_siginfo>();
        // SAFETY: reads at most one info into ours.
        let n = unsafe { libc::read(self.signals.as_raw_fd(), info.as_mut_ptr().cast(), size) };
        // SAFETY: zeroed at first, and filled if the read says so.
        (usize::try_from(n) == Ok(size)).then(|| unsafe { info.assume_init() }.ssi_signo)
    }

    fn ends(&self) -> u64 {
        let mut count = [0u8; 8];
        // SAFETY: reads at most eight bytes into ours.
        let n = unsafe { libc::read(self.ended.as_raw_fd(), count.as_mut_ptr().cast(), 8) };
        if n == 8 { u64::from_ne_bytes(count) } else { 0 }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // SAFETY: restores the set that was read when the signals were blocked.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

impl Drop for EndNotice {
    fn drop(&mut self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight bytes of ours to a descriptor of ours; the counter cannot overflow.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

/// A counter that threads wake others with; non-blocking.
pub(super) fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: takes numbers.
    owned(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })
}

fn owned(raw: i32) -> io::Result<OwnedFd> {
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
