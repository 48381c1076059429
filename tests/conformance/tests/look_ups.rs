//! Look-ups by time: Ringmain's answers are Apache Kafka's, given the same data.
#![allow(clippy::disallowed_methods, reason = "a test removes the files of its own clients")]

use std::path::Path;

use conformance::broker::{Broker, Kind};
use conformance::client::Client;
use conformance::flights::Flights;
use conformance::{dump, java, log_dump, look_up, workspace};

const PARTITIONS: &str = "6";
/// Each codec has a topic of its name.
const CODECS: [&str; 3] = ["none", "gzip", "zstd"];
/// So many records are some segments of the least size that Kafka takes.
const RECORDS: usize = 20_000;
/// The phase before anything is restarted.
const FRESH: &str = "fresh";
const SETTINGS: [(&str, &str); 4] = [
    ("log.segment.bytes", "1048576"),
    ("ringmain.shards", "2"),
    // The least that takes a batch of a megabyte: records must leave journal and tail for the
    // segments while the test runs.
    ("ringmain.journal.file.bytes", "2097152"),
    ("ringmain.tail.bytes", "8388608"),
];

#[test]
fn offsets_by_time_are_those_that_kafka_finds_in_the_same_data() {
    let flights = Flights::load(RECORDS);
    let folder = workspace::fresh_folder("look-ups-clients");
    let names = ["look-ups", "look-ups-kafka"];
    let mut brokers = [
        Broker::start(Kind::under_test(), names[0], &SETTINGS),
        Broker::start(Kind::Kafka, names[1], &SETTINGS),
    ];
    for (broker, name) in brokers.iter().zip(names) {
        write(&folder.join(name), &broker.address(), &flights);
    }
    let ask = |brokers: &[Broker; 2], phase: &str| {
        let answers = [0, 1].map(|of| {
            let folder = folder.join(names[of]).join(phase);
            answers(&folder, &brokers[of].address(), &flights)
        });
        check(&answers, phase);
    };
    ask(&brokers, FRESH);
    brokers[0].kill_and_restart();
    brokers[1].restart();
    ask(&brokers, "killed");
    brokers[0].restart();
    ask(&brokers, "restarted");
    brokers.iter_mut().for_each(Broker::stop);
    check_files(&folder, &brokers);
    std::fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
}

fn write(folder: &Path, address: &str, flights: &Flights) {
    let mut topics = vec![address];
    topics.extend(CODECS.iter().flat_map(|codec| [*codec, PARTITIONS]));
    Client::python(&folder.join("create"), "create_topic", &topics).output();
    let file = flights.files.full.to_str().expect("paths of the workspace are UTF-8");
    let count = RECORDS.to_string();
    for codec in CODECS {
        let arguments = [address, codec, codec, file, &count];
        let mut program = java::ours("Write");
        Client::program(&folder.join(codec), "Write", program.args(arguments)).output();
    }
}

fn answers(folder: &Path, address: &str, flights: &Flights) -> String {
    let timestamps = flights.rows().iter().map(|row| row.timestamp_ms).collect();
    let times = look_up::questions(&vec![timestamps]);
    let times: Vec<String> = times.iter().map(i64::to_string).collect();
    let mut program = java::ours("LookUp");
    let program = program.args([address, &CODECS.join(","), &times.join(",")]);
    let output = Client::program(folder, "LookUp", program).output();
    String::from_utf8(output).expect("LookUp.java prints text")
}

fn check([found, of_kafka]: &[String; 2], phase: &str) {
    let lines = |answers: &str| answers.lines().map(|line| compared(line, phase)).collect();
    let (found, of_kafka): (Vec<_>, Vec<_>) = (lines(found), lines(of_kafka));
    let pairs = found.iter().zip(&of_kafka);
    let wrong: Vec<_> = pairs.filter(|(found, of_kafka)| found != of_kafka).collect();
    let count = found.len();
    println!("{phase}: {count} answers");
    let first = &wrong[..wrong.len().min(10)];
    assert!(wrong.is_empty(), "{phase}: {} of {count} answers differ: {first:#?}", wrong.len());
    assert_eq!(count, of_kafka.len(), "{phase}: answers");
}

/// A line of LookUp.java, but for the current leader epoch once brokers have been restarted: each
/// restart raises it, Kafka's and ours by another step.
fn compared(line: &str, phase: &str) -> String {
    let is_current = line.contains("\tlatest ") && phase != FRESH;
    let (all_but_epoch, _) = line.rsplit_once('\t').expect("LookUp.java prints fields");
    if is_current { all_but_epoch.to_string() } else { line.to_string() }
}

/// Kafka's tool must accept all of the many segments, and ours those of Kafka.
fn check_files(folder: &Path, [broker, kafka]: &[Broker; 2]) {
    let dumps = [
        ("Kafka's", dump::contents(&folder.join("dump"), &broker.data_folder())),
        ("ours", log_dump::contents(&folder.join("log-dump"), &kafka.data_folder())),
    ];
    for (tool, dumped) in dumps {
        for codec in CODECS {
            let found = dumped.get(codec).cloned().unwrap_or_default();
            found.assert_written(RECORDS, codec, &format!("{tool} tool, {codec}"));
        }
    }
}
