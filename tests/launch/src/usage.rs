//! What a process has taken, as Linux counts it: time of the processor, and memory.

use std::time::Duration;

use crate::error::LaunchError;

/// How Linux counts processor time for programs, on every machine.
const TICK: Duration = Duration::from_millis(10);

/// The processor time that all threads of the process have taken, in steps of 10 ms.
pub fn processor_time(process: u32) -> Result<Duration, LaunchError> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path).map_err(LaunchError::file(&path))?;
    Ok(TICK * ticks(&stat).expect("the kernel writes this line"))
}

/// The memory that the process has now (its resident set), in bytes.
pub fn resident_bytes(process: u32) -> Result<u64, LaunchError> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).map_err(LaunchError::file(&path))?;
    Ok(resident_kib(&status).unwrap_or(0) * 1024)
}

/// User and system time, fields 14 and 15, counted behind the name in parentheses, which may hold
/// anything.
fn ticks(stat: &str) -> Option<u32> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<u32>().ok()).sum()
}

/// A process that has ended has no such line.
fn resident_kib(status: &str) -> Option<u64> {
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{processor_time, resident_bytes, resident_kib, ticks};

    #[test]
    fn ticks_are_found_behind_a_name_with_spaces_and_brackets() {
        let line = "7 (a) b) c) S 1 7 7 0 -1 4 1 0 0 0 30 12 0 0 20 0 1";
        assert_eq!(ticks(line), Some(42));
    }

    #[test]
    fn resident_memory_is_the_line_of_its_name() {
        assert_eq!(resident_kib("VmPeak:\t 9 kB\nVmRSS:\t  7700 kB\n"), Some(7700));
        assert_eq!(resident_kib("State:\tZ (zombie)\n"), None);
    }

    #[test]
    fn a_living_process_has_both() {
        let process = std::process::id();
        assert!(resident_bytes(process).unwrap() > 1 << 20);
        processor_time(process).unwrap();
    }
}
