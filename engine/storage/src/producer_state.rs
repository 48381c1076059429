//! What a log remembers of its idempotent producers: duplicates, gaps and stale epochs (KIP-98).

pub(crate) mod tally;

use record::{BatchFacts, Offset, ProducerEpoch, ProducerFacts, ProducerId, Sequence, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::mem;
use std::rc::Rc;

use tally::{Counted, ProducerTally};

/// How many batches of a producer are remembered: as many as Kafka's clients have in flight at most
/// (`max.in.flight.requests.per.connection` with idempotence).
pub const WINDOW_BATCHES: usize = 5;

/// A batch that a producer wrote, as far as finding a duplicate of it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    /// Its first record's sequence.
    pub first_sequence: Sequence,
    /// Its last record's sequence.
    pub last_sequence: Sequence,
    /// Its first record's offset.
    pub base_offset: Offset,
    /// Its last record's offset.
    pub last_offset: Offset,
}

/// One producer's state in one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The newest epoch seen.
    pub epoch: ProducerEpoch,
    /// When it last wrote, by this broker's clock: what a client writes into its batches could be
    /// of last year, and its state would expire at once.
    pub last_timestamp: Timestamp,
    /// The last batches of this epoch, oldest first, at most [`WINDOW_BATCHES`]; none if only a
    /// transaction marker was written under it.
    pub batches: Vec<ProducerBatch>,
}

/// How much is remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerLimits {
    /// `producer.id.expiration.ms`: a producer that wrote nothing for so long is forgotten.
    pub expiration_ms: i64,
    /// The most producers of one log. All logs of a shard together have a bound of their own.
    pub producers_max: usize,
    /// A full log forgets the producer that has been silent longest for a new one, and so does any
    /// log of a full shard; but none that wrote within this time: it may still retry
    /// (`delivery.timeout.ms` is 2 minutes).
    pub retry_window_ms: i64,
}

impl Default for ProducerLimits {
    fn default() -> Self {
        ProducerLimits {
            expiration_ms: 86_400_000,
            producers_max: 100_000,
            retry_window_ms: 600_000,
        }
    }
}

/// What the state says of a batch that wants to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProducerCheck {
    /// It may be appended.
    InOrder,
    /// It has been appended before: answer with that place, append nothing.
    Duplicate {
        /// The offset that its first record got.
        base_offset: Offset,
        /// The offset that its last record got.
        last_offset: Offset,
    },
    /// Records before it are missing, or it is older than the window.
    OutOfOrder {
        /// The sequence that comes next.
        expected: Sequence,
        /// The one that came.
        actual: Sequence,
    },
    /// A newer instance of the producer has written already.
    StaleEpoch {
        /// The newest epoch.
        current: ProducerEpoch,
        /// The one that came.
        actual: ProducerEpoch,
    },
    /// The log remembers as many producers as it may, or all logs of its shard together do, and
    /// all producers of this log wrote a moment ago.
    TooManyProducers {
        /// The limit that is reached.
        producers_max: usize,
    },
}

/// What changed in the state since it was asked last, for the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerChanges {
    /// Producers that are new or have written, with their present state.
    pub written: Vec<(ProducerId, Producer)>,
    /// Producers that are not remembered any more.
    pub forgotten: Vec<ProducerId>,
}

/// The producers of one log.
///
/// Invariant: `by_time` holds each producer of `producers` once, under its last timestamp, and the
/// tally counts them.
#[derive(Debug)]
pub struct ProducerState {
    limits: ProducerLimits,
    producers: BTreeMap<ProducerId, Producer>,
    by_time: BTreeSet<(Timestamp, ProducerId)>,
    counted: Counted,
    /// Those of `producers` that are new or have written since somebody asked.
    written: BTreeSet<ProducerId>,
    /// Those that have gone since then.
    forgotten: BTreeSet<ProducerId>,
}

impl ProducerState {
    /// No producer is known. Those that will be count in `tally`.
    pub fn new(limits: ProducerLimits, tally: &Rc<ProducerTally>) -> ProducerState {
        ProducerState {
            limits,
            producers: BTreeMap::new(),
            by_time: BTreeSet::new(),
            counted: Counted::new(tally),
            written: BTreeSet::new(),
            forgotten: BTreeSet::new(),
        }
    }

    /// The state that was written down before; it counts as unchanged.
    pub fn from_entries(
        limits: ProducerLimits,
        tally: &Rc<ProducerTally>,
        entries: impl IntoIterator<Item = (ProducerId, Producer)>,
    ) -> ProducerState {
        let mut state = ProducerState::new(limits, tally);
        for (id, producer) in entries {
            state.insert(id, producer);
        }
        state.written.clear();
        state
    }

    /// Other limits from now on. What is over them goes with the next [`ProducerState::expire`].
    pub fn set_limits(&mut self, limits: ProducerLimits) {
        self.limits = limits;
    }

    /// What is known of a producer.
    pub fn producer(&self, id: ProducerId) -> Option<&Producer> {
        self.producers.get(&id)
    }

    /// How many are remembered.
    pub fn count(&self) -> usize {
        self.producers.len()
    }

    /// All producers, by id.
    pub fn producers(&self) -> impl Iterator<Item = (ProducerId, &Producer)> {
        self.producers.iter().map(|(id, producer)| (*id, producer))
    }

    /// Whether a batch may be appended now. A batch without a producer always may.
    pub fn check(&self, facts: &BatchFacts, now: Timestamp) -> ProducerCheck {
        let Some(batch) = facts.producer else { return ProducerCheck::InOrder };
        match self.known(batch.id, now) {
            Some(known) => known.check(&batch),
            // Whatever the sequence is: what was known may have expired (KIP-360).
            None if self.has_room_for(batch.id, now) => ProducerCheck::InOrder,
            None if self.producers.len() < self.limits.producers_max => {
                let producers_max = self.counted.tally().producers_max();
                ProducerCheck::TooManyProducers { producers_max }
            }
            None => ProducerCheck::TooManyProducers { producers_max: self.limits.producers_max },
        }
    }

    /// A batch was appended at `base_offset`, at `now` by this broker's clock.
    ///
    /// It is not checked again: a follower and a recovery take what a leader let in, even if the
    /// shard remembers more than it may then.
    pub fn apply(&mut self, facts: &BatchFacts, base_offset: Offset, now: Timestamp) {
        let Some(batch) = facts.producer else { return };
        let mut producer = self.known(batch.id, now).cloned().unwrap_or(Producer {
            epoch: batch.epoch,
            last_timestamp: now,
            batches: Vec::new(),
        });
        producer.apply(&batch, base_offset, base_offset.plus(facts.last_offset_delta));
        producer.last_timestamp = now;
        let is_new = !self.producers.contains_key(&batch.id);
        let is_full = self.producers.len() >= self.limits.producers_max;
        if is_new && (is_full || self.counted.tally().is_full() && self.may_forget_oldest(now)) {
            self.forget_oldest();
        }
        self.insert(batch.id, producer);
    }

    /// Frees the memory of producers that wrote nothing for `producer.id.expiration.ms`, of at most
    /// `count_max` of them; how many it were. They are unknown from that moment on, freed or not.
    pub fn expire(&mut self, now: Timestamp, count_max: usize) -> usize {
        let mut count = 0;
        while let Some((written, _)) = self.by_time.first()
            && (self.producers.len() > self.limits.producers_max || self.is_expired(*written, now))
            && count < count_max
        {
            self.forget_oldest();
            count += 1;
        }
        count
    }

    /// When the producer that is silent for longest wrote last; none if there is no producer.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(written, _)| *written)
    }

    /// Forgets at most `count_max` producers that wrote at or before `until`, those first that are
    /// silent for longest, and none that may still retry; how many it were.
    pub fn forget_silent(&mut self, until: Timestamp, now: Timestamp, count_max: usize) -> usize {
        let mut count = 0;
        while count < count_max
            && self.oldest().is_some_and(|written| written <= until)
            && self.may_forget_oldest(now)
        {
            self.forget_oldest();
            count += 1;
        }
        count
    }

    /// Forgets one producer, if it is known.
    pub fn forget(&mut self, id: ProducerId) {
        if let Some(gone) = self.producers.remove(&id) {
            self.by_time.remove(&(gone.last_timestamp, id));
            self.note_forgotten(id);
        }
    }

    /// Goes back to what was known `earlier`, and to the batches appended since then, given by
    /// facts, base offset and time. Who was forgotten meanwhile stays so.
    pub fn rewind<'a>(
        &mut self,
        earlier: &ProducerState,
        batches: impl Iterator<Item = (&'a BatchFacts, Offset, Timestamp)>,
    ) {
        let known = mem::take(&mut self.producers);
        self.by_time.clear();
        self.written.clear();
        self.counted.set(0);
        for (id, producer) in earlier.producers().filter(|(id, _)| known.contains_key(id)) {
            self.insert(id, producer.clone());
        }
        for (facts, base_offset, appended_at) in batches {
            if facts.producer.is_some_and(|batch| known.contains_key(&batch.id)) {
                self.apply(facts, base_offset, appended_at);
            }
        }
        let gone = known.into_keys().filter(|id| !self.producers.contains_key(id));
        self.forgotten.extend(gone);
    }

    /// Knows nobody any more, and nobody will ask for changes.
    pub fn clear(&mut self) {
        self.producers.clear();
        self.by_time.clear();
        self.written.clear();
        self.forgotten.clear();
        self.counted.set(0);
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> ProducerChanges {
        let written = mem::take(&mut self.written).into_iter();
        let states = written.map(|id| (id, self.producers[&id].clone()));
        ProducerChanges { written: states.collect(), forgotten: self.forgotten_ids() }
    }

    /// Who is not remembered any more since the last call; nobody asks who has written.
    pub fn take_forgotten(&mut self) -> Vec<ProducerId> {
        self.written.clear();
        self.forgotten_ids()
    }

    fn forgotten_ids(&mut self) -> Vec<ProducerId> {
        mem::take(&mut self.forgotten).into_iter().collect()
    }

    /// A producer that has not expired.
    fn known(&self, id: ProducerId, now: Timestamp) -> Option<&Producer> {
        self.producers.get(&id).filter(|known| !self.is_expired(known.last_timestamp, now))
    }

    fn is_expired(&self, written: Timestamp, now: Timestamp) -> bool {
        now.0.saturating_sub(written.0) >= self.limits.expiration_ms
    }

    /// Whether there is a place for a producer that is not known: one of its own from before it
    /// expired, a free one, or that of another which may be forgotten.
    fn has_room_for(&self, id: ProducerId, now: Timestamp) -> bool {
        let has_free =
            self.producers.len() < self.limits.producers_max && !self.counted.tally().is_full();
        has_free || self.producers.contains_key(&id) || self.may_forget_oldest(now)
    }

    /// Whether the producer that is silent for longest will not retry any more.
    fn may_forget_oldest(&self, now: Timestamp) -> bool {
        let may_go_ms = self.limits.retry_window_ms.min(self.limits.expiration_ms);
        self.oldest().is_some_and(|written| now.0.saturating_sub(written.0) >= may_go_ms)
    }

    fn insert(&mut self, id: ProducerId, producer: Producer) {
        self.by_time.insert((producer.last_timestamp, id));
        if let Some(old) = self.producers.insert(id, producer) {
            let now = self.producers[&id].last_timestamp;
            if old.last_timestamp != now {
                self.by_time.remove(&(old.last_timestamp, id));
            }
        }
        self.forgotten.remove(&id);
        self.written.insert(id);
        self.counted.set(self.producers.len());
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.by_time.pop_first() {
            self.producers.remove(&id);
            self.note_forgotten(id);
        }
    }

    fn note_forgotten(&mut self, id: ProducerId) {
        self.written.remove(&id);
        self.forgotten.insert(id);
        self.counted.set(self.producers.len());
    }
}

impl Producer {
    /// Whether a batch of this producer may be appended now.
    fn check(&self, batch: &ProducerFacts) -> ProducerCheck {
        if batch.epoch < self.epoch {
            return ProducerCheck::StaleEpoch { current: self.epoch, actual: batch.epoch };
        }
        // A transaction marker has no sequence; only its epoch counts.
        if batch.first_sequence == Sequence::NONE {
            return ProducerCheck::InOrder;
        }
        let expected = if batch.epoch == self.epoch {
            let duplicate = self.batches.iter().find(|old| {
                (old.first_sequence, old.last_sequence)
                    == (batch.first_sequence, batch.last_sequence)
            });
            if let Some(&ProducerBatch { base_offset, last_offset, .. }) = duplicate {
                return ProducerCheck::Duplicate { base_offset, last_offset };
            }
            self.batches.last().map_or(Sequence(0), |last| last.last_sequence.next())
        } else {
            Sequence(0)
        };
        if batch.first_sequence == expected {
            ProducerCheck::InOrder
        } else {
            ProducerCheck::OutOfOrder { expected, actual: batch.first_sequence }
        }
    }

    /// A batch of this producer was appended.
    fn apply(&mut self, batch: &ProducerFacts, base_offset: Offset, last_offset: Offset) {
        if batch.epoch != self.epoch {
            self.epoch = batch.epoch;
            self.batches.clear();
        }
        let ProducerFacts { first_sequence, last_sequence, .. } = *batch;
        if first_sequence == Sequence::NONE {
            return;
        }
        if self.batches.len() == WINDOW_BATCHES {
            self.batches.remove(0);
        }
        // A window takes no more memory than it has batches: there may be very many.
        self.batches.reserve_exact(1);
        self.batches.push(ProducerBatch {
            first_sequence,
            last_sequence,
            base_offset,
            last_offset,
        });
    }
}

impl fmt::Display for ProducerCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProducerCheck::InOrder => write!(f, "the batch is the next one: append it"),
            ProducerCheck::Duplicate { base_offset, .. } => {
                write!(f, "the batch was appended at offset {base_offset} before: answer with that")
            }
            ProducerCheck::OutOfOrder { expected, actual } => write!(
                f,
                "sequence {actual} came where {expected} is next: send the batches between first"
            ),
            ProducerCheck::StaleEpoch { current, actual } => write!(
                f,
                "producer epoch {} is over, {} writes now: call InitProducerId",
                actual.0, current.0
            ),
            ProducerCheck::TooManyProducers { producers_max } => write!(
                f,
                "{producers_max} producers wrote within minutes, as many as this log, or all logs \
                 of its shard together, may remember: retry later, or use fewer producers for \
                 longer"
            ),
        }
    }
}

#[cfg(test)]
mod of_all_logs;
#[cfg(test)]
mod remembered;
#[cfg(test)]
mod tests;
