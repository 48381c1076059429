//! The ring: wrapping, growing, filling up, and its two reserves.

use super::*;
use crate::block::BLOCK_BYTES;
use crate::journal::ring::{OPENING_RESERVE_BYTES, make_file};
use runtime::sim::{Fault, OpKind};
use std::cell::Cell;
use std::rc::Rc;

fn ring_files(bed: &Bed) -> usize {
    let is_journal = |path: &Path| path.extension().is_some_and(|e| e == "rj");
    bed.node.disk().files().iter().filter(|(path, _)| is_journal(path)).count()
}

#[test]
fn a_ring_that_is_recycled_goes_round_without_growing() {
    let bed = Bed::new(1);
    let last: Rc<Cell<Option<(ReplayFrom, i64)>>> = Rc::default();
    let place = last.clone();
    bed.run_well(move |shard| {
        let place = place.clone();
        async move {
            let config = JournalConfig { files_min: 4, ..tiny() };
            let (journal, _) = open(&shard, &config, None).await;
            // Ten times the ring, in commits of all lengths.
            for id in 0..400i64 {
                let len = (id as usize * 997) % 12_000;
                journal.room(len, Purpose::Records).await;
                let at = append_synced(&journal, id, len).await;
                if journal.pressure().is_high() {
                    place.set(Some((journal.replay_place(at.sequence), id)));
                    journal.recycle_before(at.sequence);
                    assert!(!journal.pressure().is_high());
                    let first = journal.0.commits.borrow().ring.first_sequence();
                    assert_eq!(first, at.sequence);
                }
            }
            journal.stop().await;
        }
    });
    assert_eq!(ring_files(&bed), 4);
    let (from, first) = last.get().expect("the ring went round");
    bed.run_well(move |shard| async move {
        let (_, entries) = open_and_replay(&shard, &tiny(), Some(from)).await;
        assert_eq!(
            entries.iter().map(|e| e.1).collect::<Vec<_>>(),
            (first..400).collect::<Vec<_>>()
        );
        assert_eq!(entries[0].0.sequence, from.sequence);
    });
}

#[test]
fn a_file_is_given_up_only_when_the_front_of_another_is_synced() {
    let bed = Bed::new(10);
    bed.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        loop {
            journal.room(5000, Purpose::Records).await;
            let at = append(&journal, 1, 5000).expect("room").place;
            if let Some(end) = journal.pressure().oldest_file_ends {
                assert_eq!((journal.synced(), at.sequence), (end, end + 1));
                journal.recycle_before(at.sequence);
                assert!(journal.pressure().oldest_file_ends.is_some(), "its header is needed");
                journal.wait_synced(at.sequence).await;
                assert_eq!(journal.pressure().oldest_file_ends, None);
                break;
            }
            journal.wait_synced(at.sequence).await;
        }
    });
}

#[test]
fn the_short_first_file_is_replaced_by_one_of_full_size_when_it_is_recycled() {
    let bed = Bed::new(9);
    bed.run_well(|shard| async move {
        let config = JournalConfig { file_bytes: 256 << 10, ..tiny() };
        let (journal, _) = open(&shard, &config, None).await;
        assert_eq!(journal.pressure().capacity_bytes, 2 * config.file_bytes, "what it will have");
        for id in 0..100i64 {
            journal.room(5000, Purpose::Records).await;
            let at = append_synced(&journal, id, 5000).await;
            journal.replay_place(at.sequence);
            journal.recycle_before(at.sequence);
        }
        journal.stop().await;
    });
    let files = bed.node.disk().files();
    let sizes = files.iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "rj"));
    let sizes: Vec<u64> = sizes.map(|(_, bytes)| *bytes).collect();
    assert!(sizes.len() >= 2 && sizes.iter().all(|bytes| *bytes == 256 << 10), "{sizes:?}");
}

#[test]
fn a_full_ring_grows_then_refuses_records_but_takes_what_frees_space() {
    let bed = Bed::new(2);
    bed.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        let mut id = 0;
        // With patience the ring grows to its maximum.
        while shard
            .timeout(Duration::from_secs(1), journal.room(5000, Purpose::Records))
            .await
            .is_ok()
        {
            append_synced(&journal, id, 5000).await;
            id += 1;
        }
        let pressure = journal.pressure();
        assert_eq!(pressure.capacity_bytes, 4 * tiny().file_bytes);
        assert!(pressure.is_high() && pressure.refused);
        assert!(id > 20, "{id} entries of two blocks in 64 blocks");
        assert_eq!(append(&journal, id, 5000).err(), Some(NoRoom::Journal));
        append_small(&journal, id, EntryKind::Tombstone).expect("the reserve");
        journal.stop().await;
    });
    assert_eq!(ring_files(&bed), 4);
}

#[test]
fn however_many_starts_move_half_of_the_reserve_is_left_for_what_frees_the_journal() {
    let bed = Bed::new(6);
    bed.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        let room = |purpose| {
            let (shard, journal) = (shard.clone(), journal.clone());
            async move {
                shard.timeout(Duration::from_secs(1), journal.room(0, purpose)).await.is_ok()
            }
        };
        while room(Purpose::Records).await {
            append_synced(&journal, 1, 0).await;
        }
        // Each is a commit of its own, and the idle journal follows it with a mark.
        while room(Purpose::Control).await {
            let place = append_small(&journal, 2, EntryKind::LogStart).expect("room").place;
            journal.wait_synced(place.sequence).await;
        }
        shard.sleep(10 * tiny().mark_delay).await;
        let half = tiny().reserve_bytes / 2;
        let pressure = journal.pressure();
        let left = pressure.capacity_bytes - pressure.used_bytes;
        assert_eq!(left, OPENING_RESERVE_BYTES + half);
        for _ in 0..half / BLOCK_BYTES as u64 {
            let place = append_small(&journal, 3, EntryKind::Truncation).expect("the half").place;
            journal.wait_synced(place.sequence).await;
        }
        let over = append_small(&journal, 3, EntryKind::Truncation).map(|_| ());
        assert_eq!(over, Err(NoRoom::Journal));
        // Whoever waits gets a file beyond the maximum, in which there is nothing for records.
        assert!(room(Purpose::FreesJournal).await);
        let last = append_small(&journal, 3, EntryKind::Truncation).expect("room").place;
        journal.wait_synced(last.sequence).await;
        assert!(!room(Purpose::Records).await);
        let files_max = u64::from(tiny().files_max);
        let most = (files_max + 1) * tiny().file_bytes;
        assert_eq!(journal.pressure().capacity_bytes, most);
        journal.recycle_before(last.sequence);
        assert!(room(Purpose::Records).await);
        shard.sleep(Duration::from_secs(1)).await;
        assert!(journal.pressure().capacity_bytes < most);
        journal.stop().await;
    });
}

#[test]
fn whoever_waits_for_room_gets_it_when_files_are_recycled() {
    let bed = Bed::new(3);
    bed.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        while shard
            .timeout(Duration::from_secs(1), journal.room(5000, Purpose::Records))
            .await
            .is_ok()
        {
            append_synced(&journal, 1, 5000).await;
        }
        let (waits, recycles) = (journal.clone(), shard.clone());
        let waiter = shard.spawn(runtime::TaskClass::Foreground, "waits", async move {
            waits.room(5000, Purpose::Records).await;
            append_synced(&waits, 2, 5000).await;
        });
        recycles.sleep(Duration::from_secs(5)).await;
        assert!(!waiter.is_finished());
        let end = journal.pressure().oldest_file_ends.expect("more than one file");
        journal.recycle_before(end + 1);
        waiter.await.expect("not aborted");
    });
}

#[test]
fn the_tail_is_bounded_by_the_leases_that_are_held() {
    let bed = Bed::new(4);
    bed.run_well(|shard| async move {
        let config = JournalConfig { files_min: 60, files_max: 60, tail_bytes: 64 << 10, ..tiny() };
        let (journal, _) = open(&shard, &config, None).await;
        shard.sleep(Duration::from_secs(10)).await; // the ring is made
        let mut held = Vec::new();
        let refused = loop {
            match append(&journal, 1, 2000) {
                Ok(appended) => held.push(appended.bytes),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused, NoRoom::Tail);
        // What frees space still finds memory, a commit of its own for each even.
        for id in 0..4 {
            let place = append_small(&journal, id, EntryKind::LogStart).expect("reserve").place;
            journal.wait_synced(place.sequence).await;
        }
        assert!(journal.pressure().tail_used_bytes <= (64 << 10) + 2 * (16 << 10));
        let quick =
            shard.timeout(Duration::from_secs(1), journal.room(2000, Purpose::Records)).await;
        assert!(quick.is_err(), "no room while the leases are held");
        held.truncate(2);
        journal.room(2000, Purpose::Records).await;
        append(&journal, 2, 2000).expect("room");
    });
}

#[test]
fn a_disk_without_space_stops_the_growth_alone_and_heals() {
    let bed = Bed::new(5);
    let disk = bed.node.disk();
    disk.set_capacity(3 * (64 << 10) + (32 << 10));
    bed.run_well(move |shard| {
        let disk = disk.clone();
        async move {
            let (journal, _) = open(&shard, &tiny(), None).await;
            let mut count = 0;
            while shard
                .timeout(Duration::from_secs(10), journal.room(5000, Purpose::Records))
                .await
                .is_ok()
            {
                append_synced(&journal, 1, 5000).await;
                count += 1;
            }
            assert!(count > 15);
            assert_eq!(journal.pressure().capacity_bytes, 3 * (64 << 10));
            shard.sleep(Duration::from_secs(10)).await; // it tries again, and again
            disk.set_capacity(1 << 30);
            journal.room(5000, Purpose::Records).await;
            append_synced(&journal, 2, 5000).await;
        }
    });
    let lines = bed.world.log_lines();
    let said = lines.iter().filter(|line| line.contains("no space for")).count();
    assert_eq!(said, 1, "once, not with every try: {lines:#?}");
}

#[test]
fn a_ring_that_is_full_to_the_brim_still_opens() {
    let bed = Bed::new(6);
    bed.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        while shard
            .timeout(Duration::from_secs(1), journal.room(9000, Purpose::Records))
            .await
            .is_ok()
        {
            append_synced(&journal, 1, 9000).await;
        }
        while append_small(&journal, 1, EntryKind::Truncation).is_ok() {
            shard.sleep(Duration::from_millis(20)).await;
        }
    });
    // Nothing settles: each start takes a block for its opening, and one for its mark.
    for _ in 0..8 {
        bed.run_well(|shard| async move {
            let (journal, entries) = open_and_replay(&shard, &tiny(), None).await;
            assert!(entries.len() > 10);
            assert_eq!(append(&journal, 1, 9000).err(), Some(NoRoom::Journal));
            shard.sleep(Duration::from_millis(50)).await;
        });
    }
}

#[test]
fn files_of_another_size_leave_the_ring_when_they_are_unneeded() {
    let bed = Bed::new(7);
    bed.run_well(|shard| async move {
        let (journal, _) = open(&shard, &tiny(), None).await;
        for id in 0..8 {
            journal.room(9000, Purpose::Records).await;
            append_synced(&journal, id, 9000).await;
        }
        journal.stop().await;
    });
    bed.run_well(|shard| async move {
        let config = JournalConfig { file_bytes: 128 << 10, ..tiny() };
        let (journal, entries) = open_and_replay(&shard, &config, None).await;
        assert_eq!(entries.len(), 8);
        for id in 8..40 {
            journal.room(9000, Purpose::Records).await;
            let at = append_synced(&journal, id, 9000).await;
            journal.replay_place(at.sequence);
            journal.recycle_before(at.sequence);
        }
        shard.sleep(Duration::from_secs(1)).await;
        journal.stop().await;
    });
    let sizes = bed.node.disk().files();
    assert!(sizes.len() >= 2 && sizes.iter().all(|(_, size)| *size == 128 << 10), "{sizes:?}");
}

/// A file whose name was not saved for want of space used to stay, and the next try made another.
#[test]
fn a_file_that_could_not_be_made_leaves_nothing_behind() {
    const ENOSPC: i32 = 28;
    const EMFILE: i32 = 24;
    const EIO: i32 = 5;
    let steps = [
        (OpKind::Open, 1), // the file
        (OpKind::Allocate, 1),
        (OpKind::Sync, 1), // the file
        (OpKind::Rename, 1),
        (OpKind::Open, 2), // the folder
        (OpKind::Sync, 2), // the folder
    ];
    for (errno, (kind, nth)) in
        [ENOSPC, EMFILE, EIO].into_iter().flat_map(|e| steps.map(|s| (e, s)))
    {
        let bed = Bed::new(6);
        let disk = bed.node.disk();
        bed.run_well(move |shard| {
            let disk = disk.clone();
            async move {
                make_dir(&shard).await;
                disk.fail_nth(Fault::Op(kind, errno), nth);
                let made = make_file(&shard, dir(), 7, 64 << 10).await;
                let error = made.err().expect("an error was planned");
                assert_eq!(error.shortage().is_some(), errno != EIO, "{kind:?}");
                assert_eq!(disk.files(), [], "{kind:?}, number {nth}");
                make_file(&shard, dir(), 7, 64 << 10).await.expect("no other was planned");
                assert_eq!(disk.files().len(), 1);
            }
        });
    }
}
