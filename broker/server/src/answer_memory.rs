//! What answers may hold, from before they are made until they are sent: a small request may ask
//! for a large answer, and a peer need not read it.

use runtime::{Budget, Permit};

use crate::session::IN_FLIGHT_MAX;

/// Memory for the answers of one shard's connections to fetches, and as much for all others: an
/// answer about 100,000 partitions, the most that a request may name, fits.
const ANSWERS_BYTES: u64 = 64 * 1024 * 1024;
/// Smaller answers are not charged: each connection has room for one.
const FREE_BYTES: usize = 64 * 1024;
/// The same for answers to produces, of which a connection may have several that nobody reads.
const FREE_PRODUCE_BYTES: usize = FREE_BYTES / IN_FLIGHT_MAX;

/// Two budgets, because fetches that wait hold theirs for long.
pub(crate) struct AnswerMemory {
    fetch: Budget,
    other: Budget,
}

impl AnswerMemory {
    /// Nothing is held.
    pub(crate) fn new() -> AnswerMemory {
        AnswerMemory {
            fetch: Budget::new("memory for answers to fetches", ANSWERS_BYTES),
            other: Budget::new("memory for answers", ANSWERS_BYTES),
        }
    }

    /// Waits for the room that an answer of at most `size_max_bytes` needs; none if that is little.
    pub(crate) async fn reserve(&self, size_max_bytes: usize) -> Option<Reserved> {
        self.reserve_above(FREE_BYTES, size_max_bytes).await
    }

    /// The same for a produce.
    pub(crate) async fn reserve_produce(&self, size_max_bytes: usize) -> Option<Reserved> {
        self.reserve_above(FREE_PRODUCE_BYTES, size_max_bytes).await
    }

    async fn reserve_above(&self, free_bytes: usize, size_max_bytes: usize) -> Option<Reserved> {
        if size_max_bytes <= free_bytes {
            return None;
        }
        Some(reserve(&self.other, size_max_bytes, free_bytes).await)
    }

    /// The same for a fetch, which holds its frame here too: it may wait for long.
    pub(crate) async fn reserve_fetch(
        &self,
        size_max_bytes: usize,
        frame_bytes: usize,
    ) -> Reserved {
        reserve(&self.fetch, size_max_bytes + frame_bytes, FREE_BYTES).await
    }
}

async fn reserve(lane: &Budget, bytes: usize, free_bytes: usize) -> Reserved {
    // What is larger than all of it has all of it: then it is alone.
    let permit = lane.acquire((bytes as u64).min(lane.limit_bytes())).await;
    let permit = permit.expect("no more is asked for than there is");
    Reserved { permit, size_max_bytes: bytes, free_bytes }
}

/// Room that is kept for an answer while it is made.
pub(crate) struct Reserved {
    permit: Permit,
    /// What the answer takes at most: what the permit is worth, or more than there is in all.
    size_max_bytes: usize,
    free_bytes: usize,
}

impl Reserved {
    /// The answer is made, and takes `size_bytes`: what it holds until it is sent, none if that is
    /// little.
    pub(crate) fn settle(self, size_bytes: usize) -> Option<Permit> {
        let Reserved { mut permit, size_max_bytes, free_bytes } = self;
        // What a client sends may not end the broker: in a release a wrong estimate costs memory.
        debug_assert!(
            size_bytes <= size_max_bytes,
            "an answer of {size_bytes} bytes, for which {size_max_bytes} were reserved"
        );
        permit.shrink_to(size_bytes as u64);
        (size_bytes > free_bytes).then_some(permit)
    }
}
