//! Looks at the simulated disk at every sync point, and counts what has happened to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runtime::sim::{DiskImage, SyncMoment, SyncPoint};
use storage::AtBlock;
use storage::inspect::journal::commit_at;
use storage::inspect::{BLOCK_BYTES, journal_file_number, manifest_file_number};

use crate::figures::{Event, Figures};
use crate::manifest_table::ManifestTable;
use crate::world::{Sizes, shard_dir, shard_of_dir};

/// What was seen on one disk so far, over all lives.
pub struct Watch {
    shards: Vec<Shard>,
}

struct Shard {
    dir: PathBuf,
    manifest: ManifestTable,
    /// By journal file: the sequence of the commit at its beginning.
    first_commits: BTreeMap<u32, u64>,
    /// The most journal files that there were of one size.
    most_files: usize,
}

impl Watch {
    /// A disk that nothing has been written to.
    pub fn new(sizes: &Sizes) -> Watch {
        let shard = |number| Shard {
            dir: shard_dir(number),
            manifest: ManifestTable::new(&shard_dir(number)),
            first_commits: BTreeMap::new(),
            most_files: sizes.store.journal.files_min as usize,
        };
        Watch { shards: (0..sizes.shards).map(shard).collect() }
    }

    /// The disk at a sync point; `is_open` says whether a shard's store is open.
    pub fn see(
        &mut self,
        point: &SyncPoint,
        image: &DiskImage,
        sizes: &Sizes,
        is_open: impl Fn(u16) -> bool,
        figures: &mut Figures,
    ) {
        if settles_in_replay(point, is_open) {
            figures.count(Event::SettlingReplay);
        }
        if point.moment != SyncMoment::Completed {
            return;
        }
        for shard in &mut self.shards {
            if point.path == shard.dir {
                shard.see_names(image, sizes, figures);
            } else if point.path.parent() == Some(&shard.dir) {
                shard.see_file(&point.path, image, figures);
            }
        }
    }
}

/// A record is being written to a manifest before the shard's store is open: only the rounds of a
/// replay that takes more memory than there is do that.
pub fn settles_in_replay(point: &SyncPoint, is_open: impl Fn(u16) -> bool) -> bool {
    let is_record = point.moment == SyncMoment::WriteSubmitted
        && name_of(&point.path).and_then(manifest_file_number).is_some();
    let shard = point.path.parent().and_then(shard_of_dir);
    is_record && shard.is_some_and(|shard| !is_open(shard))
}

impl Shard {
    /// The folder was synced: a file may have got its name.
    fn see_names(&mut self, image: &DiskImage, sizes: &Sizes, figures: &mut Figures) {
        if self.manifest.follow(image).is_some_and(|left| left > 0) {
            figures.count(Event::Compaction);
        }
        let is_journal = |path: &Path| {
            path.parent() == Some(&self.dir)
                && name_of(path).and_then(journal_file_number).is_some()
        };
        let files = image.files();
        let of_size = |(path, size): &&(PathBuf, u64)| {
            *size == sizes.store.journal.file_bytes && is_journal(path)
        };
        let count = files.iter().filter(of_size).count();
        if count > self.most_files {
            self.most_files = count;
            figures.count(Event::JournalGrowth);
        }
    }

    /// A file was synced. A file that has been renamed is still known by its first name.
    fn see_file(&mut self, path: &Path, image: &DiskImage, figures: &mut Figures) {
        let Some(name) = name_of(path) else { return };
        let name = name.trim_end_matches(".new");
        if manifest_file_number(name).is_some() {
            for record in self.manifest.read_on(image) {
                let happened = [
                    (record.settled_logs.min(1), Event::SettleRound),
                    (record.sealed_segments, Event::Roll),
                    (record.removed_logs, Event::FolderRemoval),
                ];
                for (times, event) in happened {
                    (0..times).for_each(|_| figures.count(event));
                }
            }
        }
        if let Some(number) = journal_file_number(name)
            && let Some(block) = image.read_at(&self.dir.join(name), 0, BLOCK_BYTES)
            && let AtBlock::Header(read) = commit_at(&block)
        {
            let sequence = read.header.sequence;
            let before = self.first_commits.insert(number, sequence);
            if before.is_some_and(|before| before < sequence) {
                figures.count(Event::Recycle);
            }
        }
    }
}

fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}
