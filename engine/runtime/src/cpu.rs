//! Which cores the process may use, and how much of them.

use crate::control_group::{self, Version};
use crate::start::ShardsWanted;
use core_affinity::CoreId;
use std::fs;
use std::path::Path;

/// How many shards a process would start: as wanted, or one for every core of the affinity mask,
/// but no more than the control group's CPU quota (rounded up) can keep busy.
pub fn shard_count(wanted: ShardsWanted) -> u16 {
    match wanted {
        ShardsWanted::Exactly(n) => n.max(1),
        ShardsWanted::Auto => {
            let cores = cores().len().max(1);
            let quota = quota().unwrap_or(cores);
            u16::try_from(cores.min(quota)).unwrap_or(u16::MAX).max(1)
        }
    }
}

/// The cores of the affinity mask.
pub(crate) fn cores() -> Vec<CoreId> {
    core_affinity::get_core_ids().unwrap_or_default()
}

/// Keeps the calling thread on one core. False if the kernel refuses.
pub(crate) fn pin(core: CoreId) -> bool {
    core_affinity::set_for_current(core)
}

/// Whole cores that the control group may use, rounded up; none without a limit.
fn quota() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let read = |path: &Path| fs::read_to_string(path).ok();
    let milli = quota_milli(&groups, Path::new("/sys/fs/cgroup"), read)?;
    usize::try_from(milli.div_ceil(1000)).ok()
}

/// The smallest quota on the way from our group to the root, in thousandths of a core.
fn quota_milli(groups: &str, root: &Path, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let folders = control_group::folders(groups, root, "cpu");
    let quotas = folders.iter().filter_map(|(version, folder)| match version {
        Version::One => read_1(folder, &read),
        Version::Two => read_2(folder, &read),
    });
    quotas.min()
}

/// `cpu.max`: "quota period", or "max period".
fn read_2(folder: &Path, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let text = read(&folder.join("cpu.max"))?;
    let mut words = text.split_whitespace();
    milli(words.next()?, words.next()?)
}

/// Version 1 has a file for each; a quota of -1 is none.
fn read_1(folder: &Path, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let file = |name: &str| read(&folder.join(name));
    let (quota, period) = (file("cpu.cfs_quota_us")?, file("cpu.cfs_period_us")?);
    milli(quota.trim(), period.trim())
}

fn milli(quota: &str, period: &str) -> Option<u64> {
    let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
    quota.checked_mul(1000)?.checked_div(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(groups: &str, files: &[(&str, &str)], expect: Option<u64>) {
        let read = |path: &Path| {
            let file = files.iter().find(|(name, _)| Path::new(name) == path)?;
            Some(file.1.to_owned())
        };
        assert_eq!(quota_milli(groups, Path::new("/c"), read), expect, "{groups:?} {files:?}");
    }

    #[test]
    fn the_tightest_quota_on_the_way_to_the_root_counts() {
        let inner = ("/c/a/b/cpu.max", "max 100000\n");
        check("0::/a/b\n", &[inner], None);
        check("0::/a/b\n", &[inner, ("/c/a/cpu.max", "150000 100000\n")], Some(1500));
        let root = ("/c/cpu.max", "50000 100000\n");
        check("0::/a/b\n", &[inner, ("/c/a/cpu.max", "150000 100000\n"), root], Some(500));
    }

    #[test]
    fn version_1_is_read_from_the_cpu_controller() {
        let groups = "5:memory:/x\n3:cpu,cpuacct:/x\n";
        let quota = ("/c/cpu/x/cpu.cfs_quota_us", "200000\n");
        let period = ("/c/cpu/x/cpu.cfs_period_us", "100000\n");
        check(groups, &[quota, period], Some(2000));
        check(groups, &[("/c/cpu/x/cpu.cfs_quota_us", "-1\n"), period], None);
    }

    #[test]
    fn nonsense_is_no_quota() {
        check("", &[], None);
        check("garbage\n0::/a\n", &[("/c/a/cpu.max", "1 0\n")], None);
        check("0::/a\n", &[("/c/a/cpu.max", "")], None);
    }

    #[test]
    fn a_wanted_number_is_honoured_and_never_zero() {
        assert_eq!(shard_count(ShardsWanted::Exactly(3)), 3);
        assert_eq!(shard_count(ShardsWanted::Exactly(0)), 1);
        assert!(shard_count(ShardsWanted::Auto) >= 1);
    }
}
