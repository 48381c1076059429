//! What the requests of one shard may hold, in lanes, so that no claim of a peer and no mass of
//! large requests shuts out the small ones.
//!
//! ```text
//! small    frames of up to 16 KiB: heartbeats and metadata pass when the rest is full
//! bulk     the beginnings of larger frames, as far as they have come; blocks of received bytes
//! large    whole frames that outgrow an eighth of bulk, one or a few at a time
//! waiting  frames that came whole and can't be handled before some peer has read its answers
//! ```
//!
//! A frame holds at most a few times the bytes that came of it, whatever it claims; one that moves
//! to the large lane gives back what it held of bulk. Frames that are half received may wait for
//! each other's room all the same: [`RequestMemory::watch`] ends those that take too long.
//!
//! Nobody waits for room in the waiting lane: what finds none there is not waited with. A small
//! frame needs none: each connection has room for one.

use std::rc::Rc;

use runtime::{Budget, Permit, Shard};

use crate::watch::{Connections, Watch};

/// The largest frame of the small lane: requests that carry no records are rarely larger.
const SMALL_FRAME_MAX: usize = 16 * 1024;
/// One part in so many of the memory is the small lane.
const SMALL_SHARE: u64 = 8;
/// One part in so many of the memory is the waiting lane.
const WAITING_SHARE: u64 = 8;
/// One part in so many of bulk is what a frame may hold there.
const BULK_FRAME_SHARE: u64 = 8;
/// One part in so many of the waiting lane is what a frame may hold there: with the defaults, 2.8
/// MiB, a fetch of 100,000 partitions.
const WAITING_FRAME_SHARE: u64 = 4;

/// The memory of the requests that a shard is reading and handling. Clones are the same memory.
#[derive(Clone)]
pub struct RequestMemory(Rc<Lanes>);

struct Lanes {
    small: Budget,
    bulk: Budget,
    large: Budget,
    waiting: Budget,
    watch: Watch,
}

/// One lane and what is held of it, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneUse {
    /// `small`, `bulk`, `large` or `waiting`.
    pub lane: &'static str,
    /// What is held.
    pub used_bytes: u64,
    /// What there is.
    pub limit_bytes: u64,
}

/// What a request, or a block of received bytes that several requests share, holds of the memory
/// until it is dropped.
pub struct Charge(Holds);

enum Holds {
    Small(Permit),
    Other(Permit),
    Waiting(Permit),
    /// A small frame that waits, for which its connection has room.
    Nothing,
    /// Given back with the last request of the block.
    Block(Rc<Permit>),
}

impl RequestMemory {
    /// `limit_bytes` in all, with room for one frame of `frame_size_max`. If the limit leaves the
    /// other lanes less than a quarter beside such a frame, they have that quarter on top.
    pub fn new(limit_bytes: u64, frame_size_max: u32) -> RequestMemory {
        let large = u64::from(frame_size_max);
        let rest = limit_bytes.saturating_sub(large).max(limit_bytes / 4);
        let small = (rest / SMALL_SHARE).max(SMALL_FRAME_MAX as u64);
        let waiting = rest / WAITING_SHARE;
        let bulk = rest.saturating_sub(small + waiting);
        let bulk = bulk.max(BULK_FRAME_SHARE * SMALL_FRAME_MAX as u64);
        RequestMemory(Rc::new(Lanes {
            small: Budget::new("memory for small requests", small),
            bulk: Budget::new("memory for requests with records", bulk),
            large: Budget::new("memory for large requests", large),
            waiting: Budget::new("memory for requests that wait for peers", waiting),
            watch: Watch::default(),
        }))
    }

    /// Ends frames that take too long and connections that are idle for long, and takes receive
    /// buffers back from those that are silent, for as long as the shard lives. It runs only while
    /// there are some.
    pub async fn watch(&self, shard: &Shard) {
        self.0.watch.run(shard).await;
    }

    /// What is held now, lane by lane.
    pub fn lanes(&self) -> [LaneUse; 4] {
        let Lanes { small, bulk, large, waiting, .. } = &*self.0;
        let of = |lane, budget: &Budget| LaneUse {
            lane,
            used_bytes: budget.used_bytes(),
            limit_bytes: budget.limit_bytes(),
        };
        [of("small", small), of("bulk", bulk), of("large", large), of("waiting", waiting)]
    }

    /// What the connections that read into this memory are doing. Looks at each.
    pub fn connections(&self) -> Connections {
        self.0.watch.connections()
    }

    /// What is held now.
    pub fn used_bytes(&self) -> u64 {
        let Lanes { small, bulk, large, waiting, .. } = &*self.0;
        [small, bulk, large, waiting].iter().map(|lane| lane.used_bytes()).sum()
    }

    /// Waits until what a request of `size` bytes holds of the lanes that the disk may not fill is
    /// held of bulk instead: those of small requests, and of those that wait for peers.
    pub async fn move_to_bulk(&self, charge: Charge, size: usize) -> Charge {
        match charge.0 {
            Holds::Small(_) | Holds::Waiting(_) | Holds::Nothing => {
                Charge(Holds::Other(acquire(&self.0.bulk, size).await))
            }
            other => Charge(other),
        }
    }

    /// A request of `size` bytes that came whole is to wait for some peer, and gives back what
    /// others need. None if there is no room to wait in: then it must end. A share of a block is
    /// kept, as blocks never take all of their lane; [`Frame::set_apart`] gives that back too.
    ///
    /// [`Frame::set_apart`]: crate::Frame::set_apart
    pub fn set_apart(&self, charge: Charge, size: usize) -> Option<Charge> {
        match charge.0 {
            Holds::Small(_) | Holds::Other(_) => self.waiting(size),
            kept => Some(Charge(kept)),
        }
    }

    /// What a frame of `size` bytes holds while it waits for some peer; none if there is no room.
    pub(crate) fn waiting(&self, size: usize) -> Option<Charge> {
        if size <= SMALL_FRAME_MAX {
            return Some(Charge(Holds::Nothing));
        }
        let lane = &self.0.waiting;
        let fits = size as u64 <= lane.limit_bytes() / WAITING_FRAME_SHARE;
        let permit = fits.then(|| lane.try_acquire(size as u64))??;
        Some(Charge(Holds::Waiting(permit)))
    }

    /// Whether a frame of `size` bytes waits in the room that its connection has for one.
    pub fn is_small(size: usize) -> bool {
        size <= SMALL_FRAME_MAX
    }

    /// A small frame that has come already.
    pub(crate) async fn whole(&self, size: usize) -> Charge {
        Charge(Holds::Small(acquire(&self.0.small, size).await))
    }

    /// A block of received bytes, unless frames that have begun need the room.
    pub(crate) fn try_block(&self, size: usize) -> Option<Rc<Permit>> {
        let bulk = &self.0.bulk;
        let room = bulk.used_bytes() + size as u64 <= bulk.limit_bytes() / 4 * 3;
        let fits = room && size <= self.bulk_frame_max();
        fits.then(|| bulk.try_acquire(size as u64))?.map(Rc::new)
    }

    /// The first `first` bytes of a frame of `size`. Small frames that trickle in do not fill their
    /// lane as long as there is another.
    pub(crate) async fn begin(&self, size: usize, first: usize) -> Charge {
        let Lanes { small, bulk, .. } = &*self.0;
        if size > SMALL_FRAME_MAX {
            return Charge(Holds::Other(acquire(bulk, first).await));
        }
        match bulk.try_acquire(first as u64) {
            Some(permit) => Charge(Holds::Other(permit)),
            None => Charge(Holds::Small(acquire(small, first).await)),
        }
    }

    /// Adds to what a begun frame of `size` holds, until it is `wanted`; it gets more if that is
    /// too much for the lane that it is in: then it moves to the large one, as a whole. Returns
    /// what it may hold then.
    pub(crate) async fn grow(&self, charge: &mut Charge, size: usize, wanted: usize) -> usize {
        let Lanes { small, bulk, large, .. } = &*self.0;
        let outgrown = wanted > self.bulk_frame_max();
        match &mut charge.0 {
            Holds::Small(permit) => permit.join(acquire(small, wanted - permit_size(permit)).await),
            Holds::Other(permit) if outgrown => *permit = acquire(large, size).await,
            Holds::Other(permit) => permit.join(acquire(bulk, wanted - permit_size(permit)).await),
            Holds::Block(_) | Holds::Waiting(_) | Holds::Nothing => {
                unreachable!("a begun frame has memory of its own, and is not whole")
            }
        }
        if outgrown { size } else { wanted }
    }

    /// The most that a begun frame may hold of bulk.
    pub(crate) fn bulk_frame_max(&self) -> usize {
        (self.0.bulk.limit_bytes() / BULK_FRAME_SHARE) as usize
    }

    pub(crate) fn watch_list(&self) -> &Watch {
        &self.0.watch
    }
}

impl Charge {
    /// Whether other requests lie in the same memory: it is given back with the last of them.
    pub fn is_of_block(&self) -> bool {
        matches!(self.0, Holds::Block(_))
    }

    /// A share of a block.
    pub(crate) fn of_block(block: &Rc<Permit>) -> Charge {
        Charge(Holds::Block(block.clone()))
    }

    /// The same of what waits, to be shared by all that lies in it; none if it holds nothing.
    pub(crate) fn into_block(self) -> Option<Rc<Permit>> {
        match self.0 {
            Holds::Small(permit) | Holds::Other(permit) | Holds::Waiting(permit) => {
                Some(Rc::new(permit))
            }
            Holds::Block(block) => Some(block),
            Holds::Nothing => None,
        }
    }
}

fn permit_size(permit: &Permit) -> usize {
    permit.bytes() as usize
}

async fn acquire(lane: &Budget, bytes: usize) -> Permit {
    let permit = lane.acquire(bytes as u64).await;
    permit.expect("the lanes are as large as the largest frame that goes into them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polled::poll;

    #[test]
    fn small_requests_that_wait_for_the_disk_leave_room_for_those_that_do_not() {
        let memory = RequestMemory::new(16 << 20, 1 << 20);
        let mut waiting = Vec::new();
        loop {
            let charge = poll(memory.whole(4096)).expect("the small lane is free");
            match poll(memory.move_to_bulk(charge, 4096)) {
                Some(charge) => waiting.push(charge),
                None => break,
            }
        }
        assert!(waiting.len() > 1000, "bulk is full after {}", waiting.len());
        assert!(poll(memory.whole(4096)).is_some());
        drop(waiting);
        assert_eq!(memory.used_bytes(), 0);
    }

    #[test]
    fn requests_that_wait_for_peers_leave_every_other_lane() {
        let memory = RequestMemory::new(16 << 20, 1 << 20);
        let mut waiting = Vec::new();
        // A quarter of the lane is the most that one may have.
        let size = (15 << 20) / 8 / 4;
        assert!(memory.waiting(size + 1).is_none());
        loop {
            let charge = poll(memory.begin(size, size)).expect("nothing is left of those before");
            match memory.set_apart(charge, size) {
                Some(charge) => waiting.push(charge),
                None => break,
            }
        }
        assert_eq!(waiting.len(), 4);
        let small = poll(memory.whole(4096)).expect("the small lane is free");
        let before = memory.used_bytes();
        let small = memory.set_apart(small, 4096).expect("its connection has room for it");
        assert_eq!(memory.used_bytes(), before - 4096);
        let _at_work = poll(memory.move_to_bulk(small, 4096)).expect("bulk is free");
        let one = waiting.pop().expect("there are four");
        let _at_work = poll(memory.move_to_bulk(one, size)).expect("bulk is free");
        assert!(memory.waiting(size).is_some());
    }
}
