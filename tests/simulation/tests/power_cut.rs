//! Nothing that was acknowledged is lost, wherever the power is cut.
//!
//! `RINGMAIN_SEED=17` replays seed 17; `RINGMAIN_SEEDS` sets how many seeds are run from it on, or
//! from 0 on, where 200 are usual.

use simulation::campaign;

/// From so many seeds on, everything that a campaign is there for must have happened: a single
/// seed may draw a short life.
const ENOUGH_SEEDS: u64 = 100;

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn nothing_acknowledged_is_lost_at_any_sync_point() {
    let seed = from_environment("RINGMAIN_SEED");
    let usual = if seed.is_some() { 1 } else { 200 };
    let (first, count) = (seed.unwrap_or(0), from_environment("RINGMAIN_SEEDS").unwrap_or(usual));
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
