//! A year of flights through the broker: what real clients read is what real clients wrote.
#![allow(clippy::disallowed_methods, reason = "a test takes the time of its own clients")]

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use conformance::broker::{Broker, Kind};
use conformance::client::Client;
use conformance::equality::{self, Stamps, Timestamps};
use conformance::flights::Flights;
use conformance::{dump, look_up, settled, wait, workspace};

/// A client that writes or reads.
#[derive(Clone, Copy, Debug)]
enum Peer {
    /// librdkafka of the Linux distribution, by kcat.
    Kcat,
    /// The newest librdkafka, by confluent-kafka for Python.
    Confluent,
}

/// One row of the table below.
struct Case {
    name: &'static str,
    partitions: usize,
    shards: &'static str,
    writer: Peer,
    codec: &'static str,
    /// Who reads while the writer writes; after the records have settled; after a restart.
    readers: [Peer; 3],
}

// Every row writes and reads all flights, and the rows together have every writer and reader in
// pairs, every codec, and every number of partitions on one and on two shards:
//
//   partitions  shards  writer     codec   read hot   settled    restarted
//            1       1  kcat       none    confluent  kcat       confluent
//            1       2  confluent  none    kcat       confluent  kcat
//            6       1  confluent  gzip    kcat       confluent  kcat
//            6       2  confluent  zstd    kcat       kcat       confluent
//            6       2  kcat       lz4     confluent  confluent  kcat
//          100       1  confluent  lz4     kcat       confluent  kcat
//          100       2  confluent  snappy  kcat       kcat       confluent

#[test]
fn one_partition_on_one_shard_gives_confluent_what_kcat_wrote() {
    check(&Case {
        name: "flights-1-1-kcat",
        partitions: 1,
        shards: "1",
        writer: Peer::Kcat,
        codec: "none",
        readers: [Peer::Confluent, Peer::Kcat, Peer::Confluent],
    });
}

#[test]
fn one_partition_on_two_shards_gives_kcat_what_confluent_wrote() {
    check(&Case {
        name: "flights-1-2-none",
        partitions: 1,
        shards: "2",
        writer: Peer::Confluent,
        codec: "none",
        readers: [Peer::Kcat, Peer::Confluent, Peer::Kcat],
    });
}

#[test]
fn six_partitions_on_one_shard_give_what_was_written_with_gzip() {
    check(&Case {
        name: "flights-6-1-gzip",
        partitions: 6,
        shards: "1",
        writer: Peer::Confluent,
        codec: "gzip",
        readers: [Peer::Kcat, Peer::Confluent, Peer::Kcat],
    });
}

#[test]
fn six_partitions_on_two_shards_give_what_was_written_with_zstd() {
    check(&Case {
        name: "flights-6-2-zstd",
        partitions: 6,
        shards: "2",
        writer: Peer::Confluent,
        codec: "zstd",
        readers: [Peer::Kcat, Peer::Kcat, Peer::Confluent],
    });
}

#[test]
fn six_partitions_on_two_shards_give_confluent_what_kcat_wrote_with_lz4() {
    check(&Case {
        name: "flights-6-2-kcat",
        partitions: 6,
        shards: "2",
        writer: Peer::Kcat,
        codec: "lz4",
        readers: [Peer::Confluent, Peer::Confluent, Peer::Kcat],
    });
}

#[test]
fn a_hundred_partitions_on_one_shard_give_what_was_written_with_lz4() {
    check(&Case {
        name: "flights-100-1-lz4",
        partitions: 100,
        shards: "1",
        writer: Peer::Confluent,
        codec: "lz4",
        readers: [Peer::Kcat, Peer::Confluent, Peer::Kcat],
    });
}

#[test]
fn a_hundred_partitions_on_two_shards_give_what_was_written_with_snappy() {
    check(&Case {
        name: "flights-100-2-snappy",
        partitions: 100,
        shards: "2",
        writer: Peer::Confluent,
        codec: "snappy",
        readers: [Peer::Kcat, Peer::Kcat, Peer::Confluent],
    });
}

/// The harness itself is right only if the broker that everybody knows passes it.
#[test]
fn apache_kafka_passes_the_same_test_with_a_part_of_the_flights() {
    let flights = Flights::load(20_000);
    let case = Case {
        name: "flights-kafka",
        partitions: 6,
        shards: "1",
        writer: Peer::Kcat,
        codec: "lz4",
        readers: [Peer::Confluent, Peer::Kcat, Peer::Confluent],
    };
    run(&case, Kind::Kafka, &flights);
}

const TOPIC: &str = "flights";
const KCAT_HEADERS: &str = "source=kcat";
const SETTLE_DEADLINE: Duration = Duration::from_secs(120);

fn check(case: &Case) {
    run(case, Kind::under_test(), Flights::all());
}

fn run(case: &Case, kind: Kind, flights: &Flights) {
    let settings = [
        ("ringmain.shards", case.shards),
        // The least that takes a batch of a megabyte: most records must leave journal and tail for
        // the segments while the test runs.
        ("ringmain.journal.file.bytes", "2097152"),
        ("ringmain.tail.bytes", "8388608"),
    ];
    let mut broker = Broker::start(kind, case.name, &settings);
    let folder = workspace::fresh_folder(&format!("{}-clients", case.name));
    let address = broker.address();
    let partitions = case.partitions.to_string();
    Client::python(&folder.join("create"), "create_topic", &[&address, TOPIC, &partitions])
        .output();

    let [hot, at_rest, restarted] = case.readers;
    let count = flights.rows().len();
    let follower = read(&folder.join("hot"), hot, &address, Some(count));
    let stamps = write(&folder.join("write"), case, &address, flights);
    let same = |what: &str, output: Vec<u8>| {
        let checked = equality::check(flights, case.partitions, &stamps, &output);
        checked.unwrap_or_else(|difference| panic!("{}, {what}: {difference}", case.name))
    };
    same("hot", follower.output());

    await_settled(&broker, count);
    let timestamps = same("settled", read(&folder.join("rest"), at_rest, &address, None).output());
    check_look_ups(&folder.join("times"), &address, &timestamps);

    broker.restart();
    let again = same("restarted", read(&folder.join("late"), restarted, &address, None).output());
    assert!(again == timestamps, "{}: timestamps changed by a restart", case.name);
    check_look_ups(&folder.join("late-times"), &address, &timestamps);
    broker.stop();
    let dumped = dump::records(&folder.join("dump"), &broker.data_folder(), TOPIC);
    assert_eq!(dumped, count, "{}: records that Kafka's tool finds in the segments", case.name);
    std::fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
}

/// Writes all records and returns what the writer put beside key and value.
fn write(folder: &Path, case: &Case, address: &str, flights: &Flights) -> Stamps {
    let started_ms = wall_ms();
    match case.writer {
        Peer::Kcat => {
            let file = flights.keyed_file.to_str().expect("paths of the workspace are UTF-8");
            let arguments = [
                "-P",
                "-b",
                address,
                "-t",
                TOPIC,
                "-K",
                "\t",
                "-Z",
                "-z",
                case.codec,
                "-H",
                KCAT_HEADERS,
                "-X",
                "topic.partitioner=murmur2_random",
                "-X",
                "acks=all",
                "-l",
                file,
            ];
            Client::kcat(folder, &arguments).output();
            Stamps::SendTimes { between_ms: started_ms..=wall_ms(), headers: KCAT_HEADERS }
        }
        Peer::Confluent => {
            let file = flights.full_file.to_str().expect("paths of the workspace are UTF-8");
            let count = flights.rows().len().to_string();
            let arguments = [address, TOPIC, case.codec, file, &count];
            Client::python(folder, "write", &arguments).output();
            Stamps::OwnTimes
        }
    }
}

/// Starts a reader that ends at the topic's end, or follows the topic until it has seen `count`.
fn read(folder: &Path, reader: Peer, address: &str, count: Option<usize>) -> Client {
    let count = count.map(|count| count.to_string());
    match reader {
        Peer::Kcat => {
            let format = r"%p\t%o\t%T\t%K\t%k\t%h\t%s\n";
            let mut arguments =
                vec!["-C", "-q", "-b", address, "-t", TOPIC, "-o", "beginning", "-f", format];
            match &count {
                Some(count) => arguments.extend(["-c", count]),
                None => arguments.push("-e"),
            }
            Client::kcat(folder, &arguments)
        }
        Peer::Confluent => {
            Client::python(folder, "read", &[address, TOPIC, count.as_deref().unwrap_or("end")])
        }
    }
}

/// Waits until a good part of the records lies in segments. The others stay in the journal, of
/// which half may be in use, or, less than a block of each partition, in the manifest.
fn await_settled(broker: &Broker, count: usize) {
    let data = broker.data_folder();
    wait::until("an eighth of the records in segments", SETTLE_DEADLINE, || {
        (settled::records(&data) >= count as u64 / 8).then_some(())
    });
}

fn check_look_ups(folder: &Path, address: &str, timestamps: &Timestamps) {
    let times = look_up::questions(timestamps);
    let partitions = timestamps.len().to_string();
    let texts: Vec<String> = times.iter().map(i64::to_string).collect();
    let mut arguments = vec![address, TOPIC, &partitions];
    arguments.extend(texts.iter().map(String::as_str));
    let output = Client::python(folder, "look_up", &arguments).output();
    let mut found = look_up::answers(&output);
    let mut expected = look_up::expected(timestamps, &times);
    found.sort_unstable();
    expected.sort_unstable();
    let wrong = expected.iter().zip(&found).find(|(expected, found)| expected != found);
    assert_eq!(wrong, None, "(partition, time, offset): expected and found");
    assert_eq!(found.len(), expected.len());
}

fn wall_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(now.as_millis()).expect("it is before the year 292,000,000")
}
