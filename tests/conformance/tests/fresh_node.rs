//! What a node costs before it holds anything.
#![allow(clippy::disallowed_methods, reason = "a test measures the disk space of its own broker")]

use std::time::{Duration, Instant};

use conformance::broker::{Broker, Kind};
use conformance::client::Client;
use conformance::{footprint, wait, workspace};

/// What a fresh node of two shards may take of a disk, as it is shipped.
const ALLOCATED_BYTES_MAX: u64 = 256 << 20;

#[test]
fn a_fresh_node_with_two_shards_takes_at_most_256_mib_of_disk() {
    let name = "fresh-node";
    let mut broker = Broker::start(Kind::under_test(), name, &[("ringmain.shards", "2")]);
    let clients = workspace::fresh_folder(&format!("{name}-clients"));
    let empty = bytes_at_rest(&broker);
    Client::python(&clients, "create_topic", &[&broker.address(), "first", "6"]).output();
    let with_topic = bytes_at_rest(&broker);
    broker.restart();
    let restarted = bytes_at_rest(&broker);
    println!("empty {empty} bytes, with a topic {with_topic}, restarted {restarted}");
    for bytes in [empty, with_topic, restarted] {
        assert!(bytes <= ALLOCATED_BYTES_MAX, "{bytes} bytes are allocated");
    }
    broker.stop();
    std::fs::remove_dir_all(&clients).expect("nobody uses the clients' folder any more");
}

/// The allocated bytes once the broker makes no files any more: it makes them ahead of their use,
/// in the background. A second in which none is unfinished and nothing grows shows that it rests.
fn bytes_at_rest(broker: &Broker) -> u64 {
    let data = broker.data_folder();
    wait::until("a second without growth of the data folder", Duration::from_secs(60), || {
        let (began, found) = (Instant::now(), footprint::of(&data));
        while began.elapsed() < Duration::from_secs(1) {
            std::thread::sleep(Duration::from_millis(50));
            if found.unfinished > 0 || footprint::of(&data) != found {
                return None;
            }
        }
        Some(found.allocated_bytes)
    })
}
