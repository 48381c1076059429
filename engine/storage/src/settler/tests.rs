//! Rounds over a log on the simulated disk.

use std::path::Path;
use std::time::Duration;

use record::{LeaderEpoch, Offset};
use runtime::sim::{Fault, OpKind, Options, Rng, World};
use runtime::{Open, Shard};

use super::{PrepareError, RETRY_DELAY, RETRY_DELAY_MAX, Round, round};
use crate::log::Trim;
use crate::segment::{AtLeast, ReadRequest, SegmentConfig, Stage};
use crate::testing::{batch, open_store, run, run_until};
use crate::{
    CreateError, JournalConfig, Log, LogConfig, LogId, Purpose, Stamp, Store, StoreConfig,
};

const LOG: LogId = LogId { topic_id: *b"sixteen bytes id", partition: 0 };
const EPOCH: LeaderEpoch = LeaderEpoch(3);
const LOG_FILE: &str = "00000000000000000000.log";

async fn open(shard: &Shard) -> Store {
    open_store(shard, StoreConfig::default()).await
}

/// The log of these tests, made in the first life.
async fn the_log(store: &Store) -> Log {
    match store.log(&LOG) {
        Some(log) => log,
        None => store.create_log(LOG, "t", LogConfig::default()).await.expect("new"),
    }
}

/// Appends a batch that may settle.
async fn append(log: &Log, rng: &mut Rng, value_bytes: usize) {
    let end = log.log_end_offset().0;
    let bytes = batch(rng, end, 1, 1_000 + end, value_bytes);
    let facts = record::parse_single(&bytes).and_then(|b| b.facts()).expect("sound");
    let stamp = Stamp { leader_epoch: EPOCH, log_append_time: None };
    let appended = log.append(&bytes, &facts, stamp, Purpose::Records).expect("there is room");
    log.wait_durable(appended.sequence).await;
    log.set_high_watermark(log.durable_end_offset());
}

/// A segment used to be left as it was, its end in the manifest alone and its files without their
/// last block and index entry, if all that it had was settled when the next batch ended it.
#[test]
fn a_segment_that_ends_between_two_rounds_is_sealed_by_the_second() {
    let world = World::new(1, Options::default());
    let node = world.node("broker");
    let stages: Vec<Stage> = run(&world, &node, |shard| async move {
        let store = open(&shard).await;
        let segment = SegmentConfig { segment_bytes: 16 << 10, ..SegmentConfig::default() };
        let config = LogConfig { segment, ..LogConfig::default() };
        let log = store.create_log(LOG, "t", config).await.expect("a new log");
        let mut rng = Rng::new(7);
        for _ in 0..3 {
            append(&log, &mut rng, 10_000).await;
            assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
        }
        let table = store.0.manifest.table();
        table.logs()[&LOG].segments.values().map(|segment| segment.stage).collect()
    });
    assert_eq!(stages, [Stage::Sealed, Stage::Sealed, Stage::Active]);
}

/// A log with less than a block settles into the manifest alone. The folder that was made for it
/// went with a power cut, nobody made it again, and the log never settled from then on.
#[test]
fn a_log_that_settled_less_than_a_block_settles_on_after_a_power_cut() {
    let world = World::new(4, Options::default());
    let node = world.node("broker");
    for value_bytes in [100, 10_000] {
        let outcome = run_until(
            &world,
            &node,
            move |shard| async move {
                let store = open(&shard).await;
                let log = the_log(&store).await;
                append(&log, &mut Rng::new(7), value_bytes).await;
                let outcome = round(&store.0, u64::MAX, Trim::No).await;
                assert_eq!(log.settled_end_offset(), log.log_end_offset());
                outcome
            },
            || false,
        );
        assert_eq!(outcome, Some(Round::Settled), "{:?}", node.fatal_reason());
        node.cut_power();
    }
}

/// It used to be taken for a full disk, and tried again for ever.
#[test]
fn an_error_that_is_no_shortage_ends_the_shard_and_says_what_to_do() {
    let world = World::new(2, Options::default());
    let node = world.node("broker");
    let done = run_until(
        &world,
        &node,
        |shard| async move {
            let store = open(&shard).await;
            let log = store.create_log(LOG, "t", LogConfig::default()).await.expect("a new log");
            append(&log, &mut Rng::new(7), 10_000).await;
            // Somebody put a file where the log's folder belongs.
            let folder = store.0.folder(LOG, "t");
            let how = Open::read().write().create();
            shard.disk().open(&folder, how).await.expect("a file");
            round(&store.0, u64::MAX, Trim::No).await
        },
        || false,
    );
    assert_eq!(done, None);
    let words = node.fatal_reason().expect("a fatal error");
    assert!(words.contains("cannot be opened") && words.contains("find out who"), "{words}");
}

#[test]
fn a_settle_that_waits_for_space_says_so_once_and_goes_on_when_there_is_some() {
    let world = World::new(3, Options::default());
    let node = world.node("broker");
    let disk = node.disk();
    run(&world, &node, move |shard| {
        let disk = disk.clone();
        async move {
            let store = open(&shard).await;
            let log = store.create_log(LOG, "t", LogConfig::default()).await.expect("a new log");
            shard.sleep(Duration::from_secs(10)).await; // the ring is made
            disk.set_capacity(disk.used_bytes());
            append(&log, &mut Rng::new(7), 10_000).await;
            for _ in 0..3 {
                assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Parked);
            }
            disk.set_capacity(u64::MAX);
            assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
        }
    });
    let lines = world.log_lines();
    for words in ["settling waits: no space for", "settling goes on"] {
        assert_eq!(lines.iter().filter(|l| l.contains(words)).count(), 1, "{words}: {lines:#?}");
    }
}

fn settler_polls(shard: &Shard) -> u64 {
    shard.tasks().iter().filter(|task| task.name == "settler").map(|task| task.polls).sum()
}

/// It used to write an empty record, synced, ten times a second: the manifest grew for as long as
/// the disk was full.
#[test]
fn a_settler_that_waits_for_space_records_nothing_and_tries_less_and_less() {
    let world = World::new(8, Options::default());
    let node = world.node("broker");
    let disk = node.disk();
    run(&world, &node, move |shard| {
        let disk = disk.clone();
        async move {
            // It must not grow out of the pressure when there is space again.
            let journal = JournalConfig { files_max: 4, ..JournalConfig::default() };
            let config = StoreConfig { journal, ..StoreConfig::default() };
            let store = open_store(&shard, config).await;
            let log = store.create_log(LOG, "t", LogConfig::default()).await.expect("a new log");
            shard.sleep(Duration::from_secs(10)).await; // the ring is made
            disk.set_capacity(disk.used_bytes());
            let mut rng = Rng::new(7);
            while !store.0.journal().pressure().is_high() {
                append(&log, &mut rng, 100_000).await;
            }
            while !store.0.is_parked.get() {
                shard.sleep(Duration::from_millis(1)).await;
            }
            let parked = settler_polls(&shard);
            shard.sleep(Duration::from_secs(1)).await;
            let early = settler_polls(&shard) - parked;
            // The first try had something to say: that less of the journal is needed.
            let recorded = store.0.manifest.last_number();
            shard.sleep(Duration::from_secs(20)).await;
            let late = settler_polls(&shard);
            shard.sleep(Duration::from_secs(5)).await;
            let late = settler_polls(&shard) - late;
            assert_eq!(store.0.manifest.last_number(), recorded);
            assert!(0 < late && late < 3 * early, "{early} in a second, {late} in five");
            disk.set_capacity(u64::MAX);
            shard.sleep(RETRY_DELAY_MAX + Duration::from_millis(500)).await;
            assert!(!store.0.is_parked.get(), "{:?}", store.0.journal().pressure());
            let settled = async {
                while store.0.journal().pressure().is_high() {
                    shard.sleep(RETRY_DELAY).await;
                }
            };
            let soon = shard.timeout(Duration::from_secs(5), settled).await;
            assert!(soon.is_ok(), "{:?}", store.0.journal().pressure());
        }
    });
}

async fn cut(shard: &Shard, path: &Path, size_bytes: u64) {
    let file = shard.disk().open(path, Open::read().write()).await.expect("a file");
    file.truncate(size_bytes).await.expect("cut");
}

fn everything() -> ReadRequest {
    let (from, bound) = (Offset(0), Offset(i64::MAX));
    ReadRequest { from, bound, max_bytes: u32::MAX, at_least: AtLeast::OneBatch }
}

/// The line that says what to do was kept back, as there was one about the file already.
#[test]
fn a_log_is_said_to_be_quarantined_though_its_file_was_said_to_be_damaged() {
    let world = World::new(9, Options::default());
    let node = world.node("broker");
    for life in 0..2 {
        run(&world, &node, move |shard| async move {
            let store = open(&shard).await;
            let log = the_log(&store).await;
            log.set_high_watermark(log.durable_end_offset());
            if life == 1 {
                log.read(everything()).await.expect("it is whole");
                cut(&shard, &store.0.folder(LOG, "t").join(LOG_FILE), 0).await;
                assert!(log.read(everything()).await.is_err());
            }
            append(&log, &mut Rng::new(7), 10_000).await;
            round(&store.0, u64::MAX, Trim::No).await;
            assert_eq!(log.is_quarantined(), life == 1);
            store.stop().await;
        });
    }
    let lines = world.log_lines();
    for words in ["does not hold at 0", "t-0 takes no more records"] {
        assert_eq!(lines.iter().filter(|l| l.contains(words)).count(), 1, "{words}: {lines:#?}");
    }
}

/// Whoever reads while a topic is deleted finds its files gone, which is no loss.
#[test]
fn a_read_of_a_log_that_is_deleted_meanwhile_is_not_said_to_the_operator() {
    let world = World::new(10, Options::default());
    let node = world.node("broker");
    for life in 0..2 {
        run(&world, &node, move |shard| async move {
            let store = open(&shard).await;
            let log = the_log(&store).await;
            if life == 0 {
                append(&log, &mut Rng::new(7), 10_000).await;
            } else {
                store.delete_log(&LOG).await.expect("a log");
                shard.sleep(Duration::from_secs(10)).await;
                assert!(log.read(everything()).await.is_err(), "its folder is gone");
            }
            store.stop().await;
        });
    }
    let lines = world.log_lines();
    assert!(!lines.iter().any(|line| line.contains("takes no more records")), "{lines:#?}");
}

/// A log that was made again behind its tombstone used to be gone after the next start, and back
/// after the one that followed.
#[test]
fn an_id_is_not_free_while_a_start_would_read_its_tombstone() {
    const OTHER: LogId = LogId { topic_id: *b"another topic id", partition: 0 };
    let world = World::new(12, Options::default());
    let node = world.node("broker");
    run(&world, &node, |shard| async move {
        let store = open(&shard).await;
        the_log(&store).await;
        store.create_log(OTHER, "other", LogConfig::default()).await.expect("a new log");
        store.delete_log(&LOG).await.expect("a log");
        let again = store.create_log(LOG, "t", LogConfig::default()).await;
        assert_eq!(again.err(), Some(CreateError::Deleted(LOG)));
    });
    run(&world, &node, |shard| async move {
        let store = open(&shard).await;
        let again = store.create_log(LOG, "t", LogConfig::default()).await;
        assert_eq!(again.err(), Some(CreateError::Deleted(LOG)), "after a start");
        let (other, mut rng) = (store.log(&OTHER).expect("not deleted"), Rng::new(7));
        let mut made = None;
        for _ in 0..200 {
            append(&other, &mut rng, 100_000).await;
            made = store.create_log(LOG, "t", LogConfig::default()).await.ok();
            if made.is_some() {
                break;
            }
        }
        let log = made.expect("what follows has pushed the tombstone out of the journal");
        append(&log, &mut rng, 100).await;
    });
    run(&world, &node, |shard| async move {
        let log = open(&shard).await.log(&LOG).expect("it was made again");
        assert_eq!(log.log_end_offset(), Offset(1));
    });
}

/// What a killed broker had written beyond its manifest used to stay in its files for ever when the
/// next life rolled elsewhere; Kafka's tool took the zeros behind it for a broken segment.
#[test]
fn what_a_killed_broker_left_in_files_of_other_segments_is_removed() {
    const BATCHES: i64 = 8;
    let world = World::new(13, Options::default());
    let node = world.node("broker");
    let files = |shard: Shard, store: Store| async move {
        let mut files = shard.disk().list(&store.0.folder(LOG, "t")).await.expect("a folder");
        files.retain(|file| file.name.ends_with(".log"));
        files.into_iter().map(|file| file.name).collect::<Vec<_>>()
    };
    run(&world, &node, move |shard| async move {
        let store = open(&shard).await;
        let log = the_log(&store).await;
        let segment = SegmentConfig { segment_bytes: 10_000, ..SegmentConfig::default() };
        log.set_config(LogConfig { segment, ..LogConfig::default() });
        let mut rng = Rng::new(7);
        for _ in 0..BATCHES {
            append(&log, &mut rng, 9_000).await;
        }
        let plan = log.begin_settle(1 << 20, Trim::No).await.expect("space");
        let plan = plan.expect("batches that are synced");
        log.write_settled(&plan).await.expect("space");
        // It is killed before the manifest says so.
        assert_eq!(files(shard, store).await.len(), usize::try_from(BATCHES).unwrap());
    });
    run(&world, &node, move |shard| async move {
        let store = open(&shard).await;
        let log = store.log(&LOG).expect("it was made");
        let foreign = store.0.folder(LOG, "t").join("notes.log");
        let how = Open::read().write().create();
        shard.disk().open(&foreign, how).await.expect("somebody's file");
        assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
        assert_eq!(log.log_end_offset(), Offset(BATCHES));
        assert_eq!(files(shard, store).await, [LOG_FILE, "notes.log"]);
    });
}

#[test]
fn what_the_disk_says_is_a_shortage_or_the_end() {
    let at = |code| PrepareError::at(Path::new("/f"), std::io::Error::from_raw_os_error(code));
    const EIO: i32 = 5;
    const EACCES: i32 = 13;
    const EMFILE: i32 = 24;
    const ENOSPC: i32 = 28;
    const EDQUOT: i32 = 122;
    for (code, words) in [
        (EIO, "check the disk"),
        (EACCES, "let the broker's user own"),
        (EMFILE, "raise `ulimit -n`"),
        (ENOSPC, "delete records"),
        (EDQUOT, "delete records"),
    ] {
        let error = at(code);
        assert!(error.to_string().contains(words), "{error}");
        let ends = matches!(error, PrepareError::Io { .. });
        assert_eq!(ends, [EIO, EACCES].contains(&code), "{error}");
    }
}

#[test]
fn a_segment_that_cannot_be_made_waits_for_space_or_ends_the_shard() {
    const EIO: i32 = 5;
    const ENOSPC: i32 = 28;
    let kinds = [OpKind::Open, OpKind::MakeDir, OpKind::Allocate];
    for (errno, kind) in [EIO, ENOSPC].into_iter().flat_map(|e| kinds.map(|k| (e, k))) {
        let world = World::new(5, Options::default());
        let node = world.node("broker");
        let disk = node.disk();
        let rounds = run_until(
            &world,
            &node,
            move |shard| {
                let disk = disk.clone();
                async move {
                    let store = open(&shard).await;
                    let log = store.create_log(LOG, "t", LogConfig::default()).await.expect("new");
                    shard.sleep(Duration::from_secs(10)).await; // the ring is made
                    append(&log, &mut Rng::new(7), 10_000).await;
                    disk.fail_next(Fault::Op(kind, errno));
                    let first = round(&store.0, u64::MAX, Trim::No).await;
                    [first, round(&store.0, u64::MAX, Trim::No).await]
                }
            },
            || false,
        );
        if errno == ENOSPC {
            assert_eq!(rounds, Some([Round::Parked, Round::Settled]), "{kind:?}");
        } else {
            let reason = node.fatal_reason().expect("it ended itself");
            assert!(rounds.is_none() && reason.contains("check the disk"), "{kind:?}: {reason}");
        }
    }
}

/// A folder that could not be opened for its sync ended the broker, and any client may open
/// connections until there is no descriptor left.
#[test]
fn a_lack_of_descriptors_at_any_open_of_a_round_ends_nothing() {
    const EMFILE: i32 = 24;
    for nth in 1..=6 {
        let world = World::new(5, Options::default());
        let node = world.node("broker");
        let disk = node.disk();
        run(&world, &node, move |shard| {
            let disk = disk.clone();
            async move {
                let store = open(&shard).await;
                let log = store.create_log(LOG, "t", LogConfig::default()).await.expect("new");
                shard.sleep(Duration::from_secs(10)).await; // the ring is made
                append(&log, &mut Rng::new(7), 10_000).await;
                disk.fail_nth(Fault::Op(OpKind::Open, EMFILE), nth);
                let first = round(&store.0, u64::MAX, Trim::No).await;
                let second = round(&store.0, u64::MAX, Trim::No).await;
                let settled = [first, second].contains(&Round::Settled);
                assert!(settled, "open {nth}: {first:?}, {second:?}");
            }
        });
    }
}

#[test]
fn a_folder_that_cannot_be_removed_is_tried_again() {
    const EIO: i32 = 5;
    let steps = [
        (OpKind::List, 1), // all folders
        (OpKind::List, 2), // the one
        (OpKind::RemoveFile, 1),
        (OpKind::RemoveDir, 1),
    ];
    for (kind, nth) in steps {
        let world = World::new(6, Options::default());
        let node = world.node("broker");
        let disk = node.disk();
        run(&world, &node, move |shard| {
            let disk = disk.clone();
            async move {
                let store = open(&shard).await;
                let log =
                    store.create_log(LOG, "t", LogConfig::default()).await.expect("a new log");
                append(&log, &mut Rng::new(7), 10_000).await;
                assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
                shard.sleep(Duration::from_secs(10)).await; // the ring is made
                disk.fail_nth(Fault::Op(kind, EIO), nth);
                store.delete_log(&LOG).await.expect("a log");
                shard.sleep(Duration::from_secs(10)).await;
                let left =
                    shard.disk().list(Path::new("/data/partitions")).await.expect("a folder");
                assert_eq!(left, [], "{kind:?}, number {nth}");
            }
        });
        let lines = world.log_lines();
        let tried_again = lines.iter().filter(|line| line.contains("it is tried again")).count();
        assert_eq!(tried_again, 1, "{kind:?}: {lines:#?}");
    }
}

/// Each try used to be a line, ten in a second, for as long as somebody's file was in the way.
#[test]
fn a_folder_that_stays_is_said_once() {
    let world = World::new(11, Options::default());
    let node = world.node("broker");
    run(&world, &node, |shard| async move {
        let store = open(&shard).await;
        let log = store.create_log(LOG, "t", LogConfig::default()).await.expect("a new log");
        append(&log, &mut Rng::new(7), 10_000).await;
        assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
        let foreign = store.0.folder(LOG, "t").join("copy");
        shard.disk().create_dir(&foreign).await.expect("somebody's folder");
        store.delete_log(&LOG).await.expect("a log");
        shard.sleep(Duration::from_secs(10)).await;
        shard.disk().remove_dir(&foreign).await.expect("removed");
        shard.sleep(Duration::from_secs(2)).await;
        let left = shard.disk().list(Path::new("/data/partitions")).await.expect("a folder");
        assert_eq!(left, []);
    });
    let lines = world.log_lines();
    assert_eq!(lines.iter().filter(|l| l.contains("can't remove")).count(), 1, "{lines:#?}");
}

#[test]
fn a_failed_sync_of_everything_ends_the_shard_or_has_lost_nothing() {
    let (mut ended, mut settled) = (0, 0);
    for seed in 0..60 {
        let world = World::new(seed, Options::default());
        let node = world.node("broker");
        let disk = node.disk();
        let outcome = run_until(
            &world,
            &node,
            move |shard| {
                let disk = disk.clone();
                async move {
                    let config = StoreConfig { sync_each_max: 0, ..StoreConfig::default() };
                    let store = open_store(&shard, config).await;
                    let log = store.create_log(LOG, "t", LogConfig::default()).await.expect("new");
                    append(&log, &mut Rng::new(7), 10_000).await;
                    shard.sleep(Duration::from_secs(10)).await; // the ring is made
                    disk.fail_next(Fault::Sync);
                    round(&store.0, u64::MAX, Trim::No).await
                }
            },
            || false,
        );
        node.cut_power();
        let size =
            |bytes: &(std::path::PathBuf, u64)| bytes.0.ends_with(LOG_FILE).then_some(bytes.1);
        let size_bytes = node.disk().files().iter().find_map(size).unwrap_or(0);
        match outcome {
            Some(outcome) => {
                assert_eq!(outcome, Round::Settled, "seed {seed}");
                assert!(size_bytes >= 8192, "seed {seed}: the segment has {size_bytes} bytes");
                settled += 1;
            }
            None => ended += 1,
        }
        let end = run(&world, &node, |shard| async move {
            let log = open(&shard).await.log(&LOG).expect("its records were acknowledged");
            log.log_end_offset()
        });
        assert_eq!(end.0, 1, "seed {seed}");
    }
    assert!(ended > 5 && settled > 5, "{ended} ended, {settled} settled");
}

#[test]
fn a_reading_tells_what_was_taken_and_what_a_start_would_replay() {
    let world = World::new(11, Options::default());
    let node = world.node("broker");
    let (fresh, full, settled) = run(&world, &node, |shard| async move {
        let store = open(&shard).await;
        let log = store.create_log(LOG, "t", LogConfig::default()).await.expect("a new log");
        let fresh = store.reading();
        let mut rng = Rng::new(7);
        for _ in 0..3 {
            append(&log, &mut rng, 10_000).await;
        }
        log.count_read(2, 500);
        assert_eq!(log.traffic(), store.reading().traffic);
        let full = store.reading();
        assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
        (fresh, full, store.reading())
    });
    assert_eq!((fresh.traffic.appended.records, full.traffic.appended.records), (0, 3));
    assert_eq!((full.traffic.read.records, full.traffic.read.bytes), (2, 500));
    assert!(full.traffic.appended.bytes > 30_000, "{full:?}");
    assert_eq!(full.commits - fresh.commits, 3, "one for each batch that was waited for");
    assert!(full.commit_bytes - fresh.commit_bytes > 30_000, "{full:?}");
    for counts in [&full.journal_wait, &full.sync] {
        assert_eq!(counts.count(), full.commits);
    }
    assert!(full.settle_lag_commits >= 3 && settled.settle_lag_commits < 3, "{settled:?}");
    assert_eq!(settled.settle.count(), full.settle.count() + 1);
}
