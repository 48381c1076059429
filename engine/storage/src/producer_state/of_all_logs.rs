//! How many producers all logs of a store remember together.

use std::time::Duration;

use record::{LeaderEpoch, Offset};
use runtime::Shard;
use runtime::sim::{Options, Rng, World};

use super::remembered::{batch_of, send};
use crate::log::Trim;
use crate::settler::{Round, round};
use crate::testing::{open_store, run};
use crate::{Log, LogConfig, LogId, ProducerCheck, Purpose, Stamp, Store, StoreConfig};

const LOGS: u8 = 3;
const MINUTE: Duration = Duration::from_mins(1);

fn id_of(log: u8) -> LogId {
    LogId { topic_id: *b"sixteen bytes id", partition: log.into() }
}

async fn open(shard: &Shard, producers_max: usize) -> Store {
    let store = open_store(shard, StoreConfig { producers_max, ..StoreConfig::default() }).await;
    for log in 0..LOGS {
        if store.log(&id_of(log)).is_none() {
            store.create_log(id_of(log), "t", LogConfig::default()).await.expect("a new log");
        }
    }
    store
}

fn the_log(store: &Store, log: u8) -> Log {
    store.log(&id_of(log)).expect("it was made")
}

/// How many are remembered, after a look at whether that is what the logs remember.
fn counted(store: &Store) -> usize {
    let sum: usize = store.logs().iter().map(Log::producer_count).sum();
    assert_eq!(store.0.producers.count(), sum, "it drifts");
    sum
}

fn in_manifest(store: &Store) -> usize {
    store.0.manifest.table().logs().values().map(|log| log.producers.len()).sum()
}

fn is_known(check: ProducerCheck) -> bool {
    matches!(check, ProducerCheck::Duplicate { .. })
}

/// Each log had a bound of its own alone: who could make logs could use up the memory.
#[test]
fn the_bound_holds_over_all_logs_and_only_silent_producers_make_room() {
    let world = World::new(1, Options::default());
    let node = world.node("broker");
    run(&world, &node, |shard| async move {
        let store = open(&shard, 20).await;
        for id in 0..20 {
            let log = the_log(&store, id as u8 % LOGS);
            assert_eq!(send(&log, id).await, ProducerCheck::InOrder);
            shard.sleep(Duration::from_secs(1)).await;
        }
        let refused = ProducerCheck::TooManyProducers { producers_max: 20 };
        for _ in 0..9 {
            for log in 0..LOGS {
                assert_eq!(send(&the_log(&store, log), 99).await, refused);
            }
            assert!(is_known(send(&the_log(&store, 1), 1).await), "who is known may go on");
            assert_eq!(counted(&store), 20, "all of them may still retry");
            shard.sleep(MINUTE).await;
        }
        assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
        assert_eq!((in_manifest(&store), store.0.settled_producers.count()), (20, 20));
        shard.sleep(MINUTE).await;
        assert_eq!((counted(&store), in_manifest(&store)), (16, 16), "down to 80 %");
        for id in 0..20 {
            let log = the_log(&store, id as u8 % LOGS);
            let (_, facts) = batch_of(id);
            assert_eq!(is_known(log.check_producer(&facts)), id >= 4, "the oldest went: {id}");
        }
        assert_eq!(send(&the_log(&store, 0), 99).await, ProducerCheck::InOrder);
        assert_eq!(counted(&store), 17);
    });
}

/// A producer may be forgotten before its batches settle; they must not bring it back.
#[test]
fn what_settles_late_brings_no_forgotten_producer_back() {
    let world = World::new(2, Options::default());
    let node = world.node("broker");
    for life in 0..2 {
        run(&world, &node, move |shard| async move {
            let store = open(&shard, 20).await;
            for id in 0..18 {
                let log = the_log(&store, id as u8 % LOGS);
                let check = log.check_producer(&batch_of(id).1);
                assert_eq!(is_known(check), life == 1 && id >= 2, "{id}: {check:?}");
                if life == 0 {
                    send(&log, id).await;
                }
            }
            if life == 1 {
                return;
            }
            shard.sleep(12 * MINUTE).await;
            assert_eq!(counted(&store), 16);
            assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
            let left = (in_manifest(&store), store.0.settled_producers.count());
            assert_eq!((counted(&store), left), (16, (16, 16)));
        });
    }
}

#[test]
fn a_start_takes_more_producers_than_there_may_be_and_comes_down_again() {
    for (seed, away) in (0..).zip([Duration::ZERO, Duration::from_hours(1)]) {
        let world = World::new(seed, Options::default());
        let node = world.node("broker");
        run(&world, &node, |shard| async move {
            let store = open(&shard, 1_000).await;
            for id in 0..60 {
                send(&the_log(&store, id as u8 % LOGS), id).await;
                if id == 30 {
                    assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
                }
            }
        });
        node.set_wall_offset(i64::try_from(away.as_millis()).expect("an hour"));
        run(&world, &node, move |shard| async move {
            let store = open(&shard, 20).await;
            assert_eq!(counted(&store), 60);
            assert!(is_known(send(&the_log(&store, 0), 0).await));
            shard.sleep(MINUTE / 2).await;
            if away.is_zero() {
                let refused = ProducerCheck::TooManyProducers { producers_max: 20 };
                assert_eq!(send(&the_log(&store, 0), 99).await, refused);
                assert_eq!(counted(&store), 60, "all of them may still retry");
                shard.sleep(11 * MINUTE).await;
            }
            assert_eq!(counted(&store), 16);
            assert!(in_manifest(&store) <= 16);
            assert_eq!(send(&the_log(&store, 0), 99).await, ProducerCheck::InOrder);
        });
    }
}

/// A journal may have far more producers in it than there were at any time.
#[test]
fn a_replay_forgets_silent_producers_of_other_logs_on_its_way() {
    let world = World::new(4, Options::default());
    let node = world.node("broker");
    for life in 0..2 {
        run(&world, &node, move |shard| async move {
            let store = open(&shard, 20).await;
            if life == 1 {
                assert!((15..20).contains(&counted(&store)), "{}", counted(&store));
                for id in 0..15 {
                    assert!(is_known(send(&the_log(&store, 2), id).await), "{id} wrote last");
                }
                return;
            }
            for log in 0..LOGS {
                for id in 0..15 {
                    assert_eq!(send(&the_log(&store, log), id).await, ProducerCheck::InOrder);
                }
                shard.sleep(15 * MINUTE).await;
            }
        });
    }
}

/// A batch of a producer that nobody waits for; it may be cut off again.
fn append(log: &Log, id: i64) {
    let (bytes, facts) = batch_of(id);
    if log.check_producer(&facts) == ProducerCheck::InOrder {
        let stamp = Stamp { leader_epoch: LeaderEpoch(0), log_append_time: None };
        log.append(&bytes, &facts, stamp, Purpose::Records).expect("there is room");
    }
}

#[test]
fn the_count_is_the_sum_of_all_logs_whatever_happens_to_them() {
    for seed in 0..8 {
        let world = World::new(seed, Options::default());
        let node = world.node("broker");
        for life in 0..3 {
            run(&world, &node, move |shard| async move {
                let mut rng = Rng::new(10 * seed + life);
                let store = open(&shard, 50).await;
                for _ in 0..200 {
                    let log = the_log(&store, rng.below(LOGS.into()) as u8);
                    match rng.below(100) {
                        0..50 => append(&log, rng.below(90) as i64),
                        50..70 => drop(send(&log, rng.below(90) as i64).await),
                        70..80 => {
                            let (from, to) = (log.high_watermark(), log.log_end_offset());
                            let to = from.0 + rng.below((to.0 - from.0 + 1) as u64) as i64;
                            log.truncate(Offset(to)).await;
                        }
                        80..90 => {
                            let _settled = round(&store.0, u64::MAX, Trim::No).await;
                            for log in store.logs() {
                                assert!(!log.expire_producers(), "there are few of them");
                            }
                            let settled = store.0.settled_producers.count();
                            assert!(settled <= counted(&store), "{settled}");
                        }
                        _ => shard.sleep(rng.below(90) as u32 * MINUTE / 60).await,
                    }
                    assert!(counted(&store) <= 50);
                }
                if life < 2 {
                    return;
                }
                assert!(counted(&store) > 0);
                let still_held = store.logs();
                for log in &still_held {
                    store.delete_log(&log.id()).await.expect("it is there");
                    counted(&store);
                }
                assert_eq!((counted(&store), store.0.settled_producers.count()), (0, 0));
            });
        }
    }
}
