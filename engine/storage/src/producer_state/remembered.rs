//! For how long a whole store remembers its producers: over restarts, and while nobody writes.

use std::time::Duration;

use record::{
    BatchBuilder, BatchFacts, LeaderEpoch, ProducerEpoch, ProducerId, Record, Sequence, Timestamp,
};
use runtime::Shard;
use runtime::sim::{Options, World};

use crate::log::Trim;
use crate::settler::{Round, round};
use crate::testing::{open_store, run};
use crate::{
    Log, LogConfig, LogId, ProducerCheck, ProducerLimits, Purpose, Stamp, Store, StoreConfig,
};

const LOG: LogId = LogId { topic_id: *b"sixteen bytes id", partition: 0 };
const DAY_MS: i64 = 86_400_000;

async fn open(shard: &Shard, expiration_ms: i64) -> Store {
    let producers = ProducerLimits { expiration_ms, ..Default::default() };
    let log = LogConfig { producers, ..LogConfig::default() };
    open_store(shard, StoreConfig { log, ..StoreConfig::default() }).await
}

/// The log of these tests, made in the first life.
async fn the_log(store: &Store) -> Log {
    let config = store.0.config.log;
    let log = match store.log(&LOG) {
        Some(log) => log,
        None => store.create_log(LOG, "t", config).await.expect("a new log"),
    };
    log.set_config(config);
    log
}

pub(super) fn batch_of(id: i64) -> (Vec<u8>, BatchFacts) {
    let producer = (ProducerId(id), ProducerEpoch(0), Sequence(0));
    let mut builder = BatchBuilder::new().producer(producer.0, producer.1, producer.2);
    builder.push(&Record { timestamp: Timestamp(1), ..Record::default() });
    let bytes = builder.build().expect("a small batch");
    let facts = record::parse_single(&bytes).and_then(|batch| batch.facts()).expect("sound");
    (bytes, facts)
}

/// The producer's first batch, appended if it is not known.
pub(super) async fn send(log: &Log, id: i64) -> ProducerCheck {
    let (bytes, facts) = batch_of(id);
    let check = log.check_producer(&facts);
    if check == ProducerCheck::InOrder {
        let stamp = Stamp { leader_epoch: LeaderEpoch(0), log_append_time: None };
        let appended = log.append(&bytes, &facts, stamp, Purpose::Records);
        log.wait_durable(appended.expect("there is room").sequence).await;
        log.set_high_watermark(log.durable_end_offset());
    }
    check
}

/// Logs that a start found used to keep the usual limits, whatever they were told: a producer was
/// forgotten after a day, and its retry appended a second time.
#[test]
fn a_log_that_is_found_again_remembers_its_producers_for_as_long_as_it_is_told() {
    let world = World::new(1, Options::default());
    let node = world.node("broker");
    for life in 0..2 {
        let found = run(&world, &node, move |shard| async move {
            let store = open(&shard, 7 * DAY_MS).await;
            let found = send(&the_log(&store).await, 4).await;
            store.stop().await;
            found
        });
        let is_known = matches!(found, ProducerCheck::Duplicate { .. });
        assert_eq!(is_known, life == 1, "{found:?}");
        node.set_wall_offset(2 * DAY_MS);
    }
}

/// How a life of the store ends, and what it does before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Kill,
    SettleAndKill,
    Stop,
}

/// What a replay found, and what settled late, used to be dated at that moment: a broker that was
/// killed every day remembered its producers for ever.
#[test]
fn a_restart_makes_no_producer_younger_and_forgets_none_too_soon() {
    for (seed, end) in (0..).zip([End::Kill, End::SettleAndKill, End::Stop]) {
        let world = World::new(seed, Options::default());
        let node = world.node("broker");
        for life in 0..4 {
            node.set_wall_offset(life * DAY_MS / 2);
            let found = run(&world, &node, move |shard| async move {
                // A minute more than the three halves of a day at which it is asked for last.
                let store = open(&shard, 3 * DAY_MS / 2 - 60_000).await;
                let log = the_log(&store).await;
                let found = send(&log, 4).await;
                match end {
                    End::Kill => {}
                    End::SettleAndKill => {
                        let _settled = round(&store.0, u64::MAX, Trim::No).await;
                    }
                    End::Stop => store.stop().await,
                }
                found
            });
            let is_known = matches!(found, ProducerCheck::Duplicate { .. });
            assert_eq!(is_known, (1..3).contains(&life), "{end:?}, life {life}: {found:?}");
        }
    }
}

/// Only a log that took part in a round forgot its producers: an idle one kept them in memory, and
/// in the manifest, for ever.
#[test]
fn the_memory_of_silent_producers_is_freed_while_nobody_writes() {
    let world = World::new(7, Options::default());
    let node = world.node("broker");
    run(&world, &node, |shard| async move {
        let store = open(&shard, 1_200_000).await;
        let log = the_log(&store).await;
        let in_manifest = || store.0.manifest.table().logs()[&LOG].producers.len();
        for id in 0..2_500 {
            send(&log, id).await;
        }
        assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
        shard.sleep(Duration::from_mins(15)).await;
        assert!(matches!(send(&log, 0).await, ProducerCheck::Duplicate { .. }));
        send(&log, 2_500).await;
        assert_eq!((log.producer_count(), in_manifest()), (2_501, 2_500));
        shard.sleep(Duration::from_mins(16)).await;
        assert_eq!((log.producer_count(), in_manifest()), (1, 0), "one wrote 16 minutes ago");
        shard.sleep(Duration::from_mins(10)).await;
        assert_eq!((log.producer_count(), in_manifest()), (0, 0));
    });
    run(&world, &node, |shard| async move {
        let store = open(&shard, 1_200_000).await;
        let log = the_log(&store).await;
        assert!(store.0.manifest.table().logs()[&LOG].producers.is_empty());
        assert_eq!(log.producer_count(), 1, "until somebody looks");
        assert_eq!(send(&log, 2_500).await, ProducerCheck::InOrder);
    });
}
