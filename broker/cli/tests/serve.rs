//! `ringmain serve` as somebody meets it who comes with Kafka's settings, or with wrong ones.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What Kafka ships and this broker does not obey.
const WITHOUT_EFFECT: [&str; 16] = [
    "controller.listener.names",
    "controller.quorum.bootstrap.servers",
    "inter.broker.listener.name",
    "log.retention.check.interval.ms",
    "log.retention.hours",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "offsets.topic.replication.factor",
    "process.roles",
    "share.coordinator.state.topic.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "transaction.state.log.min.isr",
    "transaction.state.log.replication.factor",
];

/// Where this file lies.
fn tests() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

fn fresh_folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("serve").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("what an earlier run left can be removed");
    }
    fs::create_dir_all(&folder).expect("a folder of the build's own can be made");
    folder
}

fn ringmain(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringmain"));
    // Those of whoever runs the tests are no settings of this broker.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"RINGMAIN_") {
            command.env_remove(name);
        }
    }
    command.args(arguments);
    command
}

/// Exit status and what was said.
fn refused(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("the program starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("messages are UTF-8"))
}

/// A broker that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; the test has said so then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_settings_that_kafka_ships_start_a_broker_with_a_warning_for_each_without_effect() {
    let data = fresh_folder("shipped").join("data");
    let file = tests().join("kafka_server.properties");
    let log_dirs = format!("log.dirs={}", data.display());
    // The shipped ports may be taken on this machine; everything else is as shipped.
    let listeners = "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:9093";
    let file = file.to_str().expect("the workspace's path is UTF-8");
    let mut command =
        ringmain(&["serve", "--config", file, "--set", &log_dirs, "--set", listeners]);
    let spawned = command.stderr(Stdio::piped()).spawn();
    let mut broker = Running(spawned.expect("the program starts"));
    let stderr = broker.0.stderr.take().expect("it was asked to be piped");
    let mut lines = BufReader::new(stderr).lines().map(|line| line.expect("messages are UTF-8"));
    let mut warned = Vec::new();
    let mut ready = false;
    for line in lines.by_ref() {
        if let Some(warning) = line.strip_prefix("ringmain: warning: ") {
            let (_, said) = warning.split_once(": ").expect("a place stands first");
            warned.push(said.split(' ').next().expect("a word").to_string());
        }
        ready = line.contains("clients are told localhost:9092");
        if ready {
            break;
        }
    }
    assert!(ready, "it did not start; warnings: {warned:?}");
    assert_eq!(
        warned[..2],
        ["process.roles", "controller.quorum.bootstrap.servers"],
        "file's order"
    );
    warned.sort();
    assert_eq!(warned, WITHOUT_EFFECT);
    let stop = Command::new("kill").arg(broker.0.id().to_string()).status();
    assert!(stop.is_ok_and(|status| status.success()), "SIGTERM was sent");
    let rest: Vec<String> = lines.collect();
    let status = broker.0.wait().expect("it was started");
    assert!(status.success(), "{status}: {rest:?}");
}

/// A broker at that address, and what it says.
fn broker_at(
    address: &str,
    name: &str,
    driver: &str,
) -> (Running, impl Iterator<Item = String> + use<>) {
    let log_dirs = format!("log.dirs={}", fresh_folder(name).join("data").display());
    let listeners = format!("listeners=PLAINTEXT://{address}");
    let driver = format!("ringmain.driver={driver}");
    let mut arguments = vec!["serve"];
    for setting in [&log_dirs, &listeners, &driver, "ringmain.shards=2", "ringmain.admin.listener="]
    {
        arguments.extend(["--set", setting]);
    }
    let mut broker = ringmain(&arguments);
    let mut broker = Running(broker.stderr(Stdio::piped()).spawn().expect("the program starts"));
    let stderr = broker.0.stderr.take().expect("it was asked to be piped");
    (broker, BufReader::new(stderr).lines().map(|line| line.expect("messages are UTF-8")))
}

/// The second one once listened beside the first, and took half of its connections.
#[test]
fn a_broker_waits_for_another_one_at_its_address_and_never_listens_beside_it() {
    for driver in ["auto", "posix"] {
        let (mut first, mut lines) = broker_at("127.0.0.1:0", &format!("first-{driver}"), driver);
        let ready = lines.find(|line| line.contains(" listens at ")).expect("the first one starts");
        let (_, rest) = ready.split_once(" listens at ").expect("it was just found");
        let address = rest.split(',').next().expect("an address").to_owned();
        let waits = format!("{address} is in use: waiting up to 10 s");

        let (mut second, lines) = broker_at(&address, &format!("second-{driver}"), driver);
        let said: Vec<String> = lines.collect();
        assert!(said.iter().any(|line| line.contains(&waits)), "{said:#?}");
        assert!(!said.iter().any(|line| line.contains(" listens at ")), "{said:#?}");
        let last = said.iter().find(|line| line.contains("in use for all of 10 s"));
        assert!(last.is_some_and(|line| line.contains("ss -tlnp")), "{said:#?}");
        let status = second.0.wait().expect("it was started");
        assert_eq!(status.code(), Some(70), "{said:#?}");

        let (_third, mut lines) = broker_at(&address, &format!("third-{driver}"), driver);
        assert!(lines.any(|line| line.contains(&waits)), "the third one does not wait");
        first.0.kill().expect("it runs");
        let ready = lines.find(|line| line.contains(" listens at "));
        assert!(ready.is_some_and(|line| line.contains(&address)), "the third one does not start");
    }
}

#[test]
fn what_cannot_be_started_is_refused_with_the_reason_and_the_remedy() {
    let folder = fresh_folder("refused");
    let write = |name: &str, text: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, text).expect("a file of the test's own can be written");
        path.to_str().expect("the build's path is UTF-8").to_string()
    };
    let no_text = write("latin.properties", b"# caf\xe9\n");
    let no_setting = write("word.properties", b"# first\nnode.id\n");
    let joined = write("joined.properties", b"listeners=SSL://:1,\\\n  PLAINTEXT://:2\n");
    let taken = format!("log.dirs={}", write("file", b""));
    fs::create_dir(folder.join("kafka")).expect("a folder of the test's own can be made");
    write("kafka/meta.properties", b"version=1\n");
    let kafkas = format!("log.dirs={}", folder.join("kafka").display());
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["--set", "log.segment.byte=1"], 2, &["did you mean log.segment.bytes?"]),
        (&["--set", "log.retention.hour=1"], 2, &["did you mean log.retention.hours?"]),
        (&["--set", "offset.topic.num.partitions=1"], 2, &["offsets.topic.num.partitions?"]),
        (&["--set", "org.example.key=1"], 2, &["ringmain serve --help"]),
        (&["--set", "node.id"], 2, &["write key=value"]),
        (&["--set", "node.id="], 2, &["from 0"]),
        (&["--set", "num.partitions=1g"], 2, &["a whole number"]),
        (&["--set", "default.replication.factor=3"], 2, &["there is one broker"]),
        (&["--set", "delete.topic.enable=yes"], 2, &["true or false"]),
        (&["--set", "listeners=SASL_SSL://:1"], 2, &["encrypted or authenticated"]),
        (&["--set", "listeners=EXTERNAL://:1"], 2, &["listener.security.protocol.map"]),
        (&["--set", "listeners=PLAINTEXT://kafka.example:1"], 2, &["advertised.listeners"]),
        (&["--set", "listeners=PLAINTEXT://0.0.0.0:1"], 2, &["advertised.listeners"]),
        (&["--set", "listeners=PLAINTEXT://:1,B://:2"], 2, &["B is no protocol"]),
        (&["--set", "log.dirs=/a,/b"], 2, &["one folder"]),
        (&["--set", "authorizer.class.name=A"], 2, &["could read and write everything"]),
        (&["--set", "controller.quorum.voters=1@a:1,2@b:1"], 2, &["only copy"]),
        (&["--set", "message.max.bytes=90000000"], 2, &["ringmain.journal.file.bytes"]),
        (&["--override", "num.partitions=0"], 2, &["from 1"]),
        (&["--config", "no/such/file"], 1, &["no/such/file", "--config"]),
        (&["--config", &no_text], 2, &["line 1", "UTF-8"]),
        (&["--config", &no_setting], 2, &["line 2", "key=value"]),
        (&["--config", &joined], 2, &["line 1", "SSL"]),
        (&["--set", &taken], 1, &["log.dirs", "folder"]),
        (&["--set", &kafkas], 1, &["Apache Kafka's data", "another folder"]),
    ];
    for (arguments, status, words) in cases {
        let arguments: Vec<&str> =
            std::iter::once("serve").chain(arguments.iter().copied()).collect();
        let (ended, said) = refused(&mut ringmain(&arguments));
        assert_eq!(ended, Some(*status), "{arguments:?}: {said}");
        for word in *words {
            assert!(said.contains(word), "{arguments:?}: no {word:?} in: {said}");
        }
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
    }
}

#[test]
fn a_variable_that_is_no_text_is_refused_by_its_name() {
    let value = OsString::from_vec(b"\xff".to_vec());
    let (ended, said) = refused(ringmain(&["serve"]).env("RINGMAIN_LOG_DIRS", value));
    assert_eq!(ended, Some(2), "{said}");
    assert!(said.contains("RINGMAIN_LOG_DIRS") && said.contains("UTF-8"), "{said}");
}

#[test]
fn every_setting_that_can_be_refused_stands_in_the_page_about_settings() {
    let page = tests().join("../../../docs/configuration.md");
    let page = fs::read_to_string(page).expect("the page is there");
    for group in server::WITHOUT_EFFECT {
        if matches!(group.standing, server::Standing::Unsafe(_)) {
            for name in group.names {
                assert!(page.contains(&format!("`{name}`")), "{name}");
            }
        }
    }
    for key in server::BROKER_KEYS {
        for way in server::other_ways(key.name) {
            assert!(page.contains(&format!("`{}`", way.name)), "{}", way.name);
        }
    }
}
