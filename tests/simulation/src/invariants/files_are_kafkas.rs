//! After a clean stop a log's files hold Kafka's batches and nothing else, one behind the other,
//! and every entry of an index points at the batch that it speaks of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runtime::sim::DiskImage;
use storage::inspect::{OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES, offset_entry, time_entry};
use storage::{LogId, Stage};

use crate::history::{Batch, Moment, Operation};
use crate::inspect;
use crate::manifest_table::ManifestTable;
use crate::violation::{Property, Violation};
use crate::world::{PARTITIONS_DIR, shard_dir};

/// Every segment that the manifests know, on the disk of a store that has stopped.
pub fn check(image: &DiskImage, shards: u16, moment: &Moment) -> Result<(), Violation> {
    let files = image.files();
    let mut folders: BTreeMap<LogId, PathBuf> = BTreeMap::new();
    for (path, _) in &files {
        let folder = path.parent().filter(|f| f.parent() == Some(Path::new(PARTITIONS_DIR)));
        let name = folder.and_then(|folder| folder.file_name()).and_then(|name| name.to_str());
        if let (Some(folder), Some(id)) = (folder, name.and_then(LogId::from_folder_name)) {
            folders.insert(id, folder.to_path_buf());
        }
    }
    for shard in 0..shards {
        let mut manifest = ManifestTable::new(&shard_dir(shard));
        manifest.follow(image);
        check_shard(image, &manifest, &folders, moment)?;
    }
    Ok(())
}

fn check_shard(
    image: &DiskImage,
    manifest: &ManifestTable,
    folders: &BTreeMap<LogId, PathBuf>,
    moment: &Moment,
) -> Result<(), Violation> {
    let mut next: Option<(LogId, i64)> = None;
    for ((log, base_offset), stage) in &manifest.segments {
        let Some((history, asked)) = moment.logs.get(log) else { continue };
        let operations = &history.operations.borrow()[..*asked];
        if operations.contains(&Operation::Delete) {
            continue;
        }
        let segment = Segment { log: *log, base_offset: *base_offset, stage: *stage };
        if next.is_some_and(|(of, end)| of == *log && end != *base_offset) {
            return Err(segment.wrong(format!("the one before it ends at {next:?}")));
        }
        let Some(folder) = folders.get(log) else {
            return Err(segment.wrong("its folder is not there".into()));
        };
        next = Some((*log, segment.check(image, folder, operations)?));
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Segment {
    log: LogId,
    base_offset: i64,
    stage: Stage,
}

impl Segment {
    /// Where it ends.
    fn check(
        self,
        image: &DiskImage,
        folder: &Path,
        operations: &[Operation],
    ) -> Result<i64, Violation> {
        let read = |suffix: &str| {
            let path = folder.join(format!("{:020}{suffix}", self.base_offset));
            image.read(&path).ok_or_else(|| self.wrong(format!("no {}", path.display())))
        };
        let bytes = read(".log")?;
        let batches = inspect::batches_in(self.log, &bytes)
            .map_err(|violation| self.wrong(violation.evidence))?;
        let mut next = self.base_offset;
        for (at, batch) in &batches {
            if *at != next {
                return Err(self.wrong(format!("a batch at {at}, not at {next}")));
            }
            if !operations.contains(&Operation::Append(*at, batch.clone())) {
                return Err(self.wrong(format!("nobody asked for {batch:?} at {at}")));
            }
            next = at + i64::from(batch.count);
        }
        self.check_index(&batches, &read(".index")?)?;
        self.check_time_index(&batches, &read(".timeindex")?)?;
        Ok(next)
    }

    fn check_index(self, batches: &[(i64, Batch)], bytes: &[u8]) -> Result<(), Violation> {
        let mut positions = BTreeMap::new();
        let mut position = 0;
        for (at, batch) in batches {
            positions.insert(position as i32, at + i64::from(batch.count) - 1);
            position += inspect::encode(batch).len();
        }
        let (entries, rest) = bytes.as_chunks::<OFFSET_ENTRY_BYTES>();
        for entry in entries {
            let (offset, position) = offset_entry(record::Offset(self.base_offset), entry);
            if positions.get(&position) != Some(&offset.0) {
                return Err(self.wrong(format!("its index has {offset} at {position}")));
            }
        }
        if rest.is_empty() { Ok(()) } else { Err(self.wrong("its index has half an entry".into())) }
    }

    fn check_time_index(self, batches: &[(i64, Batch)], bytes: &[u8]) -> Result<(), Violation> {
        // The largest timestamp so far, and the last offset of the first batch that has it.
        let mut largest = Vec::new();
        let mut max = -1;
        for (at, batch) in batches {
            let last = batch.timestamp + i64::from(batch.count) - 1;
            if last > max {
                max = last;
                largest.push((last, at + i64::from(batch.count) - 1));
            }
        }
        let (entries, rest) = bytes.as_chunks::<TIME_ENTRY_BYTES>();
        let decode = |entry| {
            let (timestamp, offset) = time_entry(record::Offset(self.base_offset), entry);
            (timestamp.0, offset.0)
        };
        let found: Vec<(i64, i64)> = entries.iter().map(decode).collect();
        let rises = found.is_sorted_by(|one, other| one < other);
        let are_right = found.iter().all(|entry| largest.binary_search(entry).is_ok());
        if !rises || !are_right || found.last() != largest.last() || !rest.is_empty() {
            return Err(self.wrong(format!("its time index is {found:?} of {largest:?}")));
        }
        Ok(())
    }

    fn wrong(self, evidence: String) -> Violation {
        let Segment { log, base_offset, stage } = self;
        let evidence = format!("{stage:?} segment {base_offset}: {evidence}");
        Violation::of_log(Property::LeavesKafkasFiles, log, evidence)
    }
}
