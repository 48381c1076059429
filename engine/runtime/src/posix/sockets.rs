//! Operations on sockets that wait for their socket, in the order in which they came.

use super::attempt::attempt;
use super::poller::Poller;
use crate::op::{Completion, Key, Op};
use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::os::fd::RawFd;

/// What an operation waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Bytes, or a connection.
    In,
    /// Room.
    Out,
    /// The peer's end.
    End,
}

/// What is told unasked, and ends every wait.
const BROKEN: i32 = libc::EPOLLERR | libc::EPOLLHUP;

impl Side {
    const ALL: [Side; 3] = [Side::In, Side::Out, Side::End];

    fn of(op: &Op) -> Side {
        match op {
            Op::Accept { .. } | Op::Recv { .. } | Op::RecvPooled { .. } => Side::In,
            Op::Connect { .. } | Op::Send { .. } | Op::PollWritable { .. } => Side::Out,
            Op::PollEnd { .. } => Side::End,
            _ => unreachable!("the driver parks only operations on sockets"),
        }
    }

    /// Epoll's bits for which it is worth another attempt.
    fn edges(self) -> u32 {
        let own = match self {
            Side::In => libc::EPOLLIN | libc::EPOLLRDHUP,
            Side::Out => libc::EPOLLOUT,
            Side::End => libc::EPOLLRDHUP,
        };
        (own | BROKEN) as u32
    }
}

/// A socket that epoll knows, with what waits for it by [`Side`].
#[derive(Default)]
struct Watched([VecDeque<(Key, Op)>; 3]);

/// See the module. Nothing is bounded here: each that waits is an operation in flight, and those
/// are bounded by the tasks that wait for them.
#[derive(Default)]
pub(super) struct Sockets {
    watched: BTreeMap<RawFd, Watched>,
    /// Where each that waits stands.
    places: BTreeMap<Key, (RawFd, Side)>,
}

impl Sockets {
    /// Tries an operation. None if it waits now.
    pub(super) fn start(&mut self, poller: &Poller, key: Key, op: Op) -> Option<Completion> {
        let (fd, side) = (descriptor(&op), Side::of(&op));
        let is_first =
            self.watched.get(&fd).is_none_or(|watched| watched.0[side as usize].is_empty());
        if is_first && let Some(completion) = unless_it_waits(key, &op) {
            return Some(completion);
        }
        // An edge that comes after the attempt is reported, also if epoll learns of the socket only
        // now: then it tells at once what the socket is ready for.
        let watched = match self.watched.entry(fd) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match poller.add(fd) {
                Ok(()) => place.insert(Watched::default()),
                Err(e) => {
                    let code = e.raw_os_error().unwrap_or(libc::EIO);
                    return Some(Completion::number(key, -code));
                }
            },
        };
        watched.0[side as usize].push_back((key, op));
        self.places.insert(key, (fd, side));
        None
    }

    /// Tries again what waits for such edges of the socket.
    pub(super) fn wake(&mut self, fd: RawFd, edges: u32, done: &mut Vec<Completion>) {
        // None: an edge of one that was closed since.
        let Some(watched) = self.watched.get_mut(&fd) else { return };
        for side in Side::ALL.into_iter().filter(|side| edges & side.edges() != 0) {
            let queue = &mut watched.0[side as usize];
            while let Some((key, op)) = queue.front() {
                let Some(completion) = unless_it_waits(*key, op) else { break };
                self.places.remove(key);
                queue.pop_front();
                done.push(completion);
            }
        }
    }

    /// Takes out one that waits. False if there is none of that key.
    pub(super) fn cancel(&mut self, key: Key) -> bool {
        let Some((fd, side)) = self.places.remove(&key) else { return false };
        let watched = self.watched.get_mut(&fd).expect("what waits has a watched socket");
        watched.0[side as usize].retain(|(waiting, _)| *waiting != key);
        true
    }

    /// The descriptor is about to be closed: the next socket of its number is another one.
    pub(super) fn forget(&mut self, fd: RawFd) {
        let Some(watched) = self.watched.remove(&fd) else { return };
        let waiting: usize = watched.0.iter().map(VecDeque::len).sum();
        assert_eq!(waiting, 0, "descriptor {fd} is closed under operations that name it");
    }
}

/// The operation's end, none if it would have to wait.
fn unless_it_waits(key: Key, op: &Op) -> Option<Completion> {
    Some(attempt(key, op)).filter(|completion| completion.result != -libc::EAGAIN)
}

fn descriptor(op: &Op) -> RawFd {
    match op {
        Op::Accept { fd, .. }
        | Op::Connect { fd, .. }
        | Op::Recv { fd, .. }
        | Op::RecvPooled { fd }
        | Op::Send { fd, .. }
        | Op::PollWritable { fd }
        | Op::PollEnd { fd } => fd.raw,
        _ => unreachable!("the driver parks only operations on sockets"),
    }
}
