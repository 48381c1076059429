//! How long something takes: a shard counts it in memory of its own, and others read a copy.

use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Digits that are kept of each value: it is told to 1 %.
const DIGITS: u8 = 2;
/// What takes longer counts as this long: so a histogram is some 26 KiB at most.
const LONGEST: Duration = Duration::from_secs(3600);

/// Counts how long something takes, to the microsecond. Clones count together.
///
/// It begins at 2 KiB and grows with the longest that it has met, by doubling: so recording takes
/// memory a few times in a process's life, and else costs about as much as looking at the clock.
#[derive(Clone)]
pub struct Durations(Rc<Counted>);

struct Counted {
    micros: RefCell<Histogram<u64>>,
    sum_ns: Cell<u64>,
}

impl Default for Durations {
    fn default() -> Durations {
        Durations::new()
    }
}

impl Durations {
    /// Nothing was counted.
    pub fn new() -> Durations {
        let micros = Histogram::new(DIGITS).expect("up to five digits are possible");
        Durations(Rc::new(Counted { micros: RefCell::new(micros), sum_ns: Cell::new(0) }))
    }

    /// Counts one.
    pub fn record(&self, took: Duration) {
        let took = took.min(LONGEST);
        let (micros, nanos) = (took.as_micros() as u64, took.as_nanos() as u64);
        let recorded = self.0.micros.borrow_mut().record(micros);
        recorded.expect("it grows by itself, and an hour's microseconds are 32 bits");
        self.0.sum_ns.set(self.0.sum_ns.get().saturating_add(nanos));
    }

    /// What was counted so far.
    pub fn counts(&self) -> DurationCounts {
        let micros = self.0.micros.borrow().clone();
        DurationCounts { micros, sum: Duration::from_nanos(self.0.sum_ns.get()) }
    }
}

/// What a [`Durations`] had counted when it was asked. It may go to any thread.
#[derive(Clone, Debug)]
pub struct DurationCounts {
    micros: Histogram<u64>,
    sum: Duration,
}

impl DurationCounts {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.micros.len()
    }

    /// How long they took together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// How many of them took `limit` or less, to 1 % of it.
    pub fn count_up_to(&self, limit: Duration) -> u64 {
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        self.micros.count_between(0, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(count: u64) -> Duration {
        Duration::from_micros(count)
    }

    #[test]
    fn what_was_recorded_is_told_to_one_percent() {
        let durations = Durations::new();
        for took in [0, 1, 99, 100, 5_000, 1_000_000, 59_000_000] {
            durations.clone().record(micros(took));
        }
        let counts = durations.counts();
        assert_eq!((counts.count(), counts.sum()), (7, micros(60_005_200)));
        for (limit, up_to) in [(0, 1), (1, 2), (100, 4), (4_900, 4), (5_050, 5), (u64::MAX, 7)] {
            assert_eq!(counts.count_up_to(micros(limit)), up_to, "{limit}");
        }
        durations.record(micros(7));
        assert_eq!(counts.count(), 7, "a copy stays as it is");
    }

    #[test]
    fn what_took_for_ever_takes_no_memory_for_it() {
        let durations = Durations::new();
        durations.record(Duration::MAX);
        let counts = durations.counts();
        assert_eq!((counts.count(), counts.sum()), (1, LONGEST));
        let size = counts.micros.distinct_values() * size_of::<u64>();
        assert!(size <= 26 << 10, "{size} bytes");
    }
}
