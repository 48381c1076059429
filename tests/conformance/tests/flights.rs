//! A year of flights through the broker: what real clients read is what real clients wrote.
//!
//! The matrix has a topic with all flights for each of these, on one and on two shards.
//!
//! ```text
//! partitions   writer      codec                              reader
//! 1, 6, 100    kcat        none                               confluent
//! 1, 6, 100    confluent   none, gzip, snappy, lz4, zstd      kcat
//! ```
//!
//! On two shards the topics of 6 partitions have all readers at once, and further writers:
//!
//! ```text
//! 6            java        gzip, lz4                          kcat, confluent, java, and of gzip
//! 6            console     none, zstd                         and none also kafka-python
//! 6            kcat        gzip, zstd
//! 6            ringmain    none, lz4
//! ```
//!
//! Each topic is read in these phases, hot by all of its readers and then by one after the other,
//! and in each phase times are looked up, too:
//!
//! ```text
//! hot        while it is written, mostly from memory
//! killed     after kill -9, with a part from the journal: the topics that were written last
//! settled    when 95 % and more of it lie in segments
//! restarted  after a clean stop
//! ```
//!
//! Where io_uring is forbidden, a topic of each writer runs on two shards, those of 6 partitions
//! with all readers.
//!
//! Then the broker is killed and stopped, and Kafka's own tool must accept every segment.
//! Ringmain's must accept Kafka's.
#![allow(clippy::disallowed_methods, reason = "a test makes the files of its own clients")]

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use conformance::broker::{Broker, Kind};
use conformance::cell::{Cell, Surroundings, Written};
use conformance::client::Client;
use conformance::flights::Flights;
use conformance::reader::Reader;
use conformance::writer::{self, Writer};
use conformance::{dump, log_dump, settled, wait, workspace};

const PARTITIONS: [usize; 3] = [1, 6, 100];
const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];

const HOT: &str = "hot";
const KILLED: &str = "killed";
const SETTLED: &str = "settled";
const RESTARTED: &str = "restarted";
/// So many topics are read after a kill: those of which a part stands in the journal alone.
const KILLED_CELLS: usize = 3;

#[test]
fn every_cell_on_one_shard_gives_what_was_written() {
    run(Kind::under_test(), 1, &matrix());
}

#[test]
fn every_cell_on_two_shards_gives_what_was_written() {
    let flights = Flights::all();
    let further = [
        (Writer::Console, "zstd"),
        (Writer::Java, "lz4"),
        (Writer::Java, "gzip"),
        (Writer::Console, "none"),
        (Writer::Ringmain, "lz4"),
        (Writer::Ringmain, "none"),
        // Its librdkafka leaves compression away where it takes a broker for too old.
        (Writer::Kcat, "gzip"),
        (Writer::Kcat, "zstd"),
    ];
    let further = further.into_iter().map(|(writer, codec)| Cell {
        partitions: PAIRS_PARTITIONS,
        writer,
        codec,
        readers: Vec::new(),
        flights,
    });
    let mut cells: Vec<_> = further.chain(matrix()).collect();
    let pairs = cells.iter_mut().filter(|cell| cell.partitions == PAIRS_PARTITIONS);
    for (turn, cell) in pairs.enumerate() {
        cell.readers = Reader::all(cell.codec);
        // Each phase meets each reader in some cell.
        let readers = cell.readers.len();
        cell.readers.rotate_left(turn % readers);
    }
    run(Kind::under_test(), 2, &cells);
}

/// Where io_uring is forbidden the broker serves all the same: every writer and every reader.
#[test]
fn cells_without_io_uring_give_what_was_written() {
    let flights = Flights::all();
    let cells = [
        (100, Writer::Confluent, "zstd"),
        (6, Writer::Confluent, "none"),
        (6, Writer::Java, "gzip"),
        (6, Writer::Console, "none"),
        (6, Writer::Ringmain, "lz4"),
        (1, Writer::Kcat, "none"),
    ];
    let cells = cells.map(|(partitions, writer, codec)| {
        let readers = match partitions {
            PAIRS_PARTITIONS => Reader::all(codec),
            _ => vec![if writer == Writer::Kcat { Reader::Confluent } else { Reader::Kcat }],
        };
        Cell { partitions, writer, codec, readers, flights }
    });
    run(Kind::RingmainWithoutIoUring, 2, &cells);
}

/// The harness itself is right only if the broker that everybody knows passes it.
#[test]
fn the_broker_that_everybody_knows_passes_with_a_part_of_the_flights() {
    let flights = &Flights::load(20_000);
    let cells = [
        (Writer::Kcat, "none"),
        (Writer::Confluent, "lz4"),
        (Writer::Java, "zstd"),
        (Writer::Java, "snappy"),
        (Writer::Console, "gzip"),
        (Writer::Ringmain, "zstd"),
    ];
    let cells = cells.map(|(writer, codec)| Cell {
        partitions: 6,
        writer,
        codec,
        readers: Reader::all(codec),
        flights,
    });
    run(Kind::Kafka, 1, &cells);
}

/// In topics of so many partitions every writer meets every reader.
const PAIRS_PARTITIONS: usize = 6;

fn matrix() -> Vec<Cell<'static>> {
    let flights = Flights::all();
    // What is not compressed comes last, so that much of it stands in the journal at the kill.
    let codecs = CODECS.into_iter().rev().map(|codec| (Writer::Confluent, codec, Reader::Kcat));
    let pairs = codecs.chain([(Writer::Kcat, "none", Reader::Confluent)]);
    pairs
        .flat_map(|(writer, codec, reader)| {
            PARTITIONS.map(|partitions| Cell {
                partitions,
                writer,
                codec,
                readers: vec![reader],
                flights,
            })
        })
        .collect()
}

fn run(kind: Kind, shards: usize, cells: &[Cell<'_>]) {
    let settings = [
        ("ringmain.shards", &*shards.to_string()),
        // The least that takes a batch of a megabyte: records must leave journal and tail for the
        // segments while the test runs.
        ("ringmain.journal.file.bytes", "2097152"),
        ("ringmain.tail.bytes", "8388608"),
    ];
    let started = Instant::now();
    let name = format!("flights-{kind:?}-{shards}").to_lowercase();
    let mut broker = Broker::start(kind, &name, &settings);
    let folder = workspace::fresh_folder(&format!("{name}-clients"));
    let around = Surroundings { address: broker.address(), folder: folder.clone() };

    create(&around, cells);
    let written = cells.iter().map(|cell| cell.clone().write(&around, HOT));
    let mut topics: Vec<Written<'_>> = written.collect();
    broker.kill_and_restart();
    let last = topics.len().saturating_sub(KILLED_CELLS);
    topics[last..].iter_mut().for_each(|topic| topic.read_again(&around, KILLED));
    settle(&broker, &around, cells);
    topics.iter_mut().for_each(|topic| topic.read_again(&around, SETTLED));
    broker.restart();
    topics.iter_mut().for_each(|topic| topic.read_again(&around, RESTARTED));

    broker.kill_and_restart();
    broker.stop();
    check_files(&broker, &folder, cells);
    std::fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
    print(&name, &topics, started.elapsed());
}

/// Kafka's own tool must accept every segment, and so must ours, at least Kafka's: of others'
/// segments it may know less.
fn check_files(broker: &Broker, folder: &Path, cells: &[Cell<'_>]) {
    let data = broker.data_folder();
    let mut dumps = vec![("Kafka's", dump::contents(&folder.join("dump"), &data))];
    if broker.kind() == Kind::Kafka {
        dumps.push(("ours", log_dump::contents(&folder.join("log-dump"), &data)));
    }
    for (tool, dumped) in dumps {
        for cell in cells {
            let topic = format!("{tool} tool, {}", cell.topic());
            let found = dumped.get(&cell.topic()).cloned().unwrap_or_default();
            let codec = codec_on_disk(broker.kind(), cell);
            found.assert_written(cell.flights.rows().len(), codec, &topic);
        }
    }
}

/// librdkafka compresses with lz4 only for a broker that names FindCoordinator, which it takes for
/// the mark of a Kafka that can read it. Ringmain has no groups, and so it does not name it.
fn codec_on_disk(kind: Kind, cell: &Cell<'_>) -> &'static str {
    let by_librdkafka = [Writer::Kcat, Writer::Confluent].contains(&cell.writer);
    match cell.codec {
        "lz4" if by_librdkafka && kind != Kind::Kafka => "none",
        codec => codec,
    }
}

fn create(around: &Surroundings, cells: &[Cell<'_>]) {
    let mut arguments = vec![around.address.clone(), FILLER.into(), FILLER_PARTITIONS.into()];
    for cell in cells {
        arguments.extend([cell.topic(), cell.partitions.to_string()]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Client::python(&around.folder.join("create"), "create_topic", &arguments).output();
}

/// More than two shards hold in memory and journal before they settle all that they have.
const FILLER_RECORDS: usize = 32_000;
const FILLER_RECORD_BYTES: usize = 1_000;
const FILLER: &str = "filler";
const FILLER_PARTITIONS: &str = "4";
const SETTLE_DEADLINE: Duration = Duration::from_secs(60);

/// Pushes what memory and journal hold of the flights out into segments, by records of another
/// topic, and waits until 95 % of each topic are there. The rest is less than a block of each
/// partition, which a broker may keep elsewhere.
fn settle(broker: &Broker, around: &Surroundings, cells: &[Cell<'_>]) {
    let folder = around.folder.join(FILLER);
    std::fs::create_dir_all(&folder).expect("a folder below target can be made");
    let value = "x".repeat(FILLER_RECORD_BYTES);
    let lines: String = (0..FILLER_RECORDS).map(|key| format!("{key}\t{value}\n")).collect();
    let file = folder.join("records");
    std::fs::write(&file, lines).expect("a fresh folder can be written");
    let file = file.to_str().expect("paths of the workspace are UTF-8");
    writer::kcat(&folder, &["-b", &around.address, "-t", FILLER, "-l", file]);

    let data = broker.data_folder();
    wait::until("95 % of each topic in segments", SETTLE_DEADLINE, || {
        let found = settled::records(&data);
        let enough = |cell: &Cell<'_>| {
            let count = found.get(&cell.topic()).copied().unwrap_or(0);
            count * 100 >= cell.flights.rows().len() as u64 * 95
        };
        cells.iter().all(enough).then_some(())
    });
}

/// Shows what ran, past the capture of the output: which cells, and what each of them passed.
fn print(name: &str, topics: &[Written<'_>], took: Duration) {
    let mut text = format!("{name}: {} topics, {} s\n", topics.len(), took.as_secs());
    for Written { cell, phases, .. } in topics {
        let Cell { partitions, writer, codec, flights, readers } = cell;
        let readers: Vec<String> = readers.iter().map(Reader::to_string).collect();
        text += &format!(
            "  partitions {partitions:>3}  writer {writer:<9}  codec {codec:<6}  flights {:>6}  \
             {}  readers {}\n",
            flights.rows().len(),
            phases.join(" "),
            readers.join(" ")
        );
    }
    std::io::stdout().write_all(text.as_bytes()).expect("the test's output is open");
}
