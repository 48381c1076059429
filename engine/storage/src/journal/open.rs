//! Recovery's second pass over the journal: saves what was found, and begins a new generation.

use super::commits::{Commits, Identity};
use super::error::{OpenError, file_path};
use super::format::{COMMIT_HEADER_BYTES, CommitKind};
use super::meters::Meters;
use super::purpose::Purpose;
use super::replay::Replay;
use super::ring::{NextLink, Ring, make_file};
use super::scan::Scanned;
use super::tail::Tail;
use super::{Inner, Journal, writer};
use runtime::Shard;
use runtime::sync::Signal;
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;

pub(super) async fn open(scanned: Scanned) -> Result<(Journal, Replay), OpenError> {
    let Scanned { shard, dir, config, files, chain, journal_id, unfinished } = scanned;
    let files_found = files.len();
    let mut ring = Ring::new(&config, files, &chain);
    clean(&shard, &dir, &unfinished).await?;
    #[cfg(not(feature = "known-bad-serve-before-recovery-sync"))]
    if files_found > 0 {
        save(&shard, &dir, &ring).await?;
    }
    if !ring.has_place(COMMIT_HEADER_BYTES) {
        // A fresh folder, whose start need not wait for a whole file; or a ring so full that only
        // one more file lets anything settle.
        let is_fresh = files_found == 0;
        let size_bytes = if is_fresh { config.first_file_bytes() } else { config.file_bytes };
        let number = ring.take_number();
        let made = make_file(&shard, &dir, number, size_bytes).await;
        let made = made.map_err(|e| failed("making", &e.path)(e.error))?;
        ring.add(number, size_bytes, made);
    }
    let identity = Identity {
        shard: shard.id().0,
        generation: chain.generation + 1,
        journal_id: journal_id.unwrap_or_else(|| shard.random_u64()),
    };
    let tail = Tail::new(&shard, &config);
    let last = NextLink { sequence: chain.last_sequence() + 1, previous_crc: chain.last_crc };
    let mut commits = Commits::new(ring, tail, identity, last);
    // A mark that says less than what the last run has seen would do no harm, but help less.
    commits.manifest_synced = chain.manifest_mark;
    write_opening(&dir, &mut commits).await?;
    let replay = chain.first_sequence..last.sequence;
    let inner = Rc::new(Inner {
        last_sync: Cell::new(shard.now()),
        shard,
        dir,
        config,
        commits: RefCell::new(commits),
        idle_lanes: RefCell::default(),
        waiters: RefCell::default(),
        on_synced: RefCell::default(),
        quiet: Signal::new(),
        room: Signal::new(),
        wanted: Signal::new(),
        pressed: Signal::new(),
        refused: Cell::new(false),
        meters: Meters::default(),
        tasks: RefCell::default(),
    });
    writer::start(&inner);
    let journal = Journal(inner);
    let replay = Replay::new(&journal, replay);
    Ok((journal, replay))
}

/// Removes what the last run began to make and did not finish.
async fn clean(shard: &Shard, dir: &Path, unfinished: &[String]) -> Result<(), OpenError> {
    for name in unfinished {
        let path = dir.join(name);
        shard.disk().remove_file(&path).await.map_err(failed("removing", &path))?;
    }
    Ok(())
}

/// What a killed process wrote may sit in the device's cache, and a name of its making in memory:
/// until they are saved nothing may be built on them.
#[cfg(not(feature = "known-bad-serve-before-recovery-sync"))]
async fn save(shard: &Shard, dir: &Path, ring: &Ring) -> Result<(), OpenError> {
    for file in ring.used_files() {
        let path = file_path(dir, file.number);
        file.file.sync_data().await.map_err(failed("syncing", &path))?;
    }
    shard.disk().sync_dir(dir).await.map_err(failed("syncing", dir))
}

async fn write_opening(dir: &Path, commits: &mut Commits) -> Result<(), OpenError> {
    let was_added = commits.add_empty(CommitKind::Opening, Purpose::FreesJournal);
    assert!(was_added, "an empty tail and a ring with a place take an opening");
    let opening = commits.submit().expect("the opening was closed a moment ago");
    let path = file_path(dir, commits.replay_place(opening.sequence).file);
    #[cfg(not(feature = "known-bad-serve-before-recovery-sync"))]
    let written = opening.file.write_durably(opening.bytes, opening.position).await;
    #[cfg(feature = "known-bad-serve-before-recovery-sync")]
    let written = opening.file.write(opening.bytes, opening.position).await;
    written.map_err(failed("writing the opening of a generation to", &path))?;
    commits.complete(opening.sequence);
    Ok(())
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
    let path = path.to_path_buf();
    move |error| OpenError { doing, path, error }
}
