//! How many producers all logs of a shard remember together, and how many they may.

use std::cell::Cell;
use std::rc::Rc;

/// The count of all states that share it; a producer counts in each log that remembers it.
///
/// ```text
/// 0                                80 %        90 %        100 %
/// ├─────────────────────────────────┼───────────┼────────────┤
///   the settler forgets down to here ┘           │            └ who is new to a log is refused
///                      it begins to look at that ┘
/// ```
#[derive(Debug)]
pub struct ProducerTally {
    producers_max: usize,
    count: Cell<usize>,
}

impl ProducerTally {
    /// Nobody is counted yet, and there may be `producers_max`.
    pub fn new(producers_max: usize) -> Rc<ProducerTally> {
        Rc::new(ProducerTally { producers_max, count: Cell::new(0) })
    }

    /// How many are remembered.
    pub fn count(&self) -> usize {
        self.count.get()
    }

    /// How many may be.
    pub fn producers_max(&self) -> usize {
        self.producers_max
    }

    /// Whether there is no place for another one.
    pub fn is_full(&self) -> bool {
        self.count() >= self.producers_max
    }

    /// Whether it is time to forget those who are silent for longest.
    pub fn is_crowded(&self) -> bool {
        self.count() >= self.producers_max - self.producers_max / 10
    }

    /// How many are to be forgotten for that not to be needed again at once.
    pub(crate) fn excess(&self) -> usize {
        self.count().saturating_sub(self.producers_max - self.producers_max / 5)
    }
}

/// What one state has added to a tally. It goes with the state.
#[derive(Debug)]
pub(super) struct Counted {
    tally: Rc<ProducerTally>,
    count: usize,
}

impl Counted {
    pub(super) fn new(tally: &Rc<ProducerTally>) -> Counted {
        Counted { tally: tally.clone(), count: 0 }
    }

    pub(super) fn tally(&self) -> &ProducerTally {
        &self.tally
    }

    /// The state has so many now.
    pub(super) fn set(&mut self, count: usize) {
        // What this has added is in it.
        self.tally.count.set(self.tally.count.get() - self.count + count);
        self.count = count;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.set(0);
    }
}
