//! The segment files of a data folder, Ringmain's or Kafka's, with the topic that each is of.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// Below the data folder.
    pub path: PathBuf,
    /// The topic's name, which the folder begins with.
    pub topic: String,
    /// What the file holds.
    pub part: Part,
}

/// What a file of a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Record batches.
    Log,
    /// Offsets or times.
    Index,
}

/// Every file of a segment below `data`, sorted by path; one that vanishes may be missing.
pub fn files(data: &Path) -> Vec<SegmentFile> {
    let mut found = Vec::new();
    let mut folders = vec![data.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.extend(segment_file(data, &path));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// What `path` below `data` is, if it is a file of a segment.
pub fn segment_file(data: &Path, path: &Path) -> Option<SegmentFile> {
    // Kafka names a segment and its indexes after the first offset, in twenty digits.
    let (stem, extension) = path.file_name()?.to_str()?.split_once('.')?;
    if stem.len() != 20 || !stem.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = match extension {
        "log" => Part::Log,
        "index" | "timeindex" => Part::Index,
        _ => return None,
    };
    let topic = topic_of(path.parent()?.file_name()?.to_str()?)?.to_string();
    Some(SegmentFile { path: path.strip_prefix(data).ok()?.to_path_buf(), topic, part })
}

/// A partition's folder is `<topic>-<partition>`, in Ringmain with `.<topic id>` behind it. The
/// topics of these tests have no dot in their names.
fn topic_of(folder: &str) -> Option<&str> {
    let (label, _id) = folder.split_once('.').unwrap_or((folder, ""));
    let (topic, partition) = label.rsplit_once('-')?;
    partition.parse::<u32>().ok().map(|_| topic)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Part, files, topic_of};
    use crate::workspace;

    #[test]
    fn a_folder_tells_its_topic_with_and_without_an_id() {
        assert_eq!(topic_of("flights-6-none-3.8Zk1-HXT3_VqQ1y7m2w"), Some("flights-6-none"));
        assert_eq!(topic_of("flights-0"), Some("flights"));
        assert_eq!(topic_of("shard-000.new"), Some("shard"));
        assert_eq!(topic_of("partitions"), None);
    }

    #[test]
    fn only_the_files_of_segments_are_found() {
        let data = workspace::fresh_folder("segments");
        let folder = data.join("partitions/flights-1.id");
        std::fs::create_dir_all(&folder).expect("target can be written");
        for name in ["00000000000000000007.log", "00000000000000000007.timeindex", "notes.log"] {
            std::fs::write(folder.join(name), "").expect("target can be written");
        }
        let found = files(&data);
        let parts: Vec<Part> = found.iter().map(|file| file.part).collect();
        assert_eq!(parts, [Part::Log, Part::Index]);
        assert_eq!(found[0].topic, "flights");
        let first = Path::new("partitions/flights-1.id/00000000000000000007.log");
        assert_eq!(found[0].path, first);
        std::fs::remove_dir_all(&data).expect("it was just made");
    }
}
