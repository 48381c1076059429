//! The monotonic clock's reading, the same type in the real world and in a simulated one.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A moment of a shard's monotonic clock, in nanoseconds from an arbitrary start.
///
/// Arithmetic saturates: a deadline that is too far away is the last moment there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The last moment there is: a deadline that never comes.
    pub const NEVER: Instant = Instant(u64::MAX);

    /// The moment `ns` nanoseconds after the clock's start.
    pub const fn from_nanos(ns: u64) -> Instant {
        Instant(ns)
    }

    /// Nanoseconds since the clock's start.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// What the shards' clock reads now, for code that runs before there is a shard. Not in the
    /// simulator, whose clock is a world's own.
    pub fn of_process() -> Instant {
        crate::calls::monotonic()
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, d: Duration) -> Instant {
        let ns = u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        Instant(self.0.saturating_add(ns))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, d: Duration) {
        *self = *self + d;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000_000, self.0 / 1_000 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let a = Instant::from_nanos(5);
        assert_eq!(a + Duration::MAX, Instant::NEVER);
        assert_eq!(a - Instant::from_nanos(9), Duration::ZERO);
        assert_eq!(Instant::from_nanos(9) - a, Duration::from_nanos(4));
    }
}
