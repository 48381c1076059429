//! Nothing that was acknowledged is lost, wherever the power is cut.
//!
//! `RINGMAIN_SEEDS` sets how many seeds (200), `RINGMAIN_SEED` the first, so `RINGMAIN_SEED=17
//! RINGMAIN_SEEDS=1` replays seed 17.

use simulation::campaign::{self, Figures};

fn from_environment(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => usual,
    }
}

#[test]
fn nothing_acknowledged_is_lost_at_any_sync_point() {
    let first = from_environment("RINGMAIN_SEED", 0);
    let count = from_environment("RINGMAIN_SEEDS", 200);
    let mut sum = Figures::default();
    for seed in first..first + count {
        let figures = campaign::run_named(seed);
        sum.cuts += figures.cuts;
        sum.cuts_in_recovery += figures.cuts_in_recovery;
        sum.acknowledged += figures.acknowledged;
    }
    println!("{count} seeds from {first}: {sum:?}");
    // A campaign that cuts idle stores proves nothing; a single seed may draw a short life.
    if count >= 50 {
        assert!(sum.cuts > 20 * count, "{sum:?}");
        assert!(sum.acknowledged > 20 * count, "{sum:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(format!("{:?}", campaign::run(7)), format!("{:?}", campaign::run(7)));
}
