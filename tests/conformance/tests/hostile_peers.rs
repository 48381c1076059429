//! Peers that claim more than they send, and peers that leave: real clients beside them are served.
#![allow(clippy::disallowed_methods, reason = "a test opens sockets and measures time of its own")]

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use conformance::broker::{Broker, Kind};
use conformance::client::Client;
use conformance::samples::Samples;
use conformance::{wait, workspace};
use protocol::ApiKey;
use protocol::generated::fetch::{FetchPartition, FetchRequest, FetchTopic};
use protocol::header::RequestHeader;
use protocol::response::encode_request;

const TOPIC: &str = "beside";
/// `socket.request.max.bytes` of a broker that is told nothing.
const CLAIM: i32 = 100 * 1024 * 1024;
const CLAIMS: usize = 200;
/// What a broker of two shards can just live with.
const OPEN_FILES_MAX: u32 = 256;
/// More than that.
const CROWD: u32 = 400;
/// What so many sockets and their tasks may take, with a wide margin; one claim is more.
const MEMORY_MAX_MIB: u64 = 64;
/// A begun request may take half a minute; the machine may be busy.
const CLOSED_WITHIN: Duration = Duration::from_secs(60);
/// A reader is woken at once; the machine may be busy.
const WOKEN_WITHIN_MS: u64 = 5_000;

#[test]
fn claims_of_large_requests_take_no_memory_and_stop_nobody() {
    // Kafka takes the memory, unless it is told of a budget (`queued.max.request.bytes`).
    if Kind::under_test() == Kind::Kafka {
        return;
    }
    let mut broker = Broker::start(Kind::Ringmain, "hostile-claims", &[("ringmain.shards", "2")]);
    let address = broker.address();
    let folder = workspace::fresh_folder("hostile-claims-clients");
    let python = |name: &str, arguments: &[&str]| {
        Client::python(&folder.join(name), name, arguments).output()
    };
    python("create_topic", &[&address, TOPIC, "6"]);
    let before = broker.resident_mib();
    let mut liars = Vec::new();
    for silent in 0..CLAIMS {
        let mut liar = TcpStream::connect(&address).expect("the broker listens");
        let mut bytes = CLAIM.to_be_bytes().to_vec();
        bytes.resize(4 + silent % 2, 0);
        liar.write_all(&bytes).expect("the broker reads");
        liars.push(liar);
    }
    let output = python("wake", &[&address, TOPIC, "6"]);
    let slowest = String::from_utf8(output).expect("wake.py prints a number");
    let slowest: u64 = slowest.trim().parse().expect("wake.py prints a number");
    assert!(slowest < WOKEN_WITHIN_MS, "a record was read after {slowest} ms");
    let taken = broker.resident_mib().saturating_sub(before);
    println!("{CLAIMS} claims took {taken} MiB; the slowest record was read after {slowest} ms");
    assert!(taken < MEMORY_MAX_MIB, "{taken} MiB");
    for liar in &mut liars {
        liar.set_read_timeout(Some(CLOSED_WITHIN)).expect("a duration above zero");
        let read = liar.read(&mut [0]);
        // A reset tells that a byte was never read.
        let is_reset = |e: &Error| e.kind() == ErrorKind::ConnectionReset;
        let is_closed = matches!(read, Ok(0)) || read.as_ref().is_err_and(is_reset);
        assert!(is_closed, "half a request was not closed: {read:?}");
    }
    wait::until("those that were too slow, in the metrics", CLOSED_WITHIN, || {
        let samples = Samples::of(broker.admin_address());
        let slow = samples.sum("ringmain_connections_closed_total", "reason=\"slow\"");
        (slow == CLAIMS as f64).then_some(())
    });
    let taken = broker.resident_mib().saturating_sub(before);
    assert!(taken < MEMORY_MAX_MIB, "{taken} MiB are left");
    broker.stop();
    std::fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
}

/// Clients used to take every descriptor that there was, and the next folder that the storage
/// opened for its sync ended the broker.
#[test]
fn a_crowd_of_connections_leaves_the_storage_its_descriptors() {
    // Kafka's limit on connections is a setting, and its JVM has hundreds of files open.
    if Kind::under_test() == Kind::Kafka {
        return;
    }
    let settings = [
        ("ringmain.shards", "2"),
        ("ringmain.journal.file.bytes", "2097152"),
        ("ringmain.journal.files.max", "4"),
    ];
    let name = "hostile-crowd";
    let mut broker = Broker::start_with_open_files(Kind::Ringmain, name, &settings, OPEN_FILES_MAX);
    let address = broker.address();
    let folder = workspace::fresh_folder("hostile-crowd-clients");
    let python = |name: &str, arguments: &[&str]| {
        Client::python(&folder.join(name), name, arguments).output()
    };
    python("create_topic", &[&address, TOPIC, "6"]);
    let output = python("crowd", &[&address, TOPIC, "6", &CROWD.to_string()]);
    let output = String::from_utf8(output).expect("crowd.py prints a number");
    let turned_away: u32 = output.trim().parse().expect("crowd.py prints a number");
    println!("{turned_away} of {CROWD} connections were turned away");
    assert!(turned_away > CROWD - OPEN_FILES_MAX / 2, "{turned_away} of {CROWD}");
    // Whoever comes when the crowd has left is let in again.
    python("create_topic", &[&address, "afterwards", "6"]);
    broker.stop();
    std::fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
}

#[test]
fn a_fetch_that_waits_ends_when_its_client_leaves() {
    // Kafka looks only when the wait is over.
    if Kind::under_test() == Kind::Kafka {
        return;
    }
    let mut broker = Broker::start(Kind::Ringmain, "hostile-leaves", &[("ringmain.shards", "2")]);
    let address = broker.address();
    let folder = workspace::fresh_folder("hostile-leaves-clients");
    let create = folder.join("create_topic");
    Client::python(&create, "create_topic", &[&address, TOPIC, "1"]).output();
    let partition = FetchPartition { partition_max_bytes: 1024, ..FetchPartition::default() };
    let topic = FetchTopic { topic: TOPIC.into(), partitions: vec![partition], ..<_>::default() };
    let request = FetchRequest {
        max_wait_ms: 120_000,
        min_bytes: 1,
        max_bytes: 1024,
        topics: vec![topic],
        ..FetchRequest::default()
    };
    let header = RequestHeader {
        api_key: ApiKey::Fetch,
        api_version: 12,
        correlation_id: 1,
        client_id: None,
    };
    let request = encode_request(header, &request).expect("it fits the version");
    let mut leaver = TcpStream::connect(&address).expect("the broker listens");
    leaver.write_all(&request).expect("the broker reads");
    leaver.shutdown(Shutdown::Write).expect("it is connected");
    let began = Instant::now();
    leaver.set_read_timeout(Some(CLOSED_WITHIN)).expect("a duration above zero");
    let mut answer = Vec::new();
    leaver.read_to_end(&mut answer).expect("the broker closes too");
    println!("{} bytes and the end after {:?}", answer.len(), began.elapsed());
    broker.stop();
    std::fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
}
