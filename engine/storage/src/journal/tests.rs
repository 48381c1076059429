//! The journal in the simulated world: one node, one shard, one disk, and everything that ends it.

mod appends;
mod damage;
mod power;
mod ring;

use super::*;
use crate::journal::JournalConfig;
use crate::log_id::LogId;
use runtime::sim::{Ended, Node, Options, World};
use std::path::Path;
use std::time::Duration;

const LOG: LogId = LogId { topic_id: [1; 16], partition: 3 };

fn dir() -> &'static Path {
    Path::new("/shard-000")
}

/// Sixteen blocks a file, two to four files.
fn tiny() -> JournalConfig {
    JournalConfig {
        file_bytes: 64 << 10,
        files_min: 2,
        files_max: 4,
        reserve_bytes: 16 << 10,
        chunk_bytes: 16 << 10,
        tail_bytes: 512 << 10,
        ..JournalConfig::default()
    }
}

/// A world with one node.
struct Bed {
    world: World,
    node: Node,
}

impl Bed {
    fn new(seed: u64) -> Bed {
        let world = World::new(seed, Options::default());
        let node = world.node("broker");
        Bed { world, node }
    }

    /// Starts a process and waits for its end.
    fn run<Fut: Future<Output = ()> + 'static>(&self, main: impl Fn(Shard) -> Fut + 'static) {
        self.node.start(vec![()], move |shard, ()| main(shard));
        let ended = self.world.run_until(Duration::from_secs(60), || !self.node.is_running());
        assert_eq!(ended, Ended::Done, "{:#?}", self.world.log_lines());
    }

    /// As `run`, for what is expected to go well.
    fn run_well<Fut: Future<Output = ()> + 'static>(&self, main: impl Fn(Shard) -> Fut + 'static) {
        self.run(main);
        assert_eq!(self.node.fatal_reason(), None);
    }
}

/// Makes the shard's folder if there is none.
async fn make_dir(shard: &Shard) {
    match shard.disk().create_dir(dir()).await {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => panic!("{e}"),
        _ => shard.disk().sync_dir(Path::new("/")).await.expect("syncing the root"),
    }
}

async fn scan(shard: &Shard, config: &JournalConfig, from: Option<ReplayFrom>) -> Scanned {
    make_dir(shard).await;
    Journal::scan(shard, dir(), config, from, 0).await.unwrap_or_else(|e| panic!("{e}"))
}

async fn open(
    shard: &Shard,
    config: &JournalConfig,
    from: Option<ReplayFrom>,
) -> (Journal, Replay) {
    let scanned = scan(shard, config, from).await;
    Journal::open(scanned).await.unwrap_or_else(|e| panic!("{e}"))
}

/// Opens, and returns what there is to be replayed.
async fn open_and_replay(
    shard: &Shard,
    config: &JournalConfig,
    from: Option<ReplayFrom>,
) -> (Journal, Vec<(EntryPlace, i64)>) {
    let (journal, mut replay) = open(shard, config, from).await;
    let mut entries = Vec::new();
    while let Some(commit) = replay.next_commit().await.unwrap_or_else(|e| panic!("{e}")) {
        for entry in commit.entries {
            let id = entry.header.offset;
            assert!(entry.payload.iter().all(|b| *b == id as u8), "the payload of {id}");
            assert_eq!((entry.header.log, entry.place.sequence), (LOG, commit.sequence));
            entries.push((entry.place, id));
        }
    }
    (journal, entries)
}

fn batch(id: i64) -> EntryHeader {
    EntryHeader { kind: EntryKind::Batch, log: LOG, leader_epoch: 1, offset: id }
}

fn append(journal: &Journal, id: i64, len: usize) -> Result<Appended, NoRoom> {
    journal.append(batch(id), len, Purpose::Records, |into| into.fill(id as u8))
}

fn append_small(journal: &Journal, id: i64, kind: EntryKind) -> Result<Appended, NoRoom> {
    let entry = EntryHeader { kind, ..batch(id) };
    let purpose = match kind {
        EntryKind::LogStart => Purpose::Control,
        _ => Purpose::FreesJournal,
    };
    journal.append(entry, 0, purpose, |_| {})
}

/// Appends one entry and waits until it is synced.
async fn append_synced(journal: &Journal, id: i64, len: usize) -> EntryPlace {
    let place = append(journal, id, len).expect("room").place;
    journal.wait_synced(place.sequence).await;
    place
}
