//! One epoll a shard: it reports edges of sockets, and is where the shard sleeps.

use crate::calls::{self, checked};
use crate::op::Wait;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

/// Descriptors that one turn may report; the next reports the rest.
const READY_MAX: usize = 256;
/// Every change of a socket that somebody can wait for, each told once.
const EDGES: i32 = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
/// What the bell's eventfd is known by; a descriptor's number is never negative.
const WIRE: u64 = u64::MAX;

/// A descriptor that something happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) fd: RawFd,
    /// Epoll's bits.
    pub(super) events: u32,
}

/// See the module.
pub(super) struct Poller {
    epoll: OwnedFd,
    /// Whether the kernel takes limits in nanoseconds (Linux 5.11, and the seccomp profile).
    is_precise: bool,
    ready: Vec<libc::epoll_event>,
}

impl Poller {
    /// An epoll that also listens to the bell's eventfd. That is never read: each time somebody
    /// adds to it is an edge, and 2^64 times do not come.
    pub(super) fn new(wire: Option<RawFd>) -> io::Result<Poller> {
        // SAFETY: takes a number.
        let raw = checked(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor was just made, and nobody else has it.
        let epoll = unsafe { OwnedFd::from_raw_fd(raw) };
        let poller = Poller { epoll, is_precise: true, ready: Vec::with_capacity(READY_MAX) };
        if let Some(wire) = wire {
            poller.control(wire, libc::EPOLLIN | libc::EPOLLET, WIRE)?;
        }
        Ok(poller)
    }

    /// From now on the socket's edges are reported, and at once what it is ready for already. The
    /// kernel forgets it when it is closed.
    pub(super) fn add(&self, fd: RawFd) -> io::Result<()> {
        self.control(fd, EDGES, fd as u64)
    }

    /// Sleeps until something happens, as long as told at most.
    pub(super) fn wait(&mut self, wait: Wait) -> io::Result<()> {
        let limit = match wait {
            Wait::No => Some(Duration::ZERO),
            Wait::Until(at) => Some(at.since(calls::monotonic())),
            Wait::Forever => None,
        };
        self.ready.clear();
        let waited = match self.call(limit) {
            Err(e) if self.is_precise && is_missing(&e) => {
                self.is_precise = false;
                self.call(limit)
            }
            waited => waited,
        };
        match waited {
            Ok(count) => {
                // SAFETY: the kernel has written so many, which is at most the capacity.
                unsafe { self.ready.set_len(count as usize) };
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// What the last wait has found.
    pub(super) fn ready(&self) -> impl Iterator<Item = Ready> {
        let sockets = self.ready.iter().filter(|event| event.u64 != WIRE);
        sockets.map(|event| Ready { fd: event.u64 as RawFd, events: event.events })
    }

    /// The system call.
    fn call(&mut self, limit: Option<Duration>) -> io::Result<i32> {
        let (epoll, into) = (self.epoll.as_raw_fd(), self.ready.as_mut_ptr());
        let max = READY_MAX as i32;
        if !self.is_precise {
            // SAFETY: writes at most `max` events into the vector's spare room, which is as large.
            return checked(unsafe { libc::epoll_wait(epoll, into, max, whole_ms(limit)) });
        }
        let timespec = limit.map(|limit| libc::timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        });
        let limit = timespec.as_ref().map_or(ptr::null(), ptr::from_ref);
        let no_mask = ptr::null::<libc::sigset_t>();
        // SAFETY: as above; the limit lives until the call returns, and there is no mask.
        let count = unsafe {
            libc::syscall(libc::SYS_epoll_pwait2, epoll, into, max, limit, no_mask, 0usize)
        };
        checked(count as i32)
    }

    fn control(&self, fd: RawFd, events: i32, known_by: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: known_by };
        let epoll = self.epoll.as_raw_fd();
        // SAFETY: reads one event of ours.
        checked(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event) }).map(drop)
    }
}

/// Rounded up: a shard that is woken too early would go round until the time has come.
fn whole_ms(limit: Option<Duration>) -> i32 {
    let Some(limit) = limit else { return -1 };
    i32::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}

/// Whether the kernel, or who guards it, does not know the call.
fn is_missing(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;

    #[test]
    fn a_wait_takes_its_time_and_no_less_with_both_calls() {
        let mut poller = Poller::new(None).expect("an epoll");
        for is_precise in [true, false] {
            poller.is_precise &= is_precise;
            let began = calls::monotonic();
            let at = began + Duration::from_micros(2_300);
            poller.wait(Wait::Until(at)).expect("nothing is wrong with it");
            assert!(calls::monotonic() >= at, "{is_precise}");
            poller.wait(Wait::Until(began)).expect("nothing is wrong with it");
            poller.wait(Wait::No).expect("nothing is wrong with it");
            assert_eq!(poller.ready().next(), None);
        }
        assert!(at_most_an_hour(&mut poller) < Duration::from_secs(60));
    }

    /// A wait without a limit, which ends by the wire.
    fn at_most_an_hour(poller: &mut Poller) -> Duration {
        let wire = crate::start::eventfd().expect("a descriptor");
        *poller = Poller::new(Some(wire.as_raw_fd())).expect("an epoll");
        let began = calls::monotonic();
        for wait in [Wait::Forever, Wait::Until(Instant::NEVER)] {
            let one = 1u64.to_ne_bytes();
            // SAFETY: eight bytes of ours.
            unsafe { libc::write(wire.as_raw_fd(), one.as_ptr().cast(), one.len()) };
            poller.wait(wait).expect("nothing is wrong with it");
            assert_eq!(poller.ready().next(), None, "the wire is nobody's socket");
        }
        calls::monotonic().since(began)
    }

    #[test]
    fn limits_are_rounded_up_and_may_be_long() {
        assert_eq!(whole_ms(None), -1);
        assert_eq!(whole_ms(Some(Duration::ZERO)), 0);
        assert_eq!(whole_ms(Some(Duration::from_nanos(1))), 1);
        assert_eq!(whole_ms(Some(Duration::from_millis(7))), 7);
        assert_eq!(whole_ms(Some(Duration::MAX)), i32::MAX);
    }
}
