//! `ringmain log dump` on files that storage has written, sound and damaged, and on loose segments.

use record::{BatchBuilder, Compression, LeaderEpoch, Record, Timestamp};
use runtime::{RuntimeConfig, Shard, ShardsWanted, Shutdown, run_shards};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use storage::{
    JournalConfig, Layout, LogConfig, LogId, Purpose, SegmentConfig, Stamp, Store, StoreConfig,
};

const LOG: LogId = LogId { topic_id: *b"sixteen bytes id", partition: 3 };
const BLOCK: usize = 4096;
/// Records in a batch.
const COUNT: i64 = 3;

/// What the program said.
struct Dump {
    status: i32,
    lines: Vec<Value>,
    stderr: String,
}

impl Dump {
    fn of(paths: &[&Path]) -> Dump {
        let run = Command::new(env!("CARGO_BIN_EXE_ringmain"))
            .args(["log", "dump", "--json", "--records"])
            .args(paths)
            .output()
            .expect("the program starts");
        let text = String::from_utf8(run.stdout).expect("JSON is UTF-8");
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
        let status = run.status.code().expect("no signal ended it");
        Dump { status, lines: text.lines().map(parse).collect(), stderr }
    }

    fn of_kind<'a>(&'a self, what: &'a str) -> impl Iterator<Item = &'a Value> {
        self.lines.iter().filter(move |line| line["what"] == what)
    }

    fn faults(&self) -> Vec<&Value> {
        self.lines.iter().filter(|line| !line["fault"].is_null()).collect()
    }

    /// The offsets of all records that stand in files with such an ending.
    fn offsets(&self, ending: &str) -> Vec<i64> {
        let in_file = |line: &&Value| line["file"].as_str().is_some_and(|f| f.ends_with(ending));
        let records = self.of_kind("record").filter(in_file);
        records.map(|line| line["offset"].as_i64().expect("a number")).collect()
    }
}

/// A new folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let name = format!("{name}-{}", std::process::id());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(path.join("shard-000")).expect("a new folder");
    fs::create_dir_all(path.join("partitions")).expect("a new folder");
    path
}

/// A new folder with a broker's layout in it.
fn data_folder(name: &str) -> PathBuf {
    let path = folder(name);
    let layout = Layout { shard_count: 1, broker_id: 0, generation: 1, cluster_id: [7; 16] };
    fs::write(path.join("layout"), layout.encode()).expect("written");
    path
}

fn batch(i: i64) -> Vec<u8> {
    let codecs = [Compression::None, Compression::Lz4, Compression::Zstd, Compression::Gzip];
    let codec = codecs[usize::try_from(i).expect("counted up") % codecs.len()];
    let mut builder = BatchBuilder::new().compression(codec);
    let value = format!("value {i} ").repeat(40);
    for k in 0..COUNT {
        let timestamp = Timestamp(1_700_000_000_000 + i * 10 + k);
        let (key, value) = (Some(&b"key"[..]), Some(value.as_bytes()));
        builder.push(&Record { timestamp, key, value, ..Record::default() });
    }
    builder.build().expect("a small batch")
}

/// What a run of the store leaves behind it.
#[derive(Clone, Copy)]
enum End {
    Stopped,
    Killed,
}

/// One life of a store with small files: appends so many batches.
fn live(data: &Path, batches: std::ops::Range<i64>, end: End) {
    let config = RuntimeConfig { shards: ShardsWanted::Exactly(1), ..RuntimeConfig::default() };
    let main = move |shard: Shard, data: PathBuf| {
        let batches = batches.clone();
        async move { life(shard, data, batches, end).await }
    };
    run_shards(config, Shutdown::new(), vec![data.to_owned()], main).expect("one shard runs");
}

async fn life(shard: Shard, data: PathBuf, batches: std::ops::Range<i64>, end: End) {
    let journal = JournalConfig {
        file_bytes: 256 << 10,
        // With it the first file is as long as the others, and takes all of these batches.
        reserve_bytes: 64 << 10,
        chunk_bytes: 16 << 10,
        tail_bytes: 1 << 20,
        ..JournalConfig::default()
    };
    let file_system = shard.disk().identity(&data).await.expect("a folder");
    let store_config = StoreConfig { journal, ..StoreConfig::default() };
    let store = Store::open(&shard, &data, file_system, store_config).await.expect("it opens");
    let segment = SegmentConfig { segment_bytes: 24 << 10, ..SegmentConfig::default() };
    let config = LogConfig { segment, ..LogConfig::default() };
    let log = match store.log(&LOG) {
        Some(log) => log,
        None => store.create_log(LOG, "flights", config).await.expect("a new log"),
    };
    log.set_config(config);
    log.start_leader_epoch(LeaderEpoch(5)).await;
    for i in batches {
        let bytes = batch(i);
        let facts = record::parse_single(&bytes).and_then(|b| b.facts()).expect("sound");
        let stamp = Stamp { leader_epoch: LeaderEpoch(5), log_append_time: None };
        store.room(bytes.len(), Purpose::Records).await;
        let appended = log.append(&bytes, &facts, stamp, Purpose::Records).expect("there is room");
        log.wait_durable(appended.sequence).await;
        if matches!(end, End::Stopped) {
            log.set_high_watermark(log.durable_end_offset());
        }
    }
    if matches!(end, End::Stopped) {
        store.stop().await;
    }
}

fn files_below(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files_below(&path, ending));
        } else if path.to_str().is_some_and(|path| path.ends_with(ending)) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("written");
}

#[test]
fn everything_that_was_acknowledged_is_shown_in_segments_and_journal() {
    let data = data_folder("dump-sound");
    live(&data, 0..300, End::Stopped);
    let stopped = Dump::of(&[&data]);
    assert_eq!((stopped.status, stopped.faults()), (0, vec![]), "{}", stopped.stderr);
    assert_eq!(stopped.offsets(".log"), (0..300 * COUNT).collect::<Vec<_>>());
    assert!(stopped.of_kind("segment").count() > 3 && stopped.of_kind("epochs").count() > 0);
    let checked = stopped.of_kind("entry").filter(|line| line["fits"] == "yes").count();
    assert!(checked > 10, "{checked} index entries");

    live(&data, 300..320, End::Killed);
    let killed = Dump::of(&[&data]);
    assert_eq!((killed.status, killed.faults()), (0, vec![]), "{}", killed.stderr);
    let journal = killed.offsets(".rj");
    assert!((300 * COUNT..320 * COUNT).all(|offset| journal.contains(&offset)), "{journal:?}");
    let verdict = killed.of_kind("journal").next().expect("one folder");
    assert_eq!(verdict["generation"], 2);
    fs::remove_dir_all(data).expect("removed");
}

#[test]
fn damage_is_found_where_it_is_and_nothing_on_disk_makes_a_panic() {
    let data = data_folder("dump-damaged");
    live(&data, 0..60, End::Stopped);
    live(&data, 60..80, End::Killed);
    let sound = Dump::of(&[&data]);
    assert_eq!((sound.status, sound.faults()), (0, vec![]), "{}", sound.stderr);

    let log = &files_below(&data, ".log")[0];
    let before = fs::read(log).expect("a file");
    flip(log, 200);
    let damaged = Dump::of(&[log]);
    assert_eq!((damaged.status, damaged.faults().len()), (1, 1));
    assert_eq!(
        (&damaged.faults()[0]["what"], &damaged.faults()[0]["position"]),
        (&"batch".into(), &0.into())
    );
    let said = |dump: &Dump| dump.faults()[0]["fault"].as_str().expect("text").to_owned();
    // What a producer would be told is of no use here.
    let words = said(&damaged);
    assert!(words.contains("it is damaged") && !words.contains("send"), "{words}");
    for (at, byte) in [(16, 0x25), (8, 0x80)] {
        let mut bytes = before.clone();
        bytes[at] = byte;
        fs::write(log, bytes).expect("written");
        let words = said(&Dump::of(&[log]));
        assert!(words.starts_with("no batch begins here"), "{words}");
        assert!(!words.contains("client") && !words.contains("send"), "{words}");
    }
    fs::write(log, before).expect("written");

    // The last commit but a few of the journal: marked, so not torn but rot.
    let mut commits: Vec<_> =
        sound.of_kind("commit").filter(|line| line["kind"] == "entries").collect();
    commits.sort_by_key(|line| line["sequence"].as_u64());
    let victim = commits[commits.len() - 5];
    let file = PathBuf::from(victim["file"].as_str().expect("a path"));
    let before = fs::read(&file).expect("a file");
    flip(
        &file,
        usize::try_from(victim["position"].as_u64().expect("a place")).expect("small") + 120,
    );
    let damaged = Dump::of(&[&file]);
    assert_eq!(damaged.status, 1);
    assert_eq!(damaged.of_kind("journal").filter(|line| !line["fault"].is_null()).count(), 1);
    fs::write(&file, before).expect("written");

    let mut seed = 7_u64;
    let mut next = move |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).expect("31 bits") % bound
    };
    let files = files_below(&data, "");
    for round in 0..150 {
        let path = &files[round % files.len()];
        let before = fs::read(path).expect("a file");
        fs::write(path, mutated(before.clone(), &mut next)).expect("written");
        let dump = Dump::of(&[&data]);
        assert!((0..=2).contains(&dump.status), "{}: {}", path.display(), dump.stderr);
        assert_eq!(dump.stderr, "", "{}", path.display());
        fs::write(path, before).expect("written");
    }
    fs::remove_dir_all(data).expect("removed");
}

/// One damage of several kinds, most of them at the front, where the structure is.
fn mutated(mut bytes: Vec<u8>, next: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    if bytes.is_empty() {
        return vec![0xff; next(300)];
    }
    let len = bytes.len();
    let at = [next(len), next(len.min(100)), next(len.min(20_000))][next(3)];
    match next(5) {
        0 => bytes[at] ^= 1 << next(8),
        1 => bytes.truncate(at),
        2 => bytes[at..(at + BLOCK).min(len)].fill(0),
        3 => bytes[at..(at + 8).min(len)].fill(0xff),
        _ => bytes.extend(vec![0x7f; next(9_000)]),
    }
    bytes
}

/// All of this used to be well, with status 0.
#[test]
fn what_is_missing_in_a_data_folder_is_found() {
    let data = data_folder("dump-missing");
    live(&data, 0..60, End::Stopped);
    live(&data, 60..80, End::Killed);
    let sound = Dump::of(&[&data]);
    assert_eq!((sound.status, sound.faults()), (0, vec![]), "{}", sound.stderr);

    let aside = folder("dump-aside").join("taken");
    let found_without = |paths: &[PathBuf]| {
        fs::create_dir(&aside).expect("a new folder");
        for (i, path) in paths.iter().enumerate() {
            fs::rename(path, aside.join(i.to_string())).expect("taken away");
        }
        let dump = Dump::of(&[&data]);
        for (i, path) in paths.iter().enumerate() {
            fs::rename(aside.join(i.to_string()), path).expect("brought back");
        }
        fs::remove_dir(&aside).expect("empty");
        let file = |line: &Value| line["file"].as_str().expect("a path").to_owned();
        let missing: Vec<String> = dump.of_kind("missing").map(file).collect();
        assert!(dump.status != 0, "{paths:?}: {missing:?}");
        missing
    };
    let shown = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let logs = files_below(&data, ".log");
    let partition = logs[0].parent().expect("a folder").to_owned();
    let shard = data.join("shard-000");
    for path in [&logs[0], &logs[logs.len() - 1], &partition, &shard, &data.join("layout")] {
        assert_eq!(found_without(std::slice::from_ref(path)), [shown(path)]);
    }
    assert_eq!(found_without(&files_below(&data, ".rm")), [shown(&shard.join("manifest-*.rm"))]);
    assert_eq!(found_without(&files_below(&data, ".rj")), [shown(&shard.join("journal-*.rj"))]);
    let record = sound.of_kind("record").last().expect("the manifest has records");
    let place = record["replay_place"].as_str().expect("a file and a block in it");
    let begins = shard.join(place.split(' ').next().expect("a name"));
    assert!(files_below(&data, ".rj").len() > 1);
    assert_eq!(found_without(std::slice::from_ref(&begins)), [shown(&begins)]);
    fs::remove_dir_all(data).expect("removed");
}

#[test]
fn a_loose_segment_may_end_in_zeros_or_at_a_block_but_not_anywhere() {
    let dir = folder("dump-loose");
    let log = dir.join("00000000000000000000.log");
    let mut bytes = Vec::new();
    for i in 0..40 {
        let mut batch = batch(i);
        record::assign(&mut batch, record::Offset(i * COUNT), LeaderEpoch(0));
        bytes.extend(batch);
    }
    let dumped = |bytes: &[u8]| {
        fs::write(&log, bytes).expect("written");
        let dump = Dump::of(&[&log]);
        let last = dump.lines.iter().rev().nth(1).expect("two lines")["what"].clone();
        (dump.status, last.as_str().expect("text").to_owned(), dump.of_kind("batch").count())
    };
    assert_eq!(dumped(&bytes), (0, "record".to_owned(), 40));
    let zeros = vec![0; 10_000];
    assert_eq!(dumped(&[&bytes[..], &zeros].concat()), (0, "zeros".to_owned(), 40));
    let (status, last, count) = dumped(&[&bytes[..BLOCK], &zeros].concat());
    assert_eq!((status, last.as_str(), count < 40), (0, "part", true));
    assert_eq!(dumped(&bytes[..BLOCK]).0, 0);
    let (status, last, _) = dumped(&bytes[..BLOCK + 100]);
    assert_eq!((status, last.as_str()), (1, "part"));
    fs::remove_dir_all(dir).expect("removed");
}

#[test]
fn what_cannot_be_read_or_is_unknown_is_status_2() {
    let dir = folder("dump-unknown");
    let notes = dir.join("notes.txt");
    fs::write(&notes, "nothing of ours").expect("written");
    assert_eq!(Dump::of(&[&notes]).status, 2);
    assert_eq!(Dump::of(&[&dir.join("not-there.log")]).status, 2);
    fs::remove_file(notes).expect("removed");
    // Somebody took another folder for the broker's: nothing is not sound.
    let empty = Dump::of(&[&dir]);
    assert_eq!((empty.status, empty.lines.len()), (2, 1), "{:?}", empty.lines);
    fs::remove_dir_all(dir).expect("removed");
}

#[test]
fn a_journal_file_alone_is_judged_by_what_its_commits_know_of_each_other() {
    let (data, dir) = (folder("dump-alone"), folder("dump-copy"));
    live(&data, 0..30, End::Killed);
    let copy = dir.join("journal-00000.rj");
    fs::copy(data.join("shard-000/journal-00000.rj"), &copy).expect("copied");
    let sound = Dump::of(&[&copy]);
    assert_eq!((sound.status, sound.faults()), (0, vec![]));
    assert_eq!(sound.offsets(".rj"), (0..30 * COUNT).collect::<Vec<_>>());

    let commits: Vec<_> = sound.of_kind("commit").collect();
    let place = |commit: &Value| commit["position"].as_u64().expect("a place");
    let position = place(commits[commits.len() / 2]);
    flip(&copy, usize::try_from(position).expect("small") + 30);
    let damaged = Dump::of(&[&copy]);
    assert_eq!((damaged.status, damaged.faults().len()), (1, 1));
    assert_eq!(damaged.faults()[0]["what"], "end");
    assert_eq!(place(damaged.faults()[0]), position);

    // The very last commit may be torn: nobody knows that it was synced.
    fs::copy(data.join("shard-000/journal-00000.rj"), &copy).expect("copied");
    let position = place(commits[commits.len() - 1]);
    flip(&copy, usize::try_from(position).expect("small") + 30);
    assert_eq!(Dump::of(&[&copy]).status, 0);
    fs::remove_dir_all(data).expect("removed");
    fs::remove_dir_all(dir).expect("removed");
}

#[test]
fn golden_files_are_shown() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engine/storage/tests/golden");
    let dir = folder("dump-golden");
    let layout = Dump::of(&[&golden.join("layout.bin")]);
    assert_eq!((layout.status, &layout.lines[1]["shards"]), (0, &12.into()));

    // Both say of themselves that they stand at 8192.
    let journal = dir.join("journal-00003.rj");
    let bytes = fs::read(golden.join("journal-commit.bin")).expect("a golden file");
    fs::write(&journal, [&[0; 2 * BLOCK], &bytes[..], &[0; BLOCK]].concat()).expect("written");
    let shown = Dump::of(&[&journal]);
    let kinds: Vec<_> = shown.of_kind("entry").map(|entry| entry["kind"].clone()).collect();
    let expected = ["creation", "epoch start", "batch", "log start", "truncation", "tombstone"];
    assert_eq!(kinds, expected);
    let fault = shown.faults()[0]["fault"].as_str().expect("text");
    assert_eq!((shown.status, shown.faults().len()), (1, 1), "its batch is none: {fault}");

    let mut bytes = fs::read(golden.join("layout.bin")).expect("a golden file");
    bytes[12] ^= 1;
    let layout = dir.join("layout");
    fs::write(&layout, &bytes).expect("written");
    assert_eq!(Dump::of(&[&layout]).status, 1);
    fs::remove_dir_all(dir).expect("removed");
}
