//! Kafka's rules of duplicates, gaps and epochs, one by one.

use super::*;
use record::{Compression, TimestampType};

const PRODUCER: i64 = 7;

fn facts_of(id: i64, epoch: i16, first: i32, count: i32) -> BatchFacts {
    let first_sequence = Sequence(first);
    BatchFacts {
        size_bytes: 100,
        record_count: count,
        last_offset_delta: count - 1,
        base_timestamp: Timestamp(1),
        min_timestamp: Timestamp(1),
        max_timestamp: Timestamp(1),
        timestamp_type: TimestampType::CreateTime,
        compression: Compression::None,
        producer: Some(ProducerFacts {
            id: ProducerId(id),
            epoch: ProducerEpoch(epoch),
            first_sequence,
            last_sequence: if first < 0 { Sequence::NONE } else { first_sequence.plus(count - 1) },
        }),
        is_transactional: false,
        is_control: first < 0,
    }
}

/// One producer's log: appends what is in order, answers with what the check said.
struct Log {
    state: ProducerState,
    end: i64,
    now: i64,
}

impl Log {
    fn new(limits: ProducerLimits) -> Log {
        Log::counted_in(limits, &ProducerTally::new(usize::MAX))
    }

    fn counted_in(limits: ProducerLimits, tally: &Rc<ProducerTally>) -> Log {
        Log { state: ProducerState::new(limits, tally), end: 0, now: 1_000 }
    }

    fn send(&mut self, facts: BatchFacts) -> ProducerCheck {
        let now = Timestamp(self.now);
        let check = self.state.check(&facts, now);
        if check == ProducerCheck::InOrder {
            self.state.apply(&facts, Offset(self.end), now);
            self.end += i64::from(facts.last_offset_delta) + 1;
        }
        check
    }

    fn expect_in_order(&mut self, epoch: i16, first: i32, count: i32) {
        assert_eq!(self.send(facts_of(PRODUCER, epoch, first, count)), ProducerCheck::InOrder);
    }
}

fn out_of_order(expected: i32, actual: i32) -> ProducerCheck {
    ProducerCheck::OutOfOrder { expected: Sequence(expected), actual: Sequence(actual) }
}

#[test]
fn the_last_five_batches_are_found_again_at_their_offsets() {
    let mut log = Log::new(ProducerLimits::default());
    for i in 0..7 {
        log.expect_in_order(0, i * 10, 10);
    }
    for i in 2..7 {
        let (base_offset, last_offset) = (Offset(i64::from(i) * 10), Offset(i64::from(i) * 10 + 9));
        assert_eq!(
            log.send(facts_of(PRODUCER, 0, i * 10, 10)),
            ProducerCheck::Duplicate { base_offset, last_offset }
        );
    }
    assert_eq!(log.send(facts_of(PRODUCER, 0, 10, 10)), out_of_order(70, 10), "out of the window");
    assert_eq!(log.send(facts_of(PRODUCER, 0, 60, 5)), out_of_order(70, 60), "another batch");
}

#[test]
fn a_gap_is_refused_and_sequences_start_again_at_zero() {
    let mut log = Log::new(ProducerLimits::default());
    log.expect_in_order(0, i32::MAX - 1, 2);
    assert_eq!(log.send(facts_of(PRODUCER, 0, 1, 1)), out_of_order(0, 1));
    log.expect_in_order(0, 0, 3);
    log.expect_in_order(0, 3, 1);
}

#[test]
fn a_new_epoch_starts_at_zero_and_fences_the_old_one() {
    let mut log = Log::new(ProducerLimits::default());
    log.expect_in_order(3, 0, 4);
    assert_eq!(log.send(facts_of(PRODUCER, 4, 4, 1)), out_of_order(0, 4));
    log.expect_in_order(4, 0, 4);
    assert_eq!(
        log.send(facts_of(PRODUCER, 3, 4, 1)),
        ProducerCheck::StaleEpoch { current: ProducerEpoch(4), actual: ProducerEpoch(3) }
    );
}

#[test]
fn an_unknown_producer_may_start_anywhere() {
    Log::new(ProducerLimits::default()).expect_in_order(9, 1234, 1);
}

#[test]
fn a_marker_raises_the_epoch_and_leaves_the_sequence_alone() {
    let mut log = Log::new(ProducerLimits::default());
    log.expect_in_order(0, 0, 5);
    log.expect_in_order(0, -1, 1);
    log.expect_in_order(0, 5, 1);
    log.expect_in_order(1, -1, 1);
    assert_eq!(log.send(facts_of(PRODUCER, 1, 6, 1)), out_of_order(0, 6));
    log.expect_in_order(1, 0, 1);
}

#[test]
fn a_silent_producer_expires_and_the_change_is_told() {
    let mut log = Log::new(ProducerLimits { expiration_ms: 500, ..ProducerLimits::default() });
    log.expect_in_order(0, 0, 1);
    log.now += 400;
    assert_eq!(log.send(facts_of(8, 0, 0, 1)), ProducerCheck::InOrder);
    let changes = log.state.take_changes();
    assert_eq!(changes.written.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [7, 8]);
    assert_eq!(log.state.take_changes(), ProducerChanges::default());

    assert_eq!(log.state.expire(Timestamp(log.now + 100), usize::MAX), 1);
    assert_eq!(log.state.take_changes().forgotten, [ProducerId(PRODUCER)]);
    assert_eq!(log.state.producers().count(), 1);
    log.expect_in_order(0, 77, 1);
}

/// It used to be known until somebody asked to forget the silent ones: its next batch was taken for
/// one behind a gap, or for a duplicate.
#[test]
fn an_expired_producer_is_unknown_before_it_is_forgotten() {
    let limits = ProducerLimits { expiration_ms: 500, producers_max: 1, ..Default::default() };
    for (epoch, first) in [(5, 77), (5, 0), (3, 9)] {
        let mut log = Log::new(limits);
        log.expect_in_order(5, 0, 1);
        log.now += 499;
        assert!(log.send(facts_of(PRODUCER, epoch, first, 1)) != ProducerCheck::InOrder);
        log.now += 1;
        log.expect_in_order(epoch, first, 1);
        let known = log.state.producer(ProducerId(PRODUCER)).expect("it wrote");
        assert_eq!((known.epoch.0, known.batches.len()), (epoch, 1), "nothing of before is left");
        // Its place is free for others when it has expired, not before.
        let other = facts_of(8, 0, 0, 1);
        assert_eq!(log.send(other), ProducerCheck::TooManyProducers { producers_max: 1 });
        log.now += 500;
        assert_eq!(log.send(other), ProducerCheck::InOrder);
    }
}

#[test]
fn a_full_log_gives_the_place_of_the_longest_silent_producer_only() {
    let limits =
        ProducerLimits { producers_max: 2, retry_window_ms: 100, ..ProducerLimits::default() };
    let mut log = Log::new(limits);
    for id in [1, 2] {
        assert_eq!(log.send(facts_of(id, 0, 0, 1)), ProducerCheck::InOrder);
    }
    log.now += 50;
    assert_eq!(log.send(facts_of(1, 0, 1, 1)), ProducerCheck::InOrder);
    assert_eq!(
        log.send(facts_of(3, 0, 0, 1)),
        ProducerCheck::TooManyProducers { producers_max: 2 }
    );
    log.now += 50;
    assert_eq!(log.send(facts_of(3, 0, 0, 1)), ProducerCheck::InOrder);
    let known: Vec<_> = log.state.producers().map(|(id, _)| id.0).collect();
    assert_eq!(known, [1, 3], "producer 2 had been silent longest");
}

#[test]
fn a_log_of_a_full_shard_gives_the_places_of_its_own_silent_producers_only() {
    let limits = ProducerLimits { retry_window_ms: 100, ..ProducerLimits::default() };
    let tally = ProducerTally::new(2);
    let [mut full, mut other] = [(); 2].map(|()| Log::counted_in(limits, &tally));
    assert_eq!(full.send(facts_of(1, 0, 0, 1)), ProducerCheck::InOrder);
    other.now += 60;
    assert_eq!(other.send(facts_of(2, 0, 0, 1)), ProducerCheck::InOrder);
    let refused = ProducerCheck::TooManyProducers { producers_max: 2 };
    full.now += 99;
    assert_eq!(full.send(facts_of(3, 0, 0, 1)), refused);
    assert_eq!(full.send(facts_of(1, 0, 1, 1)), ProducerCheck::InOrder, "it is known");
    (full.now, other.now) = (1_199, 1_159);
    assert_eq!(other.send(facts_of(4, 0, 0, 1)), refused);
    other.now += 1;
    for (log, id) in [(&mut full, 3), (&mut other, 4)] {
        assert_eq!(log.send(facts_of(id, 0, 0, 1)), ProducerCheck::InOrder);
        let known: Vec<_> = log.state.producers().map(|(id, _)| id.0).collect();
        assert_eq!((known, tally.count()), (vec![id], 2));
    }
    assert_eq!(
        (full.state.take_forgotten(), other.state.take_forgotten().len()),
        ([ProducerId(1)].into(), 1)
    );
    drop(full);
    assert_eq!(tally.count(), 1);
    other.state.clear();
    assert_eq!(tally.count(), 0);
}

/// What a recovery or a follower takes is not refused, and makes nobody go who may still retry.
#[test]
fn what_comes_unchecked_may_be_more_than_the_bound() {
    let tally = ProducerTally::new(2);
    let mut log = Log::counted_in(ProducerLimits::default(), &tally);
    for id in 0..9 {
        log.state.apply(&facts_of(id, 0, 0, 1), Offset(id), Timestamp(1_000 + id));
    }
    assert_eq!((log.state.count(), tally.count()), (9, 9));
}

#[test]
fn going_back_brings_nobody_back_who_was_forgotten() {
    let tally = ProducerTally::new(10);
    let settled_tally = ProducerTally::new(usize::MAX);
    let limits = ProducerLimits { retry_window_ms: 100, ..ProducerLimits::default() };
    let mut settled = ProducerState::new(limits, &settled_tally);
    let mut live = ProducerState::new(limits, &tally);
    for id in [1, 2] {
        settled.apply(&facts_of(id, 0, 0, 1), Offset(id), Timestamp(id));
        live.apply(&facts_of(id, 0, 0, 1), Offset(id), Timestamp(id));
    }
    let later = [facts_of(2, 0, 1, 1), facts_of(3, 0, 0, 1), facts_of(4, 0, 0, 1)];
    for (facts, at) in later.iter().zip([120, 3, 150]) {
        live.apply(facts, Offset(at), Timestamp(at));
    }
    assert_eq!(live.forget_silent(Timestamp(100), Timestamp(103), usize::MAX), 2);
    let kept = later.iter().zip([120, 3]).map(|(facts, at)| (facts, Offset(at), Timestamp(at)));
    live.rewind(&settled, kept);
    let known: Vec<_> = live.producers().map(|(id, known)| (id.0, known.batches.len())).collect();
    assert_eq!((known, tally.count()), (vec![(2, 2)], 1));
    assert_eq!(live.take_forgotten(), [1, 3, 4].map(ProducerId));
}

#[test]
fn a_state_from_its_own_changes_is_the_same_state() {
    let mut log = Log::new(ProducerLimits::default());
    let mut entries = BTreeMap::new();
    for i in 0..200 {
        log.now += 1;
        let id = i64::from(i) % 9;
        let first = log.state.producer(ProducerId(id)).map_or(Sequence(0), |p| {
            p.batches.last().expect("only batches were written").last_sequence.next()
        });
        assert_eq!(log.send(facts_of(id, 0, first.0, 1 + i % 4)), ProducerCheck::InOrder);
        if i % 13 == 0 {
            entries.extend(log.state.take_changes().written);
        }
    }
    entries.extend(log.state.take_changes().written);
    let again = {
        let tally = ProducerTally::new(usize::MAX);
        ProducerState::from_entries(ProducerLimits::default(), &tally, entries)
    };
    assert_eq!(again.producers, log.state.producers);
    assert_eq!(again.by_time, log.state.by_time);
}
