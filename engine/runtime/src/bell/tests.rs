//! That no ring of the bell is ever lost, with real threads.

use super::*;
use std::thread;

#[test]
fn a_sleeper_is_woken_for_every_letter() {
    const LETTERS: u64 = 20_000;
    // SAFETY: makes a descriptor or fails.
    let raw = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    assert!(raw >= 0);
    // SAFETY: the number was just made and nobody else has it.
    let wire = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(raw) };
    let bell = Bell::hang(Some(wire));
    let sender = {
        let bell = bell.clone();
        thread::spawn(move || (0..LETTERS).for_each(|i| bell.post(Letter::Wake(i)).expect("open")))
    };
    let mut next = 0;
    while next < LETTERS {
        for letter in bell.answer().unwrap_or_default() {
            assert!(matches!(letter, Letter::Wake(i) if i == next));
            next += 1;
        }
        if next < LETTERS && bell.lie_down() {
            let mut count = [0u8; 8];
            // Blocks for ever if a ring got lost.
            // SAFETY: eight bytes of our stack.
            let n = unsafe { libc::read(raw, count.as_mut_ptr().cast(), 8) };
            assert_eq!(n, 8);
            bell.get_up();
        }
    }
    sender.join().expect("the sender does not panic");
    bell.take_down();
    assert!(bell.post(Letter::Shutdown).is_err());
    assert!(Bell::of(bell.core).is_none_or(|other| !Arc::ptr_eq(&other, &bell)));
}
