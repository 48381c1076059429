//! Shows a data folder's `layout`.

use super::pieces::Pieces;
use super::report::{Line, Report, Stop};
use std::io::Write;
use storage::LogId;
use storage::inspect::BLOCK_BYTES;
use storage::{Layout, LayoutFault};

/// One line, or what is wrong.
pub(super) fn dump<W: Write>(file: &mut Pieces, report: &mut Report<W>) -> Result<(), Stop> {
    // One byte more, so that a file that is too long is told from a whole one.
    let bytes = file.at(0, BLOCK_BYTES as u64 + 1).map_err(Stop::Read)?;
    match Layout::decode(bytes) {
        Ok(layout) => report.line(line(&layout))?,
        Err(fault @ LayoutFault::Newer { .. }) => report.unreadable(&fault.to_string())?,
        Err(fault) => report.line(Line::new("layout").at(0).fault(Some(fault.to_string())))?,
    }
    Ok(())
}

fn line(layout: &Layout) -> Line {
    // A cluster's id has the text form of a topic's.
    let cluster = LogId { topic_id: layout.cluster_id, partition: 0 }.topic_id_text();
    Line::new("layout")
        .at(0)
        .field("shards", layout.shard_count)
        .field("broker", layout.broker_id)
        .field("layout_generation", layout.generation)
        .field("cluster", cluster)
}
