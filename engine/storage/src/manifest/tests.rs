//! The manifest over power cuts at every sync, compared with what its appends promised.

use super::*;
use crate::block_file::FileState;
use crate::journal::EntryPlace;
use crate::leader_epochs::{EpochStart, LeaderEpochs};
use crate::log_id::LogId;
use crate::producer_state::{Producer, ProducerBatch};
use crate::segment::SegmentState;
use crate::testing::{make_newer, run, run_until};
use record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};
use runtime::Lease;
use runtime::sim::{DiskImage, Fault, Node, OpKind, Options, Rng, SimDisk, World};
use std::rc::Rc;

const TINY: ManifestConfig =
    ManifestConfig { record_target_bytes: 300, step_bytes: 8192, compact_min_bytes: 40_000 };
const DIR: &str = "/shard-000";

/// What the appends of one run were given, and how far they had returned.
#[derive(Default)]
struct Promise {
    /// The table after each append, with the replay place it wrote; the first is the fresh one.
    tables: Vec<(Table, u64)>,
    /// How many of `tables` a crash must not fall behind, and how many there may be.
    returned: usize,
    /// The last number that an append returned.
    number: u64,
}

fn replay(sequence: u64) -> ReplayFrom {
    ReplayFrom { sequence, file: 1, block: 2, previous_crc: 3 }
}

fn log_id(number: u64) -> LogId {
    LogId { topic_id: [u8::try_from(number).expect("small"); 16], partition: 0 }
}

/// Entries about one log that is there, or about its creation or removal.
fn about_one_log(rng: &mut Rng, table: &Table, log: LogId) -> Vec<ManifestEntry> {
    let known = table.logs().get(&log);
    if known.is_some() && rng.chance(1, 10) {
        return vec![ManifestEntry { log, change: Change::LogRemoved }];
    }
    let end = known.map_or(0, |known| known.entry.settled_end_offset.0) + 1 + rng.below(9) as i64;
    let remainder: Vec<u8> = (0..rng.below(900)).map(|_| rng.below(256) as u8).collect();
    let segment = SegmentState {
        end_offset: Offset(end),
        log: FileState { size_bytes: 4096, remainder: Lease::from(remainder) },
        ..SegmentState::empty(Offset(0))
    };
    let entry = LogEntry {
        log_start_offset: Offset(0),
        settled_end_offset: Offset(end),
        replay: EntryPlace { sequence: rng.below(1000), entry: 0 },
        label: "a".repeat(rng.index(20)),
    };
    let mut changes = vec![Change::Log(entry), Change::Segment(segment)];
    if rng.chance(1, 3) {
        let start = EpochStart { epoch: LeaderEpoch(rng.index(5) as i32), start_offset: Offset(0) };
        changes.push(Change::LeaderEpochs(
            LeaderEpochs::from_starts(vec![start]).expect("one start rises"),
        ));
    }
    let id = ProducerId(rng.below(4) as i64);
    if rng.chance(1, 3) {
        let last_offset = Offset(end - 1);
        let batch = ProducerBatch {
            first_sequence: Sequence(0),
            last_sequence: Sequence(4),
            base_offset: last_offset,
            last_offset,
        };
        let producer = Producer {
            epoch: ProducerEpoch(1),
            last_timestamp: Timestamp(end),
            batches: vec![batch; rng.index(6)],
        };
        changes.push(Change::Producer(id, producer));
    } else if rng.chance(1, 6) {
        changes.push(Change::ProducersForgotten(vec![id]));
    }
    if rng.chance(1, 12) {
        changes.push(Change::SegmentRemoved(Offset(0)));
    }
    changes.into_iter().map(|change| ManifestEntry { log, change }).collect()
}

async fn open(shard: &Shard) -> Manifest {
    let dir = Path::new(DIR);
    let read_back = Manifest::read(shard, dir).await.expect("readable");
    Manifest::open(shard, dir, TINY, read_back).await.expect("openable")
}

fn header_at(block: &[u8]) -> Option<format::RecordHeader> {
    match format::RecordHeader::at(block) {
        format::AtRecord::Header { header, .. } => Some(header),
        _ => None,
    }
}

/// The manifest that some appends have left behind, and its records.
fn written(world: &World, node: &Node) -> (PathBuf, Vec<format::RecordHeader>) {
    let promise = Rc::new(RefCell::new(Promise::default()));
    run(world, node, move |shard| {
        let promise = promise.clone();
        async move {
            make_dir(&shard).await;
            work(shard, 2, 8, promise).await;
        }
    });
    let (path, _) = node.disk().files().into_iter().next().expect("one file");
    let bytes = node.disk().read(&path).expect("that file");
    let blocks = (0..bytes.len()).step_by(BLOCK_BYTES);
    let headers: Vec<_> = blocks.filter_map(|at| header_at(&bytes[at..])).collect();
    assert!(headers.len() > 6, "{headers:?}");
    (path, headers)
}

async fn make_dir(shard: &Shard) {
    shard.disk().create_dir(Path::new(DIR)).await.expect("a new folder");
    shard.disk().sync_dir(Path::new("/")).await.expect("synced");
}

/// Appends at random, keeping the promise up to date: before an append what it may leave behind,
/// after it what it must.
async fn work(shard: Shard, seed: u64, appends: usize, promise: Rc<RefCell<Promise>>) {
    let mut rng = Rng::new(seed);
    let manifest = open(&shard).await;
    let mut table = manifest.table().clone();
    let now = (table.clone(), manifest.replay().sequence);
    *promise.borrow_mut() =
        Promise { tables: vec![now], returned: 1, number: manifest.last_number() };
    for sequence in 0..appends as u64 {
        let mut entries = Vec::new();
        let old = manifest.replay().sequence;
        let sequence = old + sequence % 3;
        let count = 1 + rng.below(4);
        let first = rng.below(8);
        for number in first..first + count {
            let about = about_one_log(&mut rng, &table, log_id(number));
            for entry in &about {
                table.apply(entry.clone()).expect("introduced");
            }
            // A record may end behind each log, with the old place of the replay.
            promise.borrow_mut().tables.push((table.clone(), old));
            entries.extend(about);
        }
        promise.borrow_mut().tables.push((table.clone(), sequence));
        let number = manifest.append(replay(sequence), entries).await.expect("there is space");
        let mut promise = promise.borrow_mut();
        promise.returned = promise.tables.len();
        promise.number = number;
        assert_eq!((*manifest.table()).clone(), table);
    }
}

/// Opens a disk as a start would and compares what it says with what was promised then.
fn check(image: &DiskImage, promise: &Promise, seed: u64) {
    let world = World::new(seed, Options::default());
    let node = world.node("after");
    node.disk().restore(image);
    let read = |shard: Shard| async move {
        Manifest::read(&shard, Path::new(DIR)).await.expect("a cut is no rot")
    };
    let first = run(&world, &node, read);
    let state = (first.table.clone(), first.replay.sequence);
    let floor = promise.returned.saturating_sub(1);
    assert!(
        promise.tables[floor..].contains(&state),
        "seed {seed}: neither what was promised nor a whole step further"
    );
    assert!(first.last_number >= promise.number, "seed {seed}: the last number fell");

    let opened = run(&world, &node, |shard| async move {
        let manifest = open(&shard).await;
        let table = manifest.table().clone();
        (table, manifest.replay().sequence, manifest.last_number())
    });
    assert_eq!(opened, (state.0, state.1, first.last_number), "seed {seed}: open changed it");
    let again = run(&world, &node, read);
    let place = first.place.map(|place| file::Place { leftover_end: place.end, ..place });
    let first = ReadBack { place, ..first };
    assert!(again == first, "seed {seed}: reading twice differs, or something is left over");
    let files = node.disk().files();
    assert_eq!(files.len(), 1, "seed {seed}: {files:?}");
}

#[test]
fn what_append_returned_is_there_after_a_cut_at_any_sync() {
    for seed in 0..200 {
        let world = World::new(seed, Options::default());
        let node = world.node("before");
        run(&world, &node, |shard| async move {
            make_dir(&shard).await;
            open(&shard).await;
        });
        let promise = Rc::new(RefCell::new(Promise::default()));
        let cuts = Rc::new(RefCell::new(Vec::new()));
        let seen = (promise.clone(), cuts.clone());
        let mut rng = world.random();
        node.disk().at_every_sync(move |_, image| {
            let promise = seen.0.borrow();
            // The first sync points belong to the opening, before anything was promised.
            if !promise.tables.is_empty() && rng.chance(1, 4) {
                let promise = Promise { tables: promise.tables.clone(), ..*promise };
                seen.1.borrow_mut().push((image.after_power_cut(&mut rng), promise));
            }
        });
        run(&world, &node, {
            let promise = promise.clone();
            move |shard| work(shard, seed, 25, promise.clone())
        });
        for (image, promise) in cuts.take() {
            check(&image, &promise, seed);
        }
    }
}

#[test]
fn a_manifest_goes_on_after_cut_upon_cut() {
    for seed in 0..60 {
        let world = World::new(seed, Options::default());
        let node = world.node("n");
        run(&world, &node, make_dir_and_stop);
        let promise = Rc::new(RefCell::new(Promise::default()));
        let mut rng = world.random();
        for life in 0..6 {
            let points = node.disk().sync_points() + 1 + rng.below(40);
            let disk: SimDisk = node.disk();
            let run_of_life = {
                let promise = promise.clone();
                move |shard| work(shard, seed * 10 + life, 60, promise.clone())
            };
            promise.borrow_mut().tables.clear();
            run_until(&world, &node, run_of_life, || disk.sync_points() >= points);
            node.cut_power();
            if !promise.borrow().tables.is_empty() {
                check(&node.disk().image(), &promise.borrow(), seed);
            }
        }
    }
}

async fn make_dir_and_stop(shard: Shard) {
    make_dir(&shard).await;
}

#[test]
fn a_folder_without_a_manifest_is_fresh_and_begins_at_the_first_commit() {
    let world = World::new(1, Options::default());
    let node = world.node("n");
    run(&world, &node, |shard| async move {
        make_dir(&shard).await;
        let read_back = Manifest::read(&shard, Path::new(DIR)).await.expect("readable");
        assert!(read_back.is_fresh());
        assert_eq!((read_back.last_number, read_back.replay.sequence), (0, 1));
        let manifest = open(&shard).await;
        assert_eq!((manifest.last_number(), manifest.table().logs().len()), (1, 0));
        assert!(!Manifest::read(&shard, Path::new(DIR)).await.expect("readable").is_fresh());
    });
}

#[test]
fn rot_before_the_last_record_is_named_and_at_the_end_reads_as_torn() {
    let world = World::new(2, Options::default());
    let node = world.node("n");
    let (path, headers) = written(&world, &node);
    let image = node.disk().image();
    let read = |shard: Shard| async move { Manifest::read(&shard, Path::new(DIR)).await };
    for (i, &format::RecordHeader { position, number, .. }) in headers.iter().enumerate() {
        for within in [9, 88] {
            node.disk().restore(&image);
            node.disk().flip(&path, position + within);
            let outcome = run(&world, &node, read);
            if i + 1 < headers.len() {
                let rot = matches!(&outcome, Err(ManifestError::Rot { position: at, .. })
                    if *at == position);
                assert!(rot, "{outcome:?} at {position}");
            } else {
                assert_eq!(outcome.expect("a torn tail").last_number, number - 1);
            }
        }
    }
}

#[test]
fn a_record_that_a_newer_version_wrote_refuses_the_start_wherever_it_stands() {
    let world = World::new(13, Options::default());
    let node = world.node("n");
    let (path, headers) = written(&world, &node);
    let positions: Vec<u64> = headers.iter().map(|header| header.position).collect();
    let image = node.disk().image();
    for (position, damaged) in
        positions.iter().map(|at| (*at, None)).chain([(positions[3], Some(positions[2]))])
    {
        node.disk().restore(&image);
        if let Some(before) = damaged {
            // Behind what this version takes for the end.
            node.disk().flip(&path, before + 88);
        }
        let path = path.clone();
        let outcome = run(&world, &node, move |shard| {
            let path = path.clone();
            async move {
                make_newer(&shard, &path, position).await;
                Manifest::read(&shard, Path::new(DIR)).await
            }
        });
        let is_refused = matches!(outcome, Err(ManifestError::Newer { version: 2, .. }));
        assert!(is_refused, "{outcome:?} at {position}");
    }
}

#[test]
fn what_was_not_whole_at_a_start_is_never_whole_again() {
    let world = World::new(12, Options::default());
    let node = world.node("n");
    let (path, headers) = written(&world, &node);
    let header = headers.last().expect("records");
    // The last record has a bad byte at a start, and after it a good one again.
    node.disk().flip(&path, header.position + 88);
    let opened = run(&world, &node, |shard| async move { open(&shard).await.last_number() });
    node.disk().flip(&path, header.position + 88);
    let again = run(&world, &node, |shard| async move { open(&shard).await.last_number() });
    assert_eq!((opened, again), (header.number - 1, header.number - 1));
}

#[test]
fn a_full_disk_is_an_error_that_changes_nothing_and_heals() {
    let world = World::new(3, Options::default());
    let node = world.node("n");
    let disk = node.disk();
    run(&world, &node, move |shard| {
        let disk = disk.clone();
        async move {
            make_dir(&shard).await;
            let manifest = open(&shard).await;
            disk.set_capacity(disk.used_bytes());
            let mut rng = Rng::new(3);
            let mut appended = manifest.table().clone();
            let refused = loop {
                let entries = about_one_log(&mut rng, &appended, log_id(1));
                match manifest.append(replay(1), entries.clone()).await {
                    Ok(_) => appended = manifest.table().clone(),
                    Err(ManifestError::Short { .. }) => break entries,
                    Err(error) => panic!("{error}"),
                }
            };
            assert_eq!(*manifest.table(), appended);
            let number = manifest.last_number();
            disk.set_capacity(1 << 30);
            let next = manifest.append(replay(1), refused).await.expect("there is space again");
            assert_eq!(next, number + 1);
        }
    });
}

#[test]
fn a_failed_write_or_sync_ends_the_shard() {
    for fault in [Fault::Write, Fault::ShortWrite, Fault::Sync] {
        let world = World::new(4, Options::default());
        let node = world.node("n");
        let disk = node.disk();
        let ended = run_until(
            &world,
            &node,
            move |shard| {
                let disk = disk.clone();
                async move {
                    make_dir(&shard).await;
                    let manifest = open(&shard).await;
                    disk.fail_next(fault);
                    let entries = about_one_log(&mut Rng::new(4), &Table::default(), log_id(1));
                    let _ = manifest.append(replay(1), entries).await;
                }
            },
            || false,
        );
        assert!(ended.is_none(), "{fault:?} went unnoticed");
        let reason = node.fatal_reason().expect("the shard says why");
        assert!(reason.contains("manifest-"), "{reason}");
    }
}

/// Appends until the manifest is to be compacted, then so many times with an error planned: how
/// many of those failed, and the table that the others made.
async fn compact_with(
    shard: Shard,
    disk: SimDisk,
    (fault, nth): (Fault, u64),
    appends: usize,
) -> (usize, Table) {
    make_dir(&shard).await;
    let manifest = open(&shard).await;
    let mut rng = Rng::new(5);
    while !manifest.is_compaction_due() {
        let log = log_id(rng.below(8));
        let entries = about_one_log(&mut rng, &manifest.table().clone(), log);
        manifest.append(replay(1), entries).await.expect("no fault was planned yet");
    }
    disk.fail_nth(fault, nth);
    let mut failed = 0;
    for _ in 0..appends {
        let log = log_id(rng.below(8));
        let entries = about_one_log(&mut rng, &manifest.table().clone(), log);
        failed += usize::from(manifest.append(replay(1), entries).await.is_err());
    }
    let table = manifest.table().clone();
    (failed, table)
}

/// A full disk that refused to save the names of a finished compaction, by an error of the
/// directory's sync, used to be taken for one that left the old file in its place: appends went on
/// there, and the next start read the new one.
#[test]
fn no_error_of_a_compaction_loses_what_was_appended_before_or_after_it() {
    const ENOSPC: i32 = 28;
    const EIO: i32 = 5;
    let steps = [(OpKind::Open, 1), (OpKind::Allocate, 1), (OpKind::Rename, 1)];
    let steps = steps.into_iter().chain([(OpKind::RemoveFile, 1)]);
    // Those of each step of growth, of the whole file, of its name, and of records behind it.
    let steps: Vec<_> = steps.chain((1..=12).map(|nth| (OpKind::Sync, nth))).collect();
    let cases = [ENOSPC, EIO].iter().flat_map(|e| steps.iter().map(|s| (*e, *s)));
    for (appends, (errno, (kind, nth))) in cases.flat_map(|case| [(1, case), (30, case)]) {
        let world = World::new(6, Options::default());
        let node = world.node("n");
        let (disk, fault) = (node.disk(), Fault::Op(kind, errno));
        let compacts = move |shard| compact_with(shard, disk.clone(), (fault, nth), appends);
        let done = run_until(&world, &node, compacts, || false);
        let name = format!("{fault:?}, number {nth}, {appends} appends");
        let Some((failed, appended)) = done else {
            let reason = node.fatal_reason().expect("it ended itself");
            assert!(reason.contains("manifest-") && kind == OpKind::Sync, "{name}: {reason}");
            continue;
        };
        // For want of space the old file does. Another error ends the caller's shard.
        let is_failure = errno == EIO && (kind != OpKind::Sync || failed > 0);
        assert_eq!(failed, usize::from(is_failure), "{name}");
        if appends > 1 {
            node.cut_power();
        }
        // On another machine: the error may not have come yet.
        let (world, image) = (World::new(7, Options::default()), node.disk().image());
        let node = world.node("after");
        node.disk().restore(&image);
        let found = run(&world, &node, |shard| async move { open(&shard).await.table().clone() });
        assert_eq!(found, appended, "{name}");
    }
}

/// The folder that could not be opened for its sync ended the broker.
#[test]
fn a_lack_of_descriptors_puts_a_compaction_off_or_is_waited_out() {
    const EMFILE: i32 = 24;
    // The new file, and its folder.
    for nth in [1, 2] {
        let world = World::new(6, Options::default());
        let node = world.node("n");
        let (disk, fault) = (node.disk(), (Fault::Op(OpKind::Open, EMFILE), nth));
        let compacts = move |shard| compact_with(shard, disk.clone(), fault, 30);
        let (failed, appended) = run(&world, &node, compacts);
        assert_eq!(failed, 0, "open {nth}");
        let found = run(&world, &node, |shard| async move { open(&shard).await.table().clone() });
        assert_eq!(found, appended, "open {nth}");
    }
}
