//! What Apache Kafka's own tool says of the files in a data folder: it must accept every segment.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::client::Client;
use crate::content::Content;
use crate::java;
use crate::segments::{self, Part, SegmentFile};

/// Files in one run of the tool: their names are one argument, Linux takes 128 KiB of that, and a
/// path below the data folder is at most about 100 bytes.
const FILES_MAX: usize = 1_000;

/// Lets `DumpLogSegments` read every segment below `data`, record by record, and hold every index
/// against its segment. Returns how many records lie in the segments of each topic.
///
/// The broker must have stopped in good order. Logs of the tool go below `folder`.
///
/// # Panics
///
/// If the tool fails, or complains about anything.
pub fn contents(folder: &Path, data: &Path) -> BTreeMap<String, Content> {
    let (logs, indexes): (Vec<_>, Vec<_>) =
        segments::files(data).into_iter().partition(|file| file.part == Part::Log);
    assert!(!logs.is_empty(), "{} holds no segments", data.display());
    for mode in ["--index-sanity-check", "--verify-index-only"] {
        for some in indexes.chunks(FILES_MAX) {
            dump(folder, data, mode, some);
        }
    }
    let mut contents: BTreeMap<String, Content> = BTreeMap::new();
    for some in logs.chunks(FILES_MAX) {
        for (topic, content) in dump(folder, data, "--deep-iteration", some) {
            contents.entry(topic).or_default().add(content);
        }
    }
    contents
}

/// One run of the tool; the records that it shows, by topic.
fn dump(
    folder: &Path,
    data: &Path,
    mode: &str,
    files: &[SegmentFile],
) -> BTreeMap<String, Content> {
    let path = |file: &SegmentFile| {
        file.path.to_str().expect("the names of segments are ASCII").to_string()
    };
    let names = files.iter().map(path).collect::<Vec<_>>().join(",");
    let topics: BTreeMap<String, &str> =
        files.iter().map(|file| (path(file), file.topic.as_str())).collect();
    let mut tool = java::kafka("org.apache.kafka.tools.DumpLogSegments");
    tool.args([mode, "--files", &names]).current_dir(data);
    let output = Client::program(folder, "DumpLogSegments", &mut tool).output_file();
    let mut contents: BTreeMap<String, Content> = BTreeMap::new();
    let (mut topic, mut codec, mut seen) = ("", String::new(), 0);
    for line in BufReader::new(output).lines() {
        let line = line.expect("the tool prints text");
        if is_record(&line) {
            contents.entry(topic.to_string()).or_default().count(&codec);
        } else if let Some(file) = line.strip_prefix("Dumping ") {
            topic = topics.get(file).expect("the tool was asked for this file");
            seen += 1;
        } else if is_complaint(&line) {
            panic!("DumpLogSegments {mode}: {line}");
        } else if let Some(found) = codec_of(&line) {
            codec = found.to_string();
        }
    }
    assert_eq!(seen, files.len(), "files that DumpLogSegments {mode} looked into");
    contents
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

/// The codec in the line of a batch.
fn codec_of(line: &str) -> Option<&str> {
    let (_, behind) = line.split_once(" compresscodec: ")?;
    behind.split(' ').next()
}

fn is_record(line: &str) -> bool {
    line.starts_with("| offset: ")
}

#[cfg(test)]
mod tests {
    use super::{codec_of, is_complaint};

    #[test]
    fn the_line_of_a_batch_names_its_codec() {
        let batch = "baseOffset: 0 lastOffset: 9 size: 7 magic: 2 compresscodec: gzip crc: 17";
        assert_eq!(codec_of(batch), Some("gzip"));
        assert_eq!(codec_of("| offset: 0 CreateTime: 1 keySize: 3 valueSize: 9"), None);
    }

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
