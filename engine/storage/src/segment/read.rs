//! From an offset and a number of bytes to places: what a fetch sends of a segment.

use crate::file_cache::{Cursor, IndexPiece};
use crate::segment::batch_header::{BatchHeader, HeaderWalk};
use crate::segment::{Readable, Segment};
use record::{BatchFacts, BatchView, Offset};
use runtime::{Lease, SharedFile};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What to read.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest {
    /// The read begins with the batch that contains this offset, or with the next one if
    /// compaction has removed that.
    pub from: Offset,
    /// No batch that reaches this offset is read: the high watermark, the last stable offset, or
    /// the end.
    pub bound: Offset,
    /// How much at most.
    pub max_bytes: u32,
    /// What counts more than `max_bytes`.
    pub at_least: AtLeast,
}

/// How a first batch that is larger than the read may be is dealt with (KIP-74).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtLeast {
    /// It is not read.
    Nothing,
    /// It is read, whole, and nothing else.
    OneBatch,
}

/// Where the bytes of a read are: whole batches, one after the other.
#[derive(Clone, Default)]
pub struct ReadPlan {
    /// The bytes in their order; none if nothing was found.
    pub parts: Vec<ReadPart>,
    /// All of them.
    pub size_bytes: u64,
    /// Behind the last batch, which is where the next read will begin.
    pub next_offset: Option<Offset>,
}

/// A stretch of bytes.
#[derive(Clone)]
pub enum ReadPart {
    /// In memory.
    Memory(Lease),
    /// On the disk, in a file that stays open and readable as long as this is held.
    File {
        /// The file.
        file: SharedFile,
        /// Where in it.
        position: u64,
        /// How many bytes.
        len: u64,
    },
}

/// Why a segment cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// What stands there is not the batch that must be there: rot.
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in it.
        position: u64,
    },
    /// The disk refuses the read.
    Io {
        /// The file.
        path: PathBuf,
        /// Where in it.
        position: u64,
        /// Why.
        error: io::Error,
    },
}

/// Where a read begins and ends.
struct Range {
    start: u64,
    end: u64,
    next_offset: Offset,
    index_piece: Option<IndexPiece>,
}

impl Segment {
    /// Plans a read. A reader that goes on where its last read ended finds its place without a
    /// search. Nothing is found if the segment ends before `from`, the bound comes first, or the
    /// first batch is too large.
    pub async fn read(&self, request: ReadRequest) -> Result<ReadPlan, ReadError> {
        let Some(range) = self.find_range(request).await? else { return Ok(ReadPlan::default()) };
        let Range { start, end, next_offset, index_piece } = range;
        if next_offset > request.bound {
            // The end was found by the index, and batches at the bound may not be acknowledged yet.
            let path = self.offset_index.file().path().to_path_buf();
            return Err(ReadError::Corrupt { path, position: 0 });
        }
        let len = end - start;
        let mut parts = Vec::with_capacity(2);
        let (on_disk, in_memory) = self.log.split(start, len);
        if on_disk > 0 {
            let file = self.log.open_for_reading().await.map_err(|error| self.io(start, error))?;
            parts.push(ReadPart::File { file: file.share(), position: start, len: on_disk });
        }
        parts.extend(in_memory.map(ReadPart::Memory));
        let cursor = Cursor { position: end, index_piece };
        self.files.put_cursor(self.log.id(), next_offset, cursor);
        Ok(ReadPlan { parts, size_bytes: len, next_offset: Some(next_offset) })
    }

    /// What the header of the batch that begins at `base_offset` says; none if it is not here.
    pub async fn batch_facts(&self, base_offset: Offset) -> Result<Option<BatchFacts>, ReadError> {
        let position = self.position_floor(base_offset).await?;
        let found = self.walk().first_reaching(base_offset, position).await?;
        let found = found.filter(|header| header.base_offset == base_offset);
        Ok(found.map(|header| header.facts))
    }

    /// A walk over what can be read at this moment.
    pub(super) fn walk(&self) -> HeaderWalk<'_> {
        let Readable { end_offset, log_bytes } = self.readable.get();
        HeaderWalk::new(&self.log, log_bytes, end_offset)
    }

    /// A batch's beginning at or before the batch that contains `offset`.
    pub(super) async fn position_floor(&self, offset: Offset) -> Result<u64, ReadError> {
        let entry = self
            .offset_index
            .floor(offset)
            .await
            .map_err(|error| ReadError::of(self.offset_index.file().path(), 0, error))?;
        Ok(entry.map_or(0, |entry| entry.position))
    }

    /// Reads a whole batch.
    pub(super) async fn checked_batch(&self, header: &BatchHeader) -> Result<Lease, ReadError> {
        let BatchHeader { position, facts, .. } = header;
        let bytes = self
            .log
            .read(*position, facts.size_bytes)
            .await
            .map_err(|error| self.io(*position, error))?;
        match BatchView::parse(&bytes) {
            Ok((view, _)) if view.validate_crc().is_ok() => Ok(bytes),
            _ => Err(ReadError::Corrupt { path: self.log_path(), position: *position }),
        }
    }

    async fn find_range(&self, request: ReadRequest) -> Result<Option<Range>, ReadError> {
        let ReadRequest { from, bound, max_bytes, at_least } = request;
        // Taken once: a write that goes through meanwhile must not move one and not the other.
        let Readable { end_offset, log_bytes: readable } = self.readable.get();
        if from >= bound.min(end_offset) {
            return Ok(None);
        }
        let mut walk = HeaderWalk::new(&self.log, readable, end_offset);
        let cursor = self.files.take_cursor(self.log.id(), from);
        let (start, hint) = match cursor {
            Some(Cursor { position, index_piece }) => (position, index_piece),
            None => (self.position_floor(from).await?, None),
        };
        let Some(first) = walk.first_reaching(from, start).await? else { return Ok(None) };
        if first.last_offset >= bound {
            return Ok(None);
        }
        let end_max = if bound >= end_offset {
            readable
        } else {
            self.position_of(bound).await?.unwrap_or(readable)
        };
        let wanted = end_max.min(first.position + u64::from(max_bytes));
        if first.end() > wanted && at_least == AtLeast::Nothing {
            return Ok(None);
        }
        if first.end() >= wanted {
            let (start, end, next_offset) =
                (first.position, first.end(), first.last_offset.plus(1));
            return Ok(Some(Range { start, end, next_offset, index_piece: hint }));
        }
        if wanted == readable {
            let (start, next_offset) = (first.position, end_offset);
            return Ok(Some(Range { start, end: readable, next_offset, index_piece: None }));
        }
        self.find_end(walk, first, wanted, hint).await.map(Some)
    }

    /// The last end of a batch that is cheap to find at or before `wanted`, which is behind the
    /// end of `first`.
    async fn find_end(
        &self,
        mut walk: HeaderWalk<'_>,
        first: BatchHeader,
        wanted: u64,
        hint: Option<IndexPiece>,
    ) -> Result<Range, ReadError> {
        let (entry, index_piece) = self
            .offset_index
            .floor_by_position(wanted, hint)
            .await
            .map_err(|error| ReadError::of(self.offset_index.file().path(), 0, error))?;
        let mut last = first;
        if let Some(entry) = entry
            && entry.position >= first.end()
            && entry.position < wanted
        {
            // One batch more is not worth a second read: whoever wants a megabyte gets 4 KiB less.
            let header = walk.at(entry.position).await?;
            if header.end() > wanted {
                let (start, end) = (first.position, header.position);
                return Ok(Range { start, end, next_offset: header.base_offset, index_piece });
            }
            last = header;
        }
        while walk.holds(last.end()) {
            let next = walk.at(last.end()).await?;
            if next.end() > wanted {
                break;
            }
            last = next;
        }
        let (start, end, next_offset) = (first.position, last.end(), last.last_offset.plus(1));
        Ok(Range { start, end, next_offset, index_piece })
    }

    /// Where the batch begins that contains `offset` or is the first behind it.
    async fn position_of(&self, offset: Offset) -> Result<Option<u64>, ReadError> {
        let start = self.position_floor(offset).await?;
        let header = self.walk().first_reaching(offset, start).await?;
        Ok(header.map(|header| header.position))
    }

    fn io(&self, position: u64, error: io::Error) -> ReadError {
        ReadError::of(self.log.path(), position, error)
    }
}

impl ReadError {
    /// The file that can't be read.
    pub fn path(&self) -> &Path {
        match self {
            ReadError::Corrupt { path, .. } | ReadError::Io { path, .. } => path,
        }
    }

    /// A file that is shorter than the manifest says has rotted; the rest is the disk's refusal.
    pub(super) fn of(path: &Path, position: u64, error: io::Error) -> ReadError {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound => {
                ReadError::Corrupt { path, position }
            }
            _ => ReadError::Io { path, position, error },
        }
    }
}

impl fmt::Debug for ReadPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadPart::Memory(bytes) => write!(f, "{} bytes in memory", bytes.len()),
            ReadPart::File { position, len, .. } => write!(f, "{len} bytes at {position}"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Corrupt { path, position } => write!(
                f,
                "{} does not hold at {position} what was written there: restore the \
                 partition's folder from a copy; `ringmain log dump` shows what can be read",
                path.display()
            ),
            ReadError::Io { path, position, error } => write!(
                f,
                "reading {} at {position} failed: {error}; check the disk",
                path.display()
            ),
        }
    }
}

impl std::error::Error for ReadError {}
