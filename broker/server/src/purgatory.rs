//! The fetches of this shard's connections that wait for more bytes, wherever the partitions live.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use runtime::ShardId;
use runtime::sync::Signal;

use crate::message::{Available, Changed};

/// Who waits, by number. Bounded by the connections: each has one at most.
#[derive(Default)]
pub(crate) struct Purgatory {
    last_id: Cell<u64>,
    waiting: RefCell<BTreeMap<u64, Rc<Waiting>>>,
}

/// What is known of one fetch that waits.
struct Waiting {
    wanted_bytes: u64,
    available: RefCell<BTreeMap<ShardId, Available>>,
    released: Cell<bool>,
    changed: Signal,
}

/// A fetch's place; dropped, nobody is told of changes any more.
pub(crate) struct Parked<'a> {
    purgatory: &'a Purgatory,
    id: u64,
    waiting: Rc<Waiting>,
}

impl Purgatory {
    /// Takes a place for a fetch that wants so many bytes.
    pub(crate) fn park(&self, wanted_bytes: u64) -> Parked<'_> {
        let id = self.last_id.get() + 1;
        self.last_id.set(id);
        let waiting = Rc::new(Waiting {
            wanted_bytes,
            available: RefCell::default(),
            released: Cell::new(false),
            changed: Signal::new(),
        });
        self.waiting.borrow_mut().insert(id, waiting.clone());
        Parked { purgatory: self, id, waiting }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// An owner has news. What is not waited for any more is passed over.
    pub(crate) fn changed(&self, owner: ShardId, changes: &[Changed]) {
        let waiting = self.waiting.borrow();
        for Changed { id, available } in changes {
            if let Some(fetch) = waiting.get(id) {
                fetch.available.borrow_mut().insert(owner, *available);
                fetch.changed.wake_all();
            }
        }
    }

    /// Ends every wait: the broker is stopping.
    pub(crate) fn release_all(&self) {
        for fetch in self.waiting.borrow().values() {
            fetch.released.set(true);
            fetch.changed.wake_all();
        }
    }
}

impl Parked<'_> {
    /// The number that owners know it by.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// What an owner had when it began to watch.
    pub(crate) fn begin(&self, owner: ShardId, available: Available) {
        // News may have overtaken the answer; they are the newer.
        self.waiting.available.borrow_mut().entry(owner).or_insert(available);
    }

    /// Returns when there is enough, or waiting is of no use.
    pub(crate) async fn enough(&self) {
        self.waiting.changed.wait_until(|| self.waiting.is_enough().then_some(())).await;
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        self.purgatory.waiting.borrow_mut().remove(&self.id);
    }
}

impl Waiting {
    fn is_enough(&self) -> bool {
        let mut total = 0u64;
        for available in self.available.borrow().values() {
            match available {
                Available::Refused => return true,
                Available::Bytes(bytes) => total = total.saturating_add(*bytes),
            }
        }
        self.released.get() || total >= self.wanted_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ShardId = ShardId(0);
    const B: ShardId = ShardId(1);

    #[test]
    fn owners_add_up_and_a_refusal_ends_the_wait() {
        let purgatory = Purgatory::default();
        let parked = purgatory.park(10);
        parked.begin(A, Available::Bytes(4));
        assert!(!parked.waiting.is_enough());
        purgatory.changed(B, &[Changed { id: parked.id(), available: Available::Bytes(6) }]);
        assert!(parked.waiting.is_enough());
        purgatory.changed(B, &[Changed { id: parked.id(), available: Available::Bytes(5) }]);
        assert!(!parked.waiting.is_enough());
        purgatory.changed(A, &[Changed { id: parked.id(), available: Available::Refused }]);
        assert!(parked.waiting.is_enough());
    }

    #[test]
    fn news_that_overtake_the_first_answer_are_kept() {
        let purgatory = Purgatory::default();
        let parked = purgatory.park(10);
        purgatory.changed(A, &[Changed { id: parked.id(), available: Available::Bytes(10) }]);
        parked.begin(A, Available::Bytes(0));
        assert!(parked.waiting.is_enough());
    }

    #[test]
    fn a_place_is_given_back() {
        let purgatory = Purgatory::default();
        drop(purgatory.park(1));
        assert!(purgatory.waiting.borrow().is_empty());
    }
}
