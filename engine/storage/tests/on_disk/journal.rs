//! A journal goes round its ring, and is replayed.

use super::driver::in_folder;
use runtime::{DriverWanted, Shard, TaskClass};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use storage::{
    EntryHeader, EntryKind, EntryPlace, Journal, JournalConfig, LogId, Purpose, Replay, ReplayFrom,
};

const LOG: LogId = LogId { topic_id: [7; 16], partition: 0 };

/// A ring of 2 to 4 MiB, that 20 MB of entries go round several times.
fn config() -> JournalConfig {
    JournalConfig {
        file_bytes: 1 << 20,
        files_min: 2,
        files_max: 4,
        reserve_bytes: 64 << 10,
        chunk_bytes: 64 << 10,
        tail_bytes: 4 << 20,
        ..JournalConfig::default()
    }
}

async fn open(shard: &Shard, dir: &Path, from: Option<ReplayFrom>) -> (Journal, Replay) {
    let scanned = Journal::scan(shard, dir, &config(), from, 0).await;
    let scanned = scanned.unwrap_or_else(|e| panic!("{e}"));
    Journal::open(scanned).await.unwrap_or_else(|e| panic!("{e}"))
}

/// What was appended since the last recycling, with its first byte and length.
type Appended = Rc<RefCell<Vec<(EntryPlace, i64)>>>;

fn payload_len(id: i64) -> usize {
    (id as usize * 7919) % 40_000
}

/// Appends `count` entries, waits for most of them, recycles what is old.
async fn appends(journal: Journal, ids: Appended, first: i64, count: i64) {
    for id in first..first + count {
        let len = payload_len(id);
        let entry = EntryHeader { kind: EntryKind::Batch, log: LOG, leader_epoch: 0, offset: id };
        let place = loop {
            journal.room(len, Purpose::Records).await;
            let fill = |into: &mut [u8]| into.fill(id as u8);
            match journal.append(entry, len, Purpose::Records, fill) {
                Ok(appended) => break appended.place,
                Err(_) => continue,
            }
        };
        ids.borrow_mut().push((place, id));
        if id % 3 != 0 {
            journal.wait_synced(place.sequence).await;
            assert!(journal.synced() >= place.sequence);
        }
    }
}

/// Stands for a settler whose manifest is durable at once: forgets all but the last few commits.
async fn settle(journal: Journal, from: Rc<RefCell<Option<ReplayFrom>>>) {
    loop {
        journal.wait_pressure().await;
        let synced = journal.synced();
        journal.wait_synced(synced + 1).await;
        let place = journal.replay_place(synced.saturating_sub(3).max(1));
        *from.borrow_mut() = Some(place);
        journal.recycle_before(place.sequence);
    }
}

async fn replays(shard: Shard, dir: PathBuf) {
    let ids = Appended::default();
    let from = Rc::new(RefCell::new(None));
    let (journal, mut replay) = open(&shard, &dir, None).await;
    assert!(replay.next_commit().await.expect("readable").is_none());
    let settler = settle(journal.clone(), from.clone());
    let settler = shard.spawn(TaskClass::Background, "settle", settler);
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let appends = appends(journal.clone(), ids.clone(), task * 1000, 125);
            shard.spawn(TaskClass::Foreground, "appends", appends)
        })
        .collect();
    for task in tasks {
        task.await.expect("not aborted");
    }
    settler.abort();
    journal.stop().await;
    let from: Option<ReplayFrom> = *from.borrow();
    let first = from.expect("20 MB went round a ring of 4").sequence;
    ids.borrow_mut().retain(|(place, _)| place.sequence >= first);
    for generation in 0..2 {
        let (journal, mut replay) = open(&shard, &dir, from).await;
        let mut found = Vec::new();
        while let Some(commit) = replay.next_commit().await.expect("readable") {
            for entry in commit.entries {
                let id = entry.header.offset;
                assert_eq!(entry.payload.len(), payload_len(id));
                assert!(entry.payload.iter().all(|b| *b == id as u8));
                found.push((entry.place, id));
            }
        }
        assert_eq!(found, *ids.borrow(), "start {generation}");
        journal.stop().await;
    }
}

#[test]
fn a_journal_goes_round_its_ring_and_is_replayed() {
    in_folder(DriverWanted::Uring, "journal", replays);
}

#[test]
fn a_journal_goes_round_its_ring_and_is_replayed_without_io_uring() {
    in_folder(DriverWanted::Posix, "journal", replays);
}
