//! The power cuts find what they are there for: a store with one planted fault does not come
//! through.
//!
//! Each fault is a cargo feature of `storage` (`known-bad-…`); the test command builds this crate
//! once with each. Without one, there is nothing here to run but the control that a sound store
//! passes the same seeds.

use simulation::campaign;
use simulation::violation::{Failure, Violation};

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
        [] => (0..SOUND_SEEDS).for_each(|seed| {
            let failure = campaign::run(seed).err();
            assert_eq!(failure, None, "seed {seed}, and no fault was planted");
        }),
        [name] => {
            let found = (0..SEEDS).find_map(|seed| Some((seed, violation(seed)?)));
            let Some((seed, violation)) = found else {
                panic!("{name} was not found in {SEEDS} seeds");
            };
            println!("{name} was found by seed {seed}: {violation}");
        }
        several => panic!("one fault at a time, not {several:?}"),
    }
}

/// What of the data the seed found to be wrong. A program that stops, hangs or panics under a
/// planted fault is worth a line, but does not show that the checks see a loss.
fn violation(seed: u64) -> Option<Violation> {
    match campaign::run(seed).err()? {
        Failure::Violated(violation) if violation.property.is_of_data() => Some(violation),
        other => {
            println!("seed {seed} failed otherwise: {other}");
            None
        }
    }
}
