//! Bytes that no client would send: whoever sends them gets an error or is closed, nobody else
//! notices.
#![allow(clippy::disallowed_methods, reason = "a test opens sockets and measures time of its own")]

use std::collections::BTreeSet;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use conformance::broker::{Broker, Kind};
use conformance::capture::{Capture, Requests, kind};
use conformance::client::Client;
use conformance::flights::Flights;
use conformance::mutation::mutated;
use conformance::oracle::Oracle;
use conformance::oracle::values::{Seed, Shape, make};
use conformance::reader::{Reader, Until};
use conformance::tools::{Run, Step, Tool};
use conformance::writer::Writer;
use conformance::{wait, workspace};
use protocol::ApiKey;
use protocol::header::RequestHeader;
use protocol::oracle::Entry;
use protocol::primitive::reader::Reader as Bytes;
use protocol::primitive::writer::Writer as Frame;
use serde_json::Value;

/// Where a frame has its version: behind its size and the API.
const VERSION: Range<usize> = 6..8;
/// The topic of those who behave.
const BESIDE: &str = "beside";
const CAPTURED: &str = "captured";
const CAPTURED_RECORDS: usize = 1_000;
/// Each fixed kind of rubbish comes so often.
const REPEATS: usize = 1_000;
const MUTATIONS: usize = 20_000;
/// At once, so that they meet each other.
const SENDERS: usize = 8;
const CLOSED_WITHIN: Duration = Duration::from_secs(60);
const RESTS_WITHIN: Duration = Duration::from_secs(30);
const WOKEN_WITHIN_MS: u64 = 10_000;
/// From rest to the end of the first assault: 2 to 3 MiB are seen, the tails of two shards with
/// 1 MiB each and the buffers of a dozen connections. Threefold, as an allocator does as it likes.
const FIRST_GROWTH_MAX_BYTES: u64 = 8 << 20;
/// From there to the end of the next one, of the memory before.
const GROWTH_MAX_PERCENT: u64 = 5;

/// Requests of each kind that the broker offers, most of them as clients sent them.
const CAPTURE_SCRIPT: &[Step] = &[
    Step::new(Tool::ApiVersions, ""),
    Step::new(Tool::Topics, "--create --topic doomed --partitions 2 --config retention.ms=-1"),
    Step::new(Tool::Topics, "--describe --topic captured"),
    Step::new(Tool::Topics, "--alter --topic doomed --partitions 3"),
    Step::new(Tool::Configs, "--entity-type topics --entity-name captured --describe --all"),
    Step::new(
        Tool::Configs,
        "--entity-type topics --entity-name captured --alter --add-config segment.ms=3600000",
    ),
    Step::new(Tool::LogDirs, "--describe --topic-list captured"),
    Step::new(Tool::GetOffsets, "--topic captured"),
    Step::new(Tool::ConsoleProducer, "--topic captured").reading("one\ntwo\n"),
    Step::new(Tool::ConsoleConsumer, "--topic captured --partition 0 --offset 0 --max-messages 1"),
    Step::new(Tool::Topics, "--delete --topic doomed"),
];

#[test]
fn hostile_bytes_end_at_most_their_own_connection() {
    // What Kafka takes for a moment, its collector gives back when it wants to.
    if Kind::under_test() == Kind::Kafka {
        return;
    }
    let seed = seed();
    println!("RINGMAIN_SEED={seed}");
    let capture = Capture::start();
    let advertised = format!("PLAINTEXT://{}", capture.address());
    let settings = [
        ("ringmain.shards", "2"),
        ("auto.create.topics.enable", "false"),
        // The newest batches are in memory: there are soon as many as there may be.
        ("message.max.bytes", "131072"),
        ("ringmain.tail.bytes", "1048576"),
        ("advertised.listeners", &advertised),
    ];
    let mut broker = Broker::start(Kind::Ringmain, "hostile-bytes", &settings);
    capture.hand_on_to(broker.address());
    let folder = workspace::fresh_folder("hostile-bytes-clients");
    let requests = every_request(&captured(&folder, &capture, &broker));
    let rubbish = rubbish(&requests);

    let hostile = Hostile { address: broker.address(), requests };
    let after_all_of_it = |seed| {
        let others = thread::scope(|scope| {
            let honest = scope.spawn(|| check_beside(&folder, &broker));
            rubbish.iter().for_each(|(what, bytes)| hostile.send_rubbish(what, bytes, REPEATS));
            hostile.send_mutations(MUTATIONS, seed);
            honest.join()
        });
        others.expect("what a client beside finds wrong stands above");
        check_beside(&folder, &broker);
        memory_at_rest(&broker)
    };
    let at_rest = memory_at_rest(&broker);
    // It grows to what so many peers take at once, and then no more.
    let [grown, before, after] =
        [0, 1, 2].map(|round| after_all_of_it(seed + round * MUTATIONS as u64));
    let [rest, first, second, third] = [at_rest, grown, before, after].map(|bytes| bytes >> 10);
    println!("{rest} KiB at rest, {first} KiB, {second} KiB and {third} KiB after each time");
    assert!(
        grown <= at_rest + FIRST_GROWTH_MAX_BYTES,
        "{grown} bytes after {at_rest}, seed {seed}"
    );
    let most = before + (before * GROWTH_MAX_PERCENT).div_ceil(100);
    assert!(after <= most, "{after} bytes after {before}, seed {seed}");
    broker.stop();
    std::fs::remove_dir_all(&folder).expect("nobody uses the clients' folder any more");
}

/// The seed that is asked for, or another one each time.
fn seed() -> u64 {
    match std::env::var("RINGMAIN_SEED") {
        Ok(given) => given.parse().expect("RINGMAIN_SEED is a number"),
        Err(_) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
            now.as_secs() << 20
        }
    }
}

/// What real clients ask for.
fn captured(folder: &Path, capture: &Capture, broker: &Broker) -> Requests {
    let address = broker.address();
    let create = [address.as_str(), CAPTURED, "3", BESIDE, "6"];
    Client::python(&folder.join("create"), "create_topic", &create).output();
    let flights = Flights::load(CAPTURED_RECORDS);
    let count = Until::Count(3 * CAPTURED_RECORDS);
    for writer in [Writer::Kcat, Writer::Confluent, Writer::Java] {
        writer.write(&folder.join(format!("{writer}")), &address, CAPTURED, "none", &flights);
    }
    for reader in Reader::all("none") {
        reader.read(&folder.join(format!("{reader}")), &address, CAPTURED, count).output();
    }
    Run::start(&folder.join("tools"), broker, CAPTURE_SCRIPT).outcomes();
    capture.take()
}

/// Each captured request in each version that is advertised; of what no client has sent, or what
/// can't be said in that version, some that are made up by the schema.
fn every_request(captured: &Requests) -> Vec<Vec<u8>> {
    let mut oracle = None;
    let mut all = Vec::new();
    let (mut as_sent, mut made_up) = (0, Vec::new());
    for &api in ApiKey::ALL {
        let entry = entry(api);
        let sent = captured.iter().filter(|((number, _), _)| *number == api.number());
        let bodies: Vec<Value> = sent
            .flat_map(|((_, version), frames)| frames.iter().map(|frame| (*version, &frame[..])))
            .filter_map(|(version, frame)| body(&entry, version, frame))
            .collect();
        for version in api.min_version()..=api.max_version() {
            let in_version = |body: &Value| frame(&entry, api, version, body);
            let mut frames: Vec<Vec<u8>> = bodies.iter().filter_map(in_version).collect();
            if frames.is_empty() {
                let oracle = oracle.get_or_insert_with(|| Oracle::start().expect("a JVM starts"));
                let schema = oracle.schema(entry.name).expect("every served request has a schema");
                let shapes = Shape::ALL.iter().zip(0..);
                let made = shapes
                    .map(|(&shape, seed)| harmless(make(&schema, version, shape, &mut Seed(seed))));
                frames = made.filter_map(|body| in_version(&body)).collect();
                made_up.push((api, version));
            } else {
                as_sent += 1;
            }
            all.extend(frames);
        }
        all.extend(refused_versions(api, &all));
    }
    assert_every_version(&all);
    println!("{} requests, {as_sent} versions of captured ones; made up: {made_up:?}", all.len());
    all
}

/// Requests in the versions that are advertised, and refused by their number alone.
fn refused_versions(api: ApiKey, all: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let oldest = Some((api.number(), api.min_version()));
    let served = || all.iter().filter(move |frame| kind(frame) == oldest);
    let versions = api.advertised_min_version()..api.min_version();
    let renumbered = |(version, frame): (i16, &Vec<u8>)| {
        let [before, after] = [&frame[..VERSION.start], &frame[VERSION.end..]];
        [before, &version.to_be_bytes(), after].concat()
    };
    versions
        .flat_map(|version| served().map(move |frame| (version, frame)))
        .map(renumbered)
        .collect()
}

fn assert_every_version(requests: &[Vec<u8>]) {
    let kinds: BTreeSet<_> = requests.iter().filter_map(|frame| kind(frame)).collect();
    for api in ApiKey::ALL {
        for version in api.advertised_min_version()..=api.max_version() {
            assert!(kinds.contains(&(api.number(), version)), "there is no {api:?} {version}");
        }
    }
}

fn entry(api: ApiKey) -> Entry {
    let name = format!("{api:?}Request");
    let mut entries = protocol::generated::json::entries().into_iter();
    entries.find(|entry| entry.name == name).expect("every served API has a request")
}

/// The body of a frame, which does no harm.
fn body(entry: &Entry, version: i16, frame: &[u8]) -> Option<Value> {
    let mut bytes = Bytes::new(&frame[size_of::<u32>()..]);
    RequestHeader::decode(&mut bytes).ok()?;
    let rest = bytes.take(bytes.left()).ok()?;
    (entry.decode)(rest, version).ok().map(harmless)
}

/// What would make topics only asks whether it could, as honest clients pay for what damage makes
/// of it.
fn harmless(mut body: Value) -> Value {
    if let Some(validate_only) = body.get_mut("validateOnly") {
        *validate_only = true.into();
    }
    body
}

/// Not every body can be said in every version.
fn frame(entry: &Entry, api_key: ApiKey, api_version: i16, body: &Value) -> Option<Vec<u8>> {
    let body = (entry.encode)(body, api_version).ok()?.ok()?;
    let client_id = Some("hostile");
    let mut frame = Frame::new();
    RequestHeader { api_key, api_version, correlation_id: 7, client_id }.encode(&mut frame);
    let header = frame.finish().ok()?;
    Some(sized(&[header, body].concat()))
}

fn sized(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32).to_be_bytes(), content].concat()
}

/// The fixed kinds.
fn rubbish(requests: &[Vec<u8>]) -> Vec<(&'static str, Vec<u8>)> {
    let header = |api: i16, version: i16| {
        let fields = [&api.to_be_bytes()[..], &version.to_be_bytes(), &[0, 0, 0, 1, 0, 0]];
        fields.concat()
    };
    let metadata = requests.iter().find(|frame| kind(frame) == Some((3, 9)));
    let metadata = metadata.expect("Metadata is served in version 9");
    let cut = &metadata[size_of::<u32>()..metadata.len() - 3];
    let count = i32::MAX.to_be_bytes();
    vec![
        ("a length of -1", (-1_i32).to_be_bytes().to_vec()),
        ("a length of 0", 0_i32.to_be_bytes().to_vec()),
        ("a length of 2^31-1", i32::MAX.to_be_bytes().to_vec()),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on".to_vec()),
        ("an HTTP GET", b"GET / HTTP/1.1\r\nHost: ringmain\r\n\r\n".to_vec()),
        ("an unknown API", sized(&header(999, 0))),
        ("a version of the future", sized(&header(3, 999))),
        ("a truncated body", sized(cut)),
        ("an array of 2^31-1", sized(&[&header(3, 1)[..], &count].concat())),
        ("topics of 2^31-1", sized(&[&header(2, 1)[..], &[0; 4], &count, &count].concat())),
    ]
}

struct Hostile {
    address: String,
    requests: Vec<Vec<u8>>,
}

impl Hostile {
    /// Sends the same bytes on so many connections, and waits for each to be closed.
    fn send_rubbish(&self, what: &str, bytes: &[u8], times: usize) {
        for _ in 0..times {
            if let Err(error) = self.send(bytes, Ending::Theirs) {
                panic!("{what}: the connection is not closed: {error}");
            }
        }
    }

    /// Sends so many damaged requests, the first one by this seed.
    fn send_mutations(&self, count: usize, first: u64) {
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                scope.spawn(move || {
                    for seed in (first..).take(count).skip(sender).step_by(SENDERS) {
                        let mut seed_now = Seed(seed);
                        let which = seed_now.below(self.requests.len() as u64) as usize;
                        let request = &self.requests[which];
                        let bytes = mutated(request, &mut seed_now);
                        let sent = self.send(&bytes, Ending::Ours);
                        let Err(error) = sent else { continue };
                        panic!("seed {seed}, {:?}: {error}\n{bytes:?}", kind(request));
                    }
                });
            }
        });
    }

    /// Sends the bytes on a new connection, and reads until that is closed. Answers may come.
    fn send(&self, bytes: &[u8], ending: Ending) -> io::Result<()> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(CLOSED_WITHIN))?;
        let spoken = stream.write_all(bytes).and_then(|()| match ending {
            Ending::Ours => stream.shutdown(Shutdown::Write),
            Ending::Theirs => Ok(()),
        });
        let mut answer = Vec::new();
        let read = spoken.and_then(|()| stream.read_to_end(&mut answer));
        match read {
            Err(error) if !is_end(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Who ends a connection.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// We do, when we have said what we say: it may be half a request, or a sound one.
    Ours,
    /// The broker does.
    Theirs,
}

/// A reset tells that not all was read, which is the broker's right.
fn is_end(error: &io::Error) -> bool {
    [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::NotConnected]
        .contains(&error.kind())
}

/// Records of honest clients are written, and read at once.
fn check_beside(folder: &Path, broker: &Broker) {
    let output =
        Client::python(&folder.join("wake"), "wake", &[&broker.address(), BESIDE, "6"]).output();
    let slowest = String::from_utf8(output).expect("wake.py prints a number");
    let slowest: u64 = slowest.trim().parse().expect("wake.py prints a number");
    println!("beside: the slowest record was read after {slowest} ms");
    assert!(slowest < WOKEN_WITHIN_MS, "a record was read after {slowest} ms");
}

/// The broker's memory, in bytes, when it has come to rest.
fn memory_at_rest(broker: &Broker) -> u64 {
    wait::until("a second without work in the broker", RESTS_WITHIN, || {
        let (began, spent) = (Instant::now(), broker.processor_time());
        while began.elapsed() < Duration::from_secs(1) {
            thread::sleep(Duration::from_millis(50));
        }
        (broker.processor_time() - spent <= Duration::from_millis(20)).then_some(())
    });
    broker.resident_bytes()
}
