//! The machine that brokers are measured on: how idle it is, and what its page cache still holds.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::error::BenchError;

/// A machine of which less is idle is at work for somebody else.
pub const IDLE_SHARE_MIN: f64 = 0.8;

/// The processors' time since the machine's start, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Ticks {
    fn now() -> Result<Self, BenchError> {
        let text = fs::read_to_string("/proc/stat").map_err(BenchError::file("/proc/stat"))?;
        Ok(Self::parse(&text))
    }

    /// Reads the first line of /proc/stat: user, nice, system, idle, waiting for a disk,
    /// interrupts, soft interrupts, and what the host gave to other machines.
    ///
    /// A processor whose thread waits for a disk is idle, too, and Linux says so of every ring that
    /// waits while one of its operations is in flight. What the host gave to others is not.
    /// Fields 9 and 10, of guests, are in the first two already.
    fn parse(stat: &str) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let fields = line.split_whitespace().skip(1).take(8);
        let ticks: Vec<u64> = fields.map(|field| field.parse().unwrap_or(0)).collect();
        Self { idle: ticks.iter().skip(3).take(2).sum(), all: ticks.iter().sum() }
    }

    fn idle_share_since(self, earlier: Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all).max(1);
        self.idle.saturating_sub(earlier.idle) as f64 / all as f64
    }
}

/// Looks on for so long and gives the share of all processors' time that was idle, 0 to 1.
pub fn idle_share(span: Duration) -> Result<f64, BenchError> {
    let before = Ticks::now()?;
    std::thread::sleep(span);
    Ok(Ticks::now()?.idle_share_since(before))
}

/// Writes out all that the page cache holds for the disks, and waits for it.
pub fn write_out() -> Result<(), BenchError> {
    let status = Command::new("sync").status().map_err(BenchError::program("sync"))?;
    if status.success() {
        return Ok(());
    }
    Err(BenchError::Failed { program: "sync".to_string(), status })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Ticks, idle_share};

    #[test]
    fn waiting_for_a_disk_is_idle_and_stolen_time_is_not() {
        let before = Ticks::parse("cpu  10 0 5 100 7 0 1 2 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
        assert_eq!(before, Ticks { idle: 107, all: 125 });
        let after = Ticks::parse("cpu  20 0 5 160 17 0 1 22 19 9\n");
        assert_eq!(after.idle_share_since(before), 0.7);
        assert_eq!(after.idle_share_since(after), 0.0);
    }

    #[test]
    fn a_share_of_this_machine_is_idle() {
        let share = idle_share(Duration::from_millis(50)).unwrap();
        assert!((0.0..=1.0).contains(&share), "{share}");
    }
}
