//! How much of a disk a folder takes: the blocks that are allocated, not the sizes that files tell.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The unit of `st_blocks`, whatever the file system's own block is.
const STAT_BLOCK_BYTES: u64 = 512;

/// What lies in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Allocated blocks of all files and folders.
    pub allocated_bytes: u64,
    /// Files that are being made: they get their names when they are whole.
    pub unfinished: usize,
}

/// Everything below `folder`, and the folder itself.
///
/// What vanishes while it is looked at takes no space any more.
pub fn of(folder: &Path) -> Footprint {
    let Ok(metadata) = fs::symlink_metadata(folder) else { return Footprint::default() };
    let mut sum = Footprint {
        allocated_bytes: metadata.blocks() * STAT_BLOCK_BYTES,
        unfinished: usize::from(folder.extension().is_some_and(|extension| extension == "new")),
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let part = of(&entry.path());
        sum.allocated_bytes += part.allocated_bytes;
        sum.unfinished += part.unfinished;
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::of;
    use crate::workspace;

    #[test]
    fn written_bytes_count_and_holes_do_not() {
        let folder = workspace::fresh_folder("footprint");
        let empty = of(&folder).allocated_bytes;
        let hole = File::create(folder.join("hole")).expect("target can be written");
        hole.set_len(1 << 30).expect("a hole takes no space");
        std::fs::create_dir(folder.join("below")).expect("target can be written");
        let written = folder.join("below/written.new");
        std::fs::write(&written, vec![7; 1 << 20]).expect("target can be written");
        File::open(&written).and_then(|file| file.sync_all()).expect("blocks get their place");
        let found = of(&folder);
        let taken = found.allocated_bytes - empty;
        assert!((1 << 20..2 << 20).contains(&taken), "{taken} bytes");
        assert_eq!(found.unfinished, 1);
        std::fs::remove_dir_all(&folder).expect("it was just made");
    }
}
