//! A segment's `.index`: where in the log a batch stands, for about every 4 KiB of it.

use crate::block_file::BlockFile;
use crate::file_cache::IndexPiece;
use crate::index_file::IndexFile;
use record::Offset;
use std::io;

/// ```text
/// 0  4  relative offset: of the batch's last record, counted from the segment's base offset
/// 4  4  position in the log at which the batch begins
/// ```
/// Both big endian, i32: Kafka's format.
const ENTRY_BYTES: usize = 8;

/// The offset index of one segment.
pub(crate) struct OffsetIndex {
    base_offset: Offset,
    entries: IndexFile<ENTRY_BYTES>,
}

/// An entry of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    /// The last offset of a batch.
    pub(crate) last_offset: Offset,
    /// Where that batch begins.
    pub(crate) position: u64,
}

impl OffsetIndex {
    pub(crate) fn new(base_offset: Offset, file: BlockFile) -> OffsetIndex {
        OffsetIndex { base_offset, entries: IndexFile::new(file) }
    }

    pub(crate) fn file(&self) -> &BlockFile {
        &self.entries.file
    }

    /// How large it is, in bytes, with what is not written yet.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.entries.file.appended_bytes()
    }

    /// Adds an entry behind the last one, which it is above in both fields.
    pub(crate) fn append(&self, entry: OffsetEntry) {
        let relative = i32::try_from(entry.last_offset.0 - self.base_offset.0)
            .expect("a segment rolls before an offset leaves an i32");
        let position =
            i32::try_from(entry.position).expect("a segment rolls before its size leaves an i32");
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..4].copy_from_slice(&relative.to_be_bytes());
        bytes[4..].copy_from_slice(&position.to_be_bytes());
        self.entries.append(bytes);
    }

    /// The last entry at or below `offset`. The batch that contains `offset` begins there or
    /// behind; at the segment's start if there is none.
    pub(crate) async fn floor(&self, offset: Offset) -> io::Result<Option<OffsetEntry>> {
        let floor =
            self.entries.floor(None, |entry| self.decode(entry).last_offset <= offset).await?;
        Ok(floor.entry.map(|entry| self.decode(&entry)))
    }

    /// The last entry whose batch begins at or before `position`, and the piece to pass on to the
    /// next search in the neighbourhood.
    pub(crate) async fn floor_by_position(
        &self,
        position: u64,
        hint: Option<IndexPiece>,
    ) -> io::Result<(Option<OffsetEntry>, Option<IndexPiece>)> {
        let floor =
            self.entries.floor(hint, |entry| self.decode(entry).position <= position).await?;
        Ok((floor.entry.map(|entry| self.decode(&entry)), floor.piece))
    }

    fn decode(&self, bytes: &[u8; ENTRY_BYTES]) -> OffsetEntry {
        let [a, b, c, d, e, f, g, h] = *bytes;
        OffsetEntry {
            last_offset: self.base_offset.plus(i32::from_be_bytes([a, b, c, d])),
            // A damaged, negative one becomes far too large and is found out by its reader.
            position: u64::from(u32::from_be_bytes([e, f, g, h])),
        }
    }
}
