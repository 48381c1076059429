//! That no ring of the bell is ever lost, with real threads.

use super::*;
use std::os::fd::FromRawFd;
use std::sync::atomic::AtomicU64;
use std::thread;

/// No wait takes nearly as long.
const LIMIT_MS: i32 = 20_000;

fn hang() -> Arc<Bell> {
    // SAFETY: makes a descriptor or fails.
    let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    assert!(raw >= 0);
    // SAFETY: the number was just made and nobody else has it.
    Bell::hang(Some(unsafe { OwnedFd::from_raw_fd(raw) }))
}

/// Sleeps until the wire is pulled.
fn sleep(bell: &Bell) {
    let wire = bell.wire().expect("it was hung with one");
    let mut poll = libc::pollfd { fd: wire, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd of ours.
    let ready = unsafe { libc::poll(&mut poll, 1, LIMIT_MS) };
    assert_eq!(ready, 1, "a ring was lost");
    let mut count = [0u8; 8];
    // SAFETY: eight bytes of our stack.
    let n = unsafe { libc::read(wire, count.as_mut_ptr().cast(), 8) };
    assert_eq!(n, 8);
}

#[test]
fn a_sleeper_is_woken_for_every_letter_of_every_sender() {
    const SENDERS: u64 = 2;
    const LETTERS: u64 = 20_000;
    let bell = hang();
    let send = |sender: u64| {
        let bell = bell.clone();
        let post = move |i| bell.post(Letter::Wake(sender << 32 | i)).expect("open");
        thread::spawn(move || (0..LETTERS).for_each(post))
    };
    let senders: Vec<_> = (0..SENDERS).map(send).collect();
    let mut next = [0; SENDERS as usize];
    while next != [LETTERS; SENDERS as usize] {
        for letter in bell.answer().unwrap_or_default() {
            let Letter::Wake(word) = letter else { panic!("a wake") };
            let next = &mut next[(word >> 32) as usize];
            assert_eq!(word as u32, *next as u32);
            *next += 1;
        }
        if next != [LETTERS; SENDERS as usize] && bell.lie_down() {
            sleep(&bell);
            bell.get_up();
        }
    }
    senders.into_iter().for_each(|sender| sender.join().expect("a sender does not panic"));
    bell.take_down();
    assert!(bell.post(Letter::Shutdown).is_err());
    assert!(Bell::of(bell.core).is_none_or(|other| !Arc::ptr_eq(&other, &bell)));
}

#[test]
fn what_several_senders_left_without_a_lock_is_seen_when_the_bell_is_answered() {
    const ROUNDS: u64 = 20_000;
    let bell = hang();
    let left: Arc<[AtomicU64; 2]> = Arc::default();
    let (sent, senders): (Vec<_>, Vec<_>) = (0..2)
        .map(|sender| {
            let (credit, credits) = std::sync::mpsc::channel();
            let (bell, left) = (bell.clone(), left.clone());
            let send = move || {
                for round in 1..=ROUNDS {
                    left[sender].store(round, Ordering::Release);
                    if bell.ring() {
                        bell.pull();
                    }
                    credits.recv().expect("the shard lives");
                }
            };
            (credit, thread::spawn(send))
        })
        .unzip();
    let mut seen = [0; 2];
    while seen != [ROUNDS; 2] {
        let _ = bell.answer();
        for (sender, credit) in sent.iter().enumerate() {
            let now = left[sender].load(Ordering::Acquire);
            if now > seen[sender] {
                seen[sender] = now;
                credit.send(()).expect("the sender lives");
            }
        }
        if seen != [ROUNDS; 2] && bell.lie_down() {
            sleep(&bell);
            bell.get_up();
        }
    }
    senders.into_iter().for_each(|sender| sender.join().expect("a sender does not panic"));
    bell.take_down();
}

#[test]
fn no_letter_is_taken_once_the_bell_is_down() {
    for _ in 0..2_000 {
        let bell = hang();
        let sender = {
            let bell = bell.clone();
            thread::spawn(move || while bell.post(Letter::Shutdown).is_ok() {})
        };
        bell.take_down();
        sender.join().expect("it was refused in the end");
        assert_eq!(bell.answer().map_or(0, |letters| letters.len()), 0, "letters for nobody");
    }
}

#[test]
fn taking_down_a_bell_twice_leaves_its_successor_alone() {
    let first = hang();
    first.take_down();
    // Numbers are used in turn: the whole turn brings the first one's again.
    let again = loop {
        let next = hang();
        if next.core == first.core {
            break next;
        }
        next.take_down();
    };
    first.take_down();
    assert!(Bell::of(again.core).is_some_and(|found| Arc::ptr_eq(&found, &again)));
    again.take_down();
}
