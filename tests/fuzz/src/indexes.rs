//! Indexes: whatever they say, a look-up finds whole batches behind the offset that it was asked
//! for, a record of that time, or an error.
//!
//! ```text
//! input   index entries u8 │ look-up u8×3 │ .index │ .timeindex
//! ```

use std::path::{Path, PathBuf};
use std::rc::Rc;

use record::{BatchView, Compression, Offset, ReadLimits, Timestamp};
use runtime::sim::DiskImage;
use runtime::{Lease, Shard};
use storage::inspect::{OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES, offset_entry, time_entry};
use storage::{
    AtLeast, FileCache, FileState, ReadError, ReadPart, ReadPlan, ReadRequest, Segment,
    SegmentConfig, SegmentState,
};

use crate::machine::{Machine, SHARD_DIR, make_folders};
use crate::sample;

const BASE_OFFSET: i64 = 5_000;
const BATCHES: i64 = 48;
/// Records of a batch.
const RECORDS: i64 = 3;
const END_OFFSET: i64 = BASE_OFFSET + BATCHES * RECORDS;
const LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 1 << 20 };
/// What stands before the indexes in an input.
const ASKED_BYTES: usize = 4;

thread_local! {
    static SAMPLE: Rc<Sample> = Rc::new(Sample::new());
}

/// A sealed segment, as it was written.
struct Sample {
    image: DiskImage,
    state: SegmentState,
    /// Where each batch begins, and where the last ends.
    positions: Vec<u64>,
}

/// What is looked up.
#[derive(Clone, Copy, Debug)]
struct Asked {
    from: Offset,
    bound: Offset,
    timestamp: Timestamp,
    max_bytes: u32,
}

impl Sample {
    fn new() -> Sample {
        let machine = Machine::new();
        let (state, positions) = machine.run(|shard| async move {
            make_folders(&shard).await;
            let (files, dir) = (FileCache::new(4), Path::new(SHARD_DIR));
            let segment = Segment::create(&shard, &files, dir, Offset(BASE_OFFSET)).await;
            let segment = segment.expect("a disk without faults");
            let config = SegmentConfig { index_interval_bytes: 100, ..SegmentConfig::default() };
            let mut positions = vec![0];
            for number in 0..BATCHES {
                let count = i32::try_from(RECORDS).expect("a few");
                let base_offset = BASE_OFFSET + number * RECORDS;
                let batch = sample::batch(base_offset, count, Compression::None);
                segment.append(Lease::from(batch), &config);
                positions.push(segment.size_bytes());
            }
            segment.seal();
            segment.prepare().await.expect("a disk without faults");
            segment.write().await;
            for unsynced in segment.take_unsynced() {
                unsynced.file.sync_all().await.expect("a disk without faults");
            }
            shard.disk().sync_dir(dir).await.expect("a disk without faults");
            (segment.state(), positions)
        });
        Sample { image: machine.image(), state, positions }
    }

    /// The number of the batch that begins there.
    fn batch_at(&self, position: u64) -> Option<usize> {
        self.positions.binary_search(&position).ok()
    }

    /// The first offset of the batch with that number; of the one behind the last, the end.
    fn first_offset(number: usize) -> Offset {
        Offset(BASE_OFFSET + i64::try_from(number).expect("a few") * RECORDS)
    }
}

fn path(suffix: &str) -> PathBuf {
    Path::new(SHARD_DIR).join(format!("{BASE_OFFSET:020}{suffix}"))
}

pub(crate) fn run(input: &[u8]) {
    let Some((asked, bytes)) = input.split_first_chunk::<ASKED_BYTES>() else { return };
    let at = (usize::from(asked[0]) * OFFSET_ENTRY_BYTES / 2).min(bytes.len());
    let (index, time_index) = bytes.split_at(at);
    are_read_by_tools(index, time_index);
    SAMPLE.with(|sample| {
        let machine = Machine::with_disk(&sample.image);
        let (index, time_index) = (index.to_vec(), time_index.to_vec());
        let state = SegmentState {
            offset_index: on_disk(&index),
            time_index: on_disk(&time_index),
            ..sample.state.clone()
        };
        machine.put(vec![(path(".index"), index), (path(".timeindex"), time_index)]);
        let (sample, asked) = (sample.clone(), asked_for(asked));
        machine.run(move |shard| {
            let (sample, state) = (sample.clone(), state.clone());
            async move { look_up(&shard, &sample, state, asked).await }
        });
    });
}

fn on_disk(bytes: &[u8]) -> FileState {
    FileState { size_bytes: bytes.len() as u64, remainder: Lease::empty() }
}

fn asked_for(asked: &[u8; ASKED_BYTES]) -> Asked {
    let [_, from, span, max_bytes] = asked.map(i64::from);
    // A bit below and above what there is.
    let from = BASE_OFFSET - 2 + from % (BATCHES * RECORDS + 4);
    Asked {
        from: Offset(from),
        bound: Offset(from + span),
        timestamp: sample::timestamp(from),
        max_bytes: u32::try_from(max_bytes * 32).expect("a byte"),
    }
}

async fn look_up(shard: &Shard, sample: &Sample, state: SegmentState, asked: Asked) {
    let files = FileCache::new(4);
    let segment = Segment::reopen(shard, &files, Path::new(SHARD_DIR), state).await;
    // It has read the last entry of the time index, which is there.
    let segment = segment.expect("a disk without faults");
    for bound in [asked.bound, Offset(END_OFFSET)] {
        for at_least in [AtLeast::OneBatch, AtLeast::Nothing] {
            let Asked { from, max_bytes, .. } = asked;
            let request = ReadRequest { from, bound, max_bytes, at_least };
            match segment.read(request).await {
                Ok(plan) => is_whole(sample, &request, &plan),
                Err(error) => is_damage(&error),
            }
        }
        let Asked { from, timestamp, .. } = asked;
        match segment.offset_for_timestamp(timestamp, from, bound, &LIMITS).await {
            Ok(Some(found)) => {
                assert!(found.timestamp >= timestamp, "{found:?} for {asked:?}");
                assert!((from..bound).contains(&found.offset), "{found:?} for {asked:?}");
                assert_eq!(found.timestamp, sample::timestamp(found.offset.0), "{found:?}");
            }
            Ok(None) => {}
            Err(error) => is_damage(&error),
        }
    }
}

/// The plan is of whole batches, of which the first reaches the offset and the last does not reach
/// the bound; and whoever goes on behind it comes further.
fn is_whole(sample: &Sample, request: &ReadRequest, plan: &ReadPlan) {
    let Some(next) = plan.next_offset else {
        assert!(plan.parts.is_empty() && plan.size_bytes == 0, "{:?}", plan.parts);
        return;
    };
    let [ReadPart::File { position, len, .. }] = plan.parts.as_slice() else {
        panic!("a sealed segment is one file: {:?}", plan.parts)
    };
    let (first, end) = (sample.batch_at(*position), sample.batch_at(position + len));
    let (Some(first), Some(end)) = (first, end) else {
        panic!("{request:?}: from {position} to {}: no batches", position + len)
    };
    assert!(first < end && *len == plan.size_bytes, "{request:?}: {first} to {end}");
    assert!(Sample::first_offset(first + 1) > request.from, "{request:?}: from {first}");
    assert_eq!(next, Sample::first_offset(end), "{request:?}: to {end}");
    assert!(next <= request.bound.max(Sample::first_offset(0)), "{request:?}: to {next}");
}

/// The log and its disk are sound, so an error says that the index is not.
fn is_damage(error: &ReadError) {
    assert!(matches!(error, ReadError::Corrupt { .. }), "{error}");
    assert!(!error.to_string().is_empty(), "{error:?} says nothing");
}

/// Tools read each entry by itself.
fn are_read_by_tools(index: &[u8], time_index: &[u8]) {
    for entry in index.as_chunks::<OFFSET_ENTRY_BYTES>().0 {
        let (last_offset, _) = offset_entry(Offset(BASE_OFFSET), entry);
        let relative = i64::from(i32::from_be_bytes(*entry.first_chunk().expect("eight bytes")));
        assert_eq!(last_offset, Offset(BASE_OFFSET + relative));
    }
    for entry in time_index.as_chunks::<TIME_ENTRY_BYTES>().0 {
        let (timestamp, _) = time_entry(Offset(BASE_OFFSET), entry);
        assert_eq!(entry.first_chunk(), Some(&timestamp.0.to_be_bytes()));
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let (index, time_index) = SAMPLE.with(|sample| {
        let read = |suffix| sample.image.read(&path(suffix)).expect("a readable file");
        let log = read(".log");
        assert!(BatchView::parse(&log).is_ok(), "the sample begins with a batch");
        (read(".index"), read(".timeindex"))
    });
    let halves = u8::try_from(index.len() / (OFFSET_ENTRY_BYTES / 2)).expect("a few entries");
    let asked = [[2, 60, 8], [70, 6, 1], [146, 255, 255], [0, 0, 0]];
    let seed = |[from, span, max]: [u8; 3]| {
        [&[halves, from, span, max], index.as_slice(), time_index.as_slice()].concat()
    };
    asked.into_iter().map(seed).collect()
}
