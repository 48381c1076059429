//! A whole store: three lives of some logs beside a model of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::driver::{folder, on_one_shard, remove};
use record::{BatchBuilder, LeaderEpoch, Offset, Record, Timestamp, split};
use runtime::{DriverWanted, Shard};
use storage::{
    JournalConfig, Log, LogConfig, LogId, Purpose, SegmentConfig, Stamp, Store, StoreConfig,
};

const LOGS: u32 = 5;
/// The log that is deleted in the first life.
const DELETED: u32 = 4;
/// The log whose last batches are cut off, and from where.
const CUT: u32 = 1;
const CUT_TO: i64 = 1_140;
/// The log whose first records are hidden, and up to where.
const MOVED: u32 = 2;
const MOVED_TO: i64 = 100;
/// Batches of the first life, 12 MB: several times what the journal holds, so that they settle.
const BATCHES: i64 = 2_000;

/// What each log should give, batch by batch, by base offset.
type Model = BTreeMap<u32, BTreeMap<i64, Vec<u8>>>;

fn id(partition: u32) -> LogId {
    LogId { topic_id: *b"sixteen bytes id", partition }
}

/// A ring of 1 to 2 MiB and segments of 1.
fn config() -> StoreConfig {
    let journal = JournalConfig {
        file_bytes: 512 << 10,
        files_min: 2,
        files_max: 4,
        reserve_bytes: 64 << 10,
        chunk_bytes: 64 << 10,
        tail_bytes: 4 << 20,
        ..JournalConfig::default()
    };
    let segment = SegmentConfig { segment_bytes: 1 << 20, ..SegmentConfig::default() };
    let log = LogConfig { segment, ..LogConfig::default() };
    StoreConfig { journal, log, ..StoreConfig::default() }
}

async fn open(shard: &Shard, dir: &Path) -> Store {
    for folder in [dir.to_path_buf(), dir.join("partitions"), dir.join("shard-000")] {
        // It is there already but in the first life.
        drop(shard.disk().create_dir(&folder).await);
    }
    let file_system = shard.disk().identity(dir).await.expect("a folder");
    let store = Store::open(shard, dir, file_system, config()).await;
    store.unwrap_or_else(|e| panic!("{e}"))
}

/// Three records, as a log has them at that place.
fn batch(base_offset: i64, round: i64) -> Vec<u8> {
    let value = vec![round as u8; (round as usize * 7919) % 4_000];
    let mut builder = BatchBuilder::new().base_offset(Offset(base_offset));
    for i in 0..3 {
        let timestamp = Timestamp(1_000_000 + 10 * round + i);
        builder.push(&Record { timestamp, value: Some(&value), ..Record::default() });
    }
    let mut bytes = builder.build().expect("a small batch");
    record::assign(&mut bytes, Offset(base_offset), LeaderEpoch(0));
    bytes
}

/// To which log each batch of a life goes.
fn turns(life: u32) -> impl Iterator<Item = (u32, i64)> {
    let (batches, logs) = if life == 0 { (BATCHES, LOGS) } else { (BATCHES / 4, DELETED) };
    (0..batches).map(move |round| (round as u32 % logs, round))
}

/// What so many lives leave behind.
fn model(lives: u32) -> Model {
    let mut model = Model::new();
    for life in 0..lives {
        for (partition, round) in turns(life) {
            let log = model.entry(partition).or_default();
            let base_offset = log.last_key_value().map_or(0, |(last, _)| last + 3);
            log.insert(base_offset, batch(base_offset, round));
        }
        if life == 0 {
            model.remove(&DELETED);
            model.get_mut(&CUT).expect("it has its turns").retain(|base, _| *base < CUT_TO);
        }
    }
    model
}

/// Appends the batches of a life, and lets them settle.
async fn append_all(store: &Store, life: u32) {
    let mut last = 0;
    for (partition, round) in turns(life) {
        let log = store.log(&id(partition)).expect("made in the first life");
        let bytes = batch(log.log_end_offset().0, round);
        let facts = record::parse_single(&bytes).and_then(|batch| batch.facts()).expect("sound");
        let stamp = Stamp { leader_epoch: LeaderEpoch(0), log_append_time: None };
        last = loop {
            match log.append(&bytes, &facts, stamp, Purpose::Records) {
                Ok(appended) => break appended.sequence,
                Err(_) => store.room(bytes.len(), Purpose::Records).await,
            }
        };
        if round % 100 == 0 {
            let_settle(store, life, last).await;
        }
    }
    let_settle(store, life, last).await;
}

/// Everything up to that commit may settle, but for what will be cut off.
async fn let_settle(store: &Store, life: u32, sequence: u64) {
    for log in store.logs() {
        log.wait_durable(sequence).await;
        let is_cut = life == 0 && log.id() == id(CUT);
        let bound = if is_cut { CUT_TO } else { i64::MAX };
        log.set_high_watermark(Offset(log.durable_end_offset().0.min(bound)));
    }
}

/// Reads the log to its end and compares it with the model, byte by byte.
async fn is_as_the_model_says(log: &Log, model: &Model) {
    let (mut from, end) = (log.log_start_offset(), log.log_end_offset());
    let expected = model[&log.id().partition].range(from.0 - from.0 % 3..);
    let mut expected = expected.map(|(_, bytes)| bytes.as_slice());
    while from < end {
        let bytes = log.read_whole(from, end, 50_000).await.expect("readable");
        for batch in split(&bytes) {
            let batch = batch.expect("whole");
            from = batch.last_offset().plus(1);
            assert_eq!(Some(batch.bytes()), expected.next(), "log {} before {from}", log.id());
        }
    }
    assert_eq!(expected.next(), None, "log {} ends at {end}", log.id());
}

async fn is_what_lives_have_left(store: &Store, lives: u32) {
    let model = model(lives);
    let found: Vec<_> = store.logs().iter().map(|log| log.id().partition).collect();
    assert_eq!(found, model.keys().copied().collect::<Vec<_>>());
    for log in store.logs() {
        is_as_the_model_says(&log, &model).await;
    }
    let moved = store.log(&id(MOVED)).expect("it lives on");
    assert_eq!(moved.log_start_offset(), Offset(MOVED_TO));
}

/// The first life ends without a stop, the second one with a stop, the third one only looks,
/// and clears up.
async fn live(shard: Shard, dir: PathBuf, life: u32) {
    let store = open(&shard, &dir).await;
    if life > 0 {
        is_what_lives_have_left(&store, life).await;
    }
    match life {
        0 => {
            for partition in 0..LOGS {
                let made = store.create_log(id(partition), "flights", config().log).await;
                made.unwrap_or_else(|e| panic!("{e}"));
            }
            append_all(&store, life).await;
            let log = |partition| store.log(&id(partition)).expect("made above");
            log(CUT).truncate(Offset(CUT_TO)).await;
            log(MOVED).move_log_start(Offset(MOVED_TO)).await;
            store.delete_log(&id(DELETED)).await.unwrap_or_else(|e| panic!("{e}"));
            is_what_lives_have_left(&store, 1).await;
            let settled = |log: &Log| log.settled_end_offset() > Offset(0);
            assert!(store.logs().iter().all(settled), "so much does not fit the journal");
        }
        1 => {
            append_all(&store, life).await;
            store.stop().await;
        }
        _ => {
            let unsettled = |log: &Log| log.settled_end_offset() != log.log_end_offset();
            assert!(!store.logs().iter().any(unsettled), "the stop before settled everything");
            store.stop().await;
            remove(&shard, &dir).await;
        }
    }
}

fn lives_on(driver: DriverWanted) {
    let dir = folder("store", driver);
    for life in 0..3 {
        on_one_shard(driver, &dir, move |shard, dir| live(shard, dir, life));
    }
}

#[test]
fn a_store_lives_three_times_and_loses_nothing() {
    lives_on(DriverWanted::Uring);
}

#[test]
fn a_store_lives_three_times_and_loses_nothing_without_io_uring() {
    lives_on(DriverWanted::Posix);
}
