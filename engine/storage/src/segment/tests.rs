//! Kafka's rules of indexes, rolling and reading, against a plain list of batches.

use super::roll::RollReason;
use super::*;
use crate::testing::{batch, run, run_until};
use record::{BatchView, ReadLimits, records};
use runtime::sim::{DiskImage, Fault, Node, Options, Rng, SimDisk, SyncMoment, World};
use std::cell::RefCell;
use std::rc::Rc;

const DIR: &str = "/flights-0";
const LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 1 << 20 };

/// A log as a list, and the rules written down a second time, without blocks and files.
#[derive(Clone, Default)]
struct Model {
    batches: Vec<Lease>,
}

impl Model {
    /// Batches at rising offsets, some of them far apart, with timestamps that mostly rise.
    fn random(rng: &mut Rng, count: usize, base_offset: i64) -> Model {
        let (mut offset, mut timestamp) = (base_offset, 1_000);
        let batches = (0..count).map(|_| {
            if rng.chance(1, 20) {
                offset += 1 + rng.below(5) as i64;
            }
            timestamp += rng.below(40) as i64 - 8;
            let records = 1 + rng.index(4) as i32;
            let value_bytes = if rng.chance(1, 12) { rng.index(9_000) } else { rng.index(400) };
            let bytes = batch(rng, offset, records, timestamp, value_bytes);
            offset += i64::from(records);
            Lease::from(bytes)
        });
        Model { batches: batches.collect() }
    }

    fn view(&self, i: usize) -> BatchView<'_> {
        BatchView::parse(&self.batches[i]).expect("a batch").0
    }

    fn log(&self) -> Vec<u8> {
        self.batches.iter().flat_map(|batch| batch.iter().copied()).collect()
    }

    fn end_offset(&self) -> Offset {
        self.view(self.batches.len() - 1).last_offset().plus(1)
    }

    /// Both indexes of a sealed segment, as Kafka's `LogSegment.append` makes them.
    fn indexes(&self, base_offset: i64, interval_bytes: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut index, mut time_index) = (Vec::new(), Vec::new());
        let (mut since, mut position) = (0, 0);
        let (mut max, mut max_offset) = (-1, base_offset);
        let mut last_time = -1;
        let mut push_time = |max: i64, offset: i64| {
            if max > last_time {
                last_time = max;
                time_index.extend(max.to_be_bytes());
                time_index.extend(((offset - base_offset) as i32).to_be_bytes());
            }
        };
        for i in 0..self.batches.len() {
            let view = self.view(i);
            if view.max_timestamp().0 > max {
                (max, max_offset) = (view.max_timestamp().0, view.last_offset().0);
            }
            if since > interval_bytes {
                index.extend(((view.last_offset().0 - base_offset) as i32).to_be_bytes());
                index.extend((position as i32).to_be_bytes());
                push_time(max, max_offset);
                since = 0;
            }
            since += view.size_bytes();
            position += view.size_bytes();
        }
        push_time(max, max_offset);
        (index, time_index)
    }
}

fn config(interval_bytes: u32) -> SegmentConfig {
    SegmentConfig { index_interval_bytes: interval_bytes, ..SegmentConfig::default() }
}

async fn make_dir(shard: &Shard) {
    shard.disk().create_dir(Path::new(DIR)).await.expect("a new folder");
    shard.disk().sync_dir(Path::new("/")).await.expect("synced");
}

async fn reopen(shard: &Shard, files: &FileCache, state: SegmentState) -> Segment {
    Segment::reopen(shard, files, Path::new(DIR), state).await.expect("openable")
}

/// One round as a settler does it, up to the record in the manifest.
async fn settle(shard: &Shard, segment: &Segment) -> SegmentState {
    segment.prepare().await.expect("there is space");
    segment.write().await;
    let unsynced = segment.take_unsynced();
    if let Some(last) = unsynced.last() {
        shard.disk().sync_fs(Path::new("/")).await.expect("inodes and names");
        last.file.sync_data().await.expect("the device's cache");
    }
    segment.state()
}

/// Appends everything behind the segment's end in rounds of random size.
async fn settle_all(shard: &Shard, segment: &Segment, model: &Model, rng: &mut Rng) {
    let mut in_round = 0;
    for i in 0..model.batches.len() {
        if model.view(i).base_offset() < segment.appended_end_offset() {
            continue;
        }
        segment.append(model.batches[i].clone(), &config(1_500));
        in_round += 1;
        if in_round > rng.below(30) {
            settle(shard, segment).await;
            in_round = 0;
        }
    }
    settle(shard, segment).await;
}

fn file(suffix: &str, base_offset: i64) -> PathBuf {
    PathBuf::from(format!("{DIR}/{base_offset:020}{suffix}"))
}

fn assert_files(disk: &DiskImage, model: &Model, base_offset: i64, context: &str) {
    let (index, time_index) = model.indexes(base_offset, 1_500);
    for (suffix, expect) in [(".log", model.log()), (".index", index), (".timeindex", time_index)] {
        let found = disk.read(&file(suffix, base_offset)).unwrap_or_default();
        assert!(found == expect, "{context}: {suffix} has {} of {}", found.len(), expect.len());
    }
}

#[test]
fn sealed_files_are_what_kafkas_rules_make_of_the_batches() {
    for seed in 0..40 {
        let world = World::new(seed, Options::default());
        let node = world.node("n");
        let base_offset = if seed % 2 == 0 { 0 } else { 5_000 };
        let model = Model::random(&mut world.random(), 300, base_offset);
        let expect = model.clone();
        run(&world, &node, move |shard| {
            let model = model.clone();
            async move {
                make_dir(&shard).await;
                let files = FileCache::new(2);
                let mut rng = Rng::new(seed);
                let base_offset = Offset(base_offset);
                let mut segment = Segment::create(&shard, &files, Path::new(DIR), base_offset)
                    .await
                    .expect("new");
                for i in 0..model.batches.len() {
                    segment.append(model.batches[i].clone(), &config(1_500));
                    if rng.chance(1, 20) {
                        let state = settle(&shard, &segment).await;
                        assert!(files.open_files() <= 2);
                        if rng.chance(1, 4) {
                            segment = reopen(&shard, &files, state).await;
                        }
                    }
                }
                segment.seal();
                let state = settle(&shard, &segment).await;
                assert_eq!((segment.stage(), state.stage), (Stage::Sealed, Stage::Sealed));
                assert_eq!(state.end_offset, model.end_offset());
                assert_eq!(state.log.total_bytes(), segment.size_bytes());
            }
        });
        assert_files(&node.disk().image(), &expect, base_offset, &format!("seed {seed}"));
    }
}

#[test]
fn a_trimmed_segment_reads_like_a_sealed_one_and_goes_on() {
    let world = World::new(5, Options::default());
    let node = world.node("n");
    let model = Model::random(&mut world.random(), 200, 0);
    let first_half = Model { batches: model.batches[..100].to_vec() };
    let halves = (first_half.clone(), model.clone());
    let state = run(&world, &node, move |shard| {
        let first_half = halves.0.clone();
        async move {
            make_dir(&shard).await;
            let files = FileCache::new(6);
            let segment = reopen(&shard, &files, SegmentState::empty(Offset(0))).await;
            settle_all(&shard, &segment, &first_half, &mut Rng::new(5)).await;
            segment.trim();
            settle(&shard, &segment).await
        }
    });
    assert_eq!(state.stage, Stage::Active);
    let trimmed = node.disk().image();
    let (_, time_index) = first_half.indexes(0, 1_500);
    assert_eq!(trimmed.read(&file(".log", 0)).expect("written"), first_half.log());
    assert_eq!(trimmed.read(&file(".timeindex", 0)).expect("written"), time_index);

    let world = World::new(6, Options::default());
    let node = world.node("n");
    node.disk().restore(&trimmed);
    let same = state.clone();
    run(&world, &node, move |shard| {
        let state = same.clone();
        async move {
            let segment = reopen(&shard, &FileCache::new(6), state.clone()).await;
            segment.trim();
            segment.prepare().await.expect("there is space");
            segment.write().await;
            assert!(segment.take_unsynced().is_empty(), "it was trimmed already");
            assert_eq!(segment.state(), state);
        }
    });
    let whole = model.clone();
    run(&world, &node, move |shard| {
        let (model, state) = (whole.clone(), state.clone());
        async move {
            let files = FileCache::new(6);
            let segment = reopen(&shard, &files, state).await;
            settle_all(&shard, &segment, &model, &mut Rng::new(6)).await;
            segment.seal();
            settle(&shard, &segment).await;
        }
    });
    assert_eq!(node.disk().read(&file(".log", 0)).expect("written"), model.log());
}

/// A cut disk and the state that the manifest held when it was cut.
type Cut = (DiskImage, SegmentState);

/// Settles the whole model, and cuts the power by lot at a share of the sync points.
fn cut_while_settling(seed: u64, model: &Model, finish: fn(&Segment)) -> Vec<Cut> {
    let world = World::new(seed, Options::default());
    let node = world.node("before");
    let manifest = Rc::new(RefCell::new(SegmentState::empty(Offset(0))));
    let cuts = Rc::new(RefCell::new(Vec::new()));
    let (recorded, taken) = (manifest.clone(), cuts.clone());
    let mut rng = world.random();
    run(&world, &node, |shard| async move { make_dir(&shard).await });
    node.disk().at_every_sync(move |point, image| {
        let every = if point.moment == SyncMoment::Completed { 2 } else { 3 };
        if rng.chance(1, every) {
            taken.borrow_mut().push((image.after_power_cut(&mut rng), recorded.borrow().clone()));
        }
    });
    let model = model.clone();
    run(&world, &node, move |shard| {
        let (model, manifest) = (model.clone(), manifest.clone());
        async move {
            let segment = reopen(&shard, &FileCache::new(2), SegmentState::empty(Offset(0))).await;
            let mut rng = Rng::new(seed);
            for batch in &model.batches {
                segment.append(batch.clone(), &config(1_500));
                if rng.chance(1, 8) {
                    let state = settle(&shard, &segment).await;
                    *manifest.borrow_mut() = state;
                }
            }
            finish(&segment);
            let state = settle(&shard, &segment).await;
            *manifest.borrow_mut() = state;
        }
    });
    cuts.take()
}

/// A start after a cut: the same batches again from where the manifest's state ends.
fn replay_after(cut: &Cut, seed: u64, model: &Model) -> DiskImage {
    let world = World::new(seed, Options::default());
    let node = world.node("after");
    node.disk().restore(&cut.0);
    let (state, model) = (cut.1.clone(), model.clone());
    run(&world, &node, move |shard| {
        let (model, state) = (model.clone(), state.clone());
        async move {
            let segment = reopen(&shard, &FileCache::new(2), state).await;
            // What is settled already reads as it was written, whatever the cut destroyed.
            let mut read = Vec::new();
            while (read.len() as u64) < segment.log.readable_bytes() {
                let len = (segment.log.readable_bytes() - read.len() as u64).min(10_000) as usize;
                let position = read.len() as u64;
                read.extend_from_slice(&segment.log.read(position, len).await.expect("readable"));
            }
            assert!(model.log().starts_with(&read));
            if segment.stage() == Stage::Active {
                settle_all(&shard, &segment, &model, &mut Rng::new(seed)).await;
                segment.seal();
                settle(&shard, &segment).await;
            }
        }
    });
    node.disk().image()
}

#[test]
fn a_segment_is_rebuilt_from_the_manifest_and_the_same_batches_after_a_cut_at_any_sync() {
    let mut cut_count = 0;
    for seed in 0..100 {
        let model = Model::random(&mut Rng::new(seed), 120, 0);
        for cut in cut_while_settling(seed, &model, Segment::seal) {
            let disk = replay_after(&cut, seed, &model);
            assert_files(&disk, &model, 0, &format!("seed {seed}, {:?}", cut.1));
            cut_count += 1;
        }
    }
    assert!(cut_count > 1_000, "only {cut_count} cuts");
}

#[test]
fn a_cut_while_trimming_loses_nothing() {
    for seed in 200..230 {
        let model = Model::random(&mut Rng::new(seed), 60, 0);
        for cut in cut_while_settling(seed, &model, Segment::trim) {
            let disk = replay_after(&cut, seed, &model);
            let log = disk.read(&file(".log", 0)).expect("written");
            assert!(log == model.log(), "seed {seed}, {:?}", cut.1);
        }
    }
}

/// A settled segment of the model, active or sealed, and everything that a test reads it with.
fn with_settled<Fut: Future<Output = ()> + 'static>(
    seed: u64,
    model: Model,
    stage: Stage,
    test: impl Fn(Rc<Segment>, Model, SimDisk) -> Fut + 'static,
) {
    let world = World::new(seed, Options::default());
    let node: Node = world.node("n");
    let disk = node.disk();
    let test = Rc::new(test);
    run(&world, &node, move |shard| {
        let (model, disk, test) = (model.clone(), disk.clone(), test.clone());
        async move {
            make_dir(&shard).await;
            let base_offset = model.view(0).base_offset();
            let segment =
                reopen(&shard, &FileCache::new(6), SegmentState::empty(base_offset)).await;
            settle_all(&shard, &segment, &model, &mut Rng::new(seed)).await;
            if stage == Stage::Sealed {
                segment.seal();
                settle(&shard, &segment).await;
            }
            test(Rc::new(segment), model, disk).await;
        }
    });
}

/// Every other seed reads a sealed segment.
fn either(seed: u64) -> Stage {
    if seed.is_multiple_of(2) { Stage::Sealed } else { Stage::Active }
}

/// The bytes that a plan names.
fn bytes_of(plan: &ReadPlan, segment: &Segment, disk: &SimDisk) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in &plan.parts {
        match part {
            ReadPart::Memory(lease) => bytes.extend_from_slice(lease),
            ReadPart::File { position, len, .. } => {
                let file = disk.read(&segment.log_path()).expect("written");
                let (start, len) = (*position as usize, *len as usize);
                bytes.extend_from_slice(&file[start..start + len]);
            }
        }
    }
    assert_eq!(bytes.len() as u64, plan.size_bytes);
    bytes
}

/// The batches that a read may answer with: from the one that reaches `from`, below `bound`.
fn candidates(model: &Model, from: Offset, bound: Offset) -> Vec<u8> {
    (0..model.batches.len())
        .filter(|i| model.view(*i).last_offset() >= from)
        .take_while(|i| model.view(*i).last_offset() < bound)
        .flat_map(|i| model.batches[i].to_vec())
        .collect()
}

#[test]
fn a_read_begins_with_the_batch_of_its_offset_and_keeps_its_bounds() {
    for seed in 0..12 {
        let model = Model::random(&mut Rng::new(seed), 250, 100);
        with_settled(seed, model, either(seed), move |segment, model, disk| async move {
            let mut rng = Rng::new(seed);
            let end = model.end_offset().0;
            for _ in 0..300 {
                let from = Offset(100 + rng.below((end - 100) as u64 + 3) as i64);
                let bound = if rng.chance(1, 2) { end } else { 100 + rng.below(end as u64) as i64 };
                let max_bytes = rng.below(40_000) as u32;
                let at_least = if rng.chance(1, 2) { AtLeast::OneBatch } else { AtLeast::Nothing };
                let request = ReadRequest { from, bound: Offset(bound), max_bytes, at_least };
                let plan = segment.read(request).await.expect("readable");
                let found = bytes_of(&plan, &segment, &disk);
                let all = candidates(&model, from, Offset(bound));
                assert!(all.starts_with(&found), "{request:?}");
                let first = BatchView::parse(&all).map_or(0, |(first, _)| first.size_bytes());
                match at_least {
                    AtLeast::OneBatch => assert!(found.len() >= first, "{request:?}"),
                    AtLeast::Nothing => assert!(found.len() <= max_bytes as usize, "{request:?}"),
                }
                assert!(found.len() <= first.max(max_bytes as usize), "{request:?}");
                // Whole batches, up to where the next read begins.
                let mut rest = &found[..];
                while !rest.is_empty() {
                    let (view, behind) = BatchView::parse(rest).expect("whole batches");
                    rest = behind;
                    if rest.is_empty() {
                        let next = plan.next_offset.expect("something was found");
                        assert!(view.last_offset() < next && next <= segment.end_offset());
                    }
                }
                // Not less than it could cheaply be: an index entry's distance and two batches.
                let could = all.len().min(max_bytes as usize);
                assert!(found.len() + 1_500 + 2 * 37_000 >= could, "{request:?}");
            }
        });
    }
}

#[test]
fn a_sequential_reader_sees_every_byte_once_and_searches_no_more() {
    for seed in 20..26 {
        let model = Model::random(&mut Rng::new(seed), 400, 0);
        with_settled(seed, model, Stage::Active, move |segment, model, disk| async move {
            let (mut from, mut all) = (Offset(0), Vec::new());
            while from < segment.end_offset() {
                let request = ReadRequest {
                    from,
                    bound: Offset(i64::MAX),
                    max_bytes: 7_000,
                    at_least: AtLeast::OneBatch,
                };
                let plan = segment.read(request).await.expect("readable");
                all.extend(bytes_of(&plan, &segment, &disk));
                from = plan.next_offset.expect("there is more");
                let cursor = segment.files.take_cursor(segment.log.id(), from).expect("remembered");
                assert_eq!(cursor.position, all.len() as u64);
                segment.files.put_cursor(segment.log.id(), from, cursor);
            }
            assert!(all == model.log());
        });
    }
}

/// Reads from random places until the segment is sealed, and compares what the disk holds.
async fn read_meanwhile(shard: Shard, segment: Rc<Segment>, model: Model, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut from = Offset(0);
    while segment.stage() == Stage::Active {
        let bound = Offset(i64::MAX);
        let max_bytes = rng.below(20_000) as u32;
        let request = ReadRequest { from, bound, max_bytes, at_least: AtLeast::OneBatch };
        let plan = segment.read(request).await.expect("readable");
        let mut found = Vec::new();
        for part in plan.parts {
            match part {
                ReadPart::Memory(bytes) => found.extend_from_slice(&bytes),
                ReadPart::File { file, position, len } => {
                    let buffer = runtime::Buffer::plain(len as usize);
                    let (got, bytes) = shard.disk().read_shared(&file, buffer, position).await;
                    assert_eq!(got.expect("readable") as u64, len);
                    found.extend_from_slice(&bytes);
                }
            }
        }
        assert!(candidates(&model, from, bound).starts_with(&found), "from {from}");
        from = match plan.next_offset {
            Some(next) if rng.chance(3, 4) => next,
            _ => Offset(rng.below(segment.end_offset().0 as u64 + 1) as i64),
        };
        shard.yield_now().await;
    }
}

#[test]
fn readers_see_whole_batches_while_the_segment_is_written_and_sealed() {
    for seed in 0..20 {
        let world = World::new(seed, Options::default());
        let node = world.node("n");
        let model = Model::random(&mut world.random(), 200, 0);
        run(&world, &node, move |shard| {
            let model = model.clone();
            async move {
                make_dir(&shard).await;
                let segment =
                    reopen(&shard, &FileCache::new(3), SegmentState::empty(Offset(0))).await;
                let segment = Rc::new(segment);
                let readers: Vec<_> = (0..3)
                    .map(|i| {
                        let (shard, segment) = (shard.clone(), segment.clone());
                        let reader =
                            read_meanwhile(shard.clone(), segment, model.clone(), seed * 3 + i);
                        shard.spawn(runtime::TaskClass::Foreground, "reader", reader)
                    })
                    .collect();
                settle_all(&shard, &segment, &model, &mut Rng::new(seed)).await;
                segment.seal();
                settle(&shard, &segment).await;
                for reader in readers {
                    reader.await.expect("a reader that ends");
                }
            }
        });
    }
}

#[test]
fn a_timestamp_is_found_at_its_first_record() {
    for seed in 30..36 {
        let model = Model::random(&mut Rng::new(seed), 200, 50);
        with_settled(seed, model, either(seed), move |segment, model, _| async move {
            let mut rng = Rng::new(seed);
            let end = model.end_offset().0 as u64;
            let last = segment.max_timestamp().0 as u64 + 10;
            for _ in 0..200 {
                let target = Timestamp(900 + rng.below(last - 900) as i64);
                let from = Offset(50 + rng.below(end - 50) as i64);
                let bound = Offset(from.0 + rng.below(end) as i64);
                let expect = (0..model.batches.len()).find_map(|i| {
                    let view = model.view(i);
                    let read = records(&view, &LIMITS).expect("readable");
                    let found = read
                        .into_iter()
                        .map(|record| record.expect("sound"))
                        .find(|r| r.timestamp >= target && (from..bound).contains(&r.offset));
                    found.map(|record| (record.timestamp, record.offset))
                });
                let found = segment.offset_for_timestamp(target, from, bound, &LIMITS).await;
                let found = found.expect("readable").map(|found| {
                    assert_eq!(found.leader_epoch, Some(LeaderEpoch(3)));
                    (found.timestamp, found.offset)
                });
                assert_eq!(found, expect, "{target} in {from}..{bound}");
            }
        });
    }
}

#[test]
fn rot_in_a_header_or_a_record_is_named_and_never_panics() {
    let model = Model::random(&mut Rng::new(40), 80, 0);
    with_settled(40, model, Stage::Sealed, |segment, model, disk| async move {
        let position = model.batches[..40].iter().map(|batch| batch.len() as u64).sum::<u64>();
        let offset = model.view(40).base_offset();
        for byte in 0..61 {
            disk.flip(&segment.log_path(), position + byte);
            // Any answer is right but a panic: most fields of a header are under the CRC only.
            let request = ReadRequest {
                from: offset,
                bound: Offset(i64::MAX),
                max_bytes: 1,
                at_least: AtLeast::OneBatch,
            };
            let read = segment.read(request).await;
            if [8, 16].contains(&byte) {
                assert!(matches!(read, Err(ReadError::Corrupt { .. })), "byte {byte}");
            }
            let _ = batch_at(&segment, offset).await;
            disk.flip(&segment.log_path(), position + byte);
        }
        assert_eq!(
            batch_at(&segment, offset).await.expect("sound").as_deref(),
            Some(&*model.batches[40])
        );
        disk.flip(&segment.log_path(), position + model.batches[40].len() as u64 - 1);
        match batch_at(&segment, offset).await {
            Err(ReadError::Corrupt { position: at, .. }) => assert_eq!(at, position),
            other => panic!("{other:?}"),
        }
    });
}

/// The bytes of the batch that contains `offset`, checked against their CRC.
async fn batch_at(segment: &Segment, offset: Offset) -> Result<Option<Lease>, ReadError> {
    let start = segment.position_floor(offset).await?;
    match segment.walk().first_reaching(offset, start).await? {
        Some(header) => segment.checked_batch(&header).await.map(Some),
        None => Ok(None),
    }
}

#[test]
fn a_full_disk_stops_prepare_and_nothing_else() {
    let world = World::new(50, Options::default());
    let node = world.node("n");
    let disk = node.disk();
    let model = Model::random(&mut world.random(), 100, 0);
    let expect = model.clone();
    run(&world, &node, move |shard| {
        let (model, disk) = (model.clone(), disk.clone());
        async move {
            make_dir(&shard).await;
            let segment = reopen(&shard, &FileCache::new(6), SegmentState::empty(Offset(0))).await;
            disk.set_capacity(disk.used_bytes() + 4096);
            for batch in &model.batches {
                segment.append(batch.clone(), &config(1_500));
            }
            for _ in 0..3 {
                let outcome = segment.prepare().await;
                assert!(matches!(outcome, Err(PrepareError::Short { .. })), "{outcome:?}");
            }
            assert_eq!(segment.end_offset(), Offset(0));
            disk.set_capacity(1 << 30);
            segment.seal();
            settle(&shard, &segment).await;
        }
    });
    assert_files(&node.disk().image(), &expect, 0, "healed");
}

#[test]
fn a_failed_write_ends_the_shard() {
    for fault in [Fault::Write, Fault::ShortWrite] {
        let world = World::new(51, Options::default());
        let node = world.node("n");
        let disk = node.disk();
        let model = Model::random(&mut world.random(), 100, 0);
        let ended = run_until(
            &world,
            &node,
            move |shard| {
                let (model, disk) = (model.clone(), disk.clone());
                async move {
                    make_dir(&shard).await;
                    let files = FileCache::new(6);
                    let segment = reopen(&shard, &files, SegmentState::empty(Offset(0))).await;
                    disk.fail_next(fault);
                    settle_all(&shard, &segment, &model, &mut Rng::new(1)).await;
                }
            },
            || false,
        );
        assert!(ended.is_none(), "{fault:?} went unnoticed");
        assert!(node.fatal_reason().expect("a reason").contains(".log"));
    }
}

#[test]
fn a_segment_rolls_by_kafkas_rules() {
    let model = Model::random(&mut Rng::new(60), 50, 1_000);
    with_settled(60, model, Stage::Active, |segment, model, _| async move {
        let facts = model.view(0).facts().expect("sound");
        let first = segment.tip.get().first_timestamp.0;
        let end = segment.end_offset();
        let size = segment.size_bytes() as u32 + facts.size_bytes as u32;
        let now = Timestamp(0);
        let small = |segment_bytes| SegmentConfig { segment_bytes, ..SegmentConfig::default() };
        let at = |facts: &record::BatchFacts, offset, config: &SegmentConfig| {
            segment.roll_before(facts, offset, now, config)
        };
        assert_eq!(at(&facts, end, &small(size)), None);
        assert_eq!(at(&facts, end, &small(size - 1)), Some(RollReason::Size));

        let aged = |ms| record::BatchFacts { max_timestamp: Timestamp(first + ms), ..facts };
        let config = SegmentConfig { segment_ms: 5_000, ..SegmentConfig::default() };
        assert_eq!(at(&aged(5_000), end, &config), None);
        assert_eq!(at(&aged(5_001), end, &config), Some(RollReason::Age));

        let entries = segment.offset_index.appended_bytes() / 8;
        let index =
            |bytes| SegmentConfig { segment_index_bytes: bytes, ..SegmentConfig::default() };
        assert_eq!(at(&facts, end, &index(entries as u32 * 8)), Some(RollReason::IndexFull));
        assert_eq!(at(&facts, end, &index(entries as u32 * 12 + 36)), None);

        let far = Offset(1_000 + i64::from(i32::MAX) - i64::from(facts.last_offset_delta));
        assert_eq!(at(&facts, far, &SegmentConfig::default()), None);
        let config = SegmentConfig::default();
        assert_eq!(at(&facts, far.plus(1), &config), Some(RollReason::OffsetRange));
        assert_eq!(at(&facts, Offset(i64::MIN), &config), Some(RollReason::OffsetRange));
    });
}

#[test]
fn an_orphan_under_the_name_of_a_new_segment_is_emptied() {
    let world = World::new(70, Options::default());
    let node = world.node("n");
    let disk = node.disk();
    run(&world, &node, move |shard| {
        let disk = disk.clone();
        async move {
            make_dir(&shard).await;
            let mut sizes = Vec::new();
            for count in [900, 60] {
                let model = Model::random(&mut Rng::new(count), count as usize, 0);
                let files = FileCache::new(6);
                let segment = reopen(&shard, &files, SegmentState::empty(Offset(0))).await;
                settle_all(&shard, &segment, &model, &mut Rng::new(70)).await;
                sizes.push(disk.read(&file(".log", 0)).expect("written").len());
                segment.seal();
                settle(&shard, &segment).await;
                assert_files(&disk.image(), &model, 0, "made again");
            }
            assert!(sizes[1] < sizes[0] / 2, "{sizes:?}");
        }
    });
}

#[test]
fn ten_small_logs_take_no_file_until_they_have_a_block() {
    let world = World::new(80, Options::default());
    let node = world.node("n");
    let one = Lease::from(batch(&mut Rng::new(80), 0, 1, 1_000, 100));
    run(&world, &node, move |shard| {
        let one = one.clone();
        async move {
            make_dir(&shard).await;
            let files = FileCache::new(6);
            for base_offset in 0..10 {
                let empty = SegmentState::empty(Offset(0));
                let state = SegmentState { base_offset: Offset(base_offset), ..empty };
                let state = SegmentState { end_offset: Offset(base_offset), ..state };
                let segment = reopen(&shard, &files, state).await;
                if base_offset == 0 {
                    segment.append(one.clone(), &config(1_500));
                }
                let state = settle(&shard, &segment).await;
                assert_eq!(state.log.size_bytes, 0);
            }
        }
    });
    assert!(node.disk().files().is_empty());
}
