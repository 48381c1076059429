//! What clients see while they live: waits, acknowledgements, a topic that is replaced.
#![allow(clippy::disallowed_methods, reason = "a test measures the time of its own broker")]

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use conformance::broker::{Broker, Kind};
use conformance::client::Client;
use conformance::samples::Samples;
use conformance::{java, wait, workspace};

const TOPIC: &str = "live";

/// The consumers of these tests may wait for a minute: what wakes them within seconds, even on a
/// busy machine, is the record.
const WOKEN_WITHIN_MS: u64 = 5_000;

#[test]
fn each_record_wakes_its_reader_on_one_shard() {
    check_wakes("live-wake-1", "1");
}

#[test]
fn each_record_wakes_its_reader_on_two_shards() {
    check_wakes("live-wake-2", "2");
}

fn check_wakes(name: &str, shards: &str) {
    let setup = Setup::new(name, shards);
    setup.create_topic("6");
    let output = setup.client("wake", &[&setup.address, TOPIC, "6"]).output();
    let slowest = String::from_utf8(output).expect("wake.py prints a number");
    let slowest: u64 = slowest.trim().parse().expect("wake.py prints a number");
    println!("{name}: the slowest record was read after {slowest} ms");
    assert!(slowest < WOKEN_WITHIN_MS, "a record was read after {slowest} ms");
    setup.end();
}

#[test]
fn consumers_that_wait_cost_no_processor_time() {
    // A JVM is never idle.
    if Kind::under_test() == Kind::Kafka {
        return;
    }
    let setup = Setup::new("live-idle", "2");
    setup.create_topic("6");
    let mut consumers = setup.client("idle", &[&setup.address, TOPIC, "6", "20"]);
    consumers.await_line("waiting");
    // Their last requests are on their way yet, and the journal has a mark to write: the broker
    // must come to rest, and one second in which it does nothing shows that it has.
    wait::until("a second without work in the broker", Duration::from_secs(30), || {
        let (began, spent) = (Instant::now(), setup.broker.processor_time());
        while began.elapsed() < Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(50));
        }
        (setup.broker.processor_time() - spent <= Duration::from_millis(10)).then_some(())
    });
    drop(consumers);
    setup.end();
}

#[test]
fn every_kind_of_acknowledgement_keeps_all_records_in_order() {
    let setup = Setup::new("live-acks", "2");
    setup.create_topic("3");
    setup.client("acks", &[&setup.address, TOPIC]).output();
    setup.end();
}

#[test]
fn a_minimum_of_in_sync_replicas_above_their_number_stops_nobody() {
    let setup = Setup::new("live-min-insync", "2");
    setup.client("min_insync", &[&setup.address, TOPIC]).output();
    setup.end();
}

#[test]
fn a_topic_that_is_made_again_serves_the_clients_of_the_old_one() {
    let setup = Setup::new("live-replace", "2");
    setup.client("replace", &[&setup.address, TOPIC]).output();
    setup.end();
}

/// A producer's batches may be larger than its topic takes: Kafka's own splits them and sends the
/// parts, whose sequences go on where the last part ends.
#[test]
fn a_batch_that_is_too_large_for_its_topic_is_split_by_its_producer() {
    let setup = Setup::new("live-split", "2");
    let mut tool = java::kafka("org.apache.kafka.tools.TopicCommand");
    tool.args(["--bootstrap-server", &setup.address, "--create", "--topic", TOPIC]);
    tool.args(["--partitions", "1", "--config", "max.message.bytes=20000"]);
    Client::program(&setup.folder.join("topic"), "TopicCommand", &mut tool).output();

    let row = |number: usize| format!("{number:04} {}\n", "x".repeat(1_000));
    let rows: String = (0..400).map(row).collect();
    let file = setup.folder.join("rows");
    fs::write(&file, &rows).expect("a fresh folder can be written");
    let mut tool = java::kafka("org.apache.kafka.tools.ConsoleProducer");
    tool.args(["--bootstrap-server", &setup.address, "--topic", TOPIC]);
    tool.args(["--batch-size", "200000", "--timeout", "2000"]);
    // With more of them a small last batch would come first, which of a new producer is in order
    // whatever its sequence: then Kafka, too, refuses the parts of the one before.
    tool.args(["--producer-property", "max.in.flight.requests.per.connection=1"]);
    tool.stdin(fs::File::open(&file).expect("it was made above"));
    Client::program(&setup.folder.join("producer"), "ConsoleProducer", &mut tool).output();

    let arguments = ["-b", &setup.address, "-t", TOPIC, "-C", "-e", "-q"];
    let read = Client::kcat(&setup.folder.join("kcat"), &arguments).output();
    assert_eq!(String::from_utf8(read).as_deref(), Ok(rows.as_str()), "each row once, in order");
    if setup.broker.kind() == Kind::Ringmain {
        let samples = Samples::of(setup.broker.admin_address());
        let too_large = "error=\"MESSAGE_TOO_LARGE\"";
        let refused = samples.sum("ringmain_refused_partitions_total", too_large);
        assert!(refused > 1.0, "no batch was split, or not more than once: {refused}");
    }
    setup.end();
}

/// A broker with the folder of its clients.
struct Setup {
    broker: Broker,
    address: String,
    folder: PathBuf,
}

impl Setup {
    fn new(name: &str, shards: &str) -> Self {
        // A client that looks for a deleted topic must not bring it back.
        let settings = [("ringmain.shards", shards), ("auto.create.topics.enable", "false")];
        let broker = Broker::start(Kind::under_test(), name, &settings);
        let address = broker.address();
        let folder = workspace::fresh_folder(&format!("{name}-clients"));
        Self { broker, address, folder }
    }

    fn client(&self, program: &str, arguments: &[&str]) -> Client {
        Client::python(&self.folder.join(program), program, arguments)
    }

    fn create_topic(&self, partitions: &str) {
        self.client("create_topic", &[&self.address, TOPIC, partitions]).output();
    }

    fn end(mut self) {
        self.broker.stop();
        fs::remove_dir_all(&self.folder).expect("nobody uses the clients' folder any more");
    }
}
