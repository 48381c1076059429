//! What the ring does when the kernel or a peer does not do its part.

use super::*;
use crate::start::eventfd;

fn ring() -> (Uring, Arc<Bell>) {
    let bell = Bell::hang(Some(eventfd().expect("a descriptor")));
    let config = UringConfig { entries: 8, registers_memory: false, recv_buffers: 2 };
    (Uring::new(ShardId(0), &bell, config).expect("a ring"), bell)
}

#[test]
fn a_shard_that_the_kernel_has_no_memory_for_sleeps_instead_of_spinning() {
    let (mut ring, bell) = ring();
    let e = io::Error::from_raw_os_error(libc::EAGAIN);
    let began = calls::monotonic();
    (0..20).for_each(|_| ring.bear_shortage(&e));
    assert!(calls::monotonic().since(began) >= 20 * SHORTAGE_PAUSE);
    assert_eq!(ring.short_since.map(|since| since >= began), Some(true));
    // The first operation that it takes ends the shortage.
    ring.push(Key(7), Op::Cancel { key: Key(8) });
    let mut done = Vec::new();
    ring.turn(Wait::No, &mut done);
    assert_eq!(ring.short_since, None);
    // With something to reap there is no need to sleep.
    ring.push(Key(7), Op::Cancel { key: Key(8) });
    ring.enter(None);
    ring.bear_shortage(&e);
    assert_eq!(ring.short_since, None);
    bell.take_down();
}

#[test]
fn a_peer_whose_ring_has_no_messages_is_woken_by_its_wire() {
    let (mut ring, bell) = ring();
    let peer = Bell::hang(Some(eventfd().expect("a descriptor")));
    let wire = peer.wire().expect("it was hung with one");
    assert!(peer.lie_down() && peer.ring());
    ring.wake(&peer);
    let mut done = Vec::new();
    for _ in 0..100 {
        ring.turn(Wait::No, &mut done);
    }
    let mut poll = libc::pollfd { fd: wire, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd of ours.
    let ready = unsafe { libc::poll(&mut poll, 1, 10_000) };
    assert_eq!((ready, done.len()), (1, 0));
    peer.take_down();
    bell.take_down();
}
