//! A manifest's records from plain bytes.

use crate::block::{BLOCK_BYTES, crc};
use crate::manifest::ManifestEntry;
use crate::manifest::format::{ENTRY_HEADER_SIZE_BYTES, RECORD_HEADER_SIZE_BYTES, RecordHeader};

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
