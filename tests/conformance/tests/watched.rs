//! A broker as those see it who watch it: a real Prometheus, health checks, strangers.
#![allow(clippy::disallowed_methods, reason = "a test talks to its own broker")]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use conformance::broker::{Broker, Kind};
use conformance::client::Client;
use conformance::flights::Flights;
use conformance::prometheus::{Prometheus, faults_in};
use conformance::samples::Samples;
use conformance::{http, wait, workspace};

const TOPIC: &str = "watched";
/// Some of them have no key, and all of them take several batches.
const FLIGHTS: usize = 20_000;
/// ApiVersions in version 0: length, API, version, the request's number, no client's name.
const ASKS_VERSIONS: &[u8] = b"\0\0\0\x0a\0\x12\0\0\0\0\0\x01\xff\xff";
/// A connection is turned away, or served, at once; the machine may be busy.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// What an idle node may take.
const RESIDENT_MIB_MAX: u64 = 32;

/// Kafka has no such pages.
fn start(name: &str) -> Option<Broker> {
    start_with(name, &[])
}

fn start_with(name: &str, settings: &[(&str, &str)]) -> Option<Broker> {
    let settings = [&[("ringmain.shards", "2")], settings].concat();
    let is_ours = Kind::under_test() == Kind::Ringmain;
    is_ours.then(|| Broker::start(Kind::Ringmain, name, &settings))
}

#[test]
fn prometheus_counts_the_records_that_clients_have_sent_and_read() {
    let Some(mut broker) = start("watched-prometheus") else { return };
    let (address, admin) = (broker.address(), broker.admin_address());
    let folder = workspace::fresh_folder("watched-prometheus-clients");
    let prometheus = Prometheus::watch(&folder.join("prometheus"), admin);
    let file = Flights::load(FLIGHTS).files.full.clone();
    let file = file.to_str().expect("paths of the workspace are UTF-8");
    let count = FLIGHTS.to_string();
    let python = |program: &str, arguments: &[&str]| {
        Client::python(&folder.join(program), program, arguments).output()
    };
    python("create_topic", &[&address, TOPIC, "6"]);
    python("write", &[&address, TOPIC, "none", file, &count]);
    python("read", &[&address, TOPIC, &count]);

    assert_eq!(prometheus.health(), ("up".into(), String::new()));
    let all = FLIGHTS as f64;
    for api in ["Produce", "Fetch"] {
        let label = format!("{{topic=\"{TOPIC}\",api=\"{api}\"}}");
        prometheus.await_value(&format!("sum(ringmain_topic_records_total{label})"), all);
        prometheus.await_value(&format!("sum(ringmain_records_total{{api=\"{api}\"}})"), all);
        let bytes = prometheus.query(&format!("sum(ringmain_record_bytes_total{{api=\"{api}\"}})"));
        assert!(bytes.is_some_and(|bytes| bytes > 100.0 * all), "{api}: {bytes:?} bytes");
        let requests = prometheus.query(&format!("sum(ringmain_requests_total{{api=\"{api}\"}})"));
        assert!(requests.is_some_and(|requests| requests >= 1.0), "{api}: {requests:?} requests");
    }
    for stage in ["queue", "journal_wait", "sync", "purgatory", "response"] {
        let label = format!("{{stage=\"{stage}\"}}");
        let took = prometheus.query(&format!("sum(ringmain_stage_duration_seconds_count{label})"));
        assert!(took.is_some_and(|count| count > 0.0), "{stage}: {took:?}");
    }
    // Both shards have partitions of it, so both wrote.
    prometheus.await_value("count(ringmain_journal_commits_total > 0)", 2.0);
    prometheus.await_value("count(ringmain_shard_state{state=\"serving\"} == 1)", 2.0);
    prometheus.await_value("ringmain_topics", 1.0);
    prometheus.await_value("sum(ringmain_partitions)", 6.0);
    // The writer is known to each of them.
    prometheus.await_value("sum(ringmain_producers)", 6.0);

    let page = http::get(admin, "/metrics").expect("the broker serves it");
    let path = folder.join("metrics.txt");
    fs::write(&path, page.body).expect("a fresh folder can be written");
    assert_eq!(faults_in(&path), "", "promtool has something against {}", path.display());
    broker.stop();
    drop(prometheus);
    fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
}

#[test]
fn prometheus_counts_the_connections_that_are_turned_away_and_those_that_come_too_fast() {
    // Each shard lets in four at once, and then four a second.
    let settings = [("max.connections.per.ip", "3"), ("max.connection.creation.rate", "8")];
    let Some(mut broker) = start_with("watched-door", &settings) else { return };
    let folder = workspace::fresh_folder("watched-door-clients");
    let prometheus = Prometheus::watch(&folder.join("prometheus"), broker.admin_address());
    // Whoever waited for the port has left.
    prometheus.await_value("sum(ringmain_connections)", 0.0);
    // The series are there before there is anything to count.
    prometheus.await_value("sum(ringmain_connections_rejected_total)", 0.0);
    prometheus.await_value("sum(ringmain_refused_partitions_total)", 0.0);
    let let_in = connect(&broker, 20);
    assert_eq!(let_in.len(), 3);
    let of_address = "sum(ringmain_connections_rejected_total{reason=\"address\"})";
    prometheus.await_value(of_address, 17.0);
    prometheus.await_value("sum(ringmain_connections_rejected_total)", 17.0);
    prometheus.await_value("sum(ringmain_connections)", 3.0);
    prometheus.await_value("sum(ringmain_accept_pauses_total) > bool 0", 1.0);
    broker.stop();
    drop(prometheus);
    fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
}

#[test]
fn every_limit_on_connections_tells_how_many_it_has_turned_away() {
    if Kind::under_test() == Kind::Kafka {
        return;
    }
    let shards = ("ringmain.shards", "2");
    let all = [shards, ("max.connections", "5")];
    // The least that two shards can have: 100 connections each.
    let memory = [shards, ("ringmain.memory.bytes", "852819968")];
    // They take fewer files than the journals of a broker that is told nothing.
    let files =
        [shards, ("ringmain.journal.file.bytes", "2097152"), ("ringmain.journal.files.max", "4")];
    let start = |name, settings: &[_]| Broker::start(Kind::Ringmain, name, settings);
    let start_with_files = |name, settings: &[_], max| {
        Broker::start_with_open_files(Kind::Ringmain, name, settings, max)
    };
    for (reason, mut broker) in [
        ("all", start("watched-all", &all)),
        ("memory", start("watched-memory", &memory)),
        ("files", start_with_files("watched-files", &files, 256)),
    ] {
        let admin = broker.admin_address();
        let open = |samples: &Samples| samples.sum("ringmain_connections", "");
        wait::until("the leave of who waited for the port", ANSWERED_WITHIN, || {
            (open(&Samples::of(admin)) == 0.0).then_some(())
        });
        let let_in = connect(&broker, 300);
        let turned_away = 300 - let_in.len();
        println!("{reason}: {turned_away} of 300 were turned away");
        assert!(turned_away > 0, "{reason}");
        let label = format!("reason=\"{reason}\"");
        // A page may be a moment old.
        wait::until(&format!("those turned away, by {label}"), ANSWERED_WITHIN, || {
            let samples = Samples::of(admin);
            let counted = |label: &str| samples.sum("ringmain_connections_rejected_total", label);
            let told = [counted(&label), counted(""), open(&samples)];
            (told == [turned_away, turned_away, let_in.len()].map(|n| n as f64)).then_some(())
        });
        broker.stop();
    }
}

#[test]
fn a_connection_that_ends_is_counted_by_its_reason() {
    let Some(mut broker) = start_with("watched-ends", &[("connections.max.idle.ms", "1000")])
    else {
        return;
    };
    let admin = broker.admin_address();
    let ended = |samples: &Samples, reason: &str| {
        samples.sum("ringmain_connections_closed_total", &format!("reason=\"{reason}\""))
    };
    wait::until("the end of who waited for the port", ANSWERED_WITHIN, || {
        (ended(&Samples::of(admin), "peer") == 1.0).then_some(())
    });
    let mut unknown_api = ASKS_VERSIONS.to_vec();
    unknown_api[4..6].copy_from_slice(&999_i16.to_be_bytes());
    let ends: [(&str, &[u8], Option<Shutdown>); 5] = [
        ("length", &i32::MAX.to_be_bytes(), None),
        ("request", &unknown_api, None),
        ("broken", &ASKS_VERSIONS[..2], Some(Shutdown::Write)),
        ("peer", ASKS_VERSIONS, Some(Shutdown::Write)),
        ("idle", ASKS_VERSIONS, None),
    ];
    for (reason, says, ending) in ends {
        let mut stream = TcpStream::connect(broker.address()).expect("the broker listens");
        stream.set_read_timeout(Some(ANSWERED_WITHIN)).expect("a duration above zero");
        stream.write_all(says).expect("it takes a few bytes");
        ending.map_or(Ok(()), |how| stream.shutdown(how)).expect("it is connected");
        // An answer may come first, and a reset tells that not all was read.
        match stream.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionReset, "{reason}: {e}"),
        }
        wait::until(&format!("one more that ended by {reason}"), ANSWERED_WITHIN, || {
            let expected = if reason == "peer" { 2.0 } else { 1.0 };
            (ended(&Samples::of(admin), reason) == expected).then_some(())
        });
    }
    broker.stop();
}

/// Connects so often, and gives those connections that are served.
fn connect(broker: &Broker, times: usize) -> Vec<TcpStream> {
    let is_served = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(ANSWERED_WITHIN)).expect("a duration above zero");
        match stream.write_all(ASKS_VERSIONS).and_then(|()| stream.read(&mut [0; 4])) {
            Ok(read) => read > 0,
            // It was closed before it had read what we said.
            Err(e) => match e.kind() {
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => false,
                _ => panic!("neither served nor turned away: {e}"),
            },
        }
    };
    let connect = |_| {
        let mut stream = TcpStream::connect(broker.address()).expect("the broker listens");
        is_served(&mut stream).then_some(stream)
    };
    (0..times).filter_map(connect).collect()
}

#[test]
fn a_broker_that_serves_clients_is_healthy_ready_and_small() {
    let Some(mut broker) = start("watched-health") else { return };
    let admin = broker.admin_address();
    // The port opens a moment before every shard has let clients in.
    wait::until("a ready broker", Duration::from_secs(10), || {
        http::get(admin, "/readyz").ok().filter(|answer| answer.status == 200)
    });
    let healthy = http::get(admin, "/healthz").expect("the broker serves it");
    assert_eq!((healthy.status, &*healthy.body), (200, "ok\n"));
    for _ in 0..20 {
        let page = http::get(admin, "/metrics").expect("the broker serves it");
        assert!(page.head.contains("text/plain; version=0.0.4"), "{}", page.head);
    }
    let mib = broker.resident_mib();
    assert!(mib <= RESIDENT_MIB_MAX, "{mib} MiB are resident");
    broker.stop();
    assert!(TcpStream::connect(admin).is_err(), "its port is open after its end");
}

#[test]
fn strangers_on_the_admin_port_get_an_http_error_and_hold_no_place_for_long() {
    let Some(mut broker) = start("watched-strangers") else { return };
    let admin = broker.admin_address();
    let status = |request: &[u8]| http::ask(admin, request).map(|answer| answer.status).ok();
    assert_eq!(status(b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"), Some(404));
    let post = b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(status(post), Some(405));
    assert_eq!(status(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), Some(400));
    let long = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(64 * 1024));
    // It closes before it has read all, so the error may be lost on the way.
    assert!(matches!(status(long.as_bytes()), Some(431) | None));
    let head = http::ask(admin, b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n").expect("an answer");
    assert_eq!((head.status, &*head.body), (200, ""));

    broker.stop();
}

/// Eight of them once made a healthy broker look like one to restart.
#[test]
fn a_health_check_is_answered_however_many_have_connected_and_ask_nothing() {
    let Some(mut broker) = start("watched-silent") else { return };
    let admin = broker.admin_address();
    // Half a request each, from more peers than there are places.
    let mut held: Vec<TcpStream> = Vec::new();
    for count in 1..=100 {
        let mut stream = TcpStream::connect(admin).expect("the port is open");
        stream.write_all(b"GET /metr").expect("it takes a few bytes");
        held.push(stream);
        if count % 8 == 0 {
            let answer = http::get(admin, "/healthz").expect("the broker serves it");
            assert_eq!(answer.status, 200, "beside {count}: {}", answer.head);
        }
    }
    for mut stream in held {
        stream.set_read_timeout(Some(ANSWERED_WITHIN)).expect("a duration above zero");
        // Closed, with an error or without one, for another's sake or after its time.
        if let Err(e) = stream.read_to_end(&mut Vec::new()) {
            assert_eq!(e.kind(), ErrorKind::ConnectionReset, "{e}");
        }
    }
    broker.stop();
}
