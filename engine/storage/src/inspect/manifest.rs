//! A manifest's records from plain bytes.

use crate::block::{BLOCK_BYTES, crc};
use crate::manifest::ManifestEntry;
use crate::manifest::format::{
    ENTRY_HEADER_SIZE_BYTES, FORMAT_VERSION, MAGIC, RECORD_HEADER_SIZE_BYTES, RecordHeader,
};

/// What stands at a place where a manifest's record could stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtRecord {
    /// Zeros, the middle of a record, or damage.
    NoHeader,
    /// A header in every respect; its entries may still be damaged.
    Header {
        /// What it says.
        header: RecordHeader,
        /// Its own CRC, which the next record carries.
        crc: u32,
    },
    /// A header whose format only a newer version knows.
    Newer {
        /// The version that it states.
        version: u16,
    },
}

/// What stands at the front of `bytes`, a block's begin. 96 bytes of it suffice.
pub fn record_at(bytes: &[u8]) -> AtRecord {
    if let Some((header, crc)) = RecordHeader::decode(bytes) {
        return AtRecord::Header { header, crc };
    }
    let Some(front) = bytes.first_chunk::<RECORD_HEADER_SIZE_BYTES>() else {
        return AtRecord::NoHeader;
    };
    let (covered, stored) = front.split_at(RECORD_HEADER_SIZE_BYTES - 4);
    let version = u16::from_le_bytes([front[8], front[9]]);
    let is_newer = front[..8] == MAGIC && version > FORMAT_VERSION;
    if is_newer && crc(covered).to_le_bytes() == stored {
        AtRecord::Newer { version }
    } else {
        AtRecord::NoHeader
    }
}

/// The entries of the record that begins `bytes` with that header; none if they are not the ones
/// that it was written with, or the bytes end before they do.
pub fn record_entries(header: &RecordHeader, bytes: &[u8]) -> Option<Vec<ManifestEntry>> {
    let length = usize::try_from(header.length).ok()?;
    let mut rest = bytes.get(RECORD_HEADER_SIZE_BYTES..length)?;
    let count = usize::try_from(header.entry_count).ok()?;
    if crc(rest) != header.entries_crc || count > rest.len() / ENTRY_HEADER_SIZE_BYTES {
        return None;
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let (entry, behind) = ManifestEntry::decode(rest)?;
        entries.push(entry);
        rest = behind;
    }
    rest.is_empty().then_some(entries)
}

/// What a record takes in its file, with the padding.
pub fn record_size_bytes(header: &RecordHeader) -> u64 {
    u64::from(header.length).next_multiple_of(BLOCK_BYTES as u64)
}
