//! Shows record batches, and the records in them.

use super::Depth;
use super::pieces::Pieces;
use super::report::{Line, Report, Stop};
use super::text;
use record::{
    BatchError, BatchView, HEADER_SIZE_BYTES, Offset, ProducerId, ReadLimits, RecordView,
    Timestamp, TimestampType,
};
use serde_json::{Value, json};
use std::io::{self, Write};

/// What a batch may decompress to, in bytes: more than any broker's messages, less than a machine.
const DECOMPRESSED_SIZE_MAX_BYTES: usize = 256 << 20;
/// Where a batch's length stands; it counts the bytes behind itself.
const LENGTH_AT: usize = 8;
const LENGTH_END: usize = 12;

/// What a batch's header says, for those who do not read the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BatchFrame {
    /// Header and records. The file may hold fewer.
    pub(super) size_bytes: u64,
    pub(super) base_offset: Offset,
    pub(super) last_offset: Offset,
    pub(super) max_timestamp: Timestamp,
}

/// Reads the header at a position. [`BatchError::Partial`] says that not even that is there.
pub(super) fn frame_at(
    file: &mut Pieces,
    position: u64,
) -> io::Result<Result<BatchFrame, BatchError>> {
    let bytes = file.at(position, HEADER_SIZE_BYTES as u64)?;
    Ok(match bytes.first_chunk() {
        Some(header) => frame(header),
        None => Err(BatchError::Partial {
            needed_bytes: HEADER_SIZE_BYTES,
            available_bytes: bytes.len(),
        }),
    })
}

/// A header without its records is made a batch of no records, so that one piece of code knows
/// where its fields are.
fn frame(header: &[u8; HEADER_SIZE_BYTES]) -> Result<BatchFrame, BatchError> {
    let size_bytes = match BatchView::parse(header) {
        Ok(_) => HEADER_SIZE_BYTES,
        Err(BatchError::Partial { needed_bytes, .. }) => needed_bytes,
        Err(error) => return Err(error),
    };
    let mut alone = *header;
    let length = u32::try_from(HEADER_SIZE_BYTES - LENGTH_END).expect("it is 49");
    alone[LENGTH_AT..LENGTH_END].copy_from_slice(&length.to_be_bytes());
    let (view, _) = BatchView::parse(&alone)?;
    Ok(BatchFrame {
        size_bytes: size_bytes as u64,
        base_offset: view.base_offset(),
        last_offset: view.last_offset(),
        max_timestamp: match view.timestamp_type() {
            // Some producers leave the field at -1.
            TimestampType::CreateTime if view.delete_horizon().is_none() => {
                view.max_timestamp().max(view.base_timestamp())
            }
            _ => view.max_timestamp(),
        },
    })
}

/// The line about a batch; what is wrong inside of it is its fault.
pub(super) fn line(position: u64, batch: &BatchView<'_>) -> Line {
    let compression = match batch.compression() {
        Ok(compression) => compression.to_string(),
        Err(_) => format!("{}?", batch.compression_id()),
    };
    let (base_timestamp, max_timestamp) = (batch.base_timestamp(), batch.max_timestamp());
    let line = Line::new("batch")
        .at(position)
        .field("base_offset", batch.base_offset().0)
        .field("last_offset", batch.last_offset().0)
        .field("count", batch.record_count())
        .field("size", batch.size_bytes())
        .field("leader_epoch", batch.leader_epoch().0)
        .field("codec", compression)
        .field("time_of", time_of(batch.timestamp_type()))
        .shown("base_timestamp", base_timestamp.0, text::time(base_timestamp))
        .shown("max_timestamp", max_timestamp.0, text::time(max_timestamp));
    // A person needs no three columns to see that there is no producer id.
    let (id, epoch) = (batch.producer_id(), batch.producer_epoch());
    let shown = |number: String| if id == ProducerId::NONE { String::new() } else { number };
    let line = line
        .shown("producer_id", id.0, shown(id.to_string()))
        .shown("producer_epoch", epoch.0, shown(epoch.to_string()))
        .shown("sequence", batch.base_sequence().0, shown(batch.base_sequence().to_string()))
        .shown("flags", flags(batch), flags(batch).join(","));
    let crc = batch.validate_crc();
    let line = line.field("crc", if crc.is_ok() { "ok" } else { "wrong" });
    line.fault(crc.err().map(|error| damage(&error))).fault(header_fault(batch))
}

/// What is wrong where a batch should stand, for whoever keeps the disk: who sent it is long gone.
pub(super) fn damage(error: &BatchError) -> String {
    match error {
        BatchError::CrcMismatch { .. } => {
            format!("{}: it is damaged, other bytes were written", error.fact())
        }
        BatchError::UnsupportedMagic { magic } => {
            format!("no batch begins here: it would have format {magic}, and there is none but 2")
        }
        BatchError::LengthTooSmall { length } => {
            format!("no batch begins here: its length would be {length}, less than its header's")
        }
        BatchError::Partial { .. } => format!("{}: the rest is missing", error.fact()),
        _ => error.fact(),
    }
}

/// What no writer puts into a header.
fn header_fault(batch: &BatchView<'_>) -> Option<String> {
    let (count, delta) = (batch.record_count(), batch.last_offset_delta());
    if let Err(error) = batch.compression() {
        Some(error.fact())
    } else if count < 0 || delta < 0 || i64::from(count) > i64::from(delta) + 1 {
        Some(format!("{count} records cannot have the last offset delta {delta}"))
    } else {
        None
    }
}

/// The records of a batch, one a line, and what keeps them from being read.
pub(super) fn dump_records<W: Write>(
    batch: &BatchView<'_>,
    depth: Depth,
    report: &mut Report<W>,
) -> Result<(), Stop> {
    if depth == Depth::Batches {
        return Ok(());
    }
    let limits = ReadLimits { decompressed_size_max_bytes: DECOMPRESSED_SIZE_MAX_BYTES };
    let records = match record::records(batch, &limits) {
        Ok(records) => records,
        Err(error) => {
            return Ok(report.line(Line::new("records").fault(Some(error.fact())))?);
        }
    };
    for record in &records {
        match record {
            Ok(record) if batch.is_control() => report.line(marker(&record))?,
            Ok(record) => report.line(record_line(&record))?,
            Err(error) => report.line(Line::new("records").fault(Some(error.fact())))?,
        }
    }
    Ok(())
}

fn record_line(record: &RecordView<'_>) -> Line {
    let headers: Vec<Value> = record
        .headers
        .iter()
        .map(|header| {
            let key = text::json_bytes(Some(header.key));
            json!({ "key": key, "value": text::json_bytes(header.value) })
        })
        .collect();
    let shown: Vec<String> = record
        .headers
        .iter()
        .map(|header| format!("{}={}", text::bytes(Some(header.key)), text::bytes(header.value)))
        .collect();
    let line = Line::new("record")
        .field("offset", record.offset.0)
        .shown("timestamp", record.timestamp.0, text::time(record.timestamp))
        .shown("key", text::json_bytes(record.key), text::bytes(record.key))
        .shown("value", text::json_bytes(record.value), text::bytes(record.value));
    if shown.is_empty() { line } else { line.shown("headers", headers, shown.join(" ")) }
}

/// A transaction's end: the key is a version and a type, both i16.
fn marker(record: &RecordView<'_>) -> Line {
    let kind = match record.key {
        Some([_, _, 0, 0, ..]) => "abort of the transaction",
        Some([_, _, 0, 1, ..]) => "commit of the transaction",
        Some([_, _, 0, 2, ..]) => "leader change",
        Some([_, _, 0, 3, ..]) => "snapshot header",
        Some([_, _, 0, 4, ..]) => "snapshot footer",
        Some([_, _, 0, 5, ..]) => "KRaft version",
        Some([_, _, 0, 6, ..]) => "KRaft voters",
        _ => "unknown",
    };
    Line::new("marker")
        .field("offset", record.offset.0)
        .shown("timestamp", record.timestamp.0, text::time(record.timestamp))
        .field("kind", kind)
}

fn flags(batch: &BatchView<'_>) -> Vec<&'static str> {
    let all = [
        (batch.is_transactional(), "transactional"),
        (batch.is_control(), "control"),
        (batch.delete_horizon().is_some(), "delete-horizon"),
    ];
    all.into_iter().filter_map(|(is_set, name)| is_set.then_some(name)).collect()
}

fn time_of(kind: TimestampType) -> &'static str {
    match kind {
        TimestampType::CreateTime => "create",
        TimestampType::LogAppendTime => "append",
    }
}
