//! Which files a path stands for, and what their names say they are.

use super::pieces::Pieces;
use record::Offset;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use storage::inspect;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Journal,
    Manifest,
    Layout,
    Log,
    OffsetIndex,
    TimeIndex,
    /// Ringmain's or Kafka's, but nothing that is shown here.
    NotShown,
    Unknown,
}

/// A file, and what its name says.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

/// What Kafka keeps beside its segments.
const OF_KAFKA: [&str; 12] = [
    ".lock",
    ".kafka_cleanshutdown",
    "bootstrap.checkpoint",
    "cleaner-offset-checkpoint",
    "leader-epoch-checkpoint",
    "log-start-offset-checkpoint",
    "meta.properties",
    "partition.metadata",
    "quorum-state",
    "recovery-point-offset-checkpoint",
    "replication-offset-checkpoint",
    "ringmain.lock",
];

/// The path itself if it is no folder, else all files below it, by name.
pub(super) fn below(path: &Path) -> Vec<Result<Named, (PathBuf, io::Error)>> {
    let mut found = Vec::new();
    if path.is_dir() {
        collect(path, &mut found);
    } else {
        found.push(Ok(Named { path: path.to_owned(), kind: kind_by_name(path) }));
    }
    found
}

fn collect(dir: &Path, found: &mut Vec<Result<Named, (PathBuf, io::Error)>>) {
    let entries = fs::read_dir(dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return found.push(Err((dir.to_owned(), error))),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link to a folder is not followed: it could lead in a circle.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&path, found),
            Ok(_) => found.push(Ok(Named { kind: kind_by_name(&path), path })),
            Err(error) => found.push(Err((path, error))),
        }
    }
}

fn kind_by_name(path: &Path) -> Kind {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (_, ending) = name.rsplit_once('.').unwrap_or_default();
    match ending {
        "log" => Kind::Log,
        "index" => Kind::OffsetIndex,
        "timeindex" => Kind::TimeIndex,
        "txnindex" | "snapshot" | "new" | "deleted" | "checkpoint" => Kind::NotShown,
        _ if inspect::journal_file_number(name).is_some() => Kind::Journal,
        _ if inspect::manifest_file_number(name).is_some() => Kind::Manifest,
        _ if name == "layout" => Kind::Layout,
        _ if OF_KAFKA.contains(&name) => Kind::NotShown,
        _ => Kind::Unknown,
    }
}

/// What a file with a strange name is by its first bytes.
pub(super) fn kind_by_content(file: &mut Pieces) -> io::Result<Kind> {
    Ok(match file.at(0, 8)? {
        b"RMJOURNL" => Kind::Journal,
        b"RMMANFST" => Kind::Manifest,
        b"RMLAYOUT" => Kind::Layout,
        _ => Kind::Unknown,
    })
}

/// The offset that a segment's files are named after: of `00000000000000000042.log` 42.
pub(super) fn base_offset(path: &Path) -> Option<Offset> {
    inspect::segment_base_offset(path.file_stem()?.to_str()?)
}

impl Kind {
    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Journal => "journal file",
            Kind::Manifest => "manifest",
            Kind::Layout => "layout",
            Kind::Log => "segment",
            Kind::OffsetIndex => "offset index",
            Kind::TimeIndex => "time index",
            Kind::NotShown => "known, but not shown",
            Kind::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_a_file_is() {
        let kinds = [
            ("journal-00007.rj", Kind::Journal),
            ("journal-7.rj", Kind::Unknown),
            ("manifest-00000000000000000001.rm", Kind::Manifest),
            ("layout", Kind::Layout),
            ("00000000000000000000.log", Kind::Log),
            ("00000000000000000000.index", Kind::OffsetIndex),
            ("00000000000000000000.timeindex", Kind::TimeIndex),
            ("00000000000000000000.log.deleted", Kind::NotShown),
            ("ringmain.lock", Kind::NotShown),
            ("notes.txt", Kind::Unknown),
            ("", Kind::Unknown),
        ];
        for (name, kind) in kinds {
            assert_eq!(kind_by_name(Path::new(name)), kind, "{name}");
        }
    }

    #[test]
    fn a_segment_is_named_after_its_first_offset() {
        let of = |name| base_offset(Path::new(name));
        assert_eq!(of("/a/00000000000000000042.log"), Some(Offset(42)));
        for name in ["42.log", "+0000000000000000042.log", "99999999999999999999.log", "x", ""] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
