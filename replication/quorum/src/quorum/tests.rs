//! The metadata log over real storage on a simulated disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use metadata::{BrokerId, TopicId};
use runtime::sim::{Ended, Node, Options, World};
use storage::{JournalConfig, LogConfig, LogId, StoreConfig};

use super::*;

const LOG: LogId = LogId { topic_id: [1; 16], partition: 0 };

async fn open(shard: &Shard) -> Quorum {
    open_with(shard, StoreConfig::default()).await
}

async fn open_with(shard: &Shard, config: StoreConfig) -> Quorum {
    for folder in ["/data", "/data/partitions", "/data/shard-000"] {
        // It is there after a restart.
        let _made_or_there = shard.disk().create_dir(Path::new(folder)).await;
    }
    for folder in ["/", "/data"] {
        shard.disk().sync_dir(Path::new(folder)).await.expect("a folder");
    }
    let data = Path::new("/data");
    let file_system = shard.disk().identity(data).await.expect("a folder");
    let store = Store::open(shard, data, file_system, config).await.expect("storage");
    let log = match store.log(&LOG) {
        Some(log) => log,
        None => store.create_log(LOG, "metadata", LogConfig::default()).await.expect("a log"),
    };
    Quorum::open(shard, &store, log).await.expect("a log that can be read")
}

/// Runs one life of a broker of one shard, and returns what it returns. The process runs on.
fn live<T, F>(world: &World, node: &Node, life: impl Fn(Shard) -> F + 'static) -> T
where
    T: 'static,
    F: Future<Output = T> + 'static,
{
    let result = Rc::new(RefCell::new(None));
    let (given, life) = (result.clone(), Rc::new(life));
    node.start(vec![()], move |shard, ()| {
        let (given, life) = (given.clone(), life.clone());
        async move {
            let value = life(shard.clone()).await;
            *given.borrow_mut() = Some(value);
            shard.shutdown_requested().await;
        }
    });
    let run = world.run_until(Duration::from_secs(60), || result.borrow().is_some());
    assert_eq!(run, Ended::Done, "{:#?}", world.log_lines());
    result.take().expect("the run is done")
}

fn topic(index: u64) -> MetadataRecord {
    MetadataRecord::TopicCreated {
        name: format!("topic-{index}"),
        id: TopicId::from_random(index, index),
        partitions: vec![vec![BrokerId(1)]],
        configs: BTreeMap::new(),
    }
}

#[test]
fn what_was_applied_is_there_after_any_end_and_in_a_new_term() {
    for seed in 0..10 {
        let world = World::new(seed, Options::default());
        let node = world.node("broker");
        let mut terms = Vec::new();
        for life in 0..3u64 {
            let image: MetadataImage = live(&world, &node, move |shard| async move {
                let quorum = open(&shard).await;
                for index in 0..5 {
                    quorum.propose(topic(10 * life + index)).await.expect("a new name");
                }
                quorum.image()
            });
            assert_eq!(image.topics().count() as u64, 5 * (life + 1), "seed {seed}");
            terms.push(image.applied().term);
            match seed % 2 {
                0 => node.kill(),
                _ => node.cut_power(),
            }
        }
        assert!(terms.is_sorted_by(|a, b| a < b), "{terms:?}");
    }
}

#[test]
fn proposals_that_come_together_are_answered_each_with_its_own() {
    let world = World::new(1, Options::default());
    let node = world.node("broker");
    let applied = live(&world, &node, |shard| async move {
        let quorum = open(&shard).await;
        let mut tasks = Vec::new();
        for index in 0..2000 {
            let quorum = quorum.clone();
            // Each name is proposed twice: one of the two is refused.
            let propose = async move { quorum.propose(topic(index / 2)).await };
            tasks.push(shard.spawn(TaskClass::Foreground, "propose", propose));
        }
        let mut applied = 0;
        for task in tasks {
            match task.await.expect("not aborted") {
                Ok(Applied::Changed) => applied += 1,
                Err(ProposeError::Refused(Refused::TopicExists(_))) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(quorum.image().topics().count(), 1000);
        applied
    });
    assert_eq!(applied, 1000);
    node.kill();
    let topics =
        live(&world, &node, |shard| async move { open(&shard).await.image().topics().count() });
    assert_eq!(topics, 1000, "what was refused is refused again by the replay");
}

/// A deletion used to wait in line behind a creation that found no room: with a disk that is full,
/// for ever.
#[test]
fn what_frees_space_passes_by_what_waits_for_room() {
    let world = World::new(1, Options::default());
    let node = world.node("broker");
    live(&world, &node, |shard| async move {
        let journal = JournalConfig { tail_bytes: 1 << 20, ..JournalConfig::default() };
        let quorum = open_with(&shard, StoreConfig { journal, ..StoreConfig::default() }).await;
        quorum.propose(topic(1)).await.expect("a new name");
        let filler = fill(&quorum.0.store).await;
        let waits = quorum.clone();
        let create = async move { waits.propose(topic(2)).await };
        let create = shard.spawn(TaskClass::Foreground, "create", create);
        shard.sleep(Duration::from_secs(1)).await;
        assert!(!create.is_finished(), "there is no room for a creation");
        let id = TopicId::from_random(1, 1);
        for record in [MetadataRecord::TopicRemoved { id }, MetadataRecord::TopicForgotten { id }] {
            assert_eq!(quorum.propose(record).await, Ok(Applied::Changed));
        }
        assert!(!create.is_finished());
        filler.set_high_watermark(filler.durable_end_offset());
        assert_eq!(create.await.expect("not aborted"), Ok(Applied::Changed));
        assert_eq!(quorum.image().topics().count(), 1);
    });
}

/// Fills journal or tail with records that may not settle.
async fn fill(store: &Store) -> Log {
    let id = LogId { topic_id: [9; 16], partition: 0 };
    let log = store.create_log(id, "filler", LogConfig::default()).await.expect("a new log");
    for value in [vec![7; 50_000], vec![7; 10]] {
        let mut builder = BatchBuilder::new();
        builder.push(&Record { value: Some(&value), ..Record::default() });
        let bytes = builder.build().expect("a small batch");
        let facts = BatchView::parse(&bytes).and_then(|(b, _)| b.facts()).expect("a good batch");
        let stamp = Stamp { leader_epoch: LeaderEpoch(0), log_append_time: None };
        while let Ok(appended) = log.append(&bytes, &facts, stamp, Purpose::Records) {
            log.wait_durable(appended.sequence).await;
        }
    }
    log
}

#[test]
fn a_stopped_quorum_takes_nothing_more() {
    let world = World::new(1, Options::default());
    let node = world.node("broker");
    let refused = live(&world, &node, |shard| async move {
        let quorum = open(&shard).await;
        quorum.stop();
        quorum.propose(topic(1)).await
    });
    assert_eq!(refused, Err(ProposeError::Stopping));
}
