//! What a killed broker leaves in a log's folder: files of segments that no manifest knows.
//!
//! A start writes their batches again out of the journal. By other settings, or in other rounds,
//! these go into segments of other names, and what was left would stay for ever.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use record::Offset;
use runtime::{Level, Shard};

use super::Log;
use crate::segment::base_offset_in_name;

const SUFFIXES: [&str; 3] = ["log", "index", "timeindex"];

impl Log {
    /// Before anything is written to the folder of a log that was replayed: removes every file of
    /// a segment that the log does not have. What can't be removed is said; it harms nobody.
    pub(super) async fn remove_orphans(&self) {
        if !self.0.may_have_orphans.replace(false) {
            return;
        }
        let known = {
            let state = self.0.state.borrow();
            state.settled.segments.iter().map(|segment| segment.base_offset()).collect()
        };
        let store = self.store();
        let folder = store.folder(self.0.id, &self.0.label);
        if let Err(error) = remove_unknown(&store.shard, &folder, &known).await {
            let path = folder.display();
            let line = format_args!("can't remove what a killed broker left in {path}: {error}");
            store.shard.log(Level::Warn, line);
        }
    }
}

async fn remove_unknown(shard: &Shard, folder: &Path, known: &BTreeSet<Offset>) -> io::Result<()> {
    let files = match shard.disk().list(folder).await {
        // It comes with the first whole block.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        files => files?,
    };
    for file in files {
        if base_offset(&file.name).is_some_and(|offset| !known.contains(&offset)) {
            shard.disk().remove_file(&folder.join(&file.name)).await?;
        }
    }
    Ok(())
}

/// The base offset in the name of a segment's file.
fn base_offset(name: &str) -> Option<Offset> {
    let (stem, suffix) = name.split_once('.')?;
    base_offset_in_name(stem).filter(|_| SUFFIXES.contains(&suffix))
}

#[cfg(test)]
mod tests {
    use super::{Offset, base_offset};

    #[test]
    fn only_the_files_of_segments_are_known_by_their_names() {
        assert_eq!(base_offset("00000000000000000017.timeindex"), Some(Offset(17)));
        assert_eq!(base_offset("00000000000000000017.txt"), None);
        assert_eq!(base_offset("0000000000000000017.log"), None);
        assert_eq!(base_offset("0000000000000000001x.log"), None);
        assert_eq!(base_offset("-0000000000000000017.log"), None);
        assert_eq!(base_offset("partition.metadata"), None);
    }
}
