//! When each record is to be sent, so that a stall counts for all records that it delays.

use std::time::Duration;

use crate::latency::Clock;

/// A sleep ends this much late without anybody's fault: the timer's slack and the wake-up.
const TIMER_SLACK_NS: u64 = 1_000_000;

/// A schedule of equal steps.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    start_ns: u64,
    step_ns: f64,
}

impl Pace {
    /// `rate` records a second, from now on.
    pub fn start(clock: Clock, rate: f64) -> Self {
        assert!(rate > 0.0, "a rate of {rate} records a second");
        Self { start_ns: clock.now_ns(), step_ns: 1e9 / rate }
    }

    /// Waits until record `index` is due and gives the time from which its latency counts.
    ///
    /// That is the moment of sending, as long as it follows the schedule within the timer's slack.
    /// A sender that is later was held up by what it measures (coordinated omission): then the
    /// latency counts from when the record was due.
    pub fn wait(&self, clock: Clock, index: u64) -> u64 {
        let due_ns = self.start_ns + (index as f64 * self.step_ns) as u64;
        let early_ns = due_ns.saturating_sub(clock.now_ns());
        if early_ns > 0 {
            std::thread::sleep(Duration::from_nanos(early_ns));
        }
        let now_ns = clock.now_ns();
        if now_ns > due_ns + TIMER_SLACK_NS { due_ns } else { now_ns }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Clock, Pace};

    #[test]
    fn a_stalled_sender_counts_from_the_schedule_and_a_punctual_one_from_the_sending() {
        let clock = Clock::start();
        let pace = Pace { start_ns: clock.now_ns(), step_ns: 1e6 };
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(pace.wait(clock, 3), pace.start_ns + 3_000_000);
        let from_ns = pace.wait(clock, 60);
        assert!(from_ns >= pace.start_ns + 60_000_000, "{from_ns}");
    }
}
