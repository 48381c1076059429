//! Reads what the shards wrote from plain bytes, for tools: no I/O, nothing is trusted, nothing is
//! changed.
//!
//! A tool takes a file apart with [`journal::commit_at`] and [`crate::RecordHeader::at`], block by
//! block, and asks [`journal::judge`] for the verdict that recovery would reach on all files of a
//! journal.

pub mod journal;

pub mod manifest;

#[cfg(test)]
mod tests;

use crate::journal::place;
use crate::segment;
use record::{Offset, Timestamp};

/// All direct writes begin and end on a multiple of so many bytes.
pub const BLOCK_BYTES: usize = crate::block::BLOCK_BYTES;
/// An entry of a segment's `.index`.
pub const OFFSET_ENTRY_BYTES: usize = 8;
/// An entry of a segment's `.timeindex`.
pub const TIME_ENTRY_BYTES: usize = 12;

/// The number in a journal file's name, `journal-00007.rj`.
pub fn journal_file_number(name: &str) -> Option<u32> {
    place::file_number(name)
}

/// The number in a manifest file's name, `manifest-00000000000000000001.rm`.
pub fn manifest_file_number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("manifest-")?.strip_suffix(".rm")?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { digits.parse().ok() } else { None }
}

/// The base offset in the name of a segment's file without its ending, `00000000000000000042`.
pub fn segment_base_offset(stem: &str) -> Option<Offset> {
    segment::base_offset_in_name(stem)
}

/// The last offset of a batch and the position at which the batch begins, as an entry of the
/// `.index` of the segment with that base offset has them. A damaged entry's may be negative.
pub fn offset_entry(base_offset: Offset, bytes: &[u8; OFFSET_ENTRY_BYTES]) -> (Offset, i32) {
    let [a, b, c, d, e, f, g, h] = *bytes;
    (base_offset.plus(i32::from_be_bytes([a, b, c, d])), i32::from_be_bytes([e, f, g, h]))
}

/// The largest timestamp so far and the offset that has it, as an entry of the `.timeindex` of the
/// segment with that base offset has them.
pub fn time_entry(base_offset: Offset, bytes: &[u8; TIME_ENTRY_BYTES]) -> (Timestamp, Offset) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
    let offset = base_offset.plus(i32::from_be_bytes([i, j, k, l]));
    (Timestamp(i64::from_be_bytes([a, b, c, d, e, f, g, h])), offset)
}
