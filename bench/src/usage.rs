//! What a process has taken: time of the processor and memory, as Linux counts it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use launch::usage;

use crate::error::BenchError;

/// Two counters that are cut to ticks differ from the exact sum by at most so much.
const TICK_ERROR: Duration = Duration::from_millis(30);

/// A process that takes less than this share of one core is quiet.
const QUIET_SHARE: f64 = 0.05;
const QUIET_SAMPLE: Duration = Duration::from_millis(250);
const QUIET_DEADLINE: Duration = Duration::from_secs(10);

/// How long a thread has run, and how often it was put on a processor for that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// Time on a processor.
    pub time: Duration,
    /// Each is a wake-up, or follows a turn that was taken away by somebody else.
    pub turns: u64,
}

/// The processor time of a process at one moment.
#[derive(Clone, Debug)]
pub struct ProcessorTime {
    /// Each living thread; workers of io_uring are threads of the process, too.
    threads: BTreeMap<u32, Run>,
    /// User and system time of all threads, dead ones too, in ticks.
    process: Duration,
}

impl ProcessorTime {
    /// Reads the counters of the process.
    pub fn of(process: u32) -> Result<Self, BenchError> {
        let path = format!("/proc/{process}/task");
        let mut threads = BTreeMap::new();
        for entry in fs::read_dir(&path).map_err(BenchError::file(&path))?.flatten() {
            let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // A thread may end between the two calls; then it counts as dead.
            let Some(run) = Run::read(&entry.path()) else { continue };
            threads.insert(thread, run);
        }
        Ok(Self { threads, process: usage::processor_time(process)? })
    }

    /// What was taken since `earlier`.
    ///
    /// Threads that lived all the time are counted exactly. If threads have ended meanwhile, their
    /// share is only in the process's counters, whose step is 10 ms.
    pub fn since(&self, earlier: &Self) -> Duration {
        let exact: Duration = self.runs_since(earlier).map(|run| run.time).sum();
        let coarse = self.process.saturating_sub(earlier.process);
        if coarse > exact + TICK_ERROR { coarse } else { exact }
    }

    /// How often threads that still live were put on a processor since `earlier`: each time is a
    /// wake-up, or a turn taken away by somebody else.
    pub fn turns_since(&self, earlier: &Self) -> u64 {
        self.runs_since(earlier).map(|run| run.turns).sum()
    }

    fn runs_since(&self, earlier: &Self) -> impl Iterator<Item = Run> {
        self.threads.iter().map(|(thread, run)| {
            let before = earlier.threads.get(thread).copied().unwrap_or_default();
            Run {
                time: run.time.saturating_sub(before.time),
                turns: run.turns.saturating_sub(before.turns),
            }
        })
    }
}

impl Run {
    /// Of the thread with this folder in /proc; none if it has ended or may not be looked at.
    pub fn read(folder: &Path) -> Option<Self> {
        let line = fs::read_to_string(folder.join("schedstat")).ok()?;
        Some(Self::parse(&line))
    }

    /// Reads `schedstat`: nanoseconds on a processor, nanoseconds of waiting for one, turns.
    fn parse(line: &str) -> Self {
        let mut fields = line.split_whitespace().map(|field| field.parse().unwrap_or(0));
        let time = Duration::from_nanos(fields.next().unwrap_or(0));
        Self { time, turns: fields.nth(1).unwrap_or(0) }
    }
}

/// The fields of /proc/PID/stat from the third one on: the second is the name, which may hold
/// anything.
pub fn behind_name(stat: &str) -> &str {
    stat.rsplit_once(") ").map_or("", |(_, rest)| rest)
}

/// Waits until the process has nothing to do any more, such as work it put off.
pub fn await_quiet(process: u32) -> Result<(), BenchError> {
    let deadline = Instant::now() + QUIET_DEADLINE;
    let mut before = ProcessorTime::of(process)?;
    while Instant::now() < deadline {
        std::thread::sleep(QUIET_SAMPLE);
        let now = ProcessorTime::of(process)?;
        let taken = now.since(&before);
        if taken.as_secs_f64() < QUIET_SAMPLE.as_secs_f64() * QUIET_SHARE {
            return Ok(());
        }
        before = now;
    }
    Ok(())
}

/// Memory that the process has in use (its resident set), in MiB.
pub fn memory_mib(process: u32) -> Result<f64, BenchError> {
    Ok(usage::resident_bytes(process)? as f64 / (1 << 20) as f64)
}

/// Bytes that the process has sent to a disk, or left to the kernel to send.
pub fn written_bytes(process: u32) -> Result<u64, BenchError> {
    let path = format!("/proc/{process}/io");
    let text = fs::read_to_string(&path).map_err(BenchError::file(&path))?;
    let written = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(written.and_then(|bytes| bytes.parse().ok()).expect("the kernel writes this line"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{ProcessorTime, Run, memory_mib};

    #[test]
    fn a_line_of_the_scheduler_has_time_and_turns() {
        let run = Run::parse("1500 77 3\n");
        assert_eq!((run.time, run.turns), (Duration::from_nanos(1500), 3));
    }

    #[test]
    fn a_thread_that_has_ended_still_counts() {
        let before = ProcessorTime::of(std::process::id()).unwrap();
        let busy = std::thread::spawn(|| {
            let end = Instant::now() + Duration::from_millis(400);
            while Instant::now() < end {
                std::hint::spin_loop();
            }
            ProcessorTime::of(std::process::id()).unwrap()
        });
        let during = busy.join().unwrap();
        let after = ProcessorTime::of(std::process::id()).unwrap();
        let (during, after) = (during.since(&before), after.since(&before));
        assert!(after + Duration::from_millis(50) >= during, "{during:?} {after:?}");
        assert!(during > Duration::from_millis(10), "{during:?}");
    }

    #[test]
    fn memory_is_read() {
        assert!(memory_mib(std::process::id()).unwrap() > 1.0);
    }
}
