//! What `ringmain log dump` says of a whole data folder, Apache Kafka's too: that all is well.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::client::Client;
use crate::content::Content;
use crate::{segments, workspace};

/// Lets it read every file below `data`, record by record. Returns what lies in the segments of
/// each topic.
///
/// # Panics
///
/// If it finds damage, or what it does not know, or a record that it cannot read.
pub fn contents(folder: &Path, data: &Path) -> BTreeMap<String, Content> {
    let mut tool = Command::new(workspace::ringmain());
    tool.args(["log", "dump", "--json", "--records"]).arg(data);
    // It ends with success only if it found nothing wrong and knew every file.
    let output = Client::program(folder, "ringmain log dump", &mut tool).output_file();
    let mut contents: BTreeMap<String, Content> = BTreeMap::new();
    let mut codec = String::new();
    for line in BufReader::new(output).lines() {
        let line = line.expect("JSON is UTF-8");
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["fault"].is_null(), "a fault, and success: {line}");
        let what = line["what"].as_str().unwrap_or_default();
        if what == "batch" {
            codec = line["codec"].as_str().expect("a batch has a codec, be it none").to_string();
        }
        let file = line["file"].as_str().map(Path::new);
        let segment = file.and_then(|file| segments::segment_file(data, file));
        if let (Some(segment), "record") = (segment, what) {
            contents.entry(segment.topic).or_default().count(&codec);
        }
    }
    contents
}
