//! A producer that sends a batch of its window again is told its first place; the next sequence is
//! taken; a gap, an older batch and an older epoch are not.

use record::Offset;
use storage::{Log, ProducerCheck};

use crate::history::{Batch, Expected, Producer};
use crate::inspect::{encode, facts};
use crate::life::PRODUCERS;
use crate::violation::{Property, Violation};

/// Batches of a producer that are remembered, as Kafka's clients need.
const WINDOW: usize = 5;

/// Asks the log about every producer of the history.
pub fn check(log: &Log, expected: &Expected) -> Result<(), Violation> {
    PRODUCERS.iter().try_for_each(|id| check_producer(log, expected, *id))
}

fn check_producer(log: &Log, expected: &Expected, id: i64) -> Result<(), Violation> {
    let written = expected.written_by(id);
    let Some((_, last_producer, last)) = written.last() else { return Ok(()) };
    let oldest_known = written.len().saturating_sub(WINDOW);
    for (index, (at, producer, batch)) in written.iter().enumerate() {
        let check = log.check_producer(&facts(&encode(batch)));
        let last_offset = Offset(at + i64::from(batch.count) - 1);
        let duplicate = ProducerCheck::Duplicate { base_offset: Offset(*at), last_offset };
        let right = match index < oldest_known {
            true => matches!(check, ProducerCheck::OutOfOrder { .. }),
            false => check == duplicate,
        };
        if !right {
            return Err(wrong(log, producer, &format!("batch {} at {at}: {check:?}", batch.id)));
        }
    }
    let next = Producer { sequence: last_producer.sequence + last.count, ..*last_producer };
    let probe = |producer| {
        let probe = Batch { producer: Some(producer), count: 1, ..last.clone() };
        log.check_producer(&facts(&encode(&probe)))
    };
    let in_order = probe(next);
    if in_order != ProducerCheck::InOrder {
        return Err(wrong(log, &next, &format!("it comes next: {in_order:?}")));
    }
    let gap = probe(Producer { sequence: next.sequence + 1, ..next });
    if !matches!(gap, ProducerCheck::OutOfOrder { .. }) {
        return Err(wrong(log, &next, &format!("one further on: {gap:?}")));
    }
    let stale = probe(Producer { epoch: next.epoch - 1, ..next });
    if next.epoch > 0 && !matches!(stale, ProducerCheck::StaleEpoch { .. }) {
        return Err(wrong(log, &next, &format!("an epoch before: {stale:?}")));
    }
    Ok(())
}

fn wrong(log: &Log, producer: &Producer, answer: &str) -> Violation {
    Violation::of_log(Property::KnowsProducers, log.id(), format!("{producer:?}: {answer}"))
}
