//! What the scan makes of damage: torn tails, ghosts, rot, strangers, and cuts while it is made.

use super::*;
use crate::testing::make_newer;
use runtime::sim::Rng;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

fn file() -> PathBuf {
    dir().join("journal-00000.rj")
}

/// No marks by idleness: the commits' own marks are what counts. All fits the first file.
fn unmarked() -> JournalConfig {
    let (file_bytes, reserve_bytes) = (256 << 10, 64 << 10);
    let config = JournalConfig {
        mark_delay: Duration::from_secs(3600),
        file_bytes,
        reserve_bytes,
        ..tiny()
    };
    assert_eq!(config.first_file_bytes(), file_bytes);
    config
}

/// Entry `id` is commit `id + 2`, at block `id + 1`; all but the last `in_flight` are known synced.
fn write(bed: &Bed, count: i64, in_flight: i64) {
    bed.run_well(move |shard| async move {
        let (journal, _) = open(&shard, &unmarked(), None).await;
        for id in 0..count {
            let place = append(&journal, id, 100).expect("room").place;
            if id < count - in_flight {
                journal.wait_synced(place.sequence).await;
            } else {
                // The lanes take it, and the next entry begins another commit.
                while journal.next_place().sequence == place.sequence {
                    shard.yield_now().await;
                }
            }
        }
        let last = journal.next_place().sequence - 1;
        journal.wait_synced(last).await;
    });
}

async fn room_then_append(journal: &Journal, len: usize) {
    journal.room(len, Purpose::Records).await;
    append_synced(journal, 1, len).await;
}

fn ids(entries: &[(EntryPlace, i64)]) -> Vec<i64> {
    entries.iter().map(|e| e.1).collect()
}

async fn refusal(shard: &Shard, from: Option<ReplayFrom>, manifest_last: u64) -> ScanError {
    match Journal::scan(shard, dir(), &tiny(), from, manifest_last).await {
        Ok(_) => panic!("the scan found nothing wrong"),
        Err(e) => e,
    }
}

#[test]
fn ghosts_behind_a_torn_commit_are_not_replayed_even_after_more_appends() {
    let bed = Bed::new(1);
    write(&bed, 8, 4);
    // Of the last four in flight the second is torn.
    bed.node.disk().flip(&file(), 6 * 4096 + 120);
    bed.run_well(|shard| async move {
        let scanned = scan(&shard, &unmarked(), None).await;
        assert_eq!((scanned.last_sequence(), scanned.generation()), (6, 1));
        let (journal, entries) = open_and_replay(&shard, &unmarked(), None).await;
        assert_eq!(ids(&entries), [0, 1, 2, 3, 4]);
        append_synced(&journal, 100, 100).await;
    });
    bed.run_well(|shard| async move {
        let (_, entries) = open_and_replay(&shard, &unmarked(), None).await;
        assert_eq!(ids(&entries), [0, 1, 2, 3, 4, 100]);
    });
}

#[test]
fn rot_at_or_below_a_mark_is_refused_with_its_place() {
    for id in 0..4u64 {
        let bed = Bed::new(2);
        write(&bed, 8, 4);
        bed.node.disk().flip(&file(), (id + 1) * 4096 + 150);
        bed.run_well(move |shard| async move {
            let error = refusal(&shard, None, 0).await;
            let ScanError::Rot { rot, .. } = &error else { panic!("{error}") };
            assert_eq!((rot.file(), rot.position()), (0, (id + 1) * 4096));
            assert_eq!(rot.sequence(), id + 2);
            assert!(error.to_string().contains("/shard-000"), "{error}");
        });
    }
}

#[test]
fn the_mark_of_an_idle_journal_protects_what_was_acknowledged_last() {
    for was_idle in [false, true] {
        let bed = Bed::new(3);
        bed.run_well(move |shard| async move {
            let (journal, _) = open(&shard, &tiny(), None).await;
            append_synced(&journal, 1, 100).await;
            if was_idle {
                shard.sleep(Duration::from_millis(50)).await;
            }
        });
        bed.node.disk().flip(&file(), 4096 + 120);
        bed.run_well(move |shard| async move {
            let scanned = Journal::scan(&shard, dir(), &tiny(), None, 0).await;
            assert_eq!(scanned.is_err(), was_idle);
        });
    }
}

#[test]
fn each_start_is_a_generation_and_scanning_twice_gives_the_same() {
    let bed = Bed::new(4);
    for generation in 0..5 {
        bed.run_well(move |shard| async move {
            let facts = |s: &Scanned| (s.last_sequence(), s.last_crc(), s.generation());
            let first = facts(&scan(&shard, &unmarked(), None).await);
            assert_eq!(first, facts(&scan(&shard, &unmarked(), None).await));
            assert_eq!(first.2, generation);
            let (journal, entries) = open_and_replay(&shard, &unmarked(), None).await;
            assert_eq!(ids(&entries), (0..generation as i64).collect::<Vec<_>>());
            append_synced(&journal, generation as i64, 10).await;
        });
    }
}

#[test]
fn a_commit_that_a_newer_version_wrote_refuses_the_start_wherever_it_stands() {
    for block in 0..9 {
        let bed = Bed::new(11);
        write(&bed, 8, 4);
        bed.run_well(move |shard| async move {
            make_newer(&shard, &file(), block * 4096).await;
            let error = refusal(&shard, None, 0).await;
            assert!(matches!(&error, ScanError::Newer { version: 3, .. }), "{error} at {block}");
        });
    }
}

#[test]
fn a_tombstone_is_known_before_anything_is_replayed() {
    let bed = Bed::new(5);
    bed.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        append(&journal, 1, 100).expect("room");
        append_small(&journal, 0, EntryKind::Tombstone).expect("room");
        journal.stop().await;
    });
    bed.run_well(|shard| async move {
        assert_eq!(scan(&shard, &tiny(), None).await.tombstones(), [(2, LOG)]);
    });
}

#[test]
fn a_manifest_that_is_shorter_than_the_journal_has_seen_is_refused() {
    let bed = Bed::new(6);
    bed.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        journal.manifest_synced(7);
        append_synced(&journal, 1, 10).await;
    });
    bed.run_well(|shard| async move {
        let error = refusal(&shard, None, 6).await;
        assert!(matches!(error, ScanError::ManifestBehind { synced: 7, last: 6, .. }), "{error}");
        assert!(Journal::scan(&shard, dir(), &tiny(), None, 7).await.is_ok());
    });
}

#[test]
fn a_journal_that_lost_its_files_is_not_a_fresh_one() {
    let bed = Bed::new(7);
    bed.run_well(|shard| async move {
        make_dir(&shard).await;
        let from = ReplayFrom { sequence: 9, file: 3, block: 2, previous_crc: 1 };
        let error = refusal(&shard, Some(from), 1).await;
        assert!(matches!(&error, ScanError::Missing { .. }), "{error}");
        assert!(error.to_string().contains("journal-00003.rj is gone"), "{error}");
    });
}

#[test]
fn the_replay_file_may_not_be_missing_even_above_all_marks() {
    let bed = Bed::new(10);
    write(&bed, 1, 1);
    bed.run_well(|shard| async move {
        let config = JournalConfig { file_bytes: 64 << 10, ..unmarked() };
        let (journal, _) = open(&shard, &config, None).await;
        let mut at = journal.next_place();
        while journal.replay_place(journal.synced()).file == 0 {
            room_then_append(&journal, 9000).await;
            at = journal.next_place();
        }
        // The last commit is the only one in its file, and nothing has marked it.
        let from = journal.replay_place(at.sequence - 1);
        let path = dir().join(format!("journal-{:05}.rj", from.file));
        assert!(Journal::scan(&shard, dir(), &config, Some(from), 0).await.is_ok());
        shard.disk().remove_file(&path).await.expect("an operator's mistake");
        let error = refusal(&shard, Some(from), 0).await;
        assert!(matches!(&error, ScanError::Missing { path: p } if *p == path), "{error}");
    });
}

#[test]
fn a_file_of_another_journal_is_named_and_refused() {
    let bed = Bed::new(8);
    write(&bed, 2, 0);
    bed.run_well(|shard| async move {
        let other = Path::new("/other");
        shard.disk().create_dir(other).await.expect("a second folder");
        let scanned = Journal::scan(&shard, other, &tiny(), None, 0).await.expect("empty");
        Journal::open(scanned).await.expect("a second journal").0.stop().await;
        let (from, to) = (other.join("journal-00000.rj"), dir().join("journal-00001.rj"));
        shard.disk().rename(&from, &to).await.expect("moving a file over");
        let error = refusal(&shard, None, 0).await;
        assert!(matches!(error, ScanError::Foreign { .. }), "{error}");
    });
}

#[test]
fn a_cut_at_any_moment_of_the_first_start_leaves_a_journal_that_opens() {
    let images = Rc::new(RefCell::new(Vec::new()));
    let first = Bed::new(9);
    let list = images.clone();
    first.node.disk().at_every_sync(move |_, image| list.borrow_mut().push(image));
    first.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        shard.sleep(Duration::from_secs(1)).await;
        journal.stop().await;
    });
    let images = images.take();
    assert!(images.len() > 8, "{} sync points", images.len());
    for (i, image) in images.iter().enumerate() {
        for lot in 0..4 {
            let bed = Bed::new(lot);
            bed.node.disk().restore(&image.after_power_cut(&mut Rng::new(lot)));
            let opened = Rc::new(Cell::new(false));
            let flag = opened.clone();
            bed.run_well(move |shard| {
                let flag = flag.clone();
                async move {
                    let (journal, _) = open(&shard, &tiny(), None).await;
                    append_synced(&journal, 1, 10).await;
                    flag.set(true);
                }
            });
            assert!(opened.get(), "sync point {i}, lot {lot}");
            let unfinished = |p: &Path| p.extension().is_some_and(|e| e == "new");
            let files = bed.node.disk().files();
            let leftovers = files.iter().filter(|(p, _)| unfinished(p)).count();
            assert!(leftovers <= 1, "only what this run is making itself: {files:?}");
        }
    }
}
