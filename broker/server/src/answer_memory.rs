//! What answers may hold, from before they are made until they are sent: a small request may ask
//! for a large answer, and a peer need not read it.

use runtime::{Budget, Permit};

use crate::session::IN_FLIGHT_MAX;

/// Memory for the answers of one shard's connections to fetches, as much for those to wide ones,
/// and for all others: an answer about 100,000 partitions, the most that a request may name, fits.
const ANSWERS_BYTES: u64 = 64 * 1024 * 1024;
/// Smaller answers are not charged: each connection has room for one.
const FREE_BYTES: usize = 64 * 1024;
/// The same for answers to produces, of which a connection may have several that nobody reads.
const FREE_PRODUCE_BYTES: usize = FREE_BYTES / IN_FLIGHT_MAX;
/// Memory for the fetches of one shard that wait: for 600 consumers of 1,000 partitions each.
const PARKED_BYTES: u64 = 64 * 1024 * 1024;
/// One part in so many of it is what one of them may hold: 40,000 partitions. So it takes as many
/// connections to fill it.
const PARKED_SHARE: u64 = 16;

/// A fetch that needs more than one part in so many of the memory for answers, 8,000 partitions,
/// is wide.
const WIDE_SHARE: u64 = 16;

/// Fetches have a budget of their own, because their answers are read slowly; wide ones another, so
/// that nobody else waits until one finds its room; and all one to wait in, which they hold for
/// minutes, so nobody waits for that.
pub(crate) struct AnswerMemory {
    fetch: Budget,
    wide_fetch: Budget,
    parked: Budget,
    other: Budget,
}

/// A fetch's place to wait in; little ones take up none.
pub(crate) struct Place {
    _held: Option<Permit>,
}

impl AnswerMemory {
    /// Nothing is held.
    pub(crate) fn new() -> AnswerMemory {
        AnswerMemory {
            fetch: Budget::new("memory for answers to fetches", ANSWERS_BYTES),
            wide_fetch: Budget::new("memory for answers to wide fetches", ANSWERS_BYTES),
            parked: Budget::new("memory for fetches that wait", PARKED_BYTES),
            other: Budget::new("memory for answers", ANSWERS_BYTES),
        }
    }

    /// Waits for the room that an answer of at most `size_max_bytes` needs; none if that is little.
    pub(crate) async fn reserve(&self, size_max_bytes: usize) -> Option<Reserved> {
        reserve(&self.other, size_max_bytes, FREE_BYTES).await
    }

    /// The same for a produce.
    pub(crate) async fn reserve_produce(&self, size_max_bytes: usize) -> Option<Reserved> {
        reserve(&self.other, size_max_bytes, FREE_PRODUCE_BYTES).await
    }

    /// The same for a fetch, whose frame is counted in: nothing else charges for it.
    pub(crate) async fn reserve_fetch(&self, size_max_bytes: usize) -> Option<Reserved> {
        let is_wide = size_max_bytes as u64 > ANSWERS_BYTES / WIDE_SHARE;
        let lane = if is_wide { &self.wide_fetch } else { &self.fetch };
        reserve(lane, size_max_bytes, FREE_BYTES).await
    }

    /// A place for a fetch that holds `held_bytes` while it waits, and has `reserved` room for its
    /// answer until then. None if it would hold more than its share, or all places are taken: it
    /// is answered at once, which every client understands, and stops no other.
    pub(crate) fn park(&self, reserved: Option<&Reserved>, held_bytes: usize) -> Option<Place> {
        if reserved.is_none() {
            return Some(Place { _held: None });
        }
        let held_bytes = held_bytes as u64;
        let fits = held_bytes <= self.parked.limit_bytes() / PARKED_SHARE;
        let held = fits.then(|| self.parked.try_acquire(held_bytes))??;
        Some(Place { _held: Some(held) })
    }
}

async fn reserve(lane: &Budget, bytes: usize, free_bytes: usize) -> Option<Reserved> {
    if bytes <= free_bytes {
        return None;
    }
    // What is larger than all of it has all of it: then it is alone.
    let permit = lane.acquire((bytes as u64).min(lane.limit_bytes())).await;
    let permit = permit.expect("no more is asked for than there is");
    Some(Reserved { permit, size_max_bytes: bytes, free_bytes })
}

/// Room that is kept for an answer while it is made.
pub(crate) struct Reserved {
    permit: Permit,
    /// What the answer takes at most: what the permit is worth, or more than there is in all.
    size_max_bytes: usize,
    free_bytes: usize,
}

impl Reserved {
    /// What the answer takes at most.
    pub(crate) fn size_max_bytes(&self) -> usize {
        self.size_max_bytes
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn poll<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn reserved(memory: &AnswerMemory) -> Reserved {
        poll(memory.reserve_fetch(FREE_BYTES + 1)).flatten().expect("there is room")
    }

    #[test]
    fn a_fetch_waits_in_its_share_and_a_little_one_always() {
        let memory = AnswerMemory::new();
        let share = (PARKED_BYTES / PARKED_SHARE) as usize;
        let reserved = reserved(&memory);
        assert!(memory.park(Some(&reserved), share + 1).is_none());
        let park = |_| memory.park(Some(&reserved), share).expect("it is its share");
        let mut places: Vec<Place> = (0..PARKED_SHARE).map(park).collect();
        assert!(memory.park(Some(&reserved), 1).is_none(), "all places are taken");
        assert!(memory.park(None, FREE_BYTES).is_some());
        places.pop();
        assert!(memory.park(Some(&reserved), 1).is_some());
    }

    #[test]
    fn a_fetch_waits_for_no_wider_ones_and_a_little_one_for_nobody() {
        let memory = AnswerMemory::new();
        let wide = poll(memory.reserve_fetch(ANSWERS_BYTES as usize)).expect("nobody was first");
        let share = (ANSWERS_BYTES / WIDE_SHARE) as usize;
        assert!(poll(memory.reserve_fetch(share + 1)).is_none(), "it waits");
        let reserve = |_| poll(memory.reserve_fetch(share)).flatten().expect("there is room");
        let all: Vec<Reserved> = (0..WIDE_SHARE).map(reserve).collect();
        assert!(poll(memory.reserve_fetch(FREE_BYTES + 1)).is_none(), "it waits");
        assert!(poll(memory.reserve_fetch(FREE_BYTES)).is_some_and(|r| r.is_none()));
        drop((wide, all));
        assert!(poll(memory.reserve_fetch(share + 1)).flatten().is_some());
    }
}
