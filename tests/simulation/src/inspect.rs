//! Reads a log of an opened store back into the terms of its history.

use record::{BatchBuilder, BatchFacts, BatchView, LeaderEpoch, Offset, Record, Timestamp};
use record::{ProducerEpoch, ProducerId, Sequence};
use storage::{Log, ProducerCheck};

use crate::history::{Batch, Expected};
use crate::world::READ_LIMITS;

/// How much is read at once: less than most logs have, so that reads are joined.
const READ_SIZE: u32 = 3000;

/// The bytes of a batch as its producer sends it.
pub fn encode(batch: &Batch, value_size: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    if let Some((producer, sequence)) = batch.producer {
        builder = builder.producer(ProducerId(producer), ProducerEpoch(0), Sequence(sequence));
    }
    let mut value = vec![b'.'; value_size.max(8)];
    value[..8].copy_from_slice(&batch.id.to_be_bytes());
    for i in 0..batch.count {
        let timestamp = Timestamp(batch.timestamp + i64::from(i));
        builder.push(&Record { timestamp, key: None, value: Some(&value), headers: &[] });
    }
    builder.build().expect("a small batch")
}

/// What a leader knows of those bytes.
pub fn facts(bytes: &[u8]) -> BatchFacts {
    let (view, _) = BatchView::parse(bytes).expect("built a moment ago");
    view.facts().expect("built a moment ago")
}

/// What the log has. Panics, with a reason, on what no log may have.
pub async fn read_back(log: &Log) -> Expected {
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    let mut found = Expected {
        exists: true,
        log_start: start.0,
        log_end: end.0,
        epochs: log.epoch_starts().iter().map(|s| (s.epoch.0, s.start_offset.0)).collect(),
        ..Expected::default()
    };
    let mut next = start;
    while next < end {
        let bytes = log.read_whole(next, end, READ_SIZE).await.expect("a log that can be read");
        assert!(!bytes.is_empty(), "{}: nothing at {next}, the end is {end}", log.id());
        for batch in record::split(&bytes) {
            let batch = batch.unwrap_or_else(|e| panic!("{} at {next}: {e}", log.id()));
            batch.validate_crc().unwrap_or_else(|e| panic!("{} at {next}: {e}", log.id()));
            let at_start = next == start && batch.base_offset() <= start;
            assert!(batch.base_offset() == next || at_start, "{}: a gap at {next}", log.id());
            found.batches.push((batch.base_offset().0, decode(&batch)));
            next = batch.last_offset().plus(1);
        }
    }
    found
}

fn decode(batch: &BatchView<'_>) -> Batch {
    let facts = batch.facts().expect("a whole batch");
    let records = record::records(batch, &READ_LIMITS).expect("records that were written");
    let first = records.iter().next().expect("at least one").expect("a record that was written");
    let value = first.value.expect("every record has a value");
    let id = u64::from_be_bytes(value[..8].try_into().expect("eight bytes"));
    let LeaderEpoch(epoch) = batch.leader_epoch();
    Batch {
        id,
        count: facts.record_count,
        epoch,
        timestamp: facts.base_timestamp.0,
        producer: facts.producer.map(|producer| (producer.id.0, producer.first_sequence.0)),
    }
}

/// Asks the log about the producers of a history: every batch of a window is a duplicate of itself,
/// the next sequence is in order, one further on is not.
pub fn check_windows(log: &Log, expected: &Expected, producers: &[i64]) {
    for producer in producers {
        let window = expected.window(*producer);
        for (at, batch) in &window {
            let check = log.check_producer(&facts(&encode(batch, 8)));
            let last_offset = Offset(at + i64::from(batch.count) - 1);
            let duplicate = ProducerCheck::Duplicate { base_offset: Offset(*at), last_offset };
            assert_eq!(check, duplicate, "{}: batch {} of producer {producer}", log.id(), batch.id);
        }
        let Some((_, last)) = window.last() else { continue };
        let (_, sequence) = last.producer.expect("a producer's batch");
        let next = sequence + last.count;
        let probe = |sequence| {
            let probe = Batch { producer: Some((*producer, sequence)), count: 1, ..last.clone() };
            log.check_producer(&facts(&encode(&probe, 8)))
        };
        assert_eq!(probe(next), ProducerCheck::InOrder, "{}: sequence {next}", log.id());
        let gap = probe(next + 1);
        assert!(matches!(gap, ProducerCheck::OutOfOrder { .. }), "{}: {gap:?}", log.id());
    }
}

/// Looks records up by time and by offset, and compares with the history.
pub async fn check_look_ups(log: &Log, expected: &Expected) {
    let end = Offset(expected.log_end);
    for (at, batch) in expected.batches.iter().step_by(3) {
        let wanted = batch.timestamp + i64::from(batch.count) / 2;
        let found = log.offset_for_timestamp(Timestamp(wanted), end, &READ_LIMITS).await;
        let found = found.expect("a log that can be read").map(|record| record.offset.0);
        assert_eq!(found, first_at(expected, wanted), "{}: time {wanted}", log.id());
        let inside = Offset((at + i64::from(batch.count) - 1).max(expected.log_start));
        let bytes = log.read_whole(inside, end, 1).await.expect("a log that can be read");
        let (view, _) = BatchView::parse(&bytes).expect("at least one whole batch");
        assert_eq!(view.base_offset().0, *at, "{}: the batch with {inside}", log.id());
    }
}

/// The first offset with that timestamp or a later one.
fn first_at(expected: &Expected, timestamp: i64) -> Option<i64> {
    let records = expected.batches.iter().flat_map(|(at, batch)| {
        (0..i64::from(batch.count)).map(move |i| (at + i, batch.timestamp + i))
    });
    let counts = |&(at, stamp): &(i64, i64)| at >= expected.log_start && stamp >= timestamp;
    records.into_iter().find(counts).map(|(at, _)| at)
}
