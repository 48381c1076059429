//! The starting thread's wait: for signals that ask for the end, and for the shards' ends.
//!
//! A handler, not a blocked mask: the process may have threads that were started before us, and a
//! signal that one of them does not block would end the process at once.

use crate::log::{Level, write_line};
use crate::shutdown::Shutdown;
use crate::uring::calls::unix_ms;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A broker starts its shards once; tests do it many times at once.
const WAITERS: usize = 64;

/// The eventfds that the handler writes to; 0 is a free place.
static WIRES: [AtomicI32; WAITERS] = [const { AtomicI32::new(0) }; WAITERS];

/// How many wait, and what SIGTERM and SIGINT did before the first of them came.
static INSTALLED: Mutex<(usize, Option<[libc::sigaction; 2]>)> = Mutex::new((0, None));

const SIGNALS: [i32; 2] = [libc::SIGTERM, libc::SIGINT];

/// While it lives, SIGTERM and SIGINT end nothing: they are counted, as are the shards that end.
pub(super) struct Signals {
    asked: OwnedFd,
    ended: Arc<OwnedFd>,
    place: &'static AtomicI32,
}

/// Says, on drop, that a shard has ended.
pub(super) struct EndNotice(Arc<OwnedFd>);

impl Signals {
    pub(super) fn catch() -> io::Result<Signals> {
        let (asked, ended) = (eventfd()?, Arc::new(eventfd()?));
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        let (free, wire) = (Ordering::SeqCst, asked.as_raw_fd());
        let mut places = WIRES.iter();
        let place = places.find(|w| w.compare_exchange(0, wire, free, free).is_ok());
        let place = place.ok_or_else(|| io::Error::from_raw_os_error(libc::EMFILE))?;
        if installed.0 == 0 {
            installed.1 = Some(SIGNALS.map(install));
        }
        installed.0 += 1;
        Ok(Signals { asked, ended, place })
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
            let mut fds = [poll(&self.asked), poll(&self.ended)];
            // SAFETY: two pollfds of ours. An interruption only makes us look once more.
            unsafe { libc::poll(fds.as_mut_ptr(), 2, -1) };
            if count(&self.asked) > 0 {
                let what = if shutdown.is_requested() { "already ending" } else { "ending" };
                let line = format_args!("asked by a signal to end gracefully: {what}");
                write_line(unix_ms(), Level::Info, &"start", &line);
                shutdown.request();
            }
            left -= left.min(count(&self.ended));
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        self.place.store(0, Ordering::SeqCst);
        installed.0 -= 1;
        if installed.0 > 0 {
            return;
        }
        for (signal, before) in SIGNALS.iter().zip(installed.1.take().iter().flatten()) {
            // SAFETY: gives back the very action that the kernel gave us.
            unsafe { libc::sigaction(*signal, before, ptr::null_mut()) };
        }
    }
}

/// Sets our handler; what was there before.
fn install(signal: i32) -> libc::sigaction {
    // SAFETY: an action is numbers and a function's address; zeroes are the default action.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    let handler: extern "C" fn(i32) = on_signal;
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    let mut before = action;
    // SAFETY: the handler does only what a handler may; the signals exist, so this cannot fail.
    unsafe { libc::sigaction(signal, &action, &mut before) };
    before
}

/// Runs in the middle of anything: it only counts up the descriptors.
extern "C" fn on_signal(_signal: i32) {
    // SAFETY: the calling thread's own error number, which the interrupted code may be about to
    // read.
    let errno = unsafe { *libc::__errno_location() };
    WIRES.iter().map(|wire| wire.load(Ordering::SeqCst)).filter(|fd| *fd > 0).for_each(add_one);
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

fn add_one(fd: RawFd) {
    let one = 1u64.to_ne_bytes();
    // SAFETY: eight bytes of ours to an eventfd, whose counter cannot overflow.
    unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) };
}

/// What was counted since the last look.
fn count(fd: &OwnedFd) -> u64 {
    let mut count = [0u8; 8];
    // SAFETY: reads at most eight bytes into ours.
    let n = unsafe { libc::read(fd.as_raw_fd(), count.as_mut_ptr().cast(), 8) };
    if n == 8 { u64::from_ne_bytes(count) } else { 0 }
}

impl Drop for EndNotice {
    fn drop(&mut self) {
        add_one(self.0.as_raw_fd());
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
