//! Shows a segment's `.index` and `.timeindex`, held against the `.log` beside them.

use super::batch::{self, BatchFrame};
use super::data_folder::{self, DataFolders, Extent};
use super::paths;
use super::pieces::Pieces;
use super::report::{Line, Report, Stop};
use super::segment::zeros_from;
use super::text;
use record::{Offset, Timestamp};
use std::io::{self, Write};
use std::path::Path;
use storage::SegmentState;
use storage::inspect::{OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES, offset_entry, time_entry};

/// What an entry says of the log is ...
enum Fit {
    Right,
    Wrong(String),
    /// The log is not here, or not as far.
    NotChecked,
}

impl Fit {
    fn on(self, line: Line) -> Line {
        match self {
            Fit::Right => line.field("fits", "yes"),
            Fit::NotChecked => line.field("fits", "not checked"),
            Fit::Wrong(why) => line.field("fits", "no").fault(Some(why)),
        }
    }
}

/// Every entry of a `.index`.
pub(super) fn dump_offsets<W: Write>(
    path: &Path,
    file: &mut Pieces,
    folders: &mut DataFolders,
    report: &mut Report<W>,
) -> Result<(), Stop> {
    let Some(base_offset) = paths::base_offset(path) else { return nameless(report) };
    let state = folders.segment(path);
    let extent = settle(file, state.as_ref().map(|s| (s, &s.offset_index)), report)?;
    let mut log = Log::beside(path, state.as_ref()).map_err(Stop::Read)?;
    let mut last = None;
    entries::<OFFSET_ENTRY_BYTES, W>(file, extent, report, |position, bytes| {
        let (offset, log_position) = offset_entry(base_offset, bytes);
        let line = Line::new("entry").at(position).field("offset", offset.0);
        let line = line.field("log_position", log_position);
        let rises = last.is_none_or(|(o, p)| o < offset && p < log_position);
        last = Some((offset, log_position));
        let line = log.fit_offset(offset, log_position).map_err(Stop::Read)?.on(line);
        let fault = (!rises || log_position < 0 || offset < base_offset)
            .then(|| "it does not lie above the entry before it".to_owned());
        Ok(line.fault(fault))
    })
}

/// Every entry of a `.timeindex`.
pub(super) fn dump_times<W: Write>(
    path: &Path,
    file: &mut Pieces,
    folders: &mut DataFolders,
    report: &mut Report<W>,
) -> Result<(), Stop> {
    let Some(base_offset) = paths::base_offset(path) else { return nameless(report) };
    let state = folders.segment(path);
    let extent = settle(file, state.as_ref().map(|s| (s, &s.time_index)), report)?;
    let mut log = Log::beside(path, state.as_ref()).map_err(Stop::Read)?;
    let mut last = None;
    entries::<TIME_ENTRY_BYTES, W>(file, extent, report, |position, bytes| {
        let (timestamp, offset) = time_entry(base_offset, bytes);
        let line = Line::new("entry").at(position);
        let line = line.shown("timestamp", timestamp.0, text::time(timestamp));
        let line = line.field("offset", offset.0);
        let rises = last.is_none_or(|(t, o)| t < timestamp && o <= offset);
        last = Some((timestamp, offset));
        let line = log.fit_time(timestamp, offset).map_err(Stop::Read)?.on(line);
        let fault = (!rises || offset < base_offset)
            .then(|| "it does not lie above the entry before it".to_owned());
        Ok(line.fault(fault))
    })
}

fn nameless<W: Write>(report: &mut Report<W>) -> Result<(), Stop> {
    Ok(report.unreadable("its name must be 20 digits, the segment's base offset: rename it")?)
}

/// Makes the index what the manifest says that it is, if one does.
fn settle<W: Write>(
    file: &mut Pieces,
    state: Option<(&SegmentState, &storage::FileState)>,
    report: &mut Report<W>,
) -> Result<Extent, Stop> {
    let Some((segment, state)) = state else { return Ok(Extent::Unknown) };
    report.line(data_folder::apply(file, segment.stage, state))?;
    Ok(Extent::Settled)
}

/// Makes a line of each entry up to the zeros that Kafka and Ringmain leave behind the last one.
fn entries<const SIZE: usize, W: Write>(
    file: &mut Pieces,
    extent: Extent,
    report: &mut Report<W>,
    mut line: impl FnMut(u64, &[u8; SIZE]) -> Result<Line, Stop>,
) -> Result<(), Stop> {
    let (size, end) = (SIZE as u64, file.size_bytes());
    let blocks_end = match extent {
        Extent::Settled => end,
        Extent::Unknown => zeros_from(file, 0).map_err(Stop::Read)?,
    };
    let (mut position, mut count) = (0, 0_u64);
    while position < end {
        let bytes = file.at(position, size).map_err(Stop::Read)?;
        let entry = bytes.first_chunk::<SIZE>().copied();
        let behind = end - position;
        if entry.is_none_or(|entry| entry == [0; SIZE])
            && file.first_nonzero(position).map_err(Stop::Read)?.is_none()
        {
            let zeros = Line::new("zeros").at(position).field("bytes", behind);
            let settled = "the manifest says that entries stand here".to_owned();
            report.line(zeros.fault((extent == Extent::Settled).then_some(settled)))?;
            break;
        }
        let is_cut = extent == Extent::Unknown
            && (position + 1..position + size).contains(&blocks_end)
            && blocks_end <= end;
        match entry {
            _ if is_cut => {
                let note = "the rest is not here: settled blocks only, zeros behind";
                report.line(Line::new("part").at(position).field("note", note))?;
                break;
            }
            Some(entry) => report.line(line(position, &entry)?)?,
            None => {
                let fault = format!("{behind} bytes are no entry");
                report.line(Line::new("part").at(position).fault(Some(fault)))?;
                break;
            }
        }
        position += size;
        count += 1;
    }
    Ok(report.line(Line::new("end").at(position).field("entries", count))?)
}

/// The `.log` beside an index, walked once from front to back.
struct Log(Option<Walk>);

struct Walk {
    file: Pieces,
    extent: Extent,
    /// Where the next batch of the walk begins.
    position: u64,
    /// The batch before that.
    current: Option<BatchFrame>,
}

impl Log {
    fn beside(path: &Path, state: Option<&SegmentState>) -> io::Result<Log> {
        let path = path.with_extension("log");
        if !path.exists() {
            return Ok(Log(None));
        }
        let mut file = Pieces::open(&path)?;
        let extent = match state {
            Some(state) if file.size_bytes() >= state.log.size_bytes => {
                file.set_remainder(state.log.size_bytes, &state.log.remainder);
                Extent::Settled
            }
            _ => {
                let end = zeros_from(&mut file, 0)?;
                file.cut(end);
                Extent::Unknown
            }
        };
        Ok(Log(Some(Walk { file, extent, position: 0, current: None })))
    }

    /// At that position a batch with that last offset must begin.
    fn fit_offset(&mut self, offset: Offset, position: i32) -> io::Result<Fit> {
        let Some(walk) = &mut self.0 else { return Ok(Fit::NotChecked) };
        let Ok(position) = u64::try_from(position) else {
            return Ok(Fit::Wrong("a position cannot be negative".to_owned()));
        };
        if position >= walk.file.size_bytes() {
            return Ok(walk.beyond());
        }
        Ok(match batch::frame_at(&mut walk.file, position)? {
            Ok(frame) if frame.last_offset == offset => Fit::Right,
            Ok(frame) => {
                Fit::Wrong(format!("the batch there ends with offset {}", frame.last_offset))
            }
            Err(_) if walk.is_near_end(position) => Fit::NotChecked,
            Err(error) => Fit::Wrong(format!("no batch begins there: {error}")),
        })
    }

    /// The batch with that offset must have that timestamp as its largest.
    fn fit_time(&mut self, timestamp: Timestamp, offset: Offset) -> io::Result<Fit> {
        let Some(walk) = &mut self.0 else { return Ok(Fit::NotChecked) };
        while walk.current.is_none_or(|frame| frame.last_offset < offset) {
            if walk.position >= walk.file.size_bytes() {
                return Ok(walk.beyond());
            }
            match batch::frame_at(&mut walk.file, walk.position)? {
                Ok(frame) => {
                    walk.position += frame.size_bytes;
                    walk.current = Some(frame);
                }
                Err(_) if walk.is_near_end(walk.position) => return Ok(Fit::NotChecked),
                Err(_) => return Ok(Fit::Wrong("the log is damaged before it".to_owned())),
            }
        }
        Ok(match walk.current {
            Some(frame) if frame.base_offset > offset => {
                Fit::Wrong(format!("the log has no offset {offset}"))
            }
            Some(frame) if frame.max_timestamp != timestamp => Fit::Wrong(format!(
                "the largest timestamp of the batch with that offset is {}",
                text::time(frame.max_timestamp)
            )),
            _ => Fit::Right,
        })
    }
}

impl Walk {
    /// What lies behind the log's end is wrong, unless the end is elsewhere.
    fn beyond(&self) -> Fit {
        match self.extent {
            Extent::Settled => Fit::Wrong("the log ends before it".to_owned()),
            Extent::Unknown => Fit::NotChecked,
        }
    }

    /// Whether a header that begins there may be cut by the last whole block.
    fn is_near_end(&self, position: u64) -> bool {
        let left = self.file.size_bytes().saturating_sub(position);
        self.extent == Extent::Unknown && left < record::HEADER_SIZE_BYTES as u64
    }
}
