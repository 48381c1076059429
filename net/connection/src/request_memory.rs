//! What the requests of one shard may hold, in lanes, so that no claim of a peer and no mass of
//! large requests shuts out the small ones.
//!
//! ```text
//! small   frames of up to 16 KiB: heartbeats and metadata pass when the rest is full
//! bulk    the beginnings of larger frames, as far as they have come; blocks of received bytes
//! large   whole frames that outgrow an eighth of bulk, one or a few at a time
//! ```
//!
//! A frame holds at most a few times the bytes that came of it, whatever it claims; one that moves
//! to the large lane gives back what it held of bulk. Frames that are half received may wait for
//! each other's room all the same: [`RequestMemory::watch`] ends those that take too long.

use std::rc::Rc;

use runtime::{Budget, Permit, Shard};

use crate::watch::Watch;

/// The largest frame of the small lane: requests that carry no records are rarely larger.
const SMALL_FRAME_MAX: usize = 16 * 1024;
/// One part in so many of the memory is the small lane.
const SMALL_SHARE: u64 = 8;
/// One part in so many of bulk is what a frame may hold there.
const BULK_FRAME_SHARE: u64 = 8;

/// The memory of the requests that a shard is reading and handling. Clones are the same memory.
#[derive(Clone)]
pub struct RequestMemory(Rc<Lanes>);

struct Lanes {
    small: Budget,
    bulk: Budget,
    large: Budget,
    watch: Watch,
}

/// What a request, or a block of received bytes that several requests share, holds of the memory
/// until it is dropped.
pub struct Charge(Holds);

#[expect(dead_code, reason = "what is shared is kept, never looked at")]
enum Holds {
    Small(Permit),
    Other(Permit),
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
        let bulk = rest.saturating_sub(small).max(BULK_FRAME_SHARE * SMALL_FRAME_MAX as u64);
        RequestMemory(Rc::new(Lanes {
            small: Budget::new("memory for small requests", small),
            bulk: Budget::new("memory for requests with records", bulk),
            large: Budget::new("memory for large requests", large),
            watch: Watch::default(),
        }))
    }

    /// Ends frames that take too long and connections that are idle for long, and takes receive
    /// buffers back from those that are silent, for as long as the shard lives. It runs only while
    /// there are some.
    pub async fn watch(&self, shard: &Shard) {
        self.0.watch.run(shard).await;
    }

    /// What is held now.
    pub fn used_bytes(&self) -> u64 {
        let Lanes { small, bulk, large, .. } = &*self.0;
        small.used_bytes() + bulk.used_bytes() + large.used_bytes()
    }

    /// Waits until what a small request holds is held of bulk instead: requests that the disk may
    /// hold up do not fill the lane of those that it can't.
    pub async fn move_to_bulk(&self, charge: Charge) -> Charge {
        match charge.0 {
            Holds::Small(permit) => {
                Charge(Holds::Other(acquire(&self.0.bulk, permit.bytes() as usize).await))
            }
            other => Charge(other),
        }
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
            Holds::Block(_) => unreachable!("a begun frame has memory of its own"),
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
            match poll(memory.move_to_bulk(charge)) {
                Some(charge) => waiting.push(charge),
                None => break,
            }
        }
        assert!(waiting.len() > 1000, "bulk is full after {}", waiting.len());
        assert!(poll(memory.whole(4096)).is_some());
        drop(waiting);
        assert_eq!(memory.used_bytes(), 0);
    }
}
