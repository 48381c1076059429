//! What there is to know of the machine: its memory for this process, and its name.

use std::fs;
use std::path::Path;

use crate::control_group::{self, Version};

/// The memory of this machine, or of a control group that the process runs in if that may have
/// less, in bytes; none if the kernel does not tell.
pub fn memory_bytes() -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| of_machine(&text));
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let groups = of_groups(&groups, Path::new("/sys/fs/cgroup"), read);
    [machine, groups].into_iter().flatten().min()
}

/// The host name of this machine, or of the container that the process runs in; none if nobody gave
/// it one.
pub fn host_name() -> Option<String> {
    // The kernel says `(none)` until it is told.
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim()).filter(|name| !["", "(none)"].contains(name)).map(str::to_owned)
}

fn of_machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// The smallest limit on the way from our group to the root. A group without one has `max` in its
/// file in version 2, and a number that no machine has in version 1.
fn of_groups(groups: &str, root: &Path, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let folders = control_group::folders(groups, root, "memory");
    let limits = folders.iter().filter_map(|(version, folder)| {
        let file = match version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        read(&folder.join(file))?.trim().parse().ok()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_memory() {
        assert!(memory_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert_eq!(of_machine("MemTotal:       24683908 kB\nMemFree: 1 kB"), Some(25_276_321_792));
        assert_eq!(of_machine("MemFree: 1 kB"), None);
    }

    #[test]
    fn a_machine_has_a_name() {
        assert!(host_name().is_some_and(|name| !name.contains(char::is_whitespace)));
    }

    fn check(groups: &str, files: &[(&str, &str)], expect: Option<u64>) {
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path)?;
            Some(file.1.to_owned())
        };
        assert_eq!(of_groups(groups, Path::new("/c"), read), expect, "{groups:?} {files:?}");
    }

    #[test]
    fn the_least_limit_on_the_way_to_the_root_counts_in_both_versions() {
        let own = ("/c/a/b/memory.max", "max\n");
        check("0::/a/b\n", &[own], None);
        check("0::/a/b\n", &[own, ("/c/a/memory.max", "1048576\n")], Some(1 << 20));
        // A container that does not know its own path.
        check("0::/a/b\n", &[("/c/memory.max", "4096\n")], Some(4096));
        let file = "/c/memory/x/memory.limit_in_bytes";
        check("4:memory:/x\n0::/\n", &[(file, "536870912\n")], Some(512 << 20));
        check("4:cpu:/x\n", &[(file, "536870912\n")], None);
        check("0::/a/b\n", &[("/c/a/memory.max", "")], None);
    }
}
