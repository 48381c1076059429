//! Shows a shard's manifest: every record, every entry.

use super::pieces::Pieces;
use super::report::{Line, Report, Stop};
use super::text;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use storage::inspect::manifest::{record_entries, record_size_bytes};
use storage::inspect::{BLOCK_BYTES, manifest_file_number};
use storage::{
    AtRecord, Change, FileState, ManifestEntry, RecordHeader, SegmentState, Stage, Table,
};

/// A header is in the first bytes of a block.
const HEADER_BYTES: u64 = 96;

/// Where the records end.
#[derive(Clone, Copy, Debug)]
pub(super) struct ManifestEnd {
    position: u64,
    /// The last whole record.
    pub(super) last: Option<RecordHeader>,
    pub(super) follows: Follows,
}

/// What stands behind the last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    Nothing,
    Zeros,
    /// A write that was cut short.
    Torn,
    /// A record that was synced is not whole.
    Rot,
    Newer(u16),
}

/// Every record and entry of the file.
pub(super) fn dump<W: Write>(
    path: &Path,
    file: &mut Pieces,
    report: &mut Report<W>,
) -> Result<(), Stop> {
    let mut table = Table::default();
    let end = walk(file, file_number(path), |header, entries| {
        report.line(record_line(header))?;
        for entry in entries {
            let line = entry_line(&entry);
            let unknown = table.apply(entry).err();
            let fault = unknown.map(|u| format!("log {} was never introduced", u.log));
            report.line(line.fault(fault))?;
        }
        Ok(())
    })?;
    if let Follows::Newer(version) = end.follows {
        let why = format!("format version {version}: use the newer ringmain that wrote it");
        return Ok(report.unreadable(&why)?);
    }
    let (follows, fault) = match end.follows {
        Follows::Nothing | Follows::Newer(_) => ("nothing", None),
        Follows::Zeros => ("zeros", None),
        Follows::Torn => ("a torn record", None),
        Follows::Rot if end.position == 0 => ("rot", Some("the first record is not whole")),
        Follows::Rot => ("rot", Some("a record is not whole, though later ones were written")),
    };
    let segments: usize = table.logs().values().map(|log| log.segments.len()).sum();
    let line = Line::new("end")
        .at(end.position)
        .field("follows", follows)
        .field("logs", table.logs().len())
        .field("segments", segments);
    Ok(report.line(line.fault(fault.map(str::to_owned)))?)
}

/// Calls `visit` with every record up to the end, its entries being whole.
pub(super) fn walk(
    file: &mut Pieces,
    number: Option<u64>,
    mut visit: impl FnMut(&RecordHeader, Vec<ManifestEntry>) -> Result<(), Stop>,
) -> Result<ManifestEnd, Stop> {
    let (mut position, mut previous_crc, mut last) = (0, 0, None::<RecordHeader>);
    let newer = loop {
        match RecordHeader::at(file.at(position, HEADER_BYTES).map_err(Stop::Read)?) {
            AtRecord::Newer { version, .. } => break Some(version),
            AtRecord::NoHeader => break None,
            AtRecord::Header { header, crc } => {
                let fits = is_in_place(&header, number, position)
                    && header.previous_crc == previous_crc
                    && last.is_none_or(|last| header.number == last.number.saturating_add(1))
                    && record_size_bytes(&header) <= file.size_bytes() - position;
                if !fits {
                    break None;
                }
                let bytes = file.at(position, u64::from(header.length)).map_err(Stop::Read)?;
                let Some(entries) = record_entries(&header, bytes) else { break None };
                visit(&header, entries)?;
                position += record_size_bytes(&header);
                (previous_crc, last) = (crc, Some(header));
            }
        }
    };
    let follows = match newer {
        Some(version) => Follows::Newer(version),
        None => follows(file, number, position, last.as_ref()).map_err(Stop::Read)?,
    };
    Ok(ManifestEnd { position, last, follows })
}

/// A file begins with a whole record, and a record is written when the one before it is synced: so
/// anything whole behind the end means that the end is rot.
fn follows(
    file: &mut Pieces,
    number: Option<u64>,
    end: u64,
    last: Option<&RecordHeader>,
) -> io::Result<Follows> {
    let Some(last) = last else { return Ok(Follows::Rot) };
    if end >= file.size_bytes() {
        return Ok(Follows::Nothing);
    }
    let Some(first) = file.first_nonzero(end)? else { return Ok(Follows::Zeros) };
    let mut position = first / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
    while position < file.size_bytes() {
        if let AtRecord::Header { header, .. } = RecordHeader::at(file.at(position, HEADER_BYTES)?)
            && position > end
            && header.number > last.number
            && is_in_place(&header, number, position)
        {
            return Ok(Follows::Rot);
        }
        position += BLOCK_BYTES as u64;
    }
    Ok(Follows::Torn)
}

fn is_in_place(header: &RecordHeader, number: Option<u64>, position: u64) -> bool {
    header.position == position && number.is_none_or(|number| header.file == number)
}

fn file_number(path: &Path) -> Option<u64> {
    manifest_file_number(path.file_name()?.to_str()?)
}

/// The manifest that counts in a shard's folder: the one with the highest number.
pub(super) fn newest(dir: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        newest = newest.max(file_number(&path).map(|number| (number, path)));
    }
    Ok(newest.map(|(_, path)| path))
}

/// Reads one as [`walk`] does, its number being the one in its name.
pub(super) fn walk_path(
    path: &Path,
    visit: impl FnMut(&RecordHeader, Vec<ManifestEntry>) -> Result<(), Stop>,
) -> Result<ManifestEnd, Stop> {
    let mut file = Pieces::open(path).map_err(Stop::Read)?;
    walk(&mut file, file_number(path), visit)
}

fn record_line(header: &RecordHeader) -> Line {
    let replay = &header.replay;
    let place = format!("journal-{:05}.rj block {}", replay.file, replay.block);
    Line::new("record")
        .at(header.position)
        .field("number", header.number)
        .field("shard", header.shard)
        .field("entries", header.entry_count)
        .field("length", header.length)
        .field("replay_sequence", replay.sequence)
        .field("replay_place", place)
}

fn entry_line(entry: &ManifestEntry) -> Line {
    let log = entry.log.to_string();
    let line = |what| Line::new(what).field("log", log.clone());
    match &entry.change {
        Change::Log(log) => line("log")
            .field("label", log.label.as_str())
            .field("log_start", log.log_start_offset.0)
            .field("settled_end", log.settled_end_offset.0)
            .field("replay_sequence", log.replay.sequence)
            .field("replay_entry", log.replay.entry),
        Change::Segment(state) => segment_line(line("segment"), state),
        Change::SegmentRemoved(base) => line("removed").field("base_offset", base.0),
        Change::LeaderEpochs(epochs) => {
            let starts: Vec<String> = epochs
                .starts()
                .iter()
                .map(|start| format!("{} from {}", start.epoch, start.start_offset))
                .collect();
            line("epochs").shown("starts", starts.clone(), starts.join(", "))
        }
        Change::Producer(id, producer) => {
            let batches: Vec<String> = producer
                .batches
                .iter()
                .map(|b| {
                    let (first, last) = (b.first_sequence, b.last_sequence);
                    format!("{first}..{last} at {}..{}", b.base_offset, b.last_offset)
                })
                .collect();
            let time = producer.last_timestamp;
            line("producer")
                .field("producer_id", id.0)
                .field("producer_epoch", producer.epoch.0)
                .shown("last_timestamp", time.0, text::time(time))
                .shown("batches", batches.clone(), batches.join(", "))
        }
        Change::ProducersForgotten(ids) => {
            let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
            line("forgotten").field("producer_ids", ids)
        }
        Change::LogRemoved => line("log-gone"),
    }
}

fn segment_line(line: Line, state: &SegmentState) -> Line {
    let stage = match state.stage {
        Stage::Active => "active",
        Stage::Sealed => "sealed",
    };
    let line = line
        .field("base_offset", state.base_offset.0)
        .field("end_offset", state.end_offset.0)
        .field("stage", stage)
        .shown("max_timestamp", state.max_timestamp.0, text::time(state.max_timestamp));
    let line = file_field(line, "log", &state.log);
    let line = file_field(line, "index", &state.offset_index);
    file_field(line, "timeindex", &state.time_index)
}

/// `8192 + 517`: on the disk, and in the manifest's remainder.
fn file_field(line: Line, name: &'static str, file: &FileState) -> Line {
    let (disk, remainder) = (file.size_bytes, file.remainder.len());
    line.shown(name, vec![disk, remainder as u64], format!("{disk} + {remainder}"))
}
