//! Appending: order, gathering, the pipeline, marks, and what a failing disk does to it.

use super::*;
use runtime::TaskClass;
use runtime::sim::{Fault, SyncMoment};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[test]
fn what_many_tasks_append_is_acknowledged_in_order_and_read_back() {
    for seed in 0..20 {
        let bed = Bed::new(seed);
        let appended: Rc<RefCell<Vec<(EntryPlace, i64)>>> = Rc::default();
        let list = appended.clone();
        bed.run_well(move |shard| {
            let list = list.clone();
            async move {
                let config = JournalConfig { files_max: 40, ..tiny() };
                let (journal, _) = open(&shard, &config, None).await;
                let last_hook = Rc::new(Cell::new(journal.synced()));
                let (hook, hooked) = (last_hook.clone(), journal.clone());
                journal.on_synced(move |synced| {
                    assert!(synced > hook.get() && hooked.synced() == synced);
                    hook.set(synced);
                });
                let tasks: Vec<_> = (0..20)
                    .map(|task| {
                        let (journal, list) = (journal.clone(), list.clone());
                        let (hook, shard2) = (last_hook.clone(), shard.clone());
                        shard.spawn(TaskClass::Foreground, "appends", async move {
                            for i in 0..10 {
                                let (id, len) = (task * 100 + i, (task * 37 + i * 601) as usize);
                                journal.room(len, Purpose::Records).await;
                                let place = append(&journal, id, len).expect("room").place;
                                list.borrow_mut().push((place, id));
                                if shard2.random_u64() % 2 == 0 {
                                    journal.wait_synced(place.sequence).await;
                                    assert!(hook.get() >= place.sequence, "the hook is first");
                                }
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.expect("not aborted");
                }
                journal.stop().await;
                assert_eq!(append(&journal, 0, 0).err(), Some(NoRoom::Stopping));
            }
        });
        let expected = appended.take();
        assert_eq!(expected.len(), 200);
        bed.run_well(move |shard| {
            let expected = expected.clone();
            async move {
                let (_, entries) = open_and_replay(&shard, &tiny(), None).await;
                assert_eq!(entries, expected, "seed {seed}");
            }
        });
    }
}

#[test]
fn entries_of_one_turn_share_a_commit() {
    let bed = Bed::new(1);
    bed.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        let places: Vec<_> =
            (0..50).map(|id| append(&journal, id, 20).expect("room").place).collect();
        let first = places[0].sequence;
        let together = |(place, entry): (&EntryPlace, u32)| {
            assert_eq!(*place, EntryPlace { sequence: first, entry });
        };
        places.iter().zip(0..).for_each(together);
        assert_eq!(journal.next_place(), EntryPlace { sequence: first, entry: 50 });
    });
}

#[test]
fn at_most_four_commits_are_in_flight_and_four_are() {
    let bed = Bed::new(2);
    let (now, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (disk, count) = (bed.node.disk(), most.clone());
    bed.run_well(move |shard| {
        let (disk, now, most) = (disk.clone(), now.clone(), count.clone());
        async move {
            let config = JournalConfig { mark_delay: Duration::from_secs(3600), ..tiny() };
            let (journal, _) = open(&shard, &config, None).await;
            // The ring is made: from now on only commits are synced.
            shard.sleep(Duration::from_secs(1)).await;
            disk.at_every_sync(move |point, _| match point.moment {
                SyncMoment::WriteSubmitted => {
                    now.set(now.get() + 1);
                    most.set(most.get().max(now.get()));
                }
                SyncMoment::Submitted => {}
                SyncMoment::Completed => now.set(now.get() - 1),
            });
            for id in 0..12 {
                append(&journal, id, 1000).expect("room");
                for _ in 0..20 {
                    shard.yield_now().await;
                }
            }
            journal.stop().await;
        }
    });
    assert_eq!(most.get(), 4);
}

#[test]
fn a_payload_longer_than_a_chunk_gets_one_of_its_own() {
    let bed = Bed::new(3);
    let largest = tiny().largest_payload_bytes();
    assert!(largest > 3 * tiny().chunk_bytes);
    bed.run_well(move |shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        for (id, len) in [(1, 10), (2, largest), (3, 10), (4, 30_000), (5, 10)] {
            journal.room(len, Purpose::Records).await;
            let appended = append(&journal, id, len).expect("room");
            assert!(appended.bytes.len() == len && appended.bytes.iter().all(|b| *b == id as u8));
        }
        journal.stop().await;
    });
    bed.run_well(|shard| async move {
        let (_, entries) = open_and_replay(&shard, &tiny(), None).await;
        assert_eq!(entries.iter().map(|e| e.1).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    });
}

#[test]
fn an_idle_journal_writes_one_mark_and_no_more() {
    let bed = Bed::new(4);
    bed.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        let place = append_synced(&journal, 1, 100).await;
        shard.sleep(Duration::from_millis(4)).await;
        assert_eq!(journal.synced(), place.sequence, "too early for a mark");
        shard.sleep(Duration::from_secs(1)).await;
        assert_eq!(journal.synced(), place.sequence + 1, "a mark");
        shard.sleep(Duration::from_secs(10)).await;
        assert_eq!(journal.synced(), place.sequence + 1, "never a mark after a mark");
        let next = append_synced(&journal, 2, 100).await;
        assert_eq!(next.sequence, place.sequence + 2);
        journal.stop().await;
        assert_eq!(journal.synced(), next.sequence + 1, "the last mark");
    });
}

#[test]
fn a_failed_or_short_write_or_sync_ends_the_shard_and_acknowledges_nothing() {
    for fault in [Fault::Write, Fault::ShortWrite, Fault::Sync] {
        let bed = Bed::new(5);
        let disk = bed.node.disk();
        let acknowledged = Rc::new(Cell::new(false));
        let flag = acknowledged.clone();
        bed.run(move |shard| {
            let (disk, flag) = (disk.clone(), flag.clone());
            async move {
                let config = JournalConfig { mark_delay: Duration::from_secs(3600), ..tiny() };
                let (journal, _) = open(&shard, &config, None).await;
                // The background's files are made: the next write is the commit's.
                shard.sleep(Duration::from_secs(1)).await;
                disk.fail_next(fault);
                append_synced(&journal, 1, 100).await;
                flag.set(true);
            }
        });
        let reason = bed.node.fatal_reason().expect("fatal");
        assert!(reason.contains("writing journal commit 2"), "{reason}");
        assert!(!acknowledged.get(), "{fault:?}");
    }
}
