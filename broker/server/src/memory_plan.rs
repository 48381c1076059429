//! Divides what a broker may hold among its shards, and what a shard may hold among its purposes.
//!
//! ```text
//! a shard's part = its own 16 MiB + ringmain.tail.bytes + ringmain.request.bytes
//!                + answers, 112 MiB to 256 MiB + 82 KiB for each connection that it may have
//!                + 1.5 KiB for each of 10,000 to 200,000 producers that its partitions remember
//! ```
//!
//! What clients can make a shard hold is bounded purpose by purpose; so the sum is, too. Not in it:
//! what the topics and partitions themselves take, and the kernel's socket buffers: for those, the
//! kernel's cache of files and other programs, a quarter of the machine's memory is left.

use std::fmt;

use crate::answer_memory::{AnswerBytes, OWN_BYTES};
use crate::config::Config;

/// What a shard has for itself: its ring, its tasks, its part of the metadata.
const OF_SHARD_BYTES: u64 = 16 * 1024 * 1024;
/// What a connection may hold that is charged to nothing else: itself, a small request that waits,
/// and little answers.
const CONNECTION_BYTES: u64 = (2 + 16) * 1024 + OWN_BYTES;
/// As many connections as every shard has memory for, however little is given to it.
const CONNECTIONS_LEAST: usize = 100;
/// The same where nobody has said how much is to be given to it.
const CONNECTIONS_LEAST_UNASKED: usize = 1_000;
/// As many as a shard has at most, however much memory there is.
const CONNECTIONS_MOST: usize = 20_000;
/// What a producer takes that one partition remembers: 280 bytes where appends look, as many in
/// what has settled, 220 in the manifest's table; and, while a round of the settler records it, as
/// much again in that round.
const PRODUCER_BYTES: u64 = 1536;
/// As many producers as the partitions of every shard may remember, however little is given to it:
/// 100 connections that write to 100 partitions each.
const PRODUCERS_LEAST: usize = 10_000;
/// As many as they may remember at most, however much memory there is.
const PRODUCERS_MOST: usize = 200_000;
/// One part in so many of the memory that is left when everything has its least is for producers.
const PRODUCERS_SHARE: u64 = 8;
/// Bytes of a mebibyte.
const MIB: u64 = 1024 * 1024;

/// What a shard may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MemoryPlan {
    /// For answers.
    pub(crate) answers: AnswerBytes,
    /// How many connections it has memory for.
    pub(crate) connections_max: usize,
    /// How many producers its partitions may remember together.
    pub(crate) producers_max: usize,
    /// What all shards may hold is more than there is.
    pub(crate) beyond: Option<BeyondMemory>,
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

/// A broker of which no setting says what it may hold, may hold more than its machine has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BeyondMemory {
    /// What the machine has.
    machine_bytes: u64,
    /// What all shards may hold.
    held_max_bytes: u64,
}

impl fmt::Display for BeyondMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "clients can make this broker hold {} MiB, more than three quarters of the {} MiB \
             that this machine, or the broker's control group, has: lower ringmain.shards, \
             ringmain.tail.bytes, or socket.request.max.bytes and ringmain.request.bytes with it; \
             or say by ringmain.memory.bytes that it may",
            self.held_max_bytes.div_ceil(MIB),
            self.machine_bytes / MIB
        )
    }
}

impl MemoryPlan {
    /// What a shard may hold if nobody knows how much there is.
    pub(crate) const MOST: MemoryPlan =
        MemoryPlan::new(AnswerBytes::MOST, CONNECTIONS_MOST, PRODUCERS_MOST);

    /// The least with which a shard works.
    #[cfg(test)]
    const LEAST: MemoryPlan =
        MemoryPlan::new(AnswerBytes::LEAST, CONNECTIONS_LEAST, PRODUCERS_LEAST);

    const fn new(answers: AnswerBytes, connections_max: usize, producers_max: usize) -> MemoryPlan {
        MemoryPlan { answers, connections_max, producers_max, beyond: None }
    }

    /// What each of `shards` may hold by `config`, on a machine that has `machine_bytes` as far as
    /// is known: of these they have three quarters if no setting says what they have. Where that
    /// is too little they have the least of everything, and may hold more than there is: whoever
    /// has a small machine has rarely peers who want all of it.
    pub(crate) fn of(
        config: &Config,
        shards: u16,
        machine_bytes: Option<u64>,
    ) -> Result<MemoryPlan, TooLittleMemory> {
        if let Some(bytes) = config.memory_bytes {
            return MemoryPlan::divide(config, bytes, shards, CONNECTIONS_LEAST);
        }
        let Some(machine_bytes) = machine_bytes else { return Ok(MemoryPlan::MOST) };
        let connections_least = CONNECTIONS_LEAST_UNASKED;
        let divided = MemoryPlan::divide(config, machine_bytes / 4 * 3, shards, connections_least);
        Ok(divided.unwrap_or_else(|TooLittleMemory { needed_bytes, .. }| MemoryPlan {
            beyond: Some(BeyondMemory { machine_bytes, held_max_bytes: needed_bytes }),
            ..MemoryPlan::new(AnswerBytes::LEAST, connections_least, PRODUCERS_LEAST)
        }))
    }

    /// What each of `shards` may hold of `there_bytes`, with so many connections at least.
    fn divide(
        config: &Config,
        there_bytes: u64,
        shards: u16,
        connections_least: usize,
    ) -> Result<MemoryPlan, TooLittleMemory> {
        let shards = u64::from(shards);
        let fixed = OF_SHARD_BYTES + config.tail_bytes + config.request_bytes_in_all();
        let of_connections = connections_least as u64 * CONNECTION_BYTES;
        let of_producers = PRODUCERS_LEAST as u64 * PRODUCER_BYTES;
        let needed = fixed + AnswerBytes::LEAST.sum() + of_connections + of_producers;
        let part = there_bytes / shards;
        if part < needed {
            let needed_bytes = needed.saturating_mul(shards);
            return Err(TooLittleMemory { there_bytes, needed_bytes });
        }
        let of_producers = of_producers + (part - needed) / PRODUCERS_SHARE;
        let producers_max = (of_producers / PRODUCER_BYTES).min(PRODUCERS_MOST as u64);
        let part = part - producers_max * PRODUCER_BYTES;
        let answers = AnswerBytes::within((part - fixed - of_connections) / 2);
        let left = part - fixed - answers.sum();
        let connections_max = (left / CONNECTION_BYTES).min(CONNECTIONS_MOST as u64) as usize;
        Ok(MemoryPlan::new(answers, connections_max, producers_max as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Settings;

    #[test]
    fn whatever_there_is_the_sum_of_all_purposes_is_within_it() {
        let config = Config::check(&Settings::new(), None).expect("the defaults");
        let fixed = OF_SHARD_BYTES + config.tail_bytes + config.request_bytes_in_all();
        let sum = |plan: &MemoryPlan| {
            let of_connections = plan.connections_max as u64 * CONNECTION_BYTES;
            let of_producers = plan.producers_max as u64 * PRODUCER_BYTES;
            fixed + plan.answers.sum() + of_connections + of_producers
        };
        let least = sum(&MemoryPlan::LEAST);
        let divide = |bytes, shards| MemoryPlan::divide(&config, bytes, shards, CONNECTIONS_LEAST);
        for shards in [1, 2, 64] {
            let needed_bytes = least * u64::from(shards);
            let there_bytes = needed_bytes - 1;
            assert_eq!(
                divide(there_bytes, shards),
                Err(TooLittleMemory { there_bytes, needed_bytes })
            );
            let mut before = MemoryPlan::LEAST;
            for more in 0..64 {
                let part = least + more * 64 * MIB;
                let plan = divide(part * u64::from(shards), shards).expect("it is enough");
                assert!(sum(&plan) <= part, "{plan:?} in {part}");
                assert!(plan.connections_max >= before.connections_max, "{plan:?} {before:?}");
                assert!(plan.answers.sum() >= before.answers.sum(), "{plan:?} {before:?}");
                assert!(plan.producers_max >= before.producers_max, "{plan:?} {before:?}");
                before = plan;
            }
            assert_eq!(before, MemoryPlan::MOST);
        }
    }

    /// A broker on a small machine used to start, and is to.
    #[test]
    fn a_machine_gives_three_quarters_and_one_that_is_too_small_for_that_is_named() {
        let config = Config::check(&Settings::new(), None).expect("the defaults");
        let of = |shards, machine| MemoryPlan::of(&config, shards, machine);
        let planned = |shards, mib| of(shards, Some(mib * MIB)).expect("every machine will do");
        assert_eq!(of(2, None), Ok(MemoryPlan::MOST));
        assert_eq!(planned(2, 64 * 1024), MemoryPlan::MOST);
        let divided = MemoryPlan::divide(&config, 1536 * MIB, 2, CONNECTIONS_LEAST_UNASKED);
        let middle = planned(2, 2048);
        assert_eq!((Ok(middle), middle.beyond), (divided, None));
        let small = planned(2, 512);
        let more_is_more = |less: MemoryPlan, more: MemoryPlan| {
            less.connections_max <= more.connections_max && less.answers.sum() <= more.answers.sum()
        };
        assert!(more_is_more(small, planned(2, 1024)) && more_is_more(planned(2, 1024), middle));
        let told = small.beyond.expect("it is too small").to_string();
        assert!(told.contains("hold 958 MiB") && told.contains("the 512 MiB"), "{told}");
        // Nobody is told of more than it takes to be told no more.
        let enough = small.beyond.expect("it is too small").held_max_bytes.div_ceil(3) * 4;
        assert_eq!(of(2, Some(enough)).map(|plan| plan.beyond), Ok(None));
    }

    #[test]
    fn what_a_setting_says_counts_whatever_the_machine_has() {
        let mut settings = Settings::new();
        settings.set_argument("ringmain.memory.bytes=1073741824").expect("a setting of the table");
        let config = Config::check(&settings, None).expect("settings that fit together");
        let plan = MemoryPlan::of(&config, 2, None);
        assert!(plan.is_ok_and(|plan| plan != MemoryPlan::MOST));
        for machine in [Some(1 << 20), Some(1 << 40)] {
            assert_eq!(MemoryPlan::of(&config, 2, machine), plan);
            assert!(MemoryPlan::of(&config, 3, machine).is_err());
        }
    }
}
