//! The manifest's bytes, held still by a golden file and damaged in every place.

use super::*;
use crate::block_file::FileState;
use crate::segment::Stage;
use runtime::Lease;

const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/manifest-record.bin");

fn sample_segment() -> SegmentState {
    SegmentState {
        base_offset: Offset(100),
        end_offset: Offset(164),
        stage: Stage::Active,
        bytes_since_index_entry: 1_234,
        first_timestamp: Timestamp(1_700_000_000_000),
        max_timestamp: Timestamp(1_700_000_000_999),
        max_timestamp_offset: Offset(163),
        log: FileState { size_bytes: 8_192, remainder: Lease::from(b"batch".to_vec()) },
        offset_index: FileState { size_bytes: 0, remainder: Lease::from(b"8 bytes.".to_vec()) },
        time_index: FileState { size_bytes: 0, remainder: Lease::from(b"twelve bytes".to_vec()) },
    }
}

fn sample_entries() -> Vec<ManifestEntry> {
    let sealed = SegmentState {
        base_offset: Offset(0),
        end_offset: Offset(100),
        stage: Stage::Sealed,
        max_timestamp_offset: Offset(99),
        log: FileState { size_bytes: 70_001, remainder: Lease::empty() },
        offset_index: FileState::empty(),
        time_index: FileState::empty(),
        ..sample_segment()
    };
    let starts = [(2, 0), (5, 120)]
        .map(|(epoch, at)| EpochStart { epoch: LeaderEpoch(epoch), start_offset: Offset(at) });
    let epochs = LeaderEpochs::from_starts(starts.to_vec()).expect("they rise");
    let batch = ProducerBatch {
        first_sequence: Sequence(0),
        last_sequence: Sequence(9),
        base_offset: Offset(100),
        last_offset: Offset(109),
    };
    let later = ProducerBatch {
        first_sequence: Sequence(10),
        last_sequence: Sequence(10),
        base_offset: Offset(163),
        last_offset: Offset(163),
    };
    let producer = Producer {
        epoch: ProducerEpoch(1),
        last_timestamp: Timestamp(1_700_000_001_000),
        batches: vec![batch, later],
    };
    let log = LogId { topic_id: *b"sixteen bytes id", partition: 7 };
    let other = LogId { topic_id: *b"another topic id", partition: 0 };
    let entry = LogEntry {
        log_start_offset: Offset(17),
        settled_end_offset: Offset(164),
        replay: EntryPlace { sequence: 41, entry: 2 },
        label: "flights".to_owned(),
    };
    let about = |log, change| ManifestEntry { log, change };
    vec![
        about(log, Change::Log(entry)),
        about(log, Change::Segment(sealed)),
        about(log, Change::Segment(sample_segment())),
        about(log, Change::SegmentRemoved(Offset(0))),
        about(log, Change::LeaderEpochs(epochs)),
        about(log, Change::Producer(ProducerId(4_000), producer)),
        about(log, Change::ProducersForgotten(vec![ProducerId(1), ProducerId(2)])),
        about(other, Change::LogRemoved),
    ]
}

fn sample() -> Vec<u8> {
    let mut entries = Vec::new();
    sample_entries().iter().for_each(|entry| entry.encode(&mut entries));
    let header = sample_header(&entries);
    [&header.encode()[..], &entries[..]].concat()
}

fn sample_header(entries: &[u8]) -> RecordHeader {
    RecordHeader {
        shard: 1,
        entry_count: 8,
        number: 12,
        file: 2,
        position: 8_192,
        length: u32::try_from(RECORD_HEADER_SIZE_BYTES + entries.len()).expect("small"),
        previous_crc: 0xdead_beef,
        replay: ReplayFrom { sequence: 40, file: 3, block: 9, previous_crc: 0xcafe_f00d },
        entries_crc: crc(entries),
    }
}

#[test]
fn a_record_is_the_golden_bytes() {
    assert_eq!(sample(), GOLDEN);
}

#[test]
fn the_golden_bytes_are_read_back() {
    let AtRecord::Header { header, .. } = RecordHeader::at(GOLDEN) else { panic!("a header") };
    let mut rest = &GOLDEN[RECORD_HEADER_SIZE_BYTES..];
    assert_eq!(header, sample_header(rest));
    for expected in sample_entries() {
        let (entry, behind) = ManifestEntry::decode(rest).expect("a whole entry");
        assert_eq!(entry, expected);
        rest = behind;
    }
    assert!(rest.is_empty());
}

#[test]
fn a_header_with_any_bit_changed_is_none() {
    for bit in 0..RECORD_HEADER_SIZE_BYTES * 8 {
        let mut bytes = GOLDEN[..RECORD_HEADER_SIZE_BYTES].to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(RecordHeader::at(&bytes), AtRecord::NoHeader, "bit {bit}");
    }
    let cut = &GOLDEN[..RECORD_HEADER_SIZE_BYTES - 1];
    assert_eq!(RecordHeader::at(cut), AtRecord::NoHeader);
}

#[test]
fn damaged_entries_never_panic_and_never_reach_beyond_themselves() {
    for entry in sample_entries() {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        assert_eq!(entry.encoded_bytes(), bytes.len());
        for len in 0..bytes.len() {
            assert_eq!(ManifestEntry::decode(&bytes[..len]), None, "{entry:?} cut at {len}");
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Some((_, rest)) = ManifestEntry::decode(&damaged) {
                    assert!(rest.len() <= bytes.len() - ENTRY_HEADER_SIZE_BYTES);
                }
            }
        }
    }
}

#[test]
fn states_that_cannot_be_are_none() {
    let refused = |change: fn(&mut SegmentState)| {
        let mut state = sample_segment();
        change(&mut state);
        let mut bytes = Vec::new();
        state.encode(&mut bytes);
        SegmentState::decode(&mut Fields::new(&bytes)).is_none()
    };
    assert!(!refused(|_| ()));
    assert!(refused(|state| state.log.size_bytes += 1), "not whole blocks");
    assert!(refused(|state| state.log.remainder = Lease::from(vec![0; 4096])));
    assert!(refused(|state| state.stage = Stage::Sealed), "sealed with a remainder");
    assert!(refused(|state| state.end_offset = Offset(99)));
    assert!(refused(|state| state.end_offset = Offset(100)), "bytes without offsets");
    assert!(refused(|state| state.log.size_bytes = 1 << 40));
    assert!(refused(|state| state.base_offset = Offset(-1)));
}
