//! The control groups that may limit this process: its own and those around it.

use std::path::{Path, PathBuf};

/// Which files a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// One hierarchy for each controller.
    One,
    /// One hierarchy for all of them.
    Two,
}

/// The folders of a controller's groups, from the process' own to the root, as `/proc/self/cgroup`
/// lists them. Where both versions are in use, only one has a file of the controller. A container
/// may be told a path that its own view of `root` does not have: then the root's file is its own.
pub(crate) fn folders(listed: &str, root: &Path, controller: &str) -> Vec<(Version, PathBuf)> {
    let mut folders = Vec::new();
    for line in listed.lines() {
        // `hierarchy:controllers:path`; version 2 has hierarchy 0 and no controllers.
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (version, base) = match controllers.is_empty() {
            true => (Version::Two, root.to_path_buf()),
            false if controllers.split(',').any(|c| c == controller) => {
                (Version::One, root.join(controller))
            }
            false => continue,
        };
        let group = base.join(path.trim_start_matches('/'));
        let up = group.ancestors().take_while(|folder| folder.starts_with(&base));
        folders.extend(up.map(|folder| (version, folder.to_path_buf())));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listed: &str, controller: &str, expect: &[(Version, &str)]) {
        let found = folders(listed, Path::new("/c"), controller);
        let found: Vec<_> = found.iter().map(|(version, f)| (*version, f.as_path())).collect();
        let expect: Vec<_> = expect.iter().map(|(version, f)| (*version, Path::new(f))).collect();
        assert_eq!(found, expect, "{listed:?}");
    }

    #[test]
    fn groups_are_found_from_the_inner_to_the_outer() {
        use Version::{One, Two};
        check("0::/a/b\n", "memory", &[(Two, "/c/a/b"), (Two, "/c/a"), (Two, "/c")]);
        let both = "5:memory:/x\n3:cpu,cpuacct:/y\n0::/\n";
        check(both, "memory", &[(One, "/c/memory/x"), (One, "/c/memory"), (Two, "/c")]);
        check(both, "cpu", &[(One, "/c/cpu/y"), (One, "/c/cpu"), (Two, "/c")]);
        check("", "memory", &[]);
        check("garbage\n3:cpuset:/y\n", "cpu", &[]);
    }
}
