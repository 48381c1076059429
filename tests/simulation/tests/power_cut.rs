//! Nothing that was acknowledged is lost, wherever the power is cut.
//!
//! `RINGMAIN_SEEDS` sets how many seeds (200), `RINGMAIN_SEED` the first, so `RINGMAIN_SEED=17
//! RINGMAIN_SEEDS=1` replays seed 17.

use simulation::campaign;

/// From so many seeds on, everything that a campaign is there for must have happened: a single
/// seed may draw a short life.
const ENOUGH_SEEDS: u64 = 100;

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
    let (figures, failures) = campaign::run_all(first..first + count);
    println!("{count} seeds from {first}:\n{figures}");
    let failed: Vec<_> =
        failures.iter().map(|(seed, failure)| format!("{seed}: {failure}")).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    if count >= ENOUGH_SEEDS {
        assert_eq!(figures.too_rare(count), [], "\n{figures}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(campaign::run(7), campaign::run(7));
    assert_ne!(campaign::run(7), campaign::run(8));
}
