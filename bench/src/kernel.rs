//! What the kernel's own threads take: they write page caches, finish writes and complete syncs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::usage::{self, Run};

/// All threads of the kernel are children of this one.
const PARENT: u32 = 2;
/// Its name; where it is another's id, the kernel's threads are out of sight.
const PARENT_NAME: &str = "(kthreadd)";

/// How long each of the kernel's own threads has run, at one moment.
#[derive(Clone, Debug)]
pub struct KernelTime {
    threads: BTreeMap<u32, Duration>,
    read: Instant,
}

impl KernelTime {
    /// Reads the counters; none where the kernel's threads can't be seen, as in a container, or
    /// where it does not count their time.
    pub fn now() -> Option<Self> {
        let parent = fs::read_to_string(format!("/proc/{PARENT}/stat")).ok()?;
        if !parent.contains(PARENT_NAME) {
            return None;
        }
        let read = Instant::now();
        let folders = fs::read_dir("/proc").ok()?.flatten();
        let threads = folders.filter_map(|folder| {
            let thread = folder.file_name().to_str()?.parse().ok()?;
            Some((thread, run_time(&folder.path())?))
        });
        let threads: BTreeMap<u32, Duration> = threads.collect();
        let counts = threads.values().any(|time| !time.is_zero());
        counts.then_some(Self { threads, read })
    }

    /// What the threads have run since `earlier`, above what they run when idle; never negative.
    ///
    /// A thread that ended meanwhile is not counted. The kernel ends workers after minutes without
    /// work, so that this loses nothing of a round.
    pub fn since(&self, earlier: &Self, idle: KernelIdle) -> Duration {
        let idle_time = self.read.duration_since(earlier.read).mul_f64(idle.cores);
        self.run_since(earlier).saturating_sub(idle_time)
    }

    fn run_since(&self, earlier: &Self) -> Duration {
        let runs = self.threads.iter().map(|(thread, time)| {
            time.saturating_sub(earlier.threads.get(thread).copied().unwrap_or_default())
        });
        runs.sum()
    }
}

/// What the kernel's threads take while nobody asks anything of them.
#[derive(Clone, Copy, Debug)]
pub struct KernelIdle {
    /// Seconds of run time a second: so many cores are busy with it.
    cores: f64,
}

impl KernelIdle {
    /// Lies between the two readings; they should be seconds apart, on a machine without work.
    pub fn between(earlier: &KernelTime, later: &KernelTime) -> Self {
        let span = later.read.duration_since(earlier.read);
        let cores = later.run_since(earlier).as_secs_f64() / span.as_secs_f64().max(1e-3);
        Self { cores }
    }

    /// Microseconds of run time a second.
    pub fn us_per_second(self) -> f64 {
        self.cores * 1e6
    }
}

/// How long the kernel's thread in this folder of /proc has run; none if it is not one.
fn run_time(folder: &Path) -> Option<Duration> {
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    if parent(&stat)? != PARENT {
        return None;
    }
    Run::read(folder).map(|run| run.time)
}

/// Field 4 of /proc/PID/stat.
fn parent(stat: &str) -> Option<u32> {
    usage::behind_name(stat).split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{KernelIdle, KernelTime, parent};

    #[test]
    fn a_parent_is_found_behind_a_name_with_spaces_and_brackets() {
        assert_eq!(parent("52 (kworker/1:2) x) I 2 0 0 0 -1 69238880"), Some(2));
        assert_eq!(parent("no such line"), None);
    }

    #[test]
    fn what_idle_threads_take_is_not_counted() {
        let read = Instant::now();
        let time = |seconds, runs_ms: &[(u32, u64)]| KernelTime {
            threads: runs_ms.iter().map(|(id, ms)| (*id, Duration::from_millis(*ms))).collect(),
            read: read + Duration::from_secs(seconds),
        };
        let idle = KernelIdle::between(&time(0, &[(3, 10)]), &time(2, &[(3, 12), (4, 2)]));
        assert_eq!(idle.us_per_second(), 2000.0);
        // Thread 4 has ended, thread 5 has begun.
        let (before, after) = (time(2, &[(3, 12), (4, 2)]), time(12, &[(3, 52), (5, 30)]));
        assert_eq!(after.since(&before, idle), Duration::from_millis(50));
        assert_eq!(after.since(&after, idle), Duration::ZERO);
        let quieter = time(22, &[(3, 53), (5, 30)]);
        assert_eq!(quieter.since(&after, idle), Duration::ZERO);
    }

    #[test]
    fn only_threads_of_the_kernel_are_read() {
        // In a container there are none to be seen; then nothing may be claimed.
        let Some(now) = KernelTime::now() else { return };
        assert!(!now.threads.contains_key(&std::process::id()), "{now:?}");
        assert!(now.threads.len() > 1, "{now:?}");
    }
}
