//! How many files the process may have open: raised at the start as far as it is allowed.

use crate::calls;

/// What the process itself has open beside its shards: three standard streams, the lock, signals,
/// what the helper threads open for one call, and the control thread with its connections.
const OF_PROCESS: usize = 56;

/// Raises the soft limit to the hard one. A soft limit of 1,024 is there for programs that use
/// `select(2)`, which this one does not. Answers with the limit that holds then.
pub(crate) fn raise() -> u32 {
    calls::raise_open_files_max();
    calls::open_files_max()
}

/// One shard's part of a limit.
pub(crate) fn share(limit: u32, shards: u16) -> usize {
    (limit as usize).saturating_sub(OF_PROCESS) / usize::from(shards.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_the_hard_one_after_the_start() {
        let limit = raise();
        assert_eq!(raise(), limit, "a second time changes nothing");
        let text = std::fs::read_to_string("/proc/self/limits").expect("every process has them");
        let line = text.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[3], words[4], "{line}");
        assert_eq!(words[3].parse(), Ok(limit), "{line}");
    }

    #[test]
    fn shards_share_what_the_process_leaves() {
        assert_eq!(share(1024, 2), 484);
        assert_eq!(share(10, 4), 0);
    }
}
