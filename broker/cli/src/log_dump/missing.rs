//! What a data folder lacks: each part that another part says is there.

use super::data_folder::DataFolders;
use super::manifest;
use super::report::{Report, Stop};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use storage::inspect::{BLOCK_BYTES, journal_file_number};
use storage::{Layout, SegmentState, Table};

const LAYOUT: &str = "layout";
/// The layout until a first start has made everything.
const BEGUN_LAYOUT: &str = "layout.new";
const PARTITIONS: &str = "partitions";

/// Says what is missing in `dir`, if it is a data folder: the layout, a shard's folder, its
/// manifest and journal, the journal file with which a start begins, segments. `folders` has met
/// all files below it.
pub(super) fn report<W: Write>(
    dir: &Path,
    folders: &DataFolders,
    report: &mut Report<W>,
) -> Result<(), Stop> {
    let names = names(dir).map_err(Stop::Read)?;
    let shards: Vec<&String> = names.iter().filter(|name| is_shard(name)).collect();
    let is_data_folder = !shards.is_empty() || names.contains(LAYOUT) || names.contains(PARTITIONS);
    if !is_data_folder {
        return Ok(());
    }
    let is_begun = !names.contains(LAYOUT) && names.contains(BEGUN_LAYOUT);
    if !names.contains(LAYOUT) && !is_begun {
        report.missing(&dir.join(LAYOUT), "it says how many shards there are")?;
    }
    if !names.contains(PARTITIONS) {
        report.missing(&dir.join(PARTITIONS), "it holds the segments of all partitions")?;
    }
    // A damaged layout is said where it is shown.
    let layout = std::fs::read(dir.join(LAYOUT)).ok();
    let layout = layout
        .filter(|bytes| bytes.len() == BLOCK_BYTES)
        .and_then(|bytes| Layout::decode(&bytes).ok());
    for index in 0..layout.map_or(0, |layout| layout.shard_count) {
        let name = format!("shard-{index:03}");
        if !names.contains(&name) {
            report.missing(&dir.join(name), "the layout counts it")?;
        }
    }
    if is_begun {
        // A first start that was cut has not made all files yet, and acknowledged nothing.
        return Ok(());
    }
    for name in shards {
        report_shard(&dir.join(name), dir, folders, report)?;
    }
    Ok(())
}

fn report_shard<W: Write>(
    shard: &Path,
    data: &Path,
    folders: &DataFolders,
    report: &mut Report<W>,
) -> Result<(), Stop> {
    let names = names(shard).map_err(Stop::Read)?;
    let has_journal = names.iter().any(|name| journal_file_number(name).is_some());
    if !has_journal {
        let path = shard.join("journal-*.rj");
        report.missing(&path, "the newest records are in a shard's journal")?;
    }
    let Some(path) = manifest::newest(shard).map_err(Stop::Read)? else {
        let path = shard.join("manifest-*.rm");
        report.missing(&path, "a shard's manifest says what is in the segments")?;
        return Ok(());
    };
    let mut table = Table::default();
    let end = manifest::walk_path(&path, |_, entries| {
        entries.into_iter().for_each(|entry| {
            // Of an unknown log nothing can be said; the manifest's own dump names it.
            let _ = table.apply(entry);
        });
        Ok(())
    });
    // One that can't be read says nothing: its own dump says why.
    let Ok(end) = end else { return Ok(()) };
    if let Some(last) = end.last.filter(|_| has_journal) {
        let path = shard.join(format!("journal-{:05}.rj", last.replay.file));
        if !path.exists() {
            report.missing(&path, "the manifest says that a start begins in it")?;
        }
    }
    report_segments(&table, data, folders, report)
}

/// Files that are there and too short are said where they are shown.
fn report_segments<W: Write>(
    table: &Table,
    data: &Path,
    folders: &DataFolders,
    report: &mut Report<W>,
) -> Result<(), Stop> {
    for (id, log) in table.logs() {
        // Of a deleted log the folder goes before the manifest's entry does.
        if folders.is_deleted(id) {
            continue;
        }
        let folder = data.join(PARTITIONS).join(id.folder_name(&log.entry.label));
        let missing: Vec<(PathBuf, u64)> = log
            .segments
            .values()
            .flat_map(|state| settled_files(&folder, state))
            .filter(|(path, _)| !path.exists())
            .collect();
        if !missing.is_empty() && !folder.exists() {
            report.missing(&folder, "the manifest knows segments in it")?;
            continue;
        }
        for (path, settled_bytes) in missing {
            report.missing(&path, &format!("{settled_bytes} bytes of it are settled"))?;
        }
    }
    Ok(())
}

/// A segment's files of which something is on the disk, and how much.
fn settled_files(folder: &Path, state: &SegmentState) -> Vec<(PathBuf, u64)> {
    let sizes = [
        (".log", state.log.size_bytes),
        (".index", state.offset_index.size_bytes),
        (".timeindex", state.time_index.size_bytes),
    ];
    let path = |suffix| folder.join(format!("{:020}{suffix}", state.base_offset.0));
    let on_disk = sizes.into_iter().filter(|(_, size_bytes)| *size_bytes > 0);
    on_disk.map(|(suffix, size_bytes)| (path(suffix), size_bytes)).collect()
}

/// The names in a folder, in order.
fn names(dir: &Path) -> io::Result<BTreeSet<String>> {
    let entries = std::fs::read_dir(dir)?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn is_shard(name: &str) -> bool {
    let digits = name.strip_prefix("shard-").unwrap_or_default();
    digits.len() >= 3 && digits.bytes().all(|byte| byte.is_ascii_digit())
}
