//! What Apache Kafka's own tool says of the files in a data folder: it must accept every segment.

use std::fs;
use std::path::{Path, PathBuf};

use crate::client::Client;
use crate::kafka;

/// Files in one run of the tool: their names are one argument, and Linux takes 128 KiB of that.
const FILES_MAX: usize = 500;

/// Lets `DumpLogSegments` read every segment below `data`, record by record, and hold every index
/// against its segment. Returns how many records lie in the segments of `topic`.
///
/// The broker must have stopped in good order. Logs of the tool go below `folder`.
///
/// # Panics
///
/// If the tool fails, or complains about anything.
pub fn records(folder: &Path, data: &Path, topic: &str) -> usize {
    let (logs, indexes): (Vec<_>, Vec<_>) =
        files(data).into_iter().partition(|file| file.ends_with(".log"));
    assert!(!logs.is_empty(), "{} holds no segments", data.display());
    for mode in ["--index-sanity-check", "--verify-index-only"] {
        for some in indexes.chunks(FILES_MAX) {
            dump(folder, mode, some);
        }
    }
    let of_topic = |file: &String| {
        let folder = Path::new(file).parent().and_then(Path::file_name).and_then(|f| f.to_str());
        folder.is_some_and(|folder| folder.starts_with(&format!("{topic}-")))
    };
    let (of_topic, others): (Vec<_>, Vec<_>) = logs.into_iter().partition(of_topic);
    for some in others.chunks(FILES_MAX) {
        dump(folder, "--deep-iteration", some);
    }
    let count = |some: &[String]| {
        dump(folder, "--deep-iteration", some).lines().filter(|line| is_record(line)).count()
    };
    of_topic.chunks(FILES_MAX).map(count).sum()
}

/// Every segment and index below `data`, by its path.
fn files(data: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![data.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).expect("a broker that stopped leaves its folder alone");
        let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        for path in paths {
            if path.is_dir() {
                folders.push(path);
            } else if is_of_a_segment(&path) {
                found.push(path.to_str().expect("paths of the workspace are UTF-8").to_string());
            }
        }
    }
    found
}

/// Kafka names a segment and its indexes after the first offset, in twenty digits.
fn is_of_a_segment(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    let Some((stem, extension)) = name.split_once('.') else { return false };
    let named = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    named && ["log", "index", "timeindex"].contains(&extension)
}

fn dump(folder: &Path, mode: &str, files: &[String]) -> String {
    let mut tool = kafka::java("org.apache.kafka.tools.DumpLogSegments", &["-Xmx512M"]);
    tool.args([mode, "--files", &files.join(",")]);
    let output = Client::program(folder, "DumpLogSegments", &mut tool).output();
    let text = String::from_utf8(output).expect("the tool prints text");
    if let Some(complaint) = text.lines().find(|line| is_complaint(line)) {
        panic!("DumpLogSegments {mode}: {complaint}");
    }
    text
}

/// The tool ends with success whatever it finds: what it found stands in its text.
fn is_complaint(line: &str) -> bool {
    let line = line.trim_start();
    // It takes -1 for the offset before any segment's first, so that it says this of every segment
    // behind a log's first one, also of Kafka's.
    let gap = line.contains(" is followed by ") && !line.starts_with("-1 ");
    let found = ["isvalid: false", "mismatch", "Mismatch", "Found", "out of order", "invalid"];
    gap || found.iter().any(|word| line.contains(word))
}

fn is_record(line: &str) -> bool {
    line.starts_with("| offset: ")
}

#[cfg(test)]
mod tests {
    use super::is_complaint;

    #[test]
    fn what_the_tool_finds_wrong_is_a_complaint_and_what_it_always_says_is_none() {
        for wrong in [
            "baseOffset: 0 lastOffset: 9 count: 10 magic: 2 crc: 17 isvalid: false",
            "Mismatches in :/d/flights-0/00000000000000000000.index",
            "Found timestamp mismatch in :/d/flights-0/00000000000000000000.timeindex",
            "Found 12 invalid bytes at the end of 00000000000000000000.log",
            "  41 is followed by 43",
        ] {
            assert!(is_complaint(wrong), "{wrong}");
        }
        for right in [
            "baseOffset: 0 lastOffset: 9 count: 10 magic: 2 crc: 17 isvalid: true",
            "Non-consecutive offsets in /d/flights-0/00000000000000000017.log",
            "  -1 is followed by 17",
            "00000000000000000017.index is empty.",
        ] {
            assert!(!is_complaint(right), "{right}");
        }
    }
}
