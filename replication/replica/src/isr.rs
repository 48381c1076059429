//! The in-sync replicas of a partition and the high watermark that follows from them: pure.
//!
//! Rules: Kafka's replication protocol (KIP-101, KIP-497, KIP-966). The high watermark is the
//! lowest durable end among the in-sync replicas; it never moves back, and does not move at all
//! while fewer are in sync than `min.insync.replicas` asks for. A topic can't ask for more in-sync
//! replicas than it has replicas: what counts is the smaller of the two numbers.

use std::collections::BTreeMap;

use metadata::BrokerId;
use record::Offset;

/// Who is in sync, and how far each has everything on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Isr {
    durable_ends: BTreeMap<BrokerId, Offset>,
    /// How many must be in sync, of the replicas that there are.
    effective_min_insync: u32,
    high_watermark: Offset,
}

impl Isr {
    /// The in-sync `members` of `replica_count` replicas, known to have everything below
    /// `high_watermark`.
    pub fn new(
        members: impl IntoIterator<Item = BrokerId>,
        replica_count: u32,
        min_insync: u32,
        high_watermark: Offset,
    ) -> Isr {
        let durable_ends = members.into_iter().map(|broker| (broker, high_watermark)).collect();
        let effective_min_insync = min_insync.min(replica_count);
        Isr { durable_ends, effective_min_insync, high_watermark }
    }

    /// Asks for another number of in-sync replicas, of `replica_count`. Where that is fewer, the
    /// next [`Isr::advance`] finds what it lets go on.
    pub fn set_min_insync(&mut self, replica_count: u32, min_insync: u32) {
        self.effective_min_insync = min_insync.min(replica_count);
    }

    /// What consumers may read: everything below.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Whether as many are in sync as `min.insync.replicas` asks for, or as there are.
    pub fn is_enough(&self) -> bool {
        self.durable_ends.len() >= self.effective_min_insync as usize
    }

    /// A member has everything below `end` on disk. Returns the high watermark, if it moved.
    pub fn advance(&mut self, member: BrokerId, end: Offset) -> Option<Offset> {
        let known = self.durable_ends.get_mut(&member)?;
        *known = end.max(*known);
        let lowest = *self.durable_ends.values().min().expect("there is the member at least");
        if !self.is_enough() || lowest <= self.high_watermark {
            return None;
        }
        self.high_watermark = lowest;
        Some(lowest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: BrokerId = BrokerId(1);
    const B: BrokerId = BrokerId(2);

    #[test]
    fn the_slowest_member_sets_the_high_watermark() {
        let mut isr = Isr::new([A, B], 2, 1, Offset(0));
        assert_eq!(isr.advance(A, Offset(10)), None);
        assert_eq!(isr.advance(B, Offset(7)), Some(Offset(7)));
        assert_eq!(isr.advance(B, Offset(12)), Some(Offset(10)));
    }

    #[test]
    fn it_never_moves_back() {
        let mut isr = Isr::new([A], 1, 1, Offset(5));
        assert_eq!(isr.advance(A, Offset(4)), None);
        assert_eq!(isr.advance(A, Offset(6)), Some(Offset(6)));
        assert_eq!(isr.high_watermark(), Offset(6));
    }

    #[test]
    fn it_stands_still_while_too_few_are_in_sync() {
        let mut isr = Isr::new([A], 2, 2, Offset(0));
        assert!(!isr.is_enough());
        assert_eq!(isr.advance(A, Offset(9)), None);
        assert_eq!(isr.high_watermark(), Offset(0));
    }

    #[test]
    fn a_lower_minimum_lets_it_go_on_from_where_it_stood() {
        let mut isr = Isr::new([A], 2, 2, Offset(0));
        assert_eq!(isr.advance(A, Offset(9)), None);
        isr.set_min_insync(2, 1);
        assert_eq!(isr.advance(A, Offset(9)), Some(Offset(9)));
        isr.set_min_insync(2, 5);
        assert_eq!(isr.advance(A, Offset(10)), None);
    }

    #[test]
    fn a_minimum_above_the_number_of_replicas_asks_for_all_of_them() {
        let mut alone = Isr::new([A], 1, 2, Offset(0));
        assert!(alone.is_enough());
        assert_eq!(alone.advance(A, Offset(9)), Some(Offset(9)));
        let mut one_of_two = Isr::new([A], 2, 3, Offset(0));
        assert!(!one_of_two.is_enough());
        assert_eq!(one_of_two.advance(A, Offset(9)), None);
    }

    #[test]
    fn a_stranger_counts_for_nothing() {
        assert_eq!(Isr::new([A], 1, 1, Offset(0)).advance(B, Offset(9)), None);
    }
}
