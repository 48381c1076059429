//! A segment settles and is opened again; a manifest is appended to and compacted.

use super::driver::in_folder;
use record::{BatchBuilder, Offset, Record, Timestamp};
use runtime::{Buffer, DriverWanted, Lease, Open, Shard};
use std::path::PathBuf;
use storage::{
    AtLeast, FileCache, Manifest, ManifestConfig, ReadPart, ReadRequest, Segment, SegmentConfig,
    SegmentState,
};

fn on_each_driver<Fut: Future<Output = ()> + 'static>(name: &str, main: fn(Shard, PathBuf) -> Fut) {
    for driver in [DriverWanted::Uring, DriverWanted::Posix] {
        in_folder(driver, name, main);
    }
}

fn batch(base_offset: i64, value_bytes: usize) -> Lease {
    let value = vec![base_offset.to_le_bytes()[0]; value_bytes];
    let mut builder = BatchBuilder::new().base_offset(Offset(base_offset));
    for i in 0..3 {
        let timestamp = Timestamp(1_000 + base_offset + i);
        builder.push(&Record { timestamp, value: Some(&value), ..Record::default() });
    }
    Lease::from(builder.build().expect("a small batch"))
}

async fn settle(segment: &Segment) -> SegmentState {
    segment.prepare().await.expect("there is space");
    segment.write().await;
    for unsynced in segment.take_unsynced() {
        unsynced.file.sync_all().await.expect("synced");
    }
    segment.state()
}

async fn settles_reopens_and_reads(shard: Shard, dir: PathBuf) {
    let files = FileCache::new(4);
    let config = SegmentConfig::default();
    let mut segment = Segment::create(&shard, &files, &dir, Offset(0)).await.expect("new");
    let mut log = Vec::new();
    for i in 0..1_000 {
        let batch = batch(i * 3, 40 + usize::try_from(i % 700).expect("small"));
        log.extend_from_slice(&batch);
        segment.append(batch, &config);
        if i % 90 == 89 {
            let state = settle(&segment).await;
            assert_eq!(files.open_files() as u64, (state.log.size_bytes > 0).into());
            segment = Segment::reopen(&shard, &files, &dir, state).await.expect("again");
        }
    }
    settle(&segment).await;
    read_all(&shard, &segment, &log).await;
    segment.seal();
    settle(&segment).await;
    read_all(&shard, &segment, &log).await;

    let file = shard.disk().open(&segment.log_path(), Open::read()).await.expect("there");
    assert_eq!(file.size_bytes().await.expect("a size"), log.len() as u64);
}

/// Reads the segment from its first offset to its end, in fetches of 20,000 bytes.
async fn read_all(shard: &Shard, segment: &Segment, log: &[u8]) {
    let (mut from, mut read) = (segment.base_offset(), Vec::new());
    while from < segment.end_offset() {
        let bound = segment.end_offset();
        let request = ReadRequest { from, bound, max_bytes: 20_000, at_least: AtLeast::OneBatch };
        let plan = segment.read(request).await.expect("readable");
        for part in plan.parts {
            match part {
                ReadPart::Memory(bytes) => read.extend_from_slice(&bytes),
                ReadPart::File { file, position, len } => {
                    let buffer = Buffer::plain(usize::try_from(len).expect("at most 20,000"));
                    let (got, buffer) = shard.disk().read_shared(&file, buffer, position).await;
                    assert_eq!(got.expect("readable") as u64, len);
                    read.extend_from_slice(&buffer);
                }
            }
        }
        from = plan.next_offset.expect("there is more");
    }
    assert!(read == log, "{} bytes of {}", read.len(), log.len());
}

#[test]
fn a_segment_settles_reopens_and_reads_on_a_real_disk() {
    on_each_driver("segment", settles_reopens_and_reads);
}

async fn appends_and_compacts(shard: Shard, dir: PathBuf) {
    let config = ManifestConfig { compact_min_bytes: 100_000, ..ManifestConfig::default() };
    let read_back = Manifest::read(&shard, &dir).await.expect("a fresh folder");
    let replay = read_back.replay;
    let manifest = Manifest::open(&shard, &dir, config, read_back).await.expect("new");
    let mut last = 0;
    for _ in 0..60 {
        last = manifest.append(replay, Vec::new()).await.expect("there is space");
    }
    let again = Manifest::read(&shard, &dir).await.expect("readable");
    assert_eq!(again.last_number, last);
    let names = shard.disk().list(&dir).await.expect("the folder");
    assert_eq!(names.len(), 1, "{names:?}");
    assert!(*names[0].name > *"manifest-00000000000000000001.rm", "{names:?}");
}

#[test]
fn a_manifest_is_appended_to_and_compacted_on_a_real_disk() {
    on_each_driver("manifest", appends_and_compacts);
}
