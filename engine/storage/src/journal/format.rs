//! The bytes of a journal commit: its header, its entries, and what makes them whole.
//!
//! `docs/storage-format.md`, section 3, carries the same names.

use crate::block::{crc, padded};
use crate::fields::{COUNT_MAX, Fields};
use crate::log_id::LogId;

/// A commit's header:
///
/// ```text
///  0 magic "RMJOURNL"      8   40 position            8   88 entries CRC   4
///  8 format version        2   48 length              4   92 CRC           4
/// 10 shard                 2   52 previous CRC        4
/// 12 kind                  4   56 mark                8
/// 16 generation            8   64 manifest mark       8
/// 24 sequence              8   72 journal id          8
/// 32 file                  4   80 begun               8
/// 36 entry count           4
/// ```
pub const COMMIT_HEADER_BYTES: usize = 96;

/// An entry's header:
///
/// ```text
/// 0 kind 1 · 1 zero 3 · 4 payload length 4 · 8 topic id 16 · 24 partition 4 · 28 leader epoch 4
/// 32 offset 8
/// ```
pub const ENTRY_HEADER_BYTES: usize = 40;

const MAGIC: [u8; 8] = *b"RMJOURNL";
const FORMAT_VERSION: u16 = 2;
/// From this version on headers tell when their commits were begun; before there were zeros.
const BEGUN_SINCE: u16 = 2;
const JOURNAL_ID_AT: usize = 72;
const CRC_AT: usize = 92;

/// What a commit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitKind {
    /// Carries entries.
    Entries,
    /// The first of a generation, alone.
    Opening,
    /// Only tells what was synced.
    Mark,
}

/// A commit's header without its two checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitHeader {
    /// Whose journal it is.
    pub shard: u16,
    /// What it is for.
    pub kind: CommitKind,
    /// Rises by one at every start of the broker.
    pub generation: u64,
    /// Rises by one at every commit of the shard; the first is 1.
    pub sequence: u64,
    /// The number in the file's name.
    pub file: u32,
    /// How many entries follow.
    pub entry_count: u32,
    /// Bytes from the file's start to this header.
    pub position: u64,
    /// Header and entries, without the padding, in bytes.
    pub length: u32,
    /// The CRC of the commit before it; 0 before the first.
    pub previous_crc: u32,
    /// Every commit up to this one was known synced when this one was submitted.
    pub mark: u64,
    /// Every manifest record up to this number was known synced then.
    pub manifest_mark: u64,
    /// Drawn at random when the ring was made.
    pub journal_id: u64,
    /// When the first entry came, by the broker's wall clock in Unix milliseconds; 0 if there is
    /// none, or if version 1 of the format wrote it.
    pub begun_ms: i64,
}

/// A header that was read: what it says, and its checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadHeader {
    /// What it says.
    pub header: CommitHeader,
    /// Of the entries alone.
    pub entries_crc: u32,
    /// Of the header; the next commit carries it.
    pub crc: u32,
}

/// What stands at a place where a header could stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtBlock {
    /// Zeros, padding, the middle of a commit, or damage.
    NoHeader,
    /// A header in every respect; its entries may still be damaged.
    Header(ReadHeader),
    /// A header whose format only a newer version knows, but for what no version may move: magic,
    /// version, journal id and CRC.
    Newer {
        /// The version that it states.
        version: u16,
        /// Whose commit it is.
        journal_id: u64,
    },
}

impl CommitHeader {
    /// The header's bytes and its CRC, which is the next commit's `previous CRC`.
    pub(crate) fn encode(&self, entries_crc: u32) -> ([u8; COMMIT_HEADER_BYTES], u32) {
        let kind: u32 = match self.kind {
            CommitKind::Entries => 0,
            CommitKind::Opening => 1,
            CommitKind::Mark => 2,
        };
        let mut bytes = [0; COMMIT_HEADER_BYTES];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&MAGIC);
        put(&FORMAT_VERSION.to_le_bytes());
        put(&self.shard.to_le_bytes());
        put(&kind.to_le_bytes());
        put(&self.generation.to_le_bytes());
        put(&self.sequence.to_le_bytes());
        put(&self.file.to_le_bytes());
        put(&self.entry_count.to_le_bytes());
        put(&self.position.to_le_bytes());
        put(&self.length.to_le_bytes());
        put(&self.previous_crc.to_le_bytes());
        put(&self.mark.to_le_bytes());
        put(&self.manifest_mark.to_le_bytes());
        put(&self.journal_id.to_le_bytes());
        put(&self.begun_ms.to_le_bytes());
        put(&entries_crc.to_le_bytes());
        assert_eq!(at, CRC_AT, "the header's fields up to its CRC");
        let own_crc = crc(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&own_crc.to_le_bytes());
        (bytes, own_crc)
    }

    /// Bytes that the commit takes in its file.
    pub fn size_on_disk(&self) -> u64 {
        padded(self.length as usize) as u64
    }

    /// The place behind the commit, in bytes from the file's start.
    pub fn end(&self) -> u64 {
        self.position + self.size_on_disk()
    }
}

/// Reads what stands at the front of `bytes`.
pub(crate) fn read_header(bytes: &[u8]) -> AtBlock {
    let Some((front, _)) = bytes.split_first_chunk::<COMMIT_HEADER_BYTES>() else {
        return AtBlock::NoHeader;
    };
    if front[..8] != MAGIC || crc(&front[..CRC_AT]).to_le_bytes() != front[CRC_AT..] {
        return AtBlock::NoHeader;
    }
    let version = u16::from_le_bytes([front[8], front[9]]);
    if version > FORMAT_VERSION {
        let id = front[JOURNAL_ID_AT..].first_chunk().expect("a whole header");
        return AtBlock::Newer { version, journal_id: u64::from_le_bytes(*id) };
    }
    decode(front).map_or(AtBlock::NoHeader, AtBlock::Header)
}

fn decode(bytes: &[u8; COMMIT_HEADER_BYTES]) -> Option<ReadHeader> {
    let mut fields = Fields::new(&bytes[10..]);
    let shard = fields.u16()?;
    let kind = match fields.u32()? {
        0 => CommitKind::Entries,
        1 => CommitKind::Opening,
        2 => CommitKind::Mark,
        _ => return None,
    };
    let header = CommitHeader {
        shard,
        kind,
        generation: fields.u64()?,
        sequence: fields.u64()?,
        file: fields.u32()?,
        entry_count: fields.u32()?,
        position: fields.u64()?,
        length: fields.u32()?,
        previous_crc: fields.u32()?,
        mark: fields.u64()?,
        manifest_mark: fields.u64()?,
        journal_id: fields.u64()?,
        begun_ms: fields.i64()?,
    };
    let entry_bytes = (header.length as usize).checked_sub(COMMIT_HEADER_BYTES)?;
    let version = u16::from_le_bytes([bytes[8], bytes[9]]);
    let sound = (version >= BEGUN_SINCE || header.begun_ms == 0)
        && header.entry_count as usize <= entry_bytes / ENTRY_HEADER_BYTES
        && header.generation <= COUNT_MAX
        && (1..=COUNT_MAX).contains(&header.sequence)
        && header.manifest_mark <= COUNT_MAX
        && header.mark < header.sequence;
    let read = ReadHeader { header, entries_crc: fields.u32()?, crc: fields.u32()? };
    sound.then_some(read)
}

/// Whether the entries behind a header are the ones it was written with.
pub(crate) fn entries_are_whole(read: &ReadHeader, entries: &[u8]) -> bool {
    crc(entries) == read.entries_crc
}

/// What an entry does to its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// Appends one record batch; `offset` is its base offset.
    Batch,
    /// Cuts the log's end back to `offset`.
    Truncation,
    /// Moves the log start offset to `offset`.
    LogStart,
    /// Begins a leader epoch at `offset`.
    EpochStart,
    /// Makes the log, with `offset` as its first; the payload is its label.
    Creation,
    /// Deletes the log for ever.
    Tombstone,
}

impl EntryKind {
    fn code(self) -> u8 {
        match self {
            EntryKind::Batch => 1,
            EntryKind::Truncation => 2,
            EntryKind::LogStart => 3,
            EntryKind::EpochStart => 4,
            EntryKind::Creation => 5,
            EntryKind::Tombstone => 6,
        }
    }

    fn from_code(code: u8) -> Option<EntryKind> {
        Some(match code {
            1 => EntryKind::Batch,
            2 => EntryKind::Truncation,
            3 => EntryKind::LogStart,
            4 => EntryKind::EpochStart,
            5 => EntryKind::Creation,
            6 => EntryKind::Tombstone,
            _ => return None,
        })
    }
}

/// An entry without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryHeader {
    /// What it does.
    pub kind: EntryKind,
    /// To which log.
    pub log: LogId,
    /// The epoch of a batch or of an epoch start; else 0.
    pub leader_epoch: i32,
    /// What it means depends on the kind.
    pub offset: i64,
}

impl EntryHeader {
    /// Writes the header for a payload of that length. Panics unless `into` is 40 bytes.
    pub(crate) fn encode(&self, payload_len: usize, into: &mut [u8]) {
        assert_eq!(into.len(), ENTRY_HEADER_BYTES, "an entry's header");
        let payload_len = u32::try_from(payload_len).expect("a payload fits a journal file");
        into[..4].copy_from_slice(&[self.kind.code(), 0, 0, 0]);
        into[4..8].copy_from_slice(&payload_len.to_le_bytes());
        into[8..24].copy_from_slice(&self.log.topic_id);
        into[24..28].copy_from_slice(&self.log.partition.to_le_bytes());
        into[28..32].copy_from_slice(&self.leader_epoch.to_le_bytes());
        into[32..40].copy_from_slice(&self.offset.to_le_bytes());
    }

    fn decode(fields: &mut Fields<'_>) -> Option<(EntryHeader, usize)> {
        let kind = EntryKind::from_code(fields.u8()?)?;
        fields.zeros::<3>()?;
        let payload_len = fields.u32()? as usize;
        let log = LogId { topic_id: fields.array()?, partition: fields.u32()? };
        let leader_epoch = fields.i32()?;
        Some((EntryHeader { kind, log, leader_epoch, offset: fields.i64()? }, payload_len))
    }
}

/// The entries of a commit, in order: each header and its payload.
///
/// Returns none if the bytes are not exactly `count` entries, which in whole commits means that
/// another program wrote them.
pub(crate) fn read_entries(count: u32, bytes: &[u8]) -> Option<Vec<(EntryHeader, &[u8])>> {
    if count as usize > bytes.len() / ENTRY_HEADER_BYTES {
        return None;
    }
    let mut fields = Fields::new(bytes);
    let mut entries = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let (header, payload_len) = EntryHeader::decode(&mut fields)?;
        entries.push((header, fields.take(payload_len)?));
    }
    fields.rest().is_empty().then_some(entries)
}

#[cfg(test)]
mod tests;
