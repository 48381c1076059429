//! Good histories pass; each planted fault is refused, as what it is.

use super::{Floor, Verdict, Violation, check};
use crate::history::{
    Bounds, Complaint, Content, Event, Extent, History, Interruption, Place, Promise, Read,
    ReadRecord, Step, Value,
};

const FLOOR: Floor = Floor { acked_by_producer: 3, whole_reads: 2 };
const IDEMPOTENT: u32 = 0;
const PLAIN: u32 = 1;

fn value(producer: u32, counter: u64) -> Value {
    Value { producer, partition: 0, counter }
}

/// The steps of one value.
fn steps(history: &mut History, value: Value, steps: &[Step]) {
    for &step in steps {
        let at_ms = history.events.len() as u64;
        history.events.push(Event { at_ms, value, step });
    }
}

fn sent_and_acked(history: &mut History, value: Value, offset: i64) {
    steps(history, value, &[Step::Sent, Step::Acked { offset: Some(offset) }]);
}

/// A kill after all that has happened and before all that will.
fn kill(history: &mut History) {
    let at_ms = history.events.len() as u64;
    history.interruptions.push(Interruption { from_ms: at_ms, until_ms: at_ms });
}

/// A read of partition 0 that finds `log` from offset 0.
fn read_of(name: &str, extent: Extent, log: &[Value]) -> Read {
    let mut read = Read::new(name, extent);
    for (offset, value) in log.iter().enumerate() {
        let place = Place { partition: 0, offset: offset as i64 };
        read.records.push(ReadRecord { place, content: Content::Value(*value) });
    }
    if extent == Extent::Whole {
        read.bounds.insert(0, Bounds { start: 0, end: log.len() as i64 });
    }
    read
}

/// Producer 0 (idempotent) and producer 1 (plain) each had three records acknowledged, in turn, and
/// everybody read all of them. Each fault below is planted into this history.
fn good() -> History {
    let mut history = History::default();
    history.producers.insert(IDEMPOTENT, Promise::Idempotent);
    history.producers.insert(PLAIN, Promise::Plain);
    for counter in 0..3 {
        sent_and_acked(&mut history, value(IDEMPOTENT, counter), counter as i64 * 2);
        sent_and_acked(&mut history, value(PLAIN, counter), counter as i64 * 2 + 1);
    }
    read_all(&mut history, &log());
    history.interruptions =
        [2, 5].map(|at_ms| Interruption { from_ms: at_ms, until_ms: at_ms }).to_vec();
    history
}

/// What stands in the log of `good`.
fn log() -> Vec<Value> {
    (0..3).flat_map(|counter| [value(IDEMPOTENT, counter), value(PLAIN, counter)]).collect()
}

/// Makes `log` what every reader saw.
fn read_all(history: &mut History, log: &[Value]) {
    history.reads = vec![
        read_of("live read", Extent::Live, &log[..log.len().min(4)]),
        read_of("first read", Extent::Whole, log),
        read_of("second read", Extent::Whole, log),
    ];
}

/// The verdict on `history` must hold exactly the violations of these kinds.
#[track_caller]
fn expect(history: &History, kinds: &[&str]) -> Verdict {
    let verdict = check(history, &FLOOR);
    let found: Vec<&str> = verdict.kinds().into_keys().collect();
    assert_eq!(found, kinds, "{}", verdict.report(history));
    verdict
}

#[test]
fn a_good_history_passes() {
    let verdict = expect(&good(), &[]);
    assert!(verdict.is_clean());
    assert_eq!(verdict.counts.acked, 6);
    assert_eq!(verdict.counts.read, 6);
    assert_eq!(verdict.counts.acked_by_producer.len(), 2);
}

#[test]
fn a_record_of_unknown_outcome_may_be_there_or_not() {
    let mut history = good();
    steps(&mut history, value(IDEMPOTENT, 3), &[Step::Sent, Step::Unknown]);
    steps(&mut history, value(IDEMPOTENT, 4), &[Step::Sent]);
    let mut log = log();
    log.push(value(IDEMPOTENT, 4));
    read_all(&mut history, &log);
    let verdict = expect(&history, &[]);
    assert_eq!(verdict.counts.unknown, 2);
}

#[test]
fn a_refused_record_that_is_nowhere_passes() {
    let mut history = good();
    steps(&mut history, value(PLAIN, 3), &[Step::Sent, Step::Failed]);
    expect(&history, &[]);
}

#[test]
fn a_plain_producers_copies_are_counted_and_pass() {
    let mut history = good();
    let mut log = log();
    // The request's answer was lost, and both of its records were written again: twice, since the
    // second answer was lost, too.
    let request = [value(PLAIN, 3), value(PLAIN, 4)];
    request.iter().for_each(|&value| steps(&mut history, value, &[Step::Sent]));
    kill(&mut history);
    kill(&mut history);
    steps(&mut history, request[0], &[Step::Acked { offset: Some(10) }]);
    steps(&mut history, request[1], &[Step::Acked { offset: Some(11) }]);
    log.extend([request, request, request].concat());
    read_all(&mut history, &log);
    let verdict = expect(&history, &[]);
    assert_eq!(verdict.counts.plain_duplicates, 4);
    // No retry explains a fourth copy.
    log.extend(request);
    read_all(&mut history, &log);
    let verdict = expect(&history, &["duplicate"]);
    assert_eq!(verdict.violations.len(), 2);
}

#[test]
fn a_copy_of_a_plain_producers_record_that_no_kill_explains_is_refused() {
    let mut history = good();
    let mut log = log();
    log.push(value(PLAIN, 2));
    read_all(&mut history, &log);
    expect(&history, &["duplicate"]);
    // A kill after the acknowledgement makes nobody write again.
    history.interruptions.clear();
    history.events.iter_mut().for_each(|event| event.at_ms += 10);
    history.interruptions.push(Interruption { from_ms: 100, until_ms: 110 });
    history.interruptions.push(Interruption { from_ms: 1, until_ms: 9 });
    expect(&history, &["duplicate"]);
}

#[test]
fn a_copy_is_explained_by_a_stop_during_which_the_record_was_sent() {
    let mut history = good();
    let mut log = log();
    history.interruptions.push(Interruption { from_ms: 11, until_ms: 13 });
    steps(&mut history, value(PLAIN, 3), &[Step::Sent, Step::Unknown, Step::Unknown]);
    steps(&mut history, value(PLAIN, 3), &[Step::Acked { offset: Some(7) }]);
    log.extend([value(PLAIN, 3), value(PLAIN, 3)]);
    read_all(&mut history, &log);
    expect(&history, &[]);
}

#[test]
fn an_acknowledgement_without_an_offset_passes_when_the_record_is_there() {
    let mut history = good();
    steps(&mut history, value(PLAIN, 3), &[Step::Sent, Step::Acked { offset: None }]);
    let mut log = log();
    log.push(value(PLAIN, 3));
    read_all(&mut history, &log);
    expect(&history, &[]);
}

#[test]
fn a_lost_last_record_is_refused() {
    let mut history = good();
    let log = log();
    read_all(&mut history, &log[..5]);
    let verdict = expect(&history, &["lost"]);
    let lost = Violation::Lost { value: value(PLAIN, 2), acked_offset: Some(5) };
    assert_eq!(verdict.violations, [lost]);
}

#[test]
fn a_lost_record_amid_others_is_refused() {
    let mut history = good();
    let mut log = log();
    log.remove(2);
    read_all(&mut history, &log);
    // What stood behind it has moved up, away from the acknowledged offsets.
    expect(&history, &["lost", "offset_mismatch"]);
}

#[test]
fn an_acknowledged_record_without_an_offset_may_not_be_lost_either() {
    let mut history = good();
    let ack = Step::Acked { offset: None };
    steps(&mut history, value(PLAIN, 3), &[Step::Sent, ack]);
    let verdict = expect(&history, &["lost"]);
    let lost = Violation::Lost { value: value(PLAIN, 3), acked_offset: None };
    assert_eq!(verdict.violations, [lost]);
}

#[test]
fn a_partition_that_became_empty_is_refused() {
    let mut history = good();
    read_all(&mut history, &[]);
    let verdict = expect(&history, &["lost"]);
    assert_eq!(verdict.violations.len(), 6);
}

#[test]
fn a_doubled_record_of_an_idempotent_producer_is_refused() {
    let mut history = good();
    let mut log = log();
    log.push(value(IDEMPOTENT, 2));
    read_all(&mut history, &log);
    let verdict = expect(&history, &["duplicate"]);
    let places = [4, 6].map(|offset| Place { partition: 0, offset }).to_vec();
    let doubled = Violation::Duplicate { value: value(IDEMPOTENT, 2), places };
    assert_eq!(verdict.violations, [doubled]);
}

#[test]
fn a_doubled_record_is_refused_though_nobody_was_told_of_either() {
    let mut history = good();
    steps(&mut history, value(IDEMPOTENT, 3), &[Step::Sent, Step::Unknown]);
    let mut log = log();
    log.extend([value(IDEMPOTENT, 3), value(IDEMPOTENT, 3)]);
    read_all(&mut history, &log);
    expect(&history, &["duplicate"]);
}

#[test]
fn swapped_records_of_one_producer_are_refused() {
    for producer in [IDEMPOTENT, PLAIN] {
        let mut history = good();
        for counter in [3, 4] {
            steps(&mut history, value(producer, counter), &[Step::Sent, Step::Unknown]);
        }
        let mut log = log();
        log.extend([value(producer, 4), value(producer, 3)]);
        read_all(&mut history, &log);
        let verdict = expect(&history, &["reorder"]);
        let [before, after] = [(4, 6), (3, 7)]
            .map(|(counter, offset)| (value(producer, counter), Place { partition: 0, offset }));
        assert_eq!(verdict.violations, [Violation::Reorder { before, after }]);
    }
}

#[test]
fn swapped_acknowledged_records_are_away_from_their_offsets_too() {
    let mut history = good();
    let mut log = log();
    log.swap(0, 2);
    read_all(&mut history, &log);
    expect(&history, &["offset_mismatch", "reorder"]);
}

#[test]
fn swapped_records_of_two_producers_are_away_from_their_offsets() {
    let mut history = good();
    let mut log = log();
    log.swap(0, 1);
    read_all(&mut history, &log);
    expect(&history, &["offset_mismatch"]);
}

#[test]
fn an_invented_record_is_refused() {
    let mut history = good();
    let mut log = log();
    log.push(value(PLAIN, 77));
    read_all(&mut history, &log);
    let verdict = expect(&history, &["invented"]);
    let place = Place { partition: 0, offset: 6 };
    let content = Content::Value(value(PLAIN, 77));
    assert_eq!(verdict.violations, [Violation::Invented { place, content }]);
}

#[test]
fn a_garbled_record_is_refused() {
    let mut history = good();
    let place = Place { partition: 0, offset: 6 };
    for read in &mut history.reads[1..] {
        read.records.push(ReadRecord { place, content: Content::Garbled("00ff".into()) });
    }
    expect(&history, &["invented"]);
}

#[test]
fn a_record_in_another_partition_is_refused() {
    let mut history = good();
    let strange = Value { partition: 3, ..value(PLAIN, 0) };
    steps(&mut history, strange, &[Step::Sent, Step::Unknown]);
    let mut log = log();
    log.push(strange);
    read_all(&mut history, &log);
    expect(&history, &["misplaced"]);
}

#[test]
fn a_refused_record_in_the_log_is_refused() {
    let mut history = good();
    steps(&mut history, value(PLAIN, 3), &[Step::Sent, Step::Failed]);
    let mut log = log();
    log.push(value(PLAIN, 3));
    read_all(&mut history, &log);
    expect(&history, &["aborted_read"]);
}

#[test]
fn two_records_acknowledged_at_one_offset_are_refused() {
    let mut history = good();
    sent_and_acked(&mut history, value(PLAIN, 3), 5);
    let mut log = log();
    log.push(value(PLAIN, 3));
    read_all(&mut history, &log);
    expect(&history, &["ack_clash", "offset_mismatch"]);
}

#[test]
fn an_acknowledged_offset_that_holds_another_record_is_refused() {
    let mut history = good();
    sent_and_acked(&mut history, value(PLAIN, 3), 7);
    steps(&mut history, value(PLAIN, 4), &[Step::Sent, Step::Unknown]);
    let mut log = log();
    log.extend([value(PLAIN, 3), value(PLAIN, 4)]);
    read_all(&mut history, &log);
    expect(&history, &["offset_mismatch"]);
}

#[test]
fn a_second_acknowledgement_at_another_offset_is_refused() {
    let mut history = good();
    steps(&mut history, value(PLAIN, 2), &[Step::Acked { offset: Some(9) }]);
    expect(&history, &["ack_moved"]);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_refused() {
    let mut history = good();
    steps(&mut history, value(PLAIN, 3), &[Step::Acked { offset: None }]);
    expect(&history, &["ack_invented", "lost"]);
}

#[test]
fn a_gap_in_the_offsets_is_refused() {
    let mut history = good();
    // Offset 6 is nowhere: the log goes on at 7.
    let place = Place { partition: 0, offset: 7 };
    steps(&mut history, value(PLAIN, 3), &[Step::Sent, Step::Acked { offset: Some(7) }]);
    for read in &mut history.reads[1..] {
        read.records.push(ReadRecord { place, content: Content::Value(value(PLAIN, 3)) });
    }
    let verdict = expect(&history, &["gap"]);
    assert_eq!(verdict.violations.len(), 2, "one for each whole read");
}

#[test]
fn a_log_that_begins_above_zero_is_refused() {
    let mut history = good();
    for read in &mut history.reads {
        read.records.remove(0);
    }
    expect(&history, &["gap", "lost"]);
}

#[test]
fn a_read_that_ends_below_the_end_offset_is_refused() {
    let mut history = good();
    for read in &mut history.reads[1..] {
        read.bounds.insert(0, Bounds { start: 0, end: 8 });
    }
    expect(&history, &["gap"]);
}

#[test]
fn a_read_that_goes_back_is_refused() {
    let mut history = good();
    let again = history.reads[2].records[5].clone();
    history.reads[2].records.push(again);
    expect(&history, &["nonmonotonic"]);
}

#[test]
fn a_second_read_that_lacks_a_record_is_refused() {
    let mut history = good();
    history.reads[2] = read_of("second read", Extent::Whole, &log()[..5]);
    let verdict = expect(&history, &["reread_diff"]);
    let Violation::RereadDiff { place, contents, .. } = &verdict.violations[0] else {
        panic!("{:?}", verdict.violations);
    };
    assert_eq!(place.offset, 5);
    assert_eq!(contents[1], None);
}

#[test]
fn a_second_read_with_another_record_is_refused() {
    let mut history = good();
    history.reads[2].records[3].content = Content::Value(value(PLAIN, 0));
    expect(&history, &["reread_diff"]);
}

#[test]
fn a_record_that_a_consumer_saw_and_that_vanished_is_refused() {
    let mut history = good();
    steps(&mut history, value(PLAIN, 3), &[Step::Sent, Step::Unknown]);
    let mut seen = log();
    seen.push(value(PLAIN, 3));
    history.reads[0] = read_of("live read", Extent::Live, &seen);
    expect(&history, &["live_diff"]);
}

#[test]
fn a_consumer_that_was_led_past_a_record_is_refused() {
    let mut history = good();
    history.reads[0].records.remove(1);
    expect(&history, &["gap"]);
}

#[test]
fn a_broken_client_is_refused() {
    let mut history = good();
    let text = "OUT_OF_ORDER_SEQUENCE_NUMBER".into();
    history.complaints.push(Complaint { client: "producer 0".into(), text });
    expect(&history, &["client_broken"]);
}

#[test]
fn an_idle_run_is_refused() {
    let mut history = History::default();
    history.producers.insert(IDEMPOTENT, Promise::Idempotent);
    expect(&history, &["too_few_acks", "too_few_reads"]);
}

#[test]
fn a_producer_that_starved_is_refused() {
    let mut history = good();
    history.producers.insert(2, Promise::Idempotent);
    expect(&history, &["too_few_acks"]);
}

#[test]
fn a_report_shows_the_records_around_and_the_interruption_before() {
    let mut history = good();
    let mut log = log();
    log.push(value(IDEMPOTENT, 2));
    read_all(&mut history, &log);
    let report = check(&history, &FLOOR).report(&history);
    for part in
        ["duplicate: p0:0:2 stands in the log 2 times", "4 ms after interruption 2", ">        6"]
    {
        assert!(report.contains(part), "no {part:?} in\n{report}");
    }
}
