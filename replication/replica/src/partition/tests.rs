//! One partition over a real log on a simulated disk.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use record::{BatchBuilder, ProducerEpoch, ProducerId, Record, Sequence};
use runtime::sim::{Ended, Options, World};
use runtime::{Shard, TaskClass};
use storage::{LogConfig, LogId, Store, StoreConfig};

use super::*;

const BROKER: BrokerId = BrokerId(1);
const LOG: LogId = LogId { topic_id: [7; 16], partition: 0 };
const CONFIG: PartitionConfig = PartitionConfig {
    batch_size_max: 100_000,
    replica_count: 1,
    min_insync: 1,
    timestamps: TimestampPolicy {
        kind: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: 1000,
    },
};

/// Of which this broker is the only one in sync.
const TWO_OF_TWO: PartitionConfig = PartitionConfig { replica_count: 2, min_insync: 2, ..CONFIG };

async fn open(shard: &Shard) -> Store {
    let data = Path::new("/data");
    for folder in ["/data", "/data/partitions", "/data/shard-000"] {
        // It is there after a restart.
        let _made_or_there = shard.disk().create_dir(Path::new(folder)).await;
    }
    for folder in ["/", "/data"] {
        shard.disk().sync_dir(Path::new(folder)).await.expect("a folder");
    }
    let file_system = shard.disk().identity(data).await.expect("a folder");
    Store::open(shard, data, file_system, StoreConfig::default()).await.expect("storage")
}

async fn lead(shard: &Shard, epoch: i32, config: PartitionConfig) -> Partition {
    let store = open(shard).await;
    let log = match store.log(&LOG) {
        Some(log) => log,
        None => store.create_log(LOG, "t", LogConfig::default()).await.expect("a new log"),
    };
    Partition::lead(log, BROKER, LeaderEpoch(epoch), config).await
}

/// Runs one life of a broker of one shard.
fn live<F>(world: &World, life: impl Fn(Shard) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let node = world.node("broker");
    let ended = Rc::new(RefCell::new(false));
    let (done, life) = (ended.clone(), Rc::new(life));
    node.start(vec![()], move |shard, ()| {
        let (done, life) = (done.clone(), life.clone());
        async move {
            life(shard).await;
            *done.borrow_mut() = true;
        }
    });
    let run = world.run_until(Duration::from_secs(60), || *ended.borrow());
    assert_eq!(run, Ended::Done, "{:#?}", world.log_lines());
    node.kill();
}

fn world() -> World {
    World::new(1, Options::default())
}

fn batch(builder: BatchBuilder, timestamp: i64) -> Vec<u8> {
    let mut builder = builder;
    let timestamp = Timestamp(timestamp);
    builder.push(&Record { timestamp, key: None, value: Some(b"v"), headers: &[] });
    builder.build().expect("a small batch")
}

fn append(
    partition: &Partition,
    records: &[u8],
    acks: Acks,
) -> Result<AppendOutcome, AppendRefused> {
    partition.append(&LeaderAppend { records, acks, now: Timestamp(10_000) })
}

/// Waits for up to a minute.
async fn acknowledged(
    shard: &Shard,
    partition: &Partition,
    outcome: &AppendOutcome,
    acks: Acks,
) -> Result<(), Unacknowledged> {
    let deadline = shard.now() + Duration::from_secs(60);
    partition.acknowledged(shard, outcome, acks, deadline).await
}

#[test]
fn an_acknowledged_batch_is_below_the_high_watermark_and_not_before() {
    live(&world(), |shard| async move {
        let partition = lead(&shard, 3, CONFIG).await;
        let moves = Rc::new(RefCell::new(Vec::new()));
        let seen = moves.clone();
        partition.on_high_watermark(move |offset| seen.borrow_mut().push(offset));
        let records = batch(BatchBuilder::new(), 1);
        for expect in 0..3 {
            let outcome = append(&partition, &records, Acks::All).unwrap();
            assert_eq!(outcome.base_offset, Offset(expect));
            assert_eq!(partition.high_watermark(), Offset(expect), "nothing is synced yet");
            acknowledged(&shard, &partition, &outcome, Acks::All).await.unwrap();
            assert_eq!(partition.high_watermark(), Offset(expect + 1));
        }
        assert_eq!(*moves.borrow(), [Offset(1), Offset(2), Offset(3)]);
        assert_eq!(partition.leader_epoch(), LeaderEpoch(3));
    });
}

#[test]
fn too_few_in_sync_refuse_acks_all_and_hold_the_high_watermark() {
    live(&world(), |shard| async move {
        let partition = lead(&shard, 0, TWO_OF_TWO).await;
        let records = batch(BatchBuilder::new(), 1);
        let refused = append(&partition, &records, Acks::All);
        assert_eq!(refused, Err(AppendRefused::NotEnoughReplicas));
        let outcome = append(&partition, &records, Acks::Leader).unwrap();
        acknowledged(&shard, &partition, &outcome, Acks::Leader).await.unwrap();
        assert_eq!(partition.high_watermark(), Offset(0));
    });
}

/// It used to hold the high watermark at 0, so that nothing settled and acks=1 filled the journal.
#[test]
fn a_minimum_above_the_number_of_replicas_asks_for_those_that_there_are() {
    live(&world(), |shard| async move {
        let partition = lead(&shard, 0, PartitionConfig { min_insync: 2, ..CONFIG }).await;
        let records = batch(BatchBuilder::new(), 1);
        for (acks, end) in [(Acks::Leader, 1), (Acks::All, 2)] {
            let outcome = append(&partition, &records, acks).unwrap();
            acknowledged(&shard, &partition, &outcome, acks).await.unwrap();
            assert_eq!(partition.high_watermark(), Offset(end));
        }
    });
}

#[test]
fn a_duplicate_is_answered_with_its_first_place_even_after_a_kill() {
    let world = world();
    let records = || {
        let (id, epoch) = (ProducerId(4), ProducerEpoch(0));
        batch(BatchBuilder::new().producer(id, epoch, Sequence(0)), 1)
    };
    live(&world, move |shard| async move {
        let partition = lead(&shard, 0, CONFIG).await;
        let plain = append(&partition, &batch(BatchBuilder::new(), 1), Acks::All).unwrap();
        acknowledged(&shard, &partition, &plain, Acks::All).await.unwrap();
        let outcome = append(&partition, &records(), Acks::All).unwrap();
        acknowledged(&shard, &partition, &outcome, Acks::All).await.unwrap();
    });
    live(&world, move |shard| async move {
        let partition = lead(&shard, 1, CONFIG).await;
        let outcome = append(&partition, &records(), Acks::All).unwrap();
        assert_eq!((outcome.base_offset, outcome.last_offset), (Offset(1), Offset(1)));
        acknowledged(&shard, &partition, &outcome, Acks::All).await.unwrap();
        assert_eq!(partition.high_watermark(), Offset(2), "nothing was appended");
    });
}

#[test]
fn timestamps_are_bounded_or_replaced_as_the_topic_says() {
    live(&world(), |shard| async move {
        let partition = lead(&shard, 0, CONFIG).await;
        let ahead = append(&partition, &batch(BatchBuilder::new(), 11_001), Acks::All);
        assert!(matches!(ahead, Err(AppendRefused::Timestamp { .. })), "{ahead:?}");
        assert!(append(&partition, &batch(BatchBuilder::new(), 11_000), Acks::All).is_ok());
        assert!(append(&partition, &batch(BatchBuilder::new(), -1), Acks::All).is_ok());
    });
    live(&world(), |shard| async move {
        let kind = TimestampType::LogAppendTime;
        let timestamps = TimestampPolicy { kind, ..CONFIG.timestamps };
        let partition = lead(&shard, 0, PartitionConfig { timestamps, ..CONFIG }).await;
        let outcome = append(&partition, &batch(BatchBuilder::new(), 99_999), Acks::All).unwrap();
        assert_eq!(outcome.stamped, Stamped::ByLeader(Timestamp(10_000)));
    });
}

/// The header's base timestamp used to stand for all records.
#[test]
fn the_oldest_record_decides_whether_a_batch_lies_too_far_back() {
    live(&world(), |shard| async move {
        let timestamps = TimestampPolicy { before_max_ms: 1000, ..CONFIG.timestamps };
        let partition = lead(&shard, 0, PartitionConfig { timestamps, ..CONFIG }).await;
        for (times, taken) in [
            ([10_000, 9_000], true),
            ([10_000, 8_999], false),
            ([8_999, 10_000], false),
            ([10_000, -1], true),
            ([-1, 8_999], false),
        ] {
            let mut builder = BatchBuilder::new();
            for timestamp in times {
                let timestamp = Timestamp(timestamp);
                builder.push(&Record { timestamp, ..Record::default() });
            }
            let outcome = append(&partition, &builder.build().unwrap(), Acks::All);
            assert_eq!(outcome.is_ok(), taken, "{times:?}: {outcome:?}");
        }
    });
}

#[test]
fn part_of_a_transaction_is_refused_and_so_is_what_is_too_large() {
    live(&world(), |shard| async move {
        let partition = lead(&shard, 0, PartitionConfig { batch_size_max: 80, ..CONFIG }).await;
        let producer = BatchBuilder::new().producer(ProducerId(1), ProducerEpoch(0), Sequence(0));
        let transactional = batch(producer.transactional(), 1);
        let refused = append(&partition, &transactional, Acks::All);
        assert_eq!(refused, Err(AppendRefused::Transactional));
        let mut long = BatchBuilder::new();
        long.push(&Record { value: Some(&[7; 100]), ..Record::default() });
        let refused = append(&partition, &long.build().unwrap(), Acks::All);
        assert!(matches!(refused, Err(AppendRefused::Batch(BatchError::TooLarge { .. }))));
        assert_eq!(partition.log().log_end_offset(), Offset(0));
    });
}

#[test]
fn new_settings_hold_from_the_next_append_on_and_a_lower_minimum_lets_the_watermark_go_on() {
    live(&world(), |shard| async move {
        let partition = lead(&shard, 0, TWO_OF_TWO).await;
        let records = batch(BatchBuilder::new(), 1);
        let outcome = append(&partition, &records, Acks::Leader).unwrap();
        acknowledged(&shard, &partition, &outcome, Acks::Leader).await.unwrap();
        assert_eq!(partition.high_watermark(), Offset(0));
        partition.set_config(PartitionConfig { min_insync: 1, ..TWO_OF_TWO });
        assert_eq!(partition.high_watermark(), Offset(1));
        assert!(append(&partition, &records, Acks::All).is_ok());
        partition.set_config(PartitionConfig { batch_size_max: 10, ..CONFIG });
        let refused = append(&partition, &records, Acks::All);
        assert!(matches!(refused, Err(AppendRefused::Batch(BatchError::TooLarge { .. }))));
    });
}

#[test]
fn whoever_waits_is_told_when_the_leader_resigns() {
    live(&world(), |shard| async move {
        let partition = lead(&shard, 0, TWO_OF_TWO).await;
        let records = batch(BatchBuilder::new(), 1);
        let outcome = append(&partition, &records, Acks::Leader).unwrap();
        let (waiting, clock) = (partition.clone(), shard.clone());
        // It waits for a high watermark that can't move.
        let wait = async move { acknowledged(&clock, &waiting, &outcome, Acks::All).await };
        let waiter = shard.spawn(TaskClass::Foreground, "waiter", wait);
        shard.sleep(Duration::from_secs(1)).await;
        assert!(!waiter.is_finished());
        partition.resign();
        assert_eq!(waiter.await.unwrap(), Err(Unacknowledged::Resigned));
    });
}

/// It used to wait for ever.
#[test]
fn replicas_that_do_not_come_along_are_waited_for_until_the_deadline() {
    live(&world(), |shard| async move {
        let partition = lead(&shard, 0, TWO_OF_TWO).await;
        let records = batch(BatchBuilder::new(), 1);
        let outcome = append(&partition, &records, Acks::Leader).unwrap();
        let deadline = shard.now() + Duration::from_secs(3);
        let waited = partition.acknowledged(&shard, &outcome, Acks::All, deadline).await;
        assert_eq!(waited, Err(Unacknowledged::Late));
        assert!(shard.now() >= deadline && shard.now().since(deadline) < Duration::from_secs(1));
    });
}

/// A producer that gives no time at all is answered well if there is nobody else to wait for.
#[test]
fn the_leaders_own_disk_has_no_deadline() {
    live(&world(), |shard| async move {
        let partition = lead(&shard, 0, CONFIG).await;
        let outcome = append(&partition, &batch(BatchBuilder::new(), 1), Acks::All).unwrap();
        let waited = partition.acknowledged(&shard, &outcome, Acks::All, shard.now()).await;
        assert_eq!(waited, Ok(()));
    });
}
