//! What answers may hold, from before they are made until they are sent: a small request may ask
//! for a large answer, and a peer need not read it.
//!
//! ```text
//! own      64 KiB of each connection: whoever reads what it is answered rarely needs more
//! produce  fetch  other   answers of up to 4 MiB, each kind in a lane of its own
//! wide     larger ones of any kind: they wait for each other, and nobody else for them
//! parked   fetches that wait for records, for minutes; so nobody waits for that
//! ```
//!
//! Who finds no room waits for peers that do not read theirs, and must hold nothing meanwhile that
//! others need: the session sees to that.

use runtime::{Budget, Permit};

use crate::reading::BudgetReading;

/// Memory for wide answers of any kind: one about 100,000 partitions, the most that a request may
/// name, fits, however little memory there is.
const WIDE_BYTES: u64 = 64 * 1024 * 1024;
/// An answer that may take more, one about 8,000 partitions, is wide.
const WIDE_FROM_BYTES: usize = 4 * 1024 * 1024;
/// What the answers of one connection may hold together without being charged to a lane.
pub(crate) const OWN_BYTES: u64 = 64 * 1024;
/// A connection whose answers hold so much is not read: either its peer does not read them, or it
/// has plenty to wait for. It is four produces of 1,000 partitions.
const UNREAD_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// One part in so many of the memory for fetches that wait is what one of them may hold: 40,000
/// partitions, where nothing is scarce. So it takes as many connections to fill it.
const PARKED_SHARE: u64 = 16;

/// What kind of request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerTo {
    /// A fetch: such answers are read slowly.
    Fetch,
    /// A produce: such answers are short, and nobody's may wait for other kinds.
    Produce,
    /// Anything else.
    Other,
}

/// How much there is of each lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerBytes {
    /// For answers to fetches.
    fetch: u64,
    /// For answers to produces, which are short: a few hundred KiB for 1,000 partitions.
    produce: u64,
    /// For all others.
    other: u64,
    /// For fetches that wait: at most, for 600 consumers of 1,000 partitions each.
    parked: u64,
}

impl AnswerBytes {
    /// What there is where nothing is scarce.
    pub(crate) const MOST: AnswerBytes = AnswerBytes::narrow(192 * 1024 * 1024);
    /// The least that each may have: some answers that are not wide.
    pub(crate) const LEAST: AnswerBytes = AnswerBytes::narrow(48 * 1024 * 1024);

    /// As much as there is in `bytes`, between the least and the most.
    pub(crate) fn within(bytes: u64) -> AnswerBytes {
        let (least, most) = (AnswerBytes::LEAST.sum(), AnswerBytes::MOST.sum());
        AnswerBytes::narrow(bytes.clamp(least, most) - WIDE_BYTES)
    }

    /// All lanes together.
    pub(crate) const fn sum(&self) -> u64 {
        self.fetch + self.produce + self.other + self.parked + WIDE_BYTES
    }

    /// `bytes` shared out.
    const fn narrow(bytes: u64) -> AnswerBytes {
        let sixth = bytes / 6;
        AnswerBytes { fetch: 2 * sixth, produce: sixth, other: sixth, parked: 2 * sixth }
    }
}

/// The memory for the answers of one shard.
pub(crate) struct AnswerMemory {
    fetch: Budget,
    produce: Budget,
    other: Budget,
    wide: Budget,
    parked: Budget,
}

/// What one connection's answers hold together.
pub(crate) struct OwnAnswers(Budget);

/// A fetch's place to wait in; little ones take up none.
pub(crate) struct Place {
    _held: Option<Permit>,
}

impl AnswerMemory {
    /// Nothing is held.
    pub(crate) fn new(bytes: &AnswerBytes) -> AnswerMemory {
        AnswerMemory {
            fetch: Budget::new("memory for answers to fetches", bytes.fetch),
            produce: Budget::new("memory for answers to produces", bytes.produce),
            other: Budget::new("memory for other answers", bytes.other),
            wide: Budget::new("memory for wide answers", WIDE_BYTES),
            parked: Budget::new("memory for fetches that wait", bytes.parked),
        }
    }

    /// Waits for the room that an answer of at most `size_max_bytes` needs; it takes none of a lane
    /// while its connection's answers are little. Of a fetch the frame is counted in: nothing else
    /// charges for it.
    pub(crate) async fn reserve(
        &self,
        to: AnswerTo,
        size_max_bytes: usize,
        own: &OwnAnswers,
    ) -> Reserved {
        let bytes = size_max_bytes as u64;
        let own = own.0.try_acquire(bytes).expect("a connection's own has no limit of its own");
        let mut reserved = Reserved { own, lane: None, size_max_bytes };
        if !reserved.is_little() {
            let lane = self.lane(to, size_max_bytes);
            // What is larger than all of it has all of it: then it is alone.
            let permit = lane.acquire(bytes.min(lane.limit_bytes())).await;
            reserved.lane = Some(permit.expect("no more is asked for than there is"));
        }
        reserved
    }

    fn lane(&self, to: AnswerTo, size_max_bytes: usize) -> &Budget {
        match to {
            _ if size_max_bytes > WIDE_FROM_BYTES => &self.wide,
            AnswerTo::Fetch => &self.fetch,
            AnswerTo::Produce => &self.produce,
            AnswerTo::Other => &self.other,
        }
    }

    /// What is held now, budget by budget.
    pub(crate) fn budgets(&self) -> [BudgetReading; 5] {
        let of = |budget, of: &Budget| BudgetReading {
            budget,
            used_bytes: of.used_bytes(),
            limit_bytes: of.limit_bytes(),
        };
        [
            of("answer_fetch", &self.fetch),
            of("answer_produce", &self.produce),
            of("answer_other", &self.other),
            of("answer_wide", &self.wide),
            of("parked_fetch", &self.parked),
        ]
    }

    /// A place for a fetch that holds `held_bytes` while it waits, and has `reserved` room for its
    /// answer until then. None if it would hold more than its share, or all places are taken: it
    /// is answered at once, which every client understands, and its connection makes a pause.
    pub(crate) fn park(&self, reserved: &Reserved, held_bytes: usize) -> Option<Place> {
        if reserved.lane.is_none() {
            return Some(Place { _held: None });
        }
        let held_bytes = held_bytes as u64;
        let fits = held_bytes <= self.parked.limit_bytes() / PARKED_SHARE;
        let held = fits.then(|| self.parked.try_acquire(held_bytes))??;
        Some(Place { _held: Some(held) })
    }
}

impl OwnAnswers {
    /// A connection that was asked nothing.
    pub(crate) fn new() -> OwnAnswers {
        OwnAnswers(Budget::new("memory for one connection's answers", u64::MAX))
    }

    /// Whether the connection may be read: its answers do not hold too much.
    pub(crate) fn may_read_on(&self) -> bool {
        self.0.used_bytes() < UNREAD_BYTES_MAX
    }
}

/// Room that is kept for an answer while it is made.
pub(crate) struct Reserved {
    own: Permit,
    lane: Option<Permit>,
    /// What the answer takes at most: what the permits are worth, or more than a lane has in all.
    size_max_bytes: usize,
}

/// What an answer holds until it is sent.
pub(crate) struct Held {
    /// Of a lane, which others wait for; none if it is little.
    pub(crate) lane: Option<Permit>,
    /// Of its connection's own.
    pub(crate) own: Permit,
}

impl Reserved {
    /// What the answer takes at most.
    pub(crate) fn size_max_bytes(&self) -> usize {
        self.size_max_bytes
    }

    /// The answer is made, and takes `size_bytes`.
    pub(crate) fn settle(self, size_bytes: usize) -> Held {
        // What a client sends may not end the broker: in a release a wrong estimate costs memory.
        debug_assert!(
            size_bytes <= self.size_max_bytes,
            "an answer of {size_bytes} bytes, for which {} were reserved",
            self.size_max_bytes
        );
        let mut reserved = self;
        reserved.own.shrink_to(size_bytes as u64);
        let is_little = reserved.is_little();
        let Reserved { own, mut lane, .. } = reserved;
        lane.iter_mut().for_each(|permit| permit.shrink_to(size_bytes as u64));
        Held { lane: lane.filter(|_| !is_little), own }
    }

    /// Whether all of the connection's answers together are so little that no lane is charged.
    fn is_little(&self) -> bool {
        self.own.budget_used_bytes() <= OWN_BYTES
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

    /// What a connection that was asked nothing else gets at once.
    fn reserve(memory: &AnswerMemory, to: AnswerTo, size: usize) -> Option<Reserved> {
        poll(memory.reserve(to, size, &OwnAnswers::new()))
    }

    const OWN: usize = OWN_BYTES as usize;

    #[test]
    fn a_fetch_waits_in_its_share_and_a_little_one_always() {
        let memory = AnswerMemory::new(&AnswerBytes::MOST);
        let share = (AnswerBytes::MOST.parked / PARKED_SHARE) as usize;
        let reserved = reserve(&memory, AnswerTo::Fetch, OWN + 1).expect("there is room");
        assert!(memory.park(&reserved, share + 1).is_none());
        let park = |_| memory.park(&reserved, share).expect("it is its share");
        let mut places: Vec<Place> = (0..PARKED_SHARE).map(park).collect();
        assert!(memory.park(&reserved, 1).is_none(), "all places are taken");
        let little = reserve(&memory, AnswerTo::Fetch, OWN).expect("it needs no room");
        assert!(memory.park(&little, OWN).is_some());
        places.pop();
        assert!(memory.park(&reserved, 1).is_some());
    }

    #[test]
    fn no_kind_waits_for_another_nor_for_wide_ones_and_a_little_one_for_nobody() {
        use AnswerTo::{Fetch, Other, Produce};
        let memory = AnswerMemory::new(&AnswerBytes::MOST);
        let _wide = reserve(&memory, Other, WIDE_BYTES as usize).expect("nobody was first");
        for kind in [Fetch, Produce, Other] {
            assert!(reserve(&memory, kind, WIDE_FROM_BYTES + 1).is_none(), "{kind:?} waits");
        }
        let mut all = Vec::new();
        for kind in [Other, Fetch, Produce] {
            let free = reserve(&memory, kind, WIDE_FROM_BYTES);
            all.push(free.expect("of this kind nobody was first"));
            while let Some(another) = reserve(&memory, kind, WIDE_FROM_BYTES) {
                all.push(another);
            }
            assert!(reserve(&memory, kind, OWN + 1).is_none(), "{kind:?} is full");
            assert!(reserve(&memory, kind, OWN).is_some(), "and a little one needs no room");
        }
    }

    #[test]
    fn what_a_connection_has_not_read_counts_together() {
        let (memory, own) = (AnswerMemory::new(&AnswerBytes::MOST), OwnAnswers::new());
        let reserve = |size| poll(memory.reserve(AnswerTo::Produce, size, &own));
        let first = reserve(OWN / 2).expect("there is room").settle(OWN / 2);
        assert!(first.lane.is_none());
        let second = reserve(OWN).expect("there is room");
        assert!(second.lane.is_some());
        let second = second.settle(100);
        assert!(second.lane.is_none(), "together they are little");
        let mut unread = Vec::new();
        while own.may_read_on() {
            unread.push(reserve(1 << 20).expect("there is room").settle(1 << 20));
        }
        assert!(unread.len() == 2 && unread.iter().all(|held| held.lane.is_some()));
        unread.pop();
        assert!(own.may_read_on());
    }
}
