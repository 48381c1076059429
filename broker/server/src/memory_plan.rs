//! Divides what a broker may hold among its shards, and what a shard may hold among its purposes.
//!
//! ```text
//! a shard's part = its own 16 MiB + ringmain.tail.bytes + ringmain.request.bytes
//!                + answers, 112 MiB to 256 MiB + 82 KiB for each connection that it may have
//! ```
//!
//! What clients can make a shard hold is bounded purpose by purpose; so the sum is, too. Not in it:
//! what the topics and partitions themselves take, and the kernel's socket buffers.

use std::fmt;

use crate::answer_memory::{AnswerBytes, OWN_BYTES};
use crate::config::Config;

/// What a shard has for itself: its ring, its tasks, its part of the metadata.
const OF_SHARD_BYTES: u64 = 16 * 1024 * 1024;
/// What a connection may hold that is charged to nothing else: itself, a small request that waits,
/// and little answers.
const CONNECTION_BYTES: u64 = (2 + 16) * 1024 + OWN_BYTES;
/// As many connections as every shard has memory for.
const CONNECTIONS_LEAST: usize = 100;
/// As many as a shard has at most, however much memory there is.
const CONNECTIONS_MOST: usize = 20_000;
/// Bytes of a mebibyte.
const MIB: u64 = 1024 * 1024;

/// What a shard may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryPlan {
    /// For answers.
    pub(crate) answers: AnswerBytes,
    /// How many connections it has memory for.
    pub(crate) connections_max: usize,
}

/// A broker may hold less than its settings need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLittleMemory {
    /// What there is for all shards.
    pub there_bytes: u64,
    /// What they need.
    pub needed_bytes: u64,
}

impl fmt::Display for TooLittleMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} MiB of memory (ringmain.memory.bytes), where {} MiB are needed with these \
             settings: lower ringmain.shards, ringmain.tail.bytes, or socket.request.max.bytes and \
             ringmain.request.bytes with it",
            self.there_bytes / MIB,
            self.needed_bytes.div_ceil(MIB)
        )
    }
}

impl std::error::Error for TooLittleMemory {}

impl MemoryPlan {
    /// What a shard may hold if nobody says how much there is.
    pub(crate) const MOST: MemoryPlan =
        MemoryPlan { answers: AnswerBytes::MOST, connections_max: CONNECTIONS_MOST };

    /// The least with which a shard works.
    #[cfg(test)]
    const LEAST: MemoryPlan =
        MemoryPlan { answers: AnswerBytes::LEAST, connections_max: CONNECTIONS_LEAST };

    /// What each of `shards` may hold by `config`.
    pub(crate) fn of(config: &Config, shards: u16) -> Result<MemoryPlan, TooLittleMemory> {
        match config.memory_bytes {
            Some(bytes) => MemoryPlan::divide(config, bytes, shards),
            None => Ok(MemoryPlan::MOST),
        }
    }

    /// What each of `shards` may hold of `there_bytes`.
    fn divide(
        config: &Config,
        there_bytes: u64,
        shards: u16,
    ) -> Result<MemoryPlan, TooLittleMemory> {
        let shards = u64::from(shards);
        let fixed = OF_SHARD_BYTES + config.tail_bytes + config.request_bytes_in_all();
        let connections_least = CONNECTIONS_LEAST as u64 * CONNECTION_BYTES;
        let needed = fixed + AnswerBytes::LEAST.sum() + connections_least;
        let part = there_bytes / shards;
        if part < needed {
            let needed_bytes = needed.saturating_mul(shards);
            return Err(TooLittleMemory { there_bytes, needed_bytes });
        }
        let answers = AnswerBytes::within((part - fixed - connections_least) / 2);
        let left = part - fixed - answers.sum();
        let connections_max = (left / CONNECTION_BYTES).min(CONNECTIONS_MOST as u64) as usize;
        Ok(MemoryPlan { answers, connections_max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Settings;

    #[test]
    fn whatever_there_is_the_sum_of_all_purposes_is_within_it() {
        let config = Config::check(&Settings::new()).expect("the defaults");
        let fixed = OF_SHARD_BYTES + config.tail_bytes + config.request_bytes_in_all();
        let sum = |plan: &MemoryPlan| {
            fixed + plan.answers.sum() + plan.connections_max as u64 * CONNECTION_BYTES
        };
        let least = sum(&MemoryPlan::LEAST);
        for shards in [1, 2, 64] {
            let needed_bytes = least * u64::from(shards);
            let too_little = MemoryPlan::divide(&config, needed_bytes - 1, shards);
            let there_bytes = needed_bytes - 1;
            assert_eq!(too_little, Err(TooLittleMemory { there_bytes, needed_bytes }));
            let mut before = MemoryPlan::LEAST;
            for more in 0..64 {
                let part = least + more * 64 * MIB;
                let plan = MemoryPlan::divide(&config, part * u64::from(shards), shards);
                let plan = plan.expect("it is enough");
                assert!(sum(&plan) <= part, "{plan:?} in {part}");
                assert!(plan.connections_max >= before.connections_max, "{plan:?} {before:?}");
                assert!(plan.answers.sum() >= before.answers.sum(), "{plan:?} {before:?}");
                before = plan;
            }
            assert_eq!(before, MemoryPlan::MOST);
        }
    }
}
