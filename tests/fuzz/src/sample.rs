//! Batches, and a store that has done a bit of everything: what seeds are made from.

use record::{
    BatchBuilder, Compression, Header, LeaderEpoch, Offset, ProducerEpoch, ProducerId, Record,
    Sequence, Timestamp, parse_single,
};
use runtime::Shard;
use runtime::sim::DiskImage;
use storage::{Log, LogId, Purpose, Stamp};

use crate::lives::{config, open};
use crate::machine::Machine;

/// When the first record of a batch at offset 0 was made; others follow by the second.
pub(crate) const FIRST_TIMESTAMP_MS: i64 = 1_700_000_000_000;

/// How far the sample's first log is taken.
const BATCHES: i64 = 6;

/// The time at which the record at that offset was made.
pub(crate) fn timestamp(offset: i64) -> Timestamp {
    Timestamp(FIRST_TIMESTAMP_MS + offset * 1_000)
}

/// A batch of `count` small records from `base_offset` on.
pub(crate) fn batch(base_offset: i64, count: i32, compression: Compression) -> Vec<u8> {
    let mut builder = BatchBuilder::new().base_offset(Offset(base_offset)).compression(compression);
    for delta in 0..count {
        let timestamp = timestamp(base_offset + i64::from(delta));
        let (key, value) = (Some(&b"N14228"[..]), Some(&b"IAH,1400,227"[..]));
        builder.push(&Record { timestamp, key, value, headers: &[] });
    }
    builder.build().expect("a small batch")
}

/// A batch with what a record can have: headers, nulls, empty fields, a producer.
pub(crate) fn rich_batch() -> Vec<u8> {
    let (id, epoch) = (ProducerId(1000), ProducerEpoch(1));
    let mut builder = BatchBuilder::new().producer(id, epoch, Sequence(4)).transactional();
    let headers =
        [Header { key: b"carrier", value: Some(b"UA") }, Header { key: b"", value: None }];
    let timestamp = timestamp(0);
    builder.push(&Record { timestamp, key: None, value: Some(b"1"), headers: &headers });
    builder.push(&Record { timestamp: Timestamp::NONE, key: Some(b""), value: None, headers: &[] });
    builder.build().expect("a small batch")
}

/// A disk on which a store was ended in the midst of its work.
pub(crate) fn busy_disk() -> DiskImage {
    let machine = Machine::new();
    machine.run(|shard| async move {
        let store = open(&shard).await.expect("a fresh folder");
        let id = |partition| LogId { topic_id: *b"sixteen bytes id", partition };
        let mut logs = Vec::new();
        for partition in 0..3 {
            let log = store.create_log(id(partition), "flights", config().log).await;
            logs.push(log.expect("a new log"));
        }
        store.delete_log(&id(2)).await.expect("it is there");
        work(&shard, &logs[0]).await;
        append(&logs[1], &rich_batch()).await;
    });
    machine.image()
}

/// A disk on which a store has settled everything and stopped.
pub(crate) fn settled_disk() -> DiskImage {
    let machine = Machine::with_disk(&busy_disk());
    machine.run(|shard| async move {
        let store = open(&shard).await.expect("what a store has left");
        store.stop().await;
    });
    machine.image()
}

/// Appends, cuts the end back and moves the start.
async fn work(shard: &Shard, log: &Log) {
    log.start_leader_epoch(LeaderEpoch(0)).await;
    for at in 0..BATCHES {
        append(log, &batch(0, 2, Compression::None)).await;
        if at == BATCHES / 2 {
            log.set_high_watermark(Offset(4));
            log.truncate(Offset(6)).await;
            log.start_leader_epoch(LeaderEpoch(1)).await;
            log.move_log_start(Offset(2)).await;
        }
    }
    shard.sleep(config().journal.mark_delay * 2).await;
}

async fn append(log: &Log, batch: &[u8]) {
    let facts = parse_single(batch).and_then(|view| view.facts()).expect("a sound batch");
    let stamp = Stamp { leader_epoch: LeaderEpoch(1), log_append_time: None };
    let appended = log.append(batch, &facts, stamp, Purpose::Records).expect("there is room");
    log.wait_durable(appended.sequence).await;
}
