//! The families of the process, under the names that every Prometheus client library gives them,
//! and the processor time of each shard's thread. Linux tells all of it under `/proc/self`.

use std::fs;

use super::families;
use super::text::Text;

/// The unit of processor times in `/proc`, on every machine that Linux has in use (`man 5 proc`).
const TICKS_PER_SECOND: f64 = 100.0;
/// How the runtime names a shard's thread, without its number.
const SHARD_THREAD: &str = "shard-";

/// Writes what can be read; a file that is not there leaves its families out.
pub(super) fn write(text: &mut Text) {
    let mut samples = text.family(&families::CPU);
    for (shard, seconds) in shard_threads() {
        samples.counter(&[&shard], seconds);
    }
    let stat = fs::read_to_string("/proc/self/stat").ok();
    if let Some(stat) = stat.as_deref().and_then(Stat::parse) {
        text.family(&families::PROCESS_CPU).counter(&[], stat.cpu_seconds);
        text.family(&families::PROCESS_VIRTUAL).gauge(&[], stat.virtual_bytes);
        if let Some(boot) = boot_seconds() {
            text.family(&families::PROCESS_START).gauge(&[], boot + stat.started_seconds);
        }
    }
    if let Some(bytes) = resident_bytes() {
        text.family(&families::PROCESS_RESIDENT).gauge(&[], bytes);
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder itself while it is read.
        text.family(&families::PROCESS_OPEN_FDS).gauge(&[], open.count().saturating_sub(1));
    }
    if let Some(max) = open_files_max() {
        text.family(&families::PROCESS_MAX_FDS).gauge(&[], max);
    }
}

/// What stands in a `stat` file, of the process or of a thread.
struct Stat<'a> {
    name: &'a str,
    cpu_seconds: f64,
    /// Since the machine's start.
    started_seconds: f64,
    virtual_bytes: u64,
}

impl Stat<'_> {
    fn parse(stat: &str) -> Option<Stat<'_>> {
        // The name stands in parentheses and may have any character.
        let (before, rest) = stat.rsplit_once(") ")?;
        let (_, name) = before.split_once('(')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // `fields[0]` is the third of the manual's list.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            name,
            cpu_seconds: (field(14)? + field(15)?) as f64 / TICKS_PER_SECOND,
            started_seconds: field(22)? as f64 / TICKS_PER_SECOND,
            virtual_bytes: field(23)?,
        })
    }
}

/// The processor time of each shard's thread, by the shard's number.
fn shard_threads() -> Vec<(u16, f64)> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let thread = |entry: fs::DirEntry| {
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let stat = Stat::parse(&stat)?;
        let shard = stat.name.strip_prefix(SHARD_THREAD)?.parse().ok()?;
        Some((shard, stat.cpu_seconds))
    };
    let mut shards: Vec<(u16, f64)> = threads.flatten().filter_map(thread).collect();
    shards.sort_by_key(|(shard, _)| *shard);
    shards
}

/// Unix time of the machine's start.
fn boot_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn open_files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_read_whatever_the_name() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 4 0 700 1048576 25 1 2 3";
        let text = format!("77 (a) (b) {fields}");
        let stat = Stat::parse(&text).expect("it is whole");
        assert_eq!((stat.name, stat.cpu_seconds), ("a) (b", 2.0));
        assert_eq!((stat.started_seconds, stat.virtual_bytes), (7.0, 1 << 20));
        assert!(Stat::parse("77 (a) S 1 2").is_none());
    }

    #[test]
    fn linux_tells_everything_of_this_process() {
        let mut text = Text::new();
        write(&mut text);
        let page = text.finish();
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
        ] {
            let mut lines = page.lines().filter(|line| !line.starts_with('#'));
            let sample = lines.find_map(|line| line.strip_prefix(name));
            let value = sample.and_then(|value| value.trim().parse::<f64>().ok());
            assert!(value.is_some_and(|value| value >= 0.0), "{name} in\n{page}");
        }
    }
}
