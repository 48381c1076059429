//! When somebody who waits is told that nothing goes on, and that it goes on again.

use std::time::{Duration, Instant};

/// Leaders move, and brokers start anew, within less: nobody needs to know.
const QUIET: Duration = Duration::from_secs(1);

/// How it stands with the brokers, and what was said about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outage {
    /// All is well.
    #[default]
    None,
    /// Something has failed, and nothing succeeded since; nothing was said.
    Since(Instant),
    /// The same, and it was said.
    Told,
    /// It was said and is over, which was not said yet.
    Over,
}

impl Outage {
    /// Something failed.
    pub fn has_failed(&mut self, now: Instant) {
        *self = match *self {
            Self::None => Self::Since(now),
            Self::Over => Self::Told,
            state @ (Self::Since(_) | Self::Told) => state,
        };
    }

    /// Something succeeded.
    pub fn is_over(&mut self) {
        *self = match *self {
            Self::None | Self::Since(_) => Self::None,
            Self::Told | Self::Over => Self::Over,
        };
    }

    /// Whether it is to be said that nothing goes on; it counts as said then.
    pub fn tells_begin(&mut self, now: Instant) -> bool {
        match *self {
            Self::Since(since) if now.duration_since(since) >= QUIET => {
                *self = Self::Told;
                true
            }
            Self::None | Self::Since(_) | Self::Told | Self::Over => false,
        }
    }

    /// Whether it is to be said that all goes on again; it counts as said then.
    pub fn tells_end(&mut self) -> bool {
        let is_over = *self == Self::Over;
        if is_over {
            *self = Self::None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_long_outage_is_told_once_and_its_end_too_and_short_ones_never() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut outage = Outage::default();
        outage.has_failed(at(0));
        assert!(!outage.tells_begin(at(999)));
        outage.is_over();
        assert!(!outage.tells_begin(at(2_000)), "it was over before a second was");
        assert!(!outage.tells_end(), "nobody heard of it");
        for begin in [10_000, 20_000] {
            outage.has_failed(at(begin));
            outage.has_failed(at(begin + 900));
            assert!(outage.tells_begin(at(begin + 1_000)));
            outage.has_failed(at(begin + 2_000));
            assert!(!outage.tells_begin(at(begin + 9_000)), "it was told");
            // What ends for a moment that nobody is told of goes on.
            outage.is_over();
            outage.has_failed(at(begin + 9_001));
            assert!(!outage.tells_end() && !outage.tells_begin(at(begin + 9_002)));
            outage.is_over();
            assert!(!outage.tells_begin(at(begin + 9_500)));
            assert!(outage.tells_end());
            assert!(!outage.tells_end(), "it was told");
        }
    }
}
