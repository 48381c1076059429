//! Shows a segment's `.log`: Ringmain's or Apache Kafka's.

use super::Depth;
use super::batch;
use super::data_folder::{self, DataFolders, Extent};
use super::paths;
use super::pieces::Pieces;
use super::report::{Line, Report, Stop};
use record::{BatchError, BatchView, HEADER_SIZE_BYTES, Offset};
use std::io::{self, Write};
use std::path::Path;
use storage::inspect::BLOCK_BYTES;

/// The last byte of a batch's header that tells its format.
const MAGIC_FORMATS_BEFORE: [i8; 2] = [0, 1];

/// Every batch, and what stands behind the last one.
pub(super) fn dump<W: Write>(
    path: &Path,
    file: &mut Pieces,
    depth: Depth,
    folders: &mut DataFolders,
    report: &mut Report<W>,
) -> Result<(), Stop> {
    let extent = match folders.segment(path) {
        Some(state) => {
            report.line(data_folder::apply(file, state.stage, &state.log))?;
            Extent::Settled
        }
        None => Extent::Unknown,
    };
    let next_offset = paths::base_offset(path);
    let mut walk = Walk { position: 0, next_offset, batches: 0, extent, zeros_from: None };
    while walk.position < file.size_bytes() && walk.step(file, depth, report)? == Next::Batch {}
    let line = Line::new("end").at(walk.position).field("batches", walk.batches);
    Ok(report.line(line)?)
}

/// Where a walk over the batches is.
struct Walk {
    position: u64,
    /// What the next batch may begin with at the least; none if the file's name does not tell.
    next_offset: Option<Offset>,
    batches: u64,
    extent: Extent,
    /// Once looked for: from that block on there are only zeros.
    zeros_from: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Batch,
    Nothing,
}

impl Walk {
    fn step<W: Write>(
        &mut self,
        file: &mut Pieces,
        depth: Depth,
        report: &mut Report<W>,
    ) -> Result<Next, Stop> {
        let position = self.position;
        let left = file.size_bytes() - position;
        let size_bytes = match batch::frame_at(file, position).map_err(Stop::Read)? {
            Ok(frame) if frame.size_bytes <= left => frame.size_bytes,
            Ok(frame) => return self.partial(file, frame.size_bytes, report),
            Err(BatchError::UnsupportedMagic { magic })
                if MAGIC_FORMATS_BEFORE.contains(&magic) && !self.is_zero(file)? =>
            {
                let why = format!("message format {magic} at {position}: use Kafka's own tools");
                report.unreadable(&why)?;
                return Ok(Next::Nothing);
            }
            Err(error) => return self.no_batch(file, &error, report),
        };
        // The read is bounded by the file's own bytes; see `left`.
        let bytes = file.at(position, size_bytes).map_err(Stop::Read)?;
        let Ok((batch, _)) = BatchView::parse(bytes) else {
            let fault = format!("{} of {size_bytes} bytes could be read", bytes.len());
            report.line(Line::new("batch").at(position).fault(Some(fault)))?;
            return Ok(Next::Nothing);
        };
        if batch.validate_crc().is_err() && self.is_cut(file, size_bytes)? {
            return self.partial(file, size_bytes, report);
        }
        // Borrowed anew, for the look at the file's end may have moved the window.
        let bytes = file.at(position, size_bytes).map_err(Stop::Read)?;
        let Ok((batch, _)) = BatchView::parse(bytes) else { return Ok(Next::Nothing) };
        report.line(batch::line(position, &batch).fault(self.order_fault(&batch)))?;
        batch::dump_records(&batch, depth, report)?;
        self.batches += 1;
        self.next_offset = Some(batch.last_offset().plus(1));
        self.position += size_bytes;
        Ok(Next::Batch)
    }

    fn order_fault(&self, batch: &BatchView<'_>) -> Option<String> {
        let least = self.next_offset.filter(|least| batch.base_offset() < *least)?;
        Some(format!("its base offset is below {least}, where the bytes before it end"))
    }

    /// The file ends before the batch does.
    fn partial<W: Write>(
        &mut self,
        file: &mut Pieces,
        size_bytes: u64,
        report: &mut Report<W>,
    ) -> Result<Next, Stop> {
        let left = file.size_bytes() - self.position;
        let line = Line::new("part").at(self.position).field("of_bytes", size_bytes);
        let line = if self.is_cut(file, size_bytes)? {
            line.field("note", "the rest is not here: settled blocks only, zeros behind")
        } else {
            line.fault(Some(format!("a batch of {size_bytes} bytes, of which {left} are left")))
        };
        report.line(line)?;
        Ok(Next::Nothing)
    }

    /// What stands there does not begin a batch: zeros, the first bytes of one, or damage.
    fn no_batch<W: Write>(
        &mut self,
        file: &mut Pieces,
        error: &BatchError,
        report: &mut Report<W>,
    ) -> Result<Next, Stop> {
        if self.is_zero(file)? {
            let bytes = file.size_bytes() - self.position;
            let line = Line::new("zeros").at(self.position).field("bytes", bytes);
            let settled = "the manifest says that batches stand here".to_owned();
            report.line(line.fault((self.extent == Extent::Settled).then_some(settled)))?;
        } else if self.is_cut(file, HEADER_SIZE_BYTES as u64)? {
            return self.partial(file, HEADER_SIZE_BYTES as u64, report);
        } else {
            let left = file.size_bytes() - self.position;
            let fault = format!("{}; the last {left} bytes are not shown", batch::damage(error));
            report.line(Line::new("batch").at(self.position).fault(Some(fault)))?;
        }
        Ok(Next::Nothing)
    }

    fn is_zero(&mut self, file: &mut Pieces) -> Result<bool, Stop> {
        Ok(file.first_nonzero(self.position).map_err(Stop::Read)?.is_none())
    }

    /// Whether bytes from here on end at a block with nothing but zeros, or nothing, behind it. A
    /// segment that still grows has its whole blocks in the file, and their rest elsewhere.
    fn is_cut(&mut self, file: &mut Pieces, size_bytes: u64) -> Result<bool, Stop> {
        if self.extent == Extent::Settled {
            return Ok(false);
        }
        let zeros_from = match self.zeros_from {
            Some(at) => at,
            None => zeros_from(file, self.position).map_err(Stop::Read)?,
        };
        self.zeros_from = Some(zeros_from);
        Ok((self.position + 1..self.position + size_bytes).contains(&zeros_from)
            && zeros_from <= file.size_bytes())
    }
}

/// The first block boundary, at or behind `position`, from which on there are only zeros. It lies
/// behind the end if the last block is not a whole one.
pub(super) fn zeros_from(file: &mut Pieces, position: u64) -> io::Result<u64> {
    let block = BLOCK_BYTES as u64;
    let mut end = position;
    while let Some(at) = file.first_nonzero(end)? {
        end = (at + 1).next_multiple_of(block);
    }
    Ok(end.next_multiple_of(block))
}
