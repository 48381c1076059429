//! Hands out producer ids from blocks that the cluster's metadata grants (as Kafka does, KIP-730).

/// How many ids a broker takes at once: what is unused of a block is lost at a restart, and 2^63
/// are plenty.
pub const PRODUCER_ID_BLOCK_SIZE: u32 = 1000;

/// The ids that this holder may still give away. Each id is given once.
#[derive(Debug, Default)]
pub struct ProducerIds {
    next: i64,
    end: i64,
}

impl ProducerIds {
    /// Nothing to give yet: ask for a block first.
    pub fn new() -> ProducerIds {
        ProducerIds::default()
    }

    /// The next id, or none if a new block must be asked for.
    pub fn take(&mut self) -> Option<i64> {
        (self.next < self.end).then(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// A block was granted: `count` ids from `first` on. What was left of an older block is used no
    /// more.
    ///
    /// # Panics
    /// If the block begins below ids that were given already.
    pub fn grant(&mut self, first: i64, count: u32) {
        assert!(first >= self.next, "block at {first}, but ids below {} were given", self.next);
        self.next = first;
        self.end = first.saturating_add(i64::from(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_from_blocks_and_never_twice() {
        let mut ids = ProducerIds::new();
        assert_eq!(ids.take(), None);
        ids.grant(0, 2);
        ids.grant(5000, 2);
        assert_eq!([ids.take(), ids.take(), ids.take()], [Some(5000), Some(5001), None]);
        ids.grant(6000, 1);
        assert_eq!(ids.take(), Some(6000));
    }

    #[test]
    fn the_last_block_of_all_does_not_overflow() {
        let mut ids = ProducerIds::new();
        ids.grant(i64::MAX - 1, 1000);
        assert_eq!([ids.take(), ids.take()], [Some(i64::MAX - 1), None]);
    }
}
