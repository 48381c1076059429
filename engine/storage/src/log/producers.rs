//! A log's idempotent producers: what appends ask of them, and how they are forgotten.
//!
//! ```text
//! live       what appends see; all logs of a shard together are bounded
//! settled    what the manifest has, or will have with the next record; nobody but who is live
//! ```
//!
//! Who is forgotten in the live state goes from the settled one by a task of the settler alone, as
//! a record may be on its way that says what has changed there.

use record::{BatchFacts, Offset, Timestamp};

use super::{Log, LogState};
use crate::manifest::{Change, ManifestEntry};
use crate::producer_state::ProducerCheck;

/// How many producers are forgotten at once: less than a millisecond.
pub(crate) const FORGOTTEN_PER_TURN: usize = 1_000;

impl Log {
    /// Whether a batch of an idempotent producer may be appended, or has been.
    pub fn check_producer(&self, facts: &BatchFacts) -> ProducerCheck {
        self.0.state.borrow().producers.check(facts, self.store().entry_time())
    }

    /// How many idempotent producers are remembered.
    pub fn producer_count(&self) -> usize {
        self.0.state.borrow().producers.count()
    }

    /// A batch becomes part of the log. Wakes the settler if that makes the shard crowded.
    pub(super) fn apply_producer(
        &self,
        state: &mut LogState,
        facts: &BatchFacts,
        base_offset: Offset,
        appended_at: Timestamp,
    ) {
        if facts.producer.is_none() {
            return;
        }
        let store = self.store();
        let was_crowded = store.producers.is_crowded();
        state.producers.apply(facts, base_offset, appended_at);
        if !was_crowded && store.producers.is_crowded() {
            store.settle_wanted.wake_all();
        }
    }

    /// Frees the memory of producers that are silent, of some at a time. Returns whether there may
    /// be more.
    pub(crate) fn expire_producers(&self) -> bool {
        let now = self.store().entry_time();
        let mut state = self.0.state.borrow_mut();
        let live = state.expire(now, FORGOTTEN_PER_TURN);
        let settled = state.settled.expire(now, FORGOTTEN_PER_TURN);
        live.max(settled) == FORGOTTEN_PER_TURN
    }

    /// When the producer that is silent for longest wrote last; none if there is no producer.
    pub(crate) fn oldest_producer(&self) -> Option<Timestamp> {
        self.0.state.borrow().producers.oldest()
    }

    /// Forgets at most `count_max` producers that wrote at or before `until` and will not retry
    /// any more; how many it were.
    pub(crate) fn forget_silent_producers(&self, until: Timestamp, count_max: usize) -> usize {
        let now = self.store().entry_time();
        let mut state = self.0.state.borrow_mut();
        let count = state.producers.forget_silent(until, now, count_max);
        state.carry_forgotten();
        count
    }

    /// What the manifest must say of producers that are forgotten, if it knows them.
    pub(crate) fn forgotten_entry(&self) -> Option<ManifestEntry> {
        let forgotten = self.0.state.borrow().settled.unrecorded_forgotten();
        let change = Change::ProducersForgotten(forgotten.clone());
        (!forgotten.is_empty()).then_some(ManifestEntry { log: self.0.id, change })
    }

    /// The manifest has the last [`Log::forgotten_entry`].
    pub(crate) fn forgotten_recorded(&self) {
        self.0.state.borrow_mut().settled.forgotten_recorded();
    }
}

impl LogState {
    /// Forgets what appends know of producers that are silent; how many it were.
    pub(super) fn expire(&mut self, now: Timestamp, count_max: usize) -> usize {
        let count = self.producers.expire(now, count_max);
        self.carry_forgotten();
        count
    }

    /// Whom appends do not know any more the manifest is not to know either. It never hears from
    /// here of what was written: a crash could undo that.
    fn carry_forgotten(&mut self) {
        let forgotten = self.producers.take_forgotten();
        self.settled.forget(forgotten);
    }
}
