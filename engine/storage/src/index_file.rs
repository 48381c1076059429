//! A file of fixed-size entries in rising order: appended to, and searched a piece at a time.

use crate::block::BLOCK_BYTES;
use crate::block_file::BlockFile;
use crate::file_cache::IndexPiece;
use runtime::Lease;
use std::io;

/// An index of entries of `ENTRY_BYTES` each.
///
/// It is not held in memory: a full one has 10 MiB. A search reads about nine pieces of less than
/// a block through the page cache, or none if it stays in the piece that it is given.
pub(crate) struct IndexFile<const ENTRY_BYTES: usize> {
    pub(crate) file: BlockFile,
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Floor<const ENTRY_BYTES: usize> {
    /// The last entry that was accepted; none if the first was not.
    pub(crate) entry: Option<[u8; ENTRY_BYTES]>,
    /// The piece in which it stands, if that will never change any more: for the next search.
    pub(crate) piece: Option<IndexPiece>,
}

impl<const ENTRY_BYTES: usize> IndexFile<ENTRY_BYTES> {
    /// Whole entries only, as 4,096 is no multiple of the time index's 12 bytes.
    const PIECE_BYTES: u64 = (BLOCK_BYTES / ENTRY_BYTES * ENTRY_BYTES) as u64;

    pub(crate) fn new(file: BlockFile) -> Self {
        IndexFile { file }
    }

    /// How many entries were appended, written or not.
    pub(crate) fn appended_entries(&self) -> u64 {
        self.file.appended_bytes() / ENTRY_BYTES as u64
    }

    pub(crate) fn append(&self, entry: [u8; ENTRY_BYTES]) {
        self.file.append(Lease::from(entry.to_vec()));
    }

    /// The last entry that can be read.
    pub(crate) async fn last(&self) -> io::Result<Option<[u8; ENTRY_BYTES]>> {
        let Some(position) = self.file.readable_bytes().checked_sub(ENTRY_BYTES as u64) else {
            return Ok(None);
        };
        let bytes = self.file.read(position, ENTRY_BYTES).await?;
        Ok(bytes.first_chunk().copied())
    }

    /// The last entry that `accepts`, where all entries before an accepted one are accepted too.
    pub(crate) async fn floor(
        &self,
        hint: Option<IndexPiece>,
        accepts: impl Fn(&[u8; ENTRY_BYTES]) -> bool,
    ) -> io::Result<Floor<ENTRY_BYTES>> {
        let pieces = self.file.readable_bytes().div_ceil(Self::PIECE_BYTES);
        // Invariant: `best` accepts its first entry and has the number `low - 1`; the first
        // entries of pieces from `high` on are not accepted.
        let (mut low, mut high, mut best) = (0, pieces, None);
        if let Some(piece) = hint
            && first(&piece).is_some_and(&accepts)
        {
            low = piece.position / Self::PIECE_BYTES + 1;
            if last(&piece).is_some_and(|entry| !accepts(entry)) {
                high = low;
            }
            best = Some(piece);
        }
        // A sequential reader steps into the very next piece, everybody else halves.
        let mut middle = if best.is_some() { low } else { high / 2 };
        while low < high {
            let piece = self.piece(middle).await?;
            if first(&piece).is_some_and(&accepts) {
                low = middle + 1;
                let ends_here = last(&piece).is_some_and(|entry| !accepts(entry));
                best = Some(piece);
                if ends_here {
                    break;
                }
            } else {
                high = middle;
            }
            middle = low + (high - low) / 2;
        }
        let entry = best.as_ref().and_then(|piece| {
            let entries = entries::<ENTRY_BYTES>(piece);
            entries[..entries.partition_point(&accepts)].last().copied()
        });
        let piece = best.filter(|piece| piece.bytes.len() as u64 == Self::PIECE_BYTES);
        Ok(Floor { entry, piece })
    }

    async fn piece(&self, number: u64) -> io::Result<IndexPiece> {
        let position = number * Self::PIECE_BYTES;
        let len = Self::PIECE_BYTES.min(self.file.readable_bytes() - position);
        let len = usize::try_from(len).expect("less than a block");
        Ok(IndexPiece { position, bytes: self.file.read(position, len).await? })
    }
}

fn entries<const ENTRY_BYTES: usize>(piece: &IndexPiece) -> &[[u8; ENTRY_BYTES]] {
    piece.bytes.as_chunks().0
}

fn first<const ENTRY_BYTES: usize>(piece: &IndexPiece) -> Option<&[u8; ENTRY_BYTES]> {
    entries(piece).first()
}

fn last<const ENTRY_BYTES: usize>(piece: &IndexPiece) -> Option<&[u8; ENTRY_BYTES]> {
    entries(piece).last()
}
