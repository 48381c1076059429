//! Batches as bytes, and a log of an opened store back in the terms of its history.

use record::{BatchBuilder, BatchFacts, BatchView, LeaderEpoch, Offset, Record, Timestamp};
use record::{ProducerEpoch, ProducerId, Sequence};
use storage::{Log, LogId};

use crate::history::{Batch, Expected, Producer};
use crate::violation::{Property, Violation};
use crate::world::READ_LIMITS;

/// How much is read at once: less than most logs have, so that reads are joined.
const READ_SIZE: u32 = 3000;

/// The bytes of a batch as its producer sends it.
pub fn encode(batch: &Batch) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    if let Some(Producer { id, epoch, sequence }) = batch.producer {
        builder = builder.producer(ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
    }
    let mut value = vec![b'.'; batch.value_size_bytes];
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

/// The batch that those bytes are, with nothing else in them; or why they are none of ours.
pub fn decode(view: &BatchView<'_>) -> Result<Batch, String> {
    view.validate_crc().map_err(|e| e.to_string())?;
    let facts = view.facts().map_err(|e| e.to_string())?;
    let records = record::records(view, &READ_LIMITS).map_err(|e| e.to_string())?;
    let first = records.iter().next().ok_or("no record")?.map_err(|e| e.to_string())?;
    let value = first.value.ok_or("no value")?;
    let id = value.first_chunk().ok_or("a short value")?;
    let LeaderEpoch(epoch) = view.leader_epoch();
    let batch = Batch {
        id: u64::from_be_bytes(*id),
        count: facts.record_count,
        epoch,
        timestamp: facts.base_timestamp.0,
        producer: facts.producer.map(|producer| Producer {
            id: producer.id.0,
            epoch: producer.epoch.0,
            sequence: producer.first_sequence.0,
        }),
        value_size_bytes: value.len(),
    };
    let mut sent = encode(&batch);
    record::assign(&mut sent, view.base_offset(), view.leader_epoch());
    if sent == view.bytes() { Ok(batch) } else { Err("other bytes than were sent".into()) }
}

/// The batches that stand in `bytes`, each with its offset; nothing else may.
pub fn batches_in(log: LogId, bytes: &[u8]) -> Result<Vec<(i64, Batch)>, Violation> {
    let damaged = |reason: String| Violation::of_log(Property::IsWhole, log, reason);
    let mut batches = Vec::new();
    for view in record::split(bytes) {
        let view = view.map_err(|e| damaged(format!("behind {batches:?}: {e}")))?;
        let at = view.base_offset();
        let batch = decode(&view).map_err(|reason| damaged(format!("at {at}: {reason}")))?;
        batches.push((at.0, batch));
    }
    Ok(batches)
}

/// What the log has.
pub async fn read_back(log: &Log) -> Result<Expected, Violation> {
    let (start, end) = (log.log_start_offset(), log.log_end_offset());
    let mut found = Expected {
        exists: true,
        log_start: start.0,
        log_end: end.0,
        epochs: log.epoch_starts().iter().map(|s| (s.epoch.0, s.start_offset.0)).collect(),
        ..Expected::default()
    };
    let mut next = start.0;
    while next < end.0 {
        let read = log.read_whole(Offset(next), end, READ_SIZE).await;
        let unreadable = |e| Violation::of_log(Property::IsReadable, log.id(), format!("{e:?}"));
        let batches = batches_in(log.id(), &read.map_err(unreadable)?)?;
        if batches.is_empty() {
            let evidence = format!("nothing at {next}, but the log ends at {end}");
            return Err(Violation::of_log(Property::IsDense, log.id(), evidence));
        }
        for (at, batch) in batches {
            let holds_the_start = next == start.0 && at <= next;
            if at != next && !holds_the_start {
                let evidence = format!("{at} follows where {next} should");
                return Err(Violation::of_log(Property::IsDense, log.id(), evidence));
            }
            next = at + i64::from(batch.count);
            found.batches.push((at, batch));
        }
    }
    Ok(found)
}
