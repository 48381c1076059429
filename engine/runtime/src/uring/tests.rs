//! What the ring does when the kernel or a peer does not do its part.

use super::*;
use crate::start::eventfd;

fn ring() -> (Uring, Arc<Bell>) {
    let bell = Bell::hang(Some(eventfd().expect("a descriptor")));
    let config = UringConfig { entries: 8, registers_memory: false, recv_buffers: 2 };
    (Uring::new(ShardId(0), &bell, config).expect("a ring"), bell)
}

/// Queued, left, the places of second halves; and these afterwards, or none for a split pair.
type Row = (u32, u32, &'static [u32], Option<&'static [u32]>);

#[test]
fn what_the_kernel_took_is_accounted_and_a_split_pair_is_found() {
    let table: [Row; 9] = [
        (0, 0, &[], Some(&[])),
        (5, 0, &[1, 4], Some(&[])),
        (5, 5, &[1, 4], Some(&[1, 4])),
        (5, 3, &[1, 4], Some(&[2])),
        (5, 4, &[1, 4], None),
        (5, 1, &[1, 4], None),
        (5, 2, &[1, 4], Some(&[1])),
        (2, 1, &[1], None),
        (3, 1, &[1], Some(&[])),
    ];
    for (queued, left, seconds, expected) in table {
        let mut after = seconds.to_vec();
        let got = account(queued, left, &mut after).is_ok().then_some(&after[..]);
        assert_eq!(got, expected, "{queued} queued, {left} left, {seconds:?}");
    }
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
