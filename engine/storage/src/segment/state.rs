//! What the manifest keeps of one segment: all that a start needs in order to go on writing it.

use crate::block::BLOCK_BYTES;
use crate::block_file::FileState;
use crate::fields::Fields;
use record::{Offset, Timestamp};
use runtime::Lease;
use std::fmt;

/// An encoded segment without its files, and a file without its remainder.
const SEGMENT_SIZE_BYTES: usize = 48;
const FILE_STATE_SIZE_BYTES: usize = 12;

/// Whether a segment still grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Batches are appended to it.
    Active,
    /// It has its final size, and nothing in it changes any more.
    Sealed,
}

/// One segment: the body of the manifest's entry kind 2.
///
/// ```text
/// base offset i64 · end offset i64 · sealed u8 · zero u8×3 · bytes since index entry u32 ·
/// first timestamp i64 · max timestamp i64 · offset of max timestamp i64 ·
/// for .log, .index, .timeindex: size on disk u64 · remainder length u32 · remainder
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentState {
    /// The offset that its files are named after.
    pub base_offset: Offset,
    /// The offset behind its last batch.
    pub end_offset: Offset,
    /// Whether it still grows.
    pub stage: Stage,
    /// Bytes of the log behind the batch that the last index entry was made for.
    pub bytes_since_index_entry: u32,
    /// The max timestamp of its first batch; -1 before there is one, or if that has none.
    pub first_timestamp: Timestamp,
    /// The largest timestamp; -1 if there is none.
    pub max_timestamp: Timestamp,
    /// The last offset of the first batch that has it.
    pub max_timestamp_offset: Offset,
    /// `.log`
    pub log: FileState,
    /// `.index`
    pub offset_index: FileState,
    /// `.timeindex`
    pub time_index: FileState,
}

impl FileState {
    fn encode(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.remainder.len()).expect("less than a block");
        out.extend(self.size_bytes.to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend_from_slice(&self.remainder);
    }

    fn decode(reader: &mut Fields<'_>, stage: Stage) -> Option<FileState> {
        let size_bytes = reader.u64()?;
        let remainder = {
            let length = usize::try_from(reader.u32()?).ok()?;
            reader.take(length)?
        };
        let is_sound = match stage {
            Stage::Active => {
                size_bytes.is_multiple_of(BLOCK_BYTES as u64) && remainder.len() < BLOCK_BYTES
            }
            Stage::Sealed => remainder.is_empty(),
        };
        // A position in a segment is an i32, as its index holds it.
        (is_sound && size_bytes <= u64::from(i32::MAX.cast_unsigned()))
            .then(|| FileState { size_bytes, remainder: Lease::from(remainder) })
    }
}

impl SegmentState {
    /// A segment without batches.
    pub fn empty(base_offset: Offset) -> SegmentState {
        SegmentState {
            base_offset,
            end_offset: base_offset,
            stage: Stage::Active,
            bytes_since_index_entry: 0,
            first_timestamp: Timestamp::NONE,
            max_timestamp: Timestamp::NONE,
            max_timestamp_offset: base_offset,
            log: FileState::empty(),
            offset_index: FileState::empty(),
            time_index: FileState::empty(),
        }
    }

    /// Appends the entry's body to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.base_offset.0.to_le_bytes());
        out.extend(self.end_offset.0.to_le_bytes());
        out.push(u8::from(self.stage == Stage::Sealed));
        out.extend([0; 3]);
        out.extend(self.bytes_since_index_entry.to_le_bytes());
        out.extend(self.first_timestamp.0.to_le_bytes());
        out.extend(self.max_timestamp.0.to_le_bytes());
        out.extend(self.max_timestamp_offset.0.to_le_bytes());
        for file in [&self.log, &self.offset_index, &self.time_index] {
            file.encode(out);
        }
    }

    /// How many bytes [`SegmentState::encode`] appends.
    pub(crate) fn encoded_bytes(&self) -> usize {
        let remainders = [&self.log, &self.offset_index, &self.time_index]
            .map(|file| FILE_STATE_SIZE_BYTES + file.remainder.len());
        SEGMENT_SIZE_BYTES + remainders.iter().sum::<usize>()
    }

    /// Reads the entry's body; None if it is not one that [`SegmentState::encode`] writes.
    pub(crate) fn decode(reader: &mut Fields<'_>) -> Option<SegmentState> {
        let base_offset = Offset(reader.i64()?);
        let end_offset = Offset(reader.i64()?);
        let stage = match reader.u8()? {
            0 => Stage::Active,
            1 => Stage::Sealed,
            _ => return None,
        };
        reader.zeros::<3>()?;
        let state = SegmentState {
            base_offset,
            end_offset,
            stage,
            bytes_since_index_entry: reader.u32()?,
            first_timestamp: Timestamp(reader.i64()?),
            max_timestamp: Timestamp(reader.i64()?),
            max_timestamp_offset: Offset(reader.i64()?),
            log: FileState::decode(reader, stage)?,
            offset_index: FileState::decode(reader, stage)?,
            time_index: FileState::decode(reader, stage)?,
        };
        let is_sound = Offset(0) <= base_offset
            && base_offset <= end_offset
            && (base_offset == end_offset) == (state.log.total_bytes() == 0)
            && state.has_offsets_of_an_index();
        is_sound.then_some(state)
    }

    /// An index holds an offset as an i32 above the base offset.
    fn has_offsets_of_an_index(&self) -> bool {
        let last_offset = self.end_offset.plus(-1).max(self.base_offset);
        (self.base_offset..=last_offset).contains(&self.max_timestamp_offset)
            && last_offset.0 - self.base_offset.0 <= i64::from(i32::MAX)
    }
}

impl PartialEq for FileState {
    fn eq(&self, other: &FileState) -> bool {
        self.size_bytes == other.size_bytes && *self.remainder == *other.remainder
    }
}

impl Eq for FileState {}

impl fmt::Debug for FileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} + {} bytes", self.size_bytes, self.remainder.len())
    }
}
