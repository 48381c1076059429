//! Waiting for a condition with a deadline, in one place.

use std::time::{Duration, Instant};

/// How often a condition is looked at: often enough to lose no time, rarely enough to take none.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks at `condition` until it gives something.
///
/// # Panics
///
/// After `deadline`, with `what` was waited for.
pub fn until<T>(what: &str, deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(started.elapsed() < deadline, "{what}: not within {} s", deadline.as_secs());
        std::thread::sleep(PAUSE);
    }
}
