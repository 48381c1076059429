//! What tools read, on the golden files and on damaged copies of them.

use super::journal::{JournalFile, Wholeness, commit_at, commit_entries, judge};
use super::manifest::{record_entries, record_size_bytes};
use super::*;
use crate::block::crc;
use crate::layout::{Layout, LayoutFault};
use crate::{AtBlock, AtRecord, RecordHeader};

const COMMIT: &[u8] = include_bytes!("../../tests/golden/journal-commit.bin");
const RECORD: &[u8] = include_bytes!("../../tests/golden/manifest-record.bin");
const LAYOUT: &[u8] = include_bytes!("../../tests/golden/layout.bin");

fn sealed(mut bytes: Vec<u8>, crc_at: usize) -> Vec<u8> {
    let own_crc = crc(&bytes[..crc_at]);
    bytes[crc_at..crc_at + 4].copy_from_slice(&own_crc.to_le_bytes());
    bytes
}

#[test]
fn the_golden_commit_is_read_and_every_damaged_one_is_noticed() {
    let AtBlock::Header(read) = commit_at(COMMIT) else { panic!("no header") };
    assert_eq!((read.header.sequence, read.header.mark, read.header.shard), (41, 38, 1));
    let entries = commit_entries(&read, COMMIT).expect("whole");
    assert_eq!((entries.len(), entries[0].1), (6, &b"flights"[..]));
    for bit in 0..COMMIT.len() * 8 {
        let mut bytes = COMMIT.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let AtBlock::Header(read) = commit_at(&bytes) {
            assert_eq!(commit_entries(&read, &bytes), None, "bit {bit}");
        }
    }
    for end in 0..COMMIT.len() {
        assert_eq!(commit_entries(&read, &COMMIT[..end]), None, "cut at {end}");
    }
}

#[test]
fn the_golden_record_is_read_and_every_damaged_one_is_noticed() {
    let AtRecord::Header { header, .. } = RecordHeader::at(RECORD) else { panic!("no header") };
    assert_eq!((header.number, header.file, record_size_bytes(&header)), (12, 2, 4096));
    assert_eq!(record_entries(&header, RECORD).map(|entries| entries.len()), Some(8));
    for bit in 0..RECORD.len() * 8 {
        let mut bytes = RECORD.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let AtRecord::Header { header, .. } = RecordHeader::at(&bytes) {
            assert_eq!(record_entries(&header, &bytes), None, "bit {bit}");
        }
    }
    let mut newer = RECORD.to_vec();
    newer[8] = 3;
    assert_eq!(
        RecordHeader::at(&sealed(newer, 92)),
        AtRecord::Newer { version: 3, place: header.place() }
    );
}

#[test]
fn the_golden_layout_is_read_and_every_damaged_one_is_noticed() {
    let layout =
        Layout { shard_count: 12, broker_id: 7, generation: 2, cluster_id: *b"sixteen bytes id" };
    assert_eq!(Layout::decode(LAYOUT), Ok(layout));
    assert_eq!(layout.encode(), LAYOUT);
    for at in 0..LAYOUT.len() {
        let mut bytes = LAYOUT.to_vec();
        bytes[at] ^= 0x40;
        assert!(Layout::decode(&bytes).is_err(), "byte {at}");
        assert!(Layout::decode(&LAYOUT[..at]).is_err(), "cut at {at}");
    }
    let with = |at: usize, byte: u8| {
        let mut bytes = LAYOUT.to_vec();
        bytes[at] = byte;
        Layout::decode(&sealed(bytes, 4092))
    };
    assert_eq!(with(8, 2), Err(LayoutFault::Newer { version: 2 }));
    assert_eq!(with(10, 0), Err(LayoutFault::Field));
    assert_eq!(with(99, 1), Err(LayoutFault::Field));
}

#[test]
fn a_marked_commit_that_is_torn_is_rot_and_an_unmarked_one_is_the_end() {
    // The golden commit says 38 as its mark, and follows a commit with that CRC.
    let AtBlock::Header(read) = commit_at(COMMIT) else { panic!("no header") };
    let entries = commit_entries(&read, COMMIT).expect("whole");
    let from = |sequence| {
        let header = read.header;
        let block = u32::try_from(header.position / BLOCK_BYTES as u64).expect("small");
        let (file, previous_crc) = (header.file, header.previous_crc);
        Some(crate::ReplayFrom { sequence, file, block, previous_crc })
    };
    let mut file = JournalFile::new(3, 1 << 20);
    assert_eq!(file.add(&read, Some(&entries)), Wholeness::Whole);
    let run = judge(&[file.clone()], from(41)).expect("no rot");
    assert_eq!((run.first_sequence, run.last_sequence), (41, 41));
    assert_eq!((run.end, run.manifest_mark), (Some((3, 12_288)), 12));

    let mut torn = JournalFile::new(3, 1 << 20);
    assert_eq!(torn.add(&read, None), Wholeness::Torn);
    let run = judge(&[torn.clone()], from(41)).expect("39 to 41 may be torn");
    assert_eq!((run.last_sequence, run.end), (40, Some((3, 8_192))));
    let rot = judge(&[torn], from(38)).expect_err("38 was synced");
    assert_eq!((rot.sequence(), rot.marked()), (38, 38));

    let mut short = JournalFile::new(3, 8_192);
    short.add(&read, Some(&entries));
    assert_eq!(judge(&[short], None).map(|run| run.last_sequence), Ok(0), "it is left out");
}

#[test]
fn index_entries_count_from_their_base_offset() {
    let entry = [0, 0, 0, 9, 0, 0, 16, 0];
    assert_eq!(offset_entry(Offset(100), &entry), (Offset(109), 4096));
    let entry = [0, 0, 0, 0, 0, 0, 3, 232, 255, 255, 255, 255];
    assert_eq!(time_entry(Offset(0), &entry), (Timestamp(1_000), Offset(-1)));
}

#[test]
fn sealed_headers_with_impossible_fields_are_judged_without_a_panic() {
    let mut seen = 0;
    for at in 10..88 {
        for byte in [0, 1, 0x7f, 0xff] {
            let mut bytes = COMMIT.to_vec();
            bytes[at] = byte;
            let AtBlock::Header(read) = commit_at(&sealed(bytes, 92)) else { continue };
            let entries = commit_entries(&read, COMMIT);
            let mut file = JournalFile::new(3, 1 << 20);
            file.add(&read, entries.as_deref());
            for sequence in [0, 1, read.header.sequence, u64::MAX] {
                let (file_number, previous_crc) = (read.header.file, read.header.previous_crc);
                let block = u32::MAX;
                let from = crate::ReplayFrom { sequence, file: file_number, block, previous_crc };
                seen += usize::from(judge(std::slice::from_ref(&file), Some(from)).is_ok());
            }
        }
    }
    assert!(seen > 100, "{seen} verdicts without rot");
}
