//! The journal's bytes, held still by a golden file and attacked bit by bit.

use super::*;

const GOLDEN: &[u8] = include_bytes!("../../../tests/golden/journal-commit.bin");
/// The same as version 1 wrote it.
const GOLDEN_1: &[u8] = include_bytes!("../../../tests/golden/journal-commit-1.bin");

fn sample_entries() -> Vec<(EntryHeader, &'static [u8])> {
    let log = LogId { topic_id: *b"sixteen bytes id", partition: 7 };
    let entry = |kind, leader_epoch, offset| EntryHeader { kind, log, leader_epoch, offset };
    vec![
        (entry(EntryKind::Creation, 0, 5), b"flights"),
        (entry(EntryKind::EpochStart, 3, 5), b""),
        (entry(EntryKind::Batch, 3, 5), b"not a real batch"),
        (entry(EntryKind::LogStart, 0, 6), b""),
        (entry(EntryKind::Truncation, 0, 6), b""),
        (entry(EntryKind::Tombstone, 0, 0), b""),
    ]
}

fn sample_header(length: usize) -> CommitHeader {
    CommitHeader {
        shard: 1,
        kind: CommitKind::Entries,
        generation: 2,
        sequence: 41,
        file: 3,
        entry_count: 6,
        position: 8192,
        length: length as u32,
        previous_crc: 0xdead_beef,
        mark: 38,
        manifest_mark: 12,
        journal_id: 0x0123_4567_89ab_cdef,
        begun_ms: 1_767_225_600_123,
    }
}

fn sample() -> Vec<u8> {
    let mut entries = Vec::new();
    for (header, payload) in sample_entries() {
        let mut bytes = [0; ENTRY_HEADER_BYTES];
        header.encode(payload.len(), &mut bytes);
        entries.extend_from_slice(&bytes);
        entries.extend_from_slice(payload);
    }
    let header = sample_header(COMMIT_HEADER_BYTES + entries.len());
    let mut bytes = header.encode(crc(&entries)).0.to_vec();
    bytes.extend_from_slice(&entries);
    bytes
}

#[test]
fn a_commit_is_the_golden_bytes() {
    assert_eq!(sample(), GOLDEN);
}

#[test]
fn the_golden_bytes_are_read_back() {
    let AtBlock::Header(read) = read_header(GOLDEN) else { panic!("no header") };
    assert_eq!(read.header, sample_header(GOLDEN.len()));
    let entries = &GOLDEN[COMMIT_HEADER_BYTES..];
    assert!(entries_are_whole(&read, entries));
    assert_eq!(read_entries(read.header.entry_count, entries), Some(sample_entries()));
}

#[test]
fn a_commit_of_version_1_does_not_tell_when_it_was_begun() {
    let AtBlock::Header(read) = read_header(GOLDEN_1) else { panic!("no header") };
    assert_eq!(read.header, CommitHeader { begun_ms: 0, ..sample_header(GOLDEN.len()) });
    assert!(entries_are_whole(&read, &GOLDEN_1[COMMIT_HEADER_BYTES..]));
    let mut told = GOLDEN_1.to_vec();
    told[80] = 1;
    let own_crc = crc(&told[..CRC_AT]);
    told[CRC_AT..COMMIT_HEADER_BYTES].copy_from_slice(&own_crc.to_le_bytes());
    assert_eq!(read_header(&told), AtBlock::NoHeader);
}

#[test]
fn one_flipped_bit_anywhere_is_noticed() {
    for bit in 0..GOLDEN.len() * 8 {
        let mut bytes = GOLDEN.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let whole = match read_header(&bytes) {
            AtBlock::Header(read) => entries_are_whole(&read, &bytes[COMMIT_HEADER_BYTES..]),
            AtBlock::NoHeader => false,
            AtBlock::Newer { version, .. } => panic!("bit {bit} makes version {version}"),
        };
        assert!(!whole, "bit {bit}");
    }
}

#[test]
fn a_newer_format_is_told_from_damage() {
    let mut bytes = GOLDEN.to_vec();
    bytes[8] = 9;
    let own_crc = crc(&bytes[..CRC_AT]);
    bytes[CRC_AT..COMMIT_HEADER_BYTES].copy_from_slice(&own_crc.to_le_bytes());
    let journal_id = sample_header(GOLDEN.len()).journal_id;
    assert_eq!(read_header(&bytes), AtBlock::Newer { version: 9, journal_id });
}

#[test]
fn entries_that_are_not_exactly_their_count_are_refused() {
    let entries = &GOLDEN[COMMIT_HEADER_BYTES..];
    for count in [0, 1, 5, 7, u32::MAX] {
        assert_eq!(read_entries(count, entries), None, "{count}");
    }
    for end in 0..entries.len() {
        assert_eq!(read_entries(6, &entries[..end]), None, "cut at {end}");
    }
    for at in 0..entries.len() {
        let mut bytes = entries.to_vec();
        bytes[at] = bytes[at].wrapping_add(0x80);
        // Any answer is right but a panic or an allocation by a claimed length.
        let _ = read_entries(6, &bytes);
    }
}
