//! Walks the batches of a segment by their headers alone.

use crate::block_file::BlockFile;
use crate::segment::read::ReadError;
use record::{BatchError, BatchFacts, BatchView, HEADER_SIZE_BYTES, Offset};
use runtime::Lease;

/// How much is read to see a header: the page that holds it, which the batch's reader needs too.
const WINDOW_BYTES: u64 = 4096;
/// Where a batch holds its length, which counts the bytes behind itself.
const LENGTH_AT: usize = 8;
const LENGTH_END: usize = 12;

/// What a walk sees of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchHeader {
    pub(super) position: u64,
    pub(super) size_bytes: u64,
    pub(super) base_offset: Offset,
    pub(super) last_offset: Offset,
    pub(super) facts: BatchFacts,
}

/// Reads headers of one log file, the bytes around the last one being kept.
pub(super) struct HeaderWalk<'a> {
    log: &'a BlockFile,
    /// Behind the last batch, in bytes and as an offset.
    end: u64,
    end_offset: Offset,
    window_at: u64,
    window: Lease,
}

impl BatchHeader {
    pub(super) fn end(&self) -> u64 {
        self.position + self.size_bytes
    }
}

impl<'a> HeaderWalk<'a> {
    /// Of the log up to `end`, where the batch before `end_offset` ends.
    pub(super) fn new(log: &'a BlockFile, end: u64, end_offset: Offset) -> HeaderWalk<'a> {
        HeaderWalk { log, end, end_offset, window_at: 0, window: Lease::empty() }
    }

    /// The header at a position where a batch begins.
    pub(super) async fn at(&mut self, position: u64) -> Result<BatchHeader, ReadError> {
        if !self.holds(position) {
            let len = self.end.saturating_sub(position).min(WINDOW_BYTES);
            if len < HEADER_SIZE_BYTES as u64 {
                return Err(self.corrupt(position));
            }
            let len = usize::try_from(len).expect("a window");
            self.window = self
                .log
                .read(position, len)
                .await
                .map_err(|error| ReadError::of(self.log.path(), position, error))?;
            self.window_at = position;
        }
        let at = usize::try_from(position - self.window_at).expect("within the window");
        let header = self.window[at..].first_chunk().expect("the window holds the header");
        self.decode(position, header).ok_or_else(|| self.corrupt(position))
    }

    /// Whether the header at that position is in memory.
    pub(super) fn holds(&self, position: u64) -> bool {
        position >= self.window_at
            && position + HEADER_SIZE_BYTES as u64 <= self.window_at + self.window.len() as u64
    }

    /// The first batch from `position` on that reaches `offset`; none if the log ends before.
    pub(super) async fn first_reaching(
        &mut self,
        offset: Offset,
        mut position: u64,
    ) -> Result<Option<BatchHeader>, ReadError> {
        while position < self.end {
            let header = self.at(position).await?;
            if header.last_offset >= offset {
                return Ok(Some(header));
            }
            position = header.end();
        }
        Ok(None)
    }

    /// A header without its records is made a batch of no records, so that one piece of code
    /// knows where its fields are.
    fn decode(&self, position: u64, bytes: &[u8; HEADER_SIZE_BYTES]) -> Option<BatchHeader> {
        let size_bytes = match BatchView::parse(bytes) {
            Ok(_) => HEADER_SIZE_BYTES,
            Err(BatchError::Partial { needed_bytes, .. }) => needed_bytes,
            Err(_) => return None,
        };
        let mut alone = *bytes;
        let length = u32::try_from(HEADER_SIZE_BYTES - LENGTH_END).expect("small");
        alone[LENGTH_AT..LENGTH_END].copy_from_slice(&length.to_be_bytes());
        let (view, _) = BatchView::parse(&alone).ok()?;
        let mut facts = view.facts().ok()?;
        facts.size_bytes = size_bytes;
        let header = BatchHeader {
            position,
            size_bytes: size_bytes as u64,
            base_offset: view.base_offset(),
            last_offset: view.last_offset(),
            facts,
        };
        let fits = header.end() <= self.end
            && header.base_offset <= header.last_offset
            && header.last_offset < self.end_offset;
        fits.then_some(header)
    }

    fn corrupt(&self, position: u64) -> ReadError {
        ReadError::Corrupt { path: self.log.path().to_path_buf(), position }
    }
}
