//! What the files around a file say about it: the manifest about a segment, a shard's journal and
//! manifest about one journal file.

use super::journal::JournalFolder;
use super::manifest;
use super::paths;
use super::pieces::Pieces;
use super::report::{Line, Stop};
use record::Offset;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use storage::{FileState, LogId, SegmentState, Stage, Table};

/// The folders that were met last: files are shown folder by folder.
#[derive(Default)]
pub(super) struct DataFolders {
    settled: Option<(PathBuf, Settled)>,
    journal: Option<(PathBuf, Rc<JournalFolder>)>,
    /// The logs of which any journal that was met has a tombstone.
    deleted: BTreeSet<LogId>,
}

type Settled = BTreeMap<(LogId, Offset), SegmentState>;

/// How far a segment's file can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// A manifest says what it holds: all of that must be sound.
    Settled,
    /// Nobody says. It may end in the middle of something, at a block, zeros behind.
    Unknown,
}

impl DataFolders {
    /// What the manifests of the data folder say of the segment that a file belongs to: of
    /// `data/partitions/<folder>/<offset>.log` those in `data/shard-*`.
    pub(super) fn segment(&mut self, path: &Path) -> Option<SegmentState> {
        let path = std::path::absolute(path).ok()?;
        let folder = path.parent()?;
        let id = LogId::from_folder_name(folder.file_name()?.to_str()?)?;
        let data = folder.parent()?.parent()?;
        if self.settled.as_ref().is_none_or(|(dir, _)| dir != data) {
            self.settled = Some((data.to_owned(), read_settled(data).unwrap_or_default()));
        }
        let (_, settled) = self.settled.as_ref()?;
        settled.get(&(id, paths::base_offset(&path)?)).cloned()
    }

    /// Whether a log is deleted, by the journals that were met.
    pub(super) fn is_deleted(&self, id: &LogId) -> bool {
        self.deleted.contains(id)
    }

    /// What the journal in a shard's folder adds up to; true as the second if it was met just now.
    pub(super) fn journal(&mut self, dir: &Path) -> Result<(Rc<JournalFolder>, bool), Stop> {
        if let Some((known, folder)) = &self.journal
            && known == dir
        {
            return Ok((folder.clone(), false));
        }
        let folder = Rc::new(JournalFolder::read(dir)?);
        self.deleted.extend(folder.tombstones());
        self.journal = Some((dir.to_owned(), folder.clone()));
        Ok((folder, true))
    }
}

/// The segments of all shards. A manifest that cannot be read says nothing: its own dump says why.
fn read_settled(data: &Path) -> io::Result<Settled> {
    let mut settled = Settled::new();
    for entry in std::fs::read_dir(data)? {
        let dir = entry?.path();
        let is_shard =
            dir.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"shard-"));
        let Some(path) = is_shard.then(|| manifest::newest(&dir).ok().flatten()).flatten() else {
            continue;
        };
        let mut table = Table::default();
        let end = manifest::walk_path(&path, |_, entries| {
            entries.into_iter().for_each(|entry| {
                // Of an unknown log nothing can be said; the manifest's own dump names it.
                let _ = table.apply(entry);
            });
            Ok(())
        });
        if end.is_err() {
            continue;
        }
        for (id, log) in table.logs() {
            settled.extend(log.segments.iter().map(|(base, s)| ((*id, *base), s.clone())));
        }
    }
    Ok(settled)
}

/// Makes a segment's file what the manifest says that it is, and a line that says so.
///
/// What lies behind is not judged: space that was taken in advance, or bytes that were never
/// synced. A file that is shorter than the manifest says is at fault.
pub(super) fn apply(file: &mut Pieces, stage: Stage, state: &FileState) -> Line {
    let on_disk = file.size_bytes();
    let stage = match stage {
        Stage::Active => "active",
        Stage::Sealed => "sealed",
    };
    let line = Line::new("settled")
        .field("stage", stage)
        .field("on_disk", state.size_bytes)
        .field("in_manifest", state.remainder.len());
    if on_disk < state.size_bytes {
        let missing = state.size_bytes - on_disk;
        return line.fault(Some(format!("the file lacks {missing} bytes that were settled")));
    }
    file.set_remainder(state.size_bytes, &state.remainder);
    line.field("behind_it", on_disk - state.size_bytes)
}
