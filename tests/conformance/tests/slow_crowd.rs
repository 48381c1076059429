//! Peers by the thousand that are idle or slow: others beside them are served as if alone.
#![allow(clippy::disallowed_methods, reason = "a test opens sockets and measures time of its own")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use conformance::broker::{Broker, Kind};
use conformance::client::Client;
use conformance::samples::Samples;
use conformance::{wait, workspace};
use protocol::ApiKey;
use protocol::generated::api_versions::ApiVersionsRequest;
use protocol::header::RequestHeader;
use protocol::response::encode_request;

const TOPIC: &str = "beside";
const EMPTY: &str = "empty";
/// What the crowd does, in the order of `slow_crowd.py`.
const SILENT: u32 = 800;
const BEGUN: u32 = 300;
const TRICKLING: u32 = 300;
const ASKED: u32 = 300;
const PARKED: u32 = 200;
const UNREAD: u32 = 100;
const CROWD: u32 = SILENT + BEGUN + TRICKLING + ASKED + PARKED + UNREAD;

const PINGS: usize = 300;
const CONNECTS: usize = 100;
const ROUND_TRIPS: usize = 100;
/// How many times slower what is usual may be than at a broker without a crowd.
const SLOWER_MAX: f64 = 3.0;
/// And how much slower at least, in ms: a turn of the machine's scheduler or two are nobody's.
const SLOWER_MS: f64 = 5.0;
/// How often it is measured, until nothing is slower than it may be.
const TRIES: usize = 3;
/// No record may take longer, usual or not: a lane that is shut takes half a minute to open.
const SLOWEST_MS: f64 = 10_000.0;

/// What a connection may hold that is charged to no budget (docs/configuration.md, memory in all).
const OF_CONNECTION_BYTES: f64 = 82.0 * 1024.0;
/// The machine may be busy.
const DEADLINE: Duration = Duration::from_secs(60);
/// What the broker may work for the crowd in a second: 300 bytes come, and nothing is asked.
const WORK_OF_A_SECOND_MAX: Duration = Duration::from_millis(250);
/// Connections that may be there beside the crowd, or after it: clients that are about to leave.
const FEW: f64 = 20.0;

/// The same is measured in turn of a second broker that has no crowd: so a machine that others use,
/// and that is slower for a while, is slower for both. Medians are compared, which a moment of
/// somebody else's work can't move; a longer burst ends, and it is measured again. A broker that
/// makes the honest wait for the slow does so most times and every time, or, now and then, for a
/// part of the half minute that a slow request may take, which the slowest record of all tells. One
/// that works without end for the crowd would be slow for everybody, the other broker's clients
/// included: so its processor time is looked at, too.
///
/// With too little memory for requests, as by `ringmain.request.bytes=1048576` and
/// `socket.request.max.bytes=1048576`, those that trickle in hold all of it, and this fails.
#[test]
fn idle_and_slow_connections_by_the_thousand_leave_others_their_speed() {
    let kind = Kind::under_test();
    let folder = workspace::fresh_folder("slow-crowd-clients");
    let start = |name: &str| {
        let broker = Broker::start(kind, name, &[("ringmain.shards", "2")]);
        let create = [&*broker.address(), TOPIC, "1", EMPTY, "1"];
        Client::python(&folder.join(name), "create_topic", &create).output();
        broker
    };
    let (mut crowded, mut alone) = (start("slow-crowd"), start("slow-crowd-alone"));
    let compare = |when: &str| check_speed(&crowded, &alone, &folder, when);
    compare("before");
    let watched = (kind == Kind::Ringmain).then(|| Watched::before(&crowded));

    let counts = [SILENT, BEGUN, TRICKLING, ASKED, PARKED, UNREAD].map(|count| count.to_string());
    let address = crowded.address();
    let arguments = [&*address, TOPIC, EMPTY].into_iter().chain(counts.iter().map(|c| &**c));
    let arguments: Vec<&str> = arguments.collect();
    let mut crowd = Client::python(&folder.join("crowd"), "slow_crowd", &arguments);
    crowd.await_line("here");
    if let Some(watched) = &watched {
        watched.await_crowd();
    }
    compare("beside");
    if let Some(watched) = &watched {
        watched.await_crowd();
        watched.check_memory();
        watched.await_rest();
    }
    drop(crowd);
    if let Some(watched) = &watched {
        watched.await_end_of_crowd();
    }
    compare("after");
    crowded.stop();
    alone.stop();
    std::fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
}

/// The clients of `crowded` wait about as long as those of `alone`.
fn check_speed(crowded: &Broker, alone: &Broker, folder: &Path, when: &str) {
    let mut slowest: f64 = 0.0;
    let mut complaints = Vec::new();
    for again in 0..TRIES {
        let measure = |broker: &Broker, name: &str| {
            let name = format!("{when}-{name}-{again}");
            let speed = Speed::measured(&broker.address(), &folder.join(&name));
            println!("{name}: {speed:?}");
            speed
        };
        let speed = measure(crowded, "crowded");
        slowest = slowest.max(speed.slowest);
        complaints = speed.complaints(&measure(alone, "alone"));
        if complaints.is_empty() {
            break;
        }
    }
    assert!(complaints.is_empty(), "{when}: {complaints:?}");
    assert!(slowest < SLOWEST_MS, "{when}: a record was read after {slowest} ms");
}

/// What honest clients wait for, in ms; but for the last, the median.
#[derive(Clone, Copy, Debug)]
struct Speed {
    /// An answer on an open connection.
    ping: f64,
    /// An answer on a new one.
    connect: f64,
    /// The acknowledgement of a record.
    acknowledged: f64,
    /// The record, as a consumer gets it.
    read: f64,
    /// The same of the slowest record.
    slowest: f64,
}

impl Speed {
    fn measured(address: &str, folder: &Path) -> Speed {
        let mut open = connected(address);
        let ping = median(PINGS, || ask(&mut open));
        let connect = median(CONNECTS, || ask(&mut connected(address)));
        let rounds = ROUND_TRIPS.to_string();
        let output = Client::python(folder, "round_trips", &[address, TOPIC, &rounds]).output();
        let output = String::from_utf8(output).expect("round_trips.py prints numbers");
        let numbers: Vec<f64> = output.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let [acknowledged, read, slowest] = numbers[..] else { panic!("three, not {output}") };
        Speed { ping, connect, acknowledged, read, slowest }
    }

    /// What takes too long here, where another broker takes so long.
    fn complaints(&self, other: &Speed) -> Vec<String> {
        let mut complaints = Vec::new();
        for (what, here, there) in [
            ("an answer", self.ping, other.ping),
            ("an answer on a new connection", self.connect, other.connect),
            ("an acknowledgement", self.acknowledged, other.acknowledged),
            ("a record", self.read, other.read),
        ] {
            if here > (SLOWER_MAX * there).max(there + SLOWER_MS) {
                complaints.push(format!("{what}: {here} ms, and {there} ms elsewhere"));
            }
        }
        complaints
    }
}

/// What the broker tells of the crowd.
struct Watched<'a> {
    broker: &'a Broker,
    before: Samples,
}

impl Watched<'_> {
    fn before(broker: &Broker) -> Watched<'_> {
        let before = Samples::of(broker.admin_address());
        let room = before.sum("ringmain_connections_limit", "");
        // Connections are not shared out evenly among the shards.
        let is_enough = room >= f64::from(2 * CROWD);
        assert!(is_enough, "room for {room} connections: raise the hard limit of open files");
        Watched { broker, before }
    }

    fn samples(&self) -> Samples {
        Samples::of(self.broker.admin_address())
    }

    /// Waits until all are there, each kind as what it is. Those that are closed after half a
    /// minute come again.
    fn await_crowd(&self) {
        let expected = [
            ("idle", SILENT + ASKED),
            ("receiving", BEGUN + TRICKLING),
            ("handling", PARKED + UNREAD),
        ];
        wait::until("the crowd in the broker's gauges", DEADLINE, || {
            let samples = self.samples();
            let there = |(state, count): &(&str, u32)| {
                let label = format!("state=\"{state}\"");
                let counted = samples.sum("ringmain_connections", &label);
                (f64::from(*count)..f64::from(*count) + FEW).contains(&counted)
            };
            let parked = samples.sum("ringmain_parked_fetches", "") >= f64::from(PARKED);
            (parked && expected.iter().all(there)).then_some(())
        });
    }

    /// All that was taken since is in the budgets, or what each connection may have beside them.
    fn check_memory(&self) {
        let after = self.samples();
        let sum = |name: &str| after.sum(name, "");
        let resident = sum("process_resident_memory_bytes");
        let taken = resident - self.before.sum("process_resident_memory_bytes", "");
        let counted = sum("ringmain_memory_used_bytes");
        println!(
            "{CROWD} connections took {:.1} MiB, of which {:.1} MiB are in the budgets",
            taken / f64::from(1 << 20),
            counted / f64::from(1 << 20)
        );
        assert!(counted <= sum("ringmain_memory_limit_bytes"), "{counted} bytes");
        let max = counted + f64::from(CROWD) * OF_CONNECTION_BYTES;
        assert!(taken <= max, "{taken} bytes were taken, where {max} may be");
    }

    /// Waits for a second in which the broker takes little of a processor for the crowd.
    fn await_rest(&self) {
        wait::until("little work for the crowd", DEADLINE, || {
            let (began, before) = (Instant::now(), self.broker.processor_time());
            while began.elapsed() < Duration::from_secs(1) {
                thread::sleep(Duration::from_millis(50));
            }
            let spent = self.broker.processor_time() - before;
            println!("the crowd alone took {spent:?} of {:?}", began.elapsed());
            (spent <= WORK_OF_A_SECOND_MAX).then_some(())
        });
    }

    fn await_end_of_crowd(&self) {
        wait::until("the end of the crowd", DEADLINE, || {
            (self.samples().sum("ringmain_connections", "") < FEW).then_some(())
        });
    }
}

fn connected(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the broker listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a duration above zero");
    stream
}

/// Asks a small question, and reads the answer.
fn ask(stream: &mut TcpStream) {
    let header = RequestHeader {
        api_key: ApiKey::ApiVersions,
        api_version: 0,
        correlation_id: 1,
        client_id: None,
    };
    let request = encode_request(header, &ApiVersionsRequest::default());
    let request = request.expect("it fits the version");
    let mut answer = || -> io::Result<Vec<u8>> {
        stream.write_all(&request)?;
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    let answer = answer().expect("the broker answers");
    // Its number, and that there is no error.
    assert!(answer.starts_with(&[0, 0, 0, 1, 0, 0]), "{answer:?}");
}

/// What `what` usually takes, in ms.
fn median(times: usize, mut what: impl FnMut()) -> f64 {
    let mut took: Vec<Duration> = Vec::with_capacity(times);
    for _ in 0..times {
        let began = Instant::now();
        what();
        took.push(began.elapsed());
    }
    took.sort();
    took[times / 2].as_secs_f64() * 1000.0
}
