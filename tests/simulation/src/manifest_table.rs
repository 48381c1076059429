//! What a shard's manifest says, read off the simulated disk as a tool would, record by record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runtime::sim::DiskImage;
use storage::inspect::manifest::{record_entries, record_size_bytes};
use storage::inspect::{BLOCK_BYTES, manifest_file_number};
use storage::{AtRecord, Change, LogId, ManifestEntry, RecordHeader, Stage};

/// The newest manifest of one shard, as far as it was read.
#[derive(Clone, Debug, Default)]
pub struct ManifestTable {
    dir: PathBuf,
    /// The number of the file; 0 if none was seen yet.
    file: u64,
    /// Where the next record begins.
    position: u64,
    /// By log: behind its last settled batch.
    pub settled_ends: BTreeMap<LogId, i64>,
    /// Segments by log and base offset.
    pub segments: BTreeMap<(LogId, i64), Stage>,
}

/// What a record changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordSeen {
    /// Logs whose settled end it moved.
    pub settled_logs: u64,
    /// Segments that it says are sealed, and nobody said so before.
    pub sealed_segments: u64,
    /// Logs whose folders are gone.
    pub removed_logs: u64,
}

impl ManifestTable {
    /// Of the shard with that folder, with nothing read yet.
    pub fn new(dir: &Path) -> ManifestTable {
        ManifestTable { dir: dir.to_path_buf(), ..ManifestTable::default() }
    }

    /// Goes on in a newer file if there is one, and reads its table; the number of the file that
    /// was left, 0 if that is the first one. None if there is no newer file.
    pub fn follow(&mut self, image: &DiskImage) -> Option<u64> {
        let number = |path: &Path| {
            let name = path.file_name()?.to_str()?;
            manifest_file_number(name).filter(|_| path.parent() == Some(&self.dir))
        };
        let newest = image.files().iter().filter_map(|(path, _)| number(path)).max()?;
        if newest <= self.file {
            return None;
        }
        let left = self.file;
        *self = ManifestTable { file: newest, ..ManifestTable::new(&self.dir) };
        self.read_on(image);
        Some(left)
    }

    /// Reads the records that were written since.
    pub fn read_on(&mut self, image: &DiskImage) -> Vec<RecordSeen> {
        let path = self.dir.join(format!("manifest-{:020}.rm", self.file));
        let mut records = Vec::new();
        while let Some(block) = image.read_at(&path, self.position, BLOCK_BYTES) {
            let AtRecord::Header { header, .. } = RecordHeader::at(&block) else { break };
            let fits = header.file == self.file && header.position == self.position;
            let size_bytes = record_size_bytes(&header);
            let whole = image.read_at(&path, self.position, size_bytes as usize);
            let entries = whole.and_then(|bytes| record_entries(&header, &bytes));
            let Some(entries) = entries.filter(|_| fits) else { break };
            self.position += size_bytes;
            records.push(self.apply(entries));
        }
        records
    }

    fn apply(&mut self, entries: Vec<ManifestEntry>) -> RecordSeen {
        let mut seen = RecordSeen::default();
        for ManifestEntry { log, change } in entries {
            match change {
                Change::Log(entry) => {
                    let end = entry.settled_end_offset.0;
                    let before = self.settled_ends.insert(log, end).unwrap_or_default();
                    seen.settled_logs += u64::from(end > before);
                }
                Change::Segment(state) => {
                    let key = (log, state.base_offset.0);
                    let before = self.segments.insert(key, state.stage);
                    let sealed = state.stage == Stage::Sealed && before != Some(Stage::Sealed);
                    seen.sealed_segments += u64::from(sealed);
                }
                Change::SegmentRemoved(base_offset) => {
                    self.segments.remove(&(log, base_offset.0));
                }
                Change::LogRemoved => {
                    self.settled_ends.remove(&log);
                    self.segments.retain(|(of, _), _| *of != log);
                    seen.removed_logs += 1;
                }
                _ => {}
            }
        }
        seen
    }
}
