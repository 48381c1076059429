//! The starting thread's wait: for signals that ask for the end, and for the shards' ends.
//!
//! A handler, not a blocked mask: the process may have threads that were started before us, and a
//! signal that one of them does not block would end the process at once.

use crate::calls::unix_ms;
use crate::log::{Level, write_line};
use crate::shutdown::Shutdown;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A broker starts its shards once; tests do it many times at once.
const WAITERS: usize = 64;

/// The eventfds that the handler writes to; 0 is none. One that was made stays open for ever: a
/// handler that has just read its number may write to it at any time, and by then the number of a
/// closed one could be a stranger's.
static WIRES: [AtomicI32; WAITERS] = [const { AtomicI32::new(0) }; WAITERS];

/// Who waits, by place, and what SIGTERM and SIGINT did before the first of them came.
static INSTALLED: Mutex<Installed> =
    Mutex::new(Installed { waits: [false; WAITERS], before: None });

struct Installed {
    waits: [bool; WAITERS],
    before: Option<[libc::sigaction; 2]>,
}

const SIGNALS: [i32; 2] = [libc::SIGTERM, libc::SIGINT];

/// While it lives, SIGTERM and SIGINT end nothing: they are counted, as are the shards that end.
pub(super) struct Signals {
    asked: RawFd,
    ended: Arc<OwnedFd>,
    place: usize,
}

/// Says, on drop, that a shard has ended.
pub(super) struct EndNotice(Arc<OwnedFd>);

impl Signals {
    pub(super) fn catch() -> io::Result<Signals> {
        let ended = Arc::new(eventfd()?);
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        let place = installed.waits.iter().position(|waits| !waits);
        let place = place.ok_or_else(|| io::Error::from_raw_os_error(libc::EMFILE))?;
        let asked = match WIRES[place].load(Ordering::SeqCst) {
            0 => eventfd()?.into_raw_fd(),
            kept => kept,
        };
        count(asked); // what came for those who waited here before
        WIRES[place].store(asked, Ordering::SeqCst);
        if installed.before.is_none() {
            installed.before = Some(SIGNALS.map(install));
        }
        installed.waits[place] = true;
        Ok(Signals { asked, ended, place })
    }

    /// Returns when one of them has come.
    pub(super) fn wait(&self) {
        while count(self.asked) == 0 {
            let mut fd = libc::pollfd { fd: self.asked, events: libc::POLLIN, revents: 0 };
            // SAFETY: one pollfd of ours. An interruption only makes us look once more.
            unsafe { libc::poll(&mut fd, 1, -1) };
        }
    }

    pub(super) fn end_notice(&self) -> EndNotice {
        EndNotice(self.ended.clone())
    }

    /// Returns when so many shards have ended. Signals meanwhile request the shutdown.
    pub(super) fn wait_for(&self, shards: usize, shutdown: &Shutdown) {
        let mut left = shards as u64;
        while left > 0 {
            let poll = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
            let mut fds = [poll(self.asked), poll(self.ended.as_raw_fd())];
            // SAFETY: two pollfds of ours. An interruption only makes us look once more.
            unsafe { libc::poll(fds.as_mut_ptr(), 2, -1) };
            if count(self.asked) > 0 {
                let what = if shutdown.is_requested() { "already ending" } else { "ending" };
                let line = format_args!("asked by a signal to end gracefully: {what}");
                write_line(unix_ms(), Level::Info, &"start", &line);
                shutdown.request();
            }
            left -= left.min(count(self.ended.as_raw_fd()));
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        installed.waits[self.place] = false;
        if installed.waits.contains(&true) {
            return;
        }
        for (signal, before) in SIGNALS.iter().zip(installed.before.take().iter().flatten()) {
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
fn count(fd: RawFd) -> u64 {
    let mut count = [0u8; 8];
    // SAFETY: reads at most eight bytes into ours.
    let n = unsafe { libc::read(fd, count.as_mut_ptr().cast(), 8) };
    if n == 8 { u64::from_ne_bytes(count) } else { 0 }
}

impl Drop for EndNotice {
    fn drop(&mut self) {
        add_one(self.0.as_raw_fd());
    }
}

/// A counter that threads wake others with; non-blocking.
pub(crate) fn eventfd() -> io::Result<OwnedFd> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_comes_late_meets_no_stranger_and_asks_nobody_who_comes_later() {
        let first = Signals::catch().expect("a place");
        let (wire, place) = (first.asked, first.place);
        drop(first);
        // The handler has read the number before, and writes now.
        add_one(wire);
        let link = std::fs::read_link(format!("/proc/self/fd/{wire}")).expect("it is open");
        assert_eq!(link.to_str(), Some("anon_inode:[eventfd]"));
        let second = Signals::catch().expect("a place");
        assert_eq!((second.asked, second.place), (wire, place), "the same one again");
        assert_eq!(count(second.asked), 0, "it was for another");
        on_signal(libc::SIGTERM);
        assert_eq!(count(second.asked), 1);
    }
}
