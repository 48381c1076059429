//! The power cuts find what they are there for: a store with one planted fault does not come
//! through.
//!
//! Each fault is a cargo feature of `storage` (`known-bad-…`); the test command builds this crate
//! once with each. Without one, there is nothing here to run but the control that a sound store
//! passes the same seeds.

/// Which fault this build has.
const PLANTED: &[(&str, bool)] = &[
    ("ack-before-sync", cfg!(feature = "known-bad-ack-before-sync")),
    ("recycle-before-flush", cfg!(feature = "known-bad-recycle-before-flush")),
    ("serve-before-recovery-sync", cfg!(feature = "known-bad-serve-before-recovery-sync")),
    ("skip-syncfs", cfg!(feature = "known-bad-skip-syncfs")),
    ("skip-dir-sync", cfg!(feature = "known-bad-skip-dir-sync")),
];

/// Seeds within which every fault must show.
const SEEDS: u64 = 200;

/// Seeds on which a sound store is tried here; the power cuts' own test tries many more.
const SOUND_SEEDS: u64 = 5;

#[test]
fn a_planted_fault_is_found() {
    let planted: Vec<&str> = PLANTED.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    match planted.as_slice() {
        [] => (0..SOUND_SEEDS).for_each(|seed| assert!(passes(seed), "seed {seed}, and no fault")),
        [name] => {
            let found = (0..SEEDS).find(|seed| !passes(*seed));
            let seed = found.unwrap_or_else(|| panic!("{name} was not found in {SEEDS} seeds"));
            println!("{name} was found by seed {seed}");
        }
        several => panic!("one fault at a time, not {several:?}"),
    }
}

/// Whether a store comes through the seed. A failure is expected here, so it is not printed.
fn passes(seed: u64) -> bool {
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = std::panic::catch_unwind(|| simulation::campaign::run(seed));
    std::panic::set_hook(loud);
    outcome.is_ok()
}
