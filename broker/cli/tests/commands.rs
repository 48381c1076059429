//! The commands as somebody uses them, against this broker and against Apache Kafka: what works
//! with one must work with the other.
#![allow(clippy::disallowed_methods, reason = "a test has clocks and threads of its own")]

mod commands {
    pub mod broker;
    pub mod run;
    pub mod screen;
}

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use commands::broker::{Broker, Kind};
use commands::run::{Ran, ringmain, spawn, spawn_heard};
use commands::screen::Screen;
use serde_json::{Value, json};

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn ringmain_takes_all_commands() {
    all(&Broker::start(Kind::Ringmain, "all"));
}

#[test]
fn kafka_takes_all_commands() {
    all(&Broker::start(Kind::Kafka, "all"));
}

/// One broker for all, since Kafka takes seconds to start.
fn all(broker: &Broker) {
    topics_are_made_listed_described_and_deleted(broker);
    topics_are_described_name_by_name(broker);
    settings_and_partitions_are_changed(broker);
    partitions_and_settings_are_changed_both_or_neither(broker);
    wrong_settings_lead_to_the_right_ones(broker);
    programs_read_what_was_done_and_what_went_wrong(broker);
    records_come_back_as_they_were_in_every_codec(broker);
    what_kcat_reads_is_what_was_written_and_lies_where_it_would_put_it(broker);
    lines_become_keys_values_and_nulls(broker);
    places_say_which_part_is_read(broker);
    batches_that_are_too_large_are_split_and_records_are_refused(broker);
    what_comes_later_is_read_as_it_comes(broker);
    interruptions_and_closed_pipes_end_in_good_order(broker);
    wrong_words_say_what_to_do(broker);
}

/// Makes a topic. Kafka would delete records of long ago within minutes.
fn create(broker: &Broker, topic: &str, partitions: &str) {
    let keep = "retention.ms=-1";
    ringmain(broker, &["topic", "create", topic, "-p", partitions, "--set", keep], b"").good();
}

fn topics_are_made_listed_described_and_deleted(broker: &Broker) {
    let run = |arguments: &[&str]| ringmain(broker, arguments, b"");
    let said = run(&["topic", "create", "life", "-p", "3", "--set", "retention.ms=-1"]).good();
    assert_eq!(said, "made life: 3 partitions on 1 broker\n");
    let again = run(&["topic", "create", "life"]).bad(1);
    assert!(again.contains("TOPIC_ALREADY_EXISTS") && again.contains("--if-not-exists"), "{again}");
    let said = run(&["topic", "create", "life", "--if-not-exists"]).good();
    assert_eq!(said, "there was already life: 3 partitions on 1 broker\n");
    let dry = run(&["topic", "create", "dry", "--dry-run"]).good();
    assert_eq!(dry, "dry could be made\n");

    let line = run(&["topic", "create", "other", "-p", "1", "--json"]).json();
    assert_eq!((&line[0]["made"], &line[0]["partitions"]), (&json!(true), &json!(1)));
    let names = run(&["topic", "list"]).good();
    assert!(names.lines().any(|name| name == "life") && !names.contains("dry"), "{names}");
    assert_eq!(run(&["topic", "list", "--json"]).json().len(), names.lines().count());

    ringmain(broker, &["produce", "life", "-p", "1"], b"a\nb\n").good();
    let described = run(&["topic", "describe", "life"]).good();
    assert!(described.starts_with("life: 3 partitions, 2 records, id "), "{described}");
    let described = run(&["topic", "describe", "life", "--json"]).json();
    let ends: Vec<_> =
        (0..3).map(|at| described[0]["partitions"][at]["end_offset"].as_i64()).collect();
    assert_eq!(ends, [Some(0), Some(2), Some(0)]);

    assert_eq!(run(&["topic", "delete", "life", "other"]).good(), "deleted life\ndeleted other\n");
    let names = run(&["topic", "list"]).good();
    assert!(!names.lines().any(|name| name == "life" || name == "other"), "{names}");
    let gone = run(&["topic", "delete", "life"]).bad(1);
    assert!(gone.contains("ringmain topic list"), "{gone}");
    assert_eq!(run(&["topic", "delete", "life", "--if-exists"]).good(), "there was no life\n");
    let gone = run(&["topic", "describe", "life"]).bad(1);
    assert!(gone.contains("ringmain topic create life"), "{gone}");
}

fn topics_are_described_name_by_name(broker: &Broker) {
    let run = |arguments: &[&str]| ringmain(broker, arguments, b"");
    for topic in ["here", "there"] {
        create(broker, topic, "1");
    }
    let names = ["topic", "describe", "nope", "here", "neither", "there"];
    let (shown, said) = run(&names).partly();
    let heads: Vec<_> = shown.lines().filter_map(|line| line.split_once(": 1 partition")).collect();
    assert_eq!(heads.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["here", "there"]);
    assert!(!shown.starts_with('\n') && shown.contains("\n\nthere: "), "{shown}");
    let said: Vec<_> = said.lines().collect();
    assert!(said[0].contains("no topic nope") && said[1].contains("no topic neither"), "{said:?}");
    assert_eq!(said[2..], ["ringmain: 2 of 4 topics were refused"]);

    let (shown, said) = run(&[&names[..], &["--json"]].concat()).partly();
    let parsed = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let topics = |lines: &[Value]| lines.iter().map(|l| l["topic"].clone()).collect::<Vec<_>>();
    assert_eq!(topics(&parsed(&shown)), [json!("here"), json!("there")]);
    let said = parsed(&said);
    assert_eq!(topics(&said), [json!("nope"), json!("neither"), Value::Null]);
    assert_eq!((&said[2]["refused"], &said[2]["of"]), (&json!(2), &json!(4)));
    run(&["topic", "delete", "here", "there"]).good();
}

fn settings_and_partitions_are_changed(broker: &Broker) {
    let run = |arguments: &[&str]| ringmain(broker, arguments, b"");
    create(broker, "grows", "1");
    let grown = run(&["topic", "alter", "grows", "-p", "4", "--set", "segment.bytes=2097152"]);
    assert_eq!(grown.good(), "changed grows: 4 partitions\n");
    let described = run(&["topic", "describe", "grows", "--json"]).json();
    let settings = json!({ "retention.ms": "-1", "segment.bytes": "2097152" });
    assert_eq!(described[0]["settings"], settings);
    assert_eq!(described[0]["partitions"].as_array().map(Vec::len), Some(4));
    let fewer = run(&["topic", "alter", "grows", "-p", "2"]).bad(1);
    assert!(fewer.contains("INVALID_PARTITIONS"), "{fewer}");

    let altered =
        ["config", "alter", "topic", "grows", "-s", "segment.ms=60000", "-u", "segment.bytes"];
    assert_eq!(run(&altered).good(), "changed the settings of topic grows\n");
    let names = |lines: Vec<Value>| -> Vec<String> {
        lines.iter().map(|line| line["name"].as_str().expect("a name").to_owned()).collect()
    };
    let own = run(&["config", "describe", "topic", "grows", "--json"]).json();
    let own: Vec<Value> = own.into_iter().filter(|line| line["origin"] == "topic").collect();
    assert_eq!(names(own), ["retention.ms", "segment.ms"]);
    let all = names(run(&["config", "describe", "topic", "grows", "--all", "--json"]).json());
    assert!(all.len() > 5 && all.contains(&"max.message.bytes".to_owned()), "{all:?}");
    let text = run(&["config", "describe", "topic", "grows"]).good();
    assert!(text.contains("segment.ms=60000") && text.contains("set for the topic"), "{text}");
    let of_broker = run(&["config", "describe", "broker", "--all"]).good();
    assert!(of_broker.contains("message.max.bytes="), "{of_broker}");

    let wrong = run(&["config", "alter", "topic", "grows", "--set", "no.such=1"]).bad(1);
    assert!(wrong.contains("INVALID_CONFIG") && wrong.contains("config describe"), "{wrong}");
    let nothing = run(&["config", "alter", "topic", "grows"]).bad(1);
    assert!(nothing.contains("--set KEY=VALUE"), "{nothing}");
    run(&["topic", "delete", "grows"]).good();
}

fn partitions_and_settings_are_changed_both_or_neither(broker: &Broker) {
    let run = |arguments: &[&str]| ringmain(broker, arguments, b"");
    create(broker, "both", "2");
    let own = || run(&["topic", "describe", "both", "--json"]).json()[0]["settings"].clone();
    let before = own();
    for count in ["2", "1"] {
        let fewer = ["topic", "alter", "both", "-p", count, "--set", "segment.ms=77777"];
        let said = run(&fewer).bad(1);
        assert!(said.contains("INVALID_PARTITIONS") && !said.contains("are changed"), "{said}");
        assert_eq!(own(), before, "the half of it was done");
    }
    let wrong = ["topic", "alter", "both", "-p", "3", "--set", "segment.ms=never"];
    assert!(run(&wrong).bad(1).contains("INVALID_CONFIG"));
    let missing = ["topic", "alter", "both", "-p", "3", "--unset", "no.such.key"];
    assert!(run(&missing).bad(1).contains("no setting no.such.key"));
    let described = run(&["topic", "describe", "both", "--json"]).json();
    assert_eq!(described[0]["partitions"].as_array().map(Vec::len), Some(2));
    let right =
        ["topic", "alter", "both", "-p", "3", "-s", "segment.ms=77777", "-u", "retention.ms"];
    let done = run(&[&right[..], &["--json"]].concat()).json();
    let expected = json!({
        "topic": "both",
        "partitions": 3,
        "set": { "segment.ms": "77777" },
        "unset": ["retention.ms"],
    });
    assert_eq!(done, [expected]);
    assert_eq!(own(), json!({ "segment.ms": "77777" }));
    let nothing = run(&["topic", "alter", "both"]).bad(1);
    assert!(nothing.contains("give --partitions, --set or --unset"), "{nothing}");
}

fn wrong_settings_lead_to_the_right_ones(broker: &Broker) {
    let run = |arguments: &[&str]| ringmain(broker, arguments, b"");
    let said = run(&["topic", "create", "wrong", "--set", "retention.mss=1"]).bad(1);
    assert!(said.contains("did you mean retention.ms?"), "{said}");
    let said = run(&["topic", "create", "wrong", "--set", "nonsense=1"]).bad(1);
    assert!(said.contains("`ringmain topic create --help`"), "{said}");
    let help =
        Ran::of(Command::new(commands::run::BINARY).args(["topic", "create", "--help"]), b"");
    assert!(help.good().contains("\n  retention.ms="));

    run(&["topic", "create", "plain", "-p", "1"]).good();
    let (shown, words) = run(&["config", "describe", "topic", "plain"]).good_with_words();
    assert_eq!(shown.is_empty(), words.contains("--all"), "{shown}{words}");
    // retention.ms has a default that this broker does not obey.
    assert!(!words.contains("obey"), "{words}");
    for command in [&["config", "alter", "topic"][..], &["topic", "alter"]] {
        let unset = |name| run(&[command, &["plain", "--unset", name]].concat());
        let said = unset("no.such.key").bad(1);
        assert!(said.contains("`ringmain config describe topic plain --all`"), "{said}");
        let said = unset("segment.bites").bad(1);
        assert!(said.contains("did you mean segment.bytes?"), "{said}");
        // That it is not set is no error.
        unset("segment.bytes").good();
    }
    let said = run(&["config", "alter", "broker", "1", "--unset", "no.such.key"]).bad(1);
    assert!(said.contains("`ringmain config describe broker 1 --all`"), "{said}");
    let began = Instant::now();
    let said = run(&["config", "describe", "topic", "nowhere"]).bad(1);
    assert!(said.contains("there is no topic nowhere"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(15), "it was tried until the patience ended");
}

fn programs_read_what_was_done_and_what_went_wrong(broker: &Broker) {
    let run = |arguments: &[&str]| ringmain(broker, &[arguments, &["--json"]].concat(), b"x\n");
    let dry = run(&["topic", "create", "dry", "-p", "2", "--dry-run"]).json();
    assert_eq!((&dry[0]["made"], &dry[0]["partitions"]), (&json!(false), &json!(2)));
    assert_eq!(dry[0]["outcome"], "could_be_made");
    assert_eq!(run(&["topic", "create", "told", "-p", "1"]).json()[0]["outcome"], "made");
    let again = run(&["topic", "create", "told", "--if-not-exists"]).json();
    assert_eq!(again[0]["outcome"], "was_there");

    let cases: [(&[&str], Value, Value); 8] = [
        (&["topic", "create", "told"], json!("TOPIC_ALREADY_EXISTS"), json!(36)),
        (&["topic", "describe", "no"], json!("UNKNOWN_TOPIC_OR_PARTITION"), json!(3)),
        (&["topic", "delete", "no"], json!("UNKNOWN_TOPIC_OR_PARTITION"), json!(3)),
        (&["topic", "alter", "told", "-p", "1"], json!("INVALID_PARTITIONS"), json!(37)),
        (&["config", "alter", "topic", "told", "-u", "no"], json!("INVALID_CONFIG"), json!(40)),
        (&["config", "alter", "topic", "told"], Value::Null, Value::Null),
        (&["consume", "no", "-e"], json!("UNKNOWN_TOPIC_OR_PARTITION"), json!(3)),
        (&["produce", "told"], Value::Null, Value::Null),
    ];
    for (arguments, name, code) in cases {
        let said = run(arguments).bad_json(1);
        assert_eq!(said.len(), 1, "{said:?}");
        assert_eq!((&said[0]["error"], &said[0]["code"]), (&name, &code), "{arguments:?}");
        assert!(said[0]["message"].as_str().is_some_and(|words| words.len() > 20), "{said:?}");
    }
    let some = run(&["topic", "create", "told", "told-2", "bad name"]).bad_json(1);
    let topics: Vec<_> = some.iter().filter_map(|line| line["topic"].as_str()).collect();
    assert!(topics.contains(&"told") && topics.contains(&"bad name"), "{some:?}");
    assert_eq!((&some[2]["refused"], &some[2]["of"]), (&json!(2), &json!(3)));

    let spaced = b"{\"payload\":\"a\"}\n\n{\"payload\":\"b\"}\n \r\n";
    let wrote = ringmain(broker, &["produce", "told", "--json"], spaced).json();
    assert_eq!(wrote[0]["records"], 2);
    let broken = ringmain(broker, &["produce", "told", "--json"], b"\n\n?\n").bad_json(1);
    let words = broken[0]["message"].as_str().expect("text");
    assert!(words.starts_with("line 3 of the standard input"), "{words}");
    assert_eq!(broken[0]["acknowledged"], 0);
    let before = b"{\"payload\":\"a\",\"ts\":-1}\n{\"payload\":\"a\",\"ts\":-5}\n";
    let broken = ringmain(broker, &["produce", "told", "--json"], before).bad_json(1);
    let words = broken[0]["message"].as_str().expect("text");
    assert!(words.starts_with("line 2 of the standard input: its field `ts` is -5"), "{words}");
}

/// Records of every kind: what is text and what is not, nothing and null.
fn samples() -> Vec<Value> {
    let mut samples = vec![
        json!({ "key": null, "payload": null, "ts": 1 }),
        json!({ "key": "", "payload": "", "ts": 2, "headers": ["", ""] }),
        json!({ "key": "ü\n\"", "payload": "\u{0}\t", "ts": 3, "headers": ["a", null, "a", "b"] }),
        json!({ "key": { "hex": "ff00" }, "payload": { "hex": "80" }, "ts": 4 }),
    ];
    let more = (0..2_000).map(|number| {
        let payload = format!("{{\"number\":{number},\"text\":\"{}\"}}", "x".repeat(number % 300));
        json!({ "key": (number % 50).to_string(), "payload": payload, "ts": 10 + number })
    });
    samples.extend(more);
    samples
}

fn lines(values: &[Value]) -> Vec<u8> {
    values.iter().flat_map(|value| format!("{value}\n").into_bytes()).collect()
}

/// The records of each partition without what the broker adds.
fn by_partition(read: Vec<Value>) -> BTreeMap<i64, Vec<Value>> {
    let mut partitions: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for mut record in read {
        let fields = record.as_object_mut().expect("a record is an object");
        let take = |fields: &mut serde_json::Map<String, Value>, name| {
            fields.remove(name).unwrap_or_else(|| panic!("{name} is missing"))
        };
        let partition = take(fields, "partition").as_i64().expect("a number");
        let offset = take(fields, "offset").as_u64().expect("a number");
        assert_eq!(take(fields, "tstype"), "create");
        assert_eq!(take(fields, "broker"), 1);
        take(fields, "topic");
        let records = partitions.entry(partition).or_default();
        assert_eq!(offset, records.len() as u64, "partition {partition}");
        records.push(record);
    }
    partitions
}

fn records_come_back_as_they_were_in_every_codec(broker: &Broker) {
    let samples = samples();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = format!("codec-{codec}");
        create(broker, &topic, "3");
        let batch = if codec == "none" { "1000" } else { "50000" };
        let write = ["produce", &topic, "--json", "-z", codec, "--batch-size", batch];
        let wrote = ringmain(broker, &write, &lines(&samples)).json();
        assert_eq!(wrote[0]["records"], samples.len(), "{codec}");
        let read = by_partition(ringmain(broker, &["consume", &topic, "-e", "--json"], b"").json());
        assert_eq!(read.values().map(Vec::len).sum::<usize>(), samples.len(), "{codec}");
        for written in &wrote[0]["partitions"].as_array().expect("an array")[..] {
            let partition = written["partition"].as_i64().expect("a number");
            let records = read[&partition].len();
            assert_eq!(written["records"], records);
            assert_eq!(
                (&written["first_offset"], &written["last_offset"]),
                (&json!(0), &json!(records - 1))
            );
        }
        // Every record is there, those of a key in their order; null keys lie anywhere.
        let mut left: Vec<&Value> = read.values().flatten().collect();
        for sample in &samples {
            let at = left.iter().position(|found| *found == sample);
            left.remove(at.unwrap_or_else(|| panic!("{codec}: {sample} is lost")));
        }
        for records in read.values() {
            let times: Vec<_> = records.iter().map(|record| record["ts"].as_i64()).collect();
            let late = |ms: &&Option<i64>| ms.is_some_and(|ms| (10..10_000).contains(&ms));
            assert!(times.iter().filter(late).is_sorted(), "{codec}");
        }
    }
}

fn what_kcat_reads_is_what_was_written_and_lies_where_it_would_put_it(broker: &Broker) {
    let kcat = |arguments: &[&str], input: &[u8]| {
        let mut command = Command::new("kcat");
        command.args(["-b", &broker.address()]).args(arguments);
        Ran::of(&mut command, input).good()
    };
    for topic in ["by-us", "by-kcat"] {
        create(broker, topic, "6");
    }
    let keyed: Vec<u8> =
        (0..3_000).flat_map(|n| format!("key-{}\tvalue-{n}\n", n % 700).into_bytes()).collect();
    let header = ["-H", "source=test", "-H", "empty="];
    let ours = [&["produce", "by-us", "-K", "\\t"][..], &header].concat();
    ringmain(broker, &ours, &keyed).good();
    let murmur2 = "topic.partitioner=murmur2_random";
    let theirs =
        ["-P", "-t", "by-kcat", "-K", "\t", "-X", murmur2, "-X", "enable.idempotence=true"];
    kcat(&[&theirs[..], &header].concat(), &keyed);

    let by = |topic: &str| kcat(&["-C", "-q", "-e", "-t", topic, "-f", "%p %o %h %k %s\\n"], b"");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (us, them) = (sorted(&by("by-us")), sorted(&by("by-kcat")));
    assert_eq!(us.len(), 3_000);
    assert!(us == them, "kcat reads other records than ours:\n{}\n{}", us[0], them[0]);
    let format = ["consume", "by-us", "-e", "-f", "%p %o %h %k %s\\n"];
    assert!(sorted(&ringmain(broker, &format, b"").good()) == us, "we read others than kcat");

    let json = sorted(&kcat(&["-C", "-q", "-e", "-J", "-t", "by-us"], b""));
    let ours = sorted(&ringmain(broker, &["consume", "by-us", "-e", "--json"], b"").good());
    assert!(ours == json, "JSON is not kcat's:\n{}\n{}", ours[0], json[0]);
}

fn lines_become_keys_values_and_nulls(broker: &Broker) {
    create(broker, "nulls", "1");
    let input = b"a:b:c\n:\nplain\n\na:";
    ringmain(broker, &["produce", "nulls", "-K", ":", "--timestamp", "2013-01-01"], input).good();
    ringmain(broker, &["produce", "nulls", "-K", ":", "-Z", "-k", "fixed"], input).good();
    let format = ["consume", "nulls", "-e", "-Z", "-f", "%k(%K) %s(%S)\\n"];
    let expected = "a(1) b:c(3)\n(0) (0)\nNULL(-1) plain(5)\nNULL(-1) (0)\na(1) (0)\n\
                    a(1) b:c(3)\nNULL(-1) NULL(-1)\nfixed(5) plain(5)\nfixed(5) NULL(-1)\n\
                    a(1) NULL(-1)\n";
    assert_eq!(ringmain(broker, &format, b"").good(), expected);
    let times = ringmain(broker, &["consume", "nulls", "-n", "5", "-f", "%T\\n"], b"").good();
    assert_eq!(times, "1356998400000\n".repeat(5));
    let keyed =
        ringmain(broker, &["consume", "nulls", "-n", "2", "-K", "=", "-D", ";"], b"").good();
    assert_eq!(keyed, "a=b:c;=;");
}

fn places_say_which_part_is_read(broker: &Broker) {
    create(broker, "places", "1");
    let day = 86_400_000_i64;
    let input: Vec<Value> = (0..100)
        .map(|n| json!({ "payload": n.to_string(), "ts": 1_356_998_400_000 + n * day }))
        .collect();
    ringmain(broker, &["produce", "places", "--json", "--batch-size", "200"], &lines(&input))
        .good();
    let read = |arguments: &[&str]| {
        let read = ringmain(broker, &[&["consume", "places"], arguments].concat(), b"").good();
        let numbers: Vec<u32> = read.lines().map(|line| line.parse().expect("a number")).collect();
        match (numbers.first(), numbers.last()) {
            (Some(first), Some(last)) => {
                assert_eq!(numbers, (*first..=*last).collect::<Vec<_>>(), "{arguments:?}");
                Some((*first, *last))
            }
            _ => None,
        }
    };
    type FirstAndLast = Option<(u32, u32)>;
    let cases: [(&[&str], FirstAndLast); 13] = [
        (&["-e"], Some((0, 99))),
        (&["-p", "0,0", "-e"], Some((0, 99))),
        (&["--from", "40", "--to", "50"], Some((40, 49))),
        (&["-o", "-10", "-e"], Some((90, 99))),
        (&["-o", "-1000", "-e"], Some((0, 99))),
        (&["-o", "1000", "-e"], None),
        (&["--from", "end", "-e"], None),
        (&["--to", "-90"], Some((0, 9))),
        (&["--from", "7", "-n", "5"], Some((7, 11))),
        (&["--from", "2013-01-11", "--to", "2013-01-21T00:00:00.000Z"], Some((10, 19))),
        (&["--from", "2013-01-11T00:00:00.001", "-n", "1"], Some((11, 11))),
        (&["--from", "@1356998400001", "--to", "2"], Some((1, 1))),
        (&["--from", "-1h", "-e"], None),
    ];
    for (arguments, expected) in cases {
        assert_eq!(read(arguments), expected, "{arguments:?}");
    }
}

fn batches_that_are_too_large_are_split_and_records_are_refused(broker: &Broker) {
    let small = ["--set", "max.message.bytes=5000"];
    let create = [&["topic", "create", "small", "-p", "2"][..], &small].concat();
    ringmain(broker, &create, b"").good();
    let many: Vec<u8> = (0..3_000).flat_map(|n| format!("{n:0100}\n").into_bytes()).collect();
    ringmain(broker, &["produce", "small"], &many).good();
    let read = ringmain(broker, &["consume", "small", "-e"], b"").good();
    assert_eq!(read.lines().count(), 3_000);
    let mut numbers: Vec<&str> = read.lines().collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 3_000, "a record was written twice");
    let input = [&b"fits\n"[..], &[b'x'; 6_000], b"\nfits\n"].concat();
    let refused = ringmain(broker, &["produce", "small", "-p", "0"], &input).bad(1);
    assert!(refused.contains("line 2 of the standard input"), "{refused}");
    assert!(refused.contains("MESSAGE_TOO_LARGE"), "{refused}");
}

fn what_comes_later_is_read_as_it_comes(broker: &Broker) {
    create(broker, "later", "2");
    let mut reader = spawn(broker, &["consume", "later", "-n", "3", "-K", ":"], Stdio::null());
    let mut writer = spawn(broker, &["produce", "later", "-K", ":"], Stdio::piped());
    let mut input = writer.child.stdin.take().expect("it is piped");
    let mut read = BufReader::new(reader.child.stdout.take().expect("it is piped"));
    for line in ["a:1\n", "b:2\n", "a:3\n"] {
        // A line that is typed is sent at once, and read at once.
        input.write_all(line.as_bytes()).expect("the producer reads");
        let mut found = String::new();
        read.read_line(&mut found).expect("the consumer writes text");
        assert_eq!(found, line);
    }
    drop(input);
    assert!(writer.wait(DEADLINE).success() && reader.wait(DEADLINE).success());
}

fn interruptions_and_closed_pipes_end_in_good_order(broker: &Broker) {
    create(broker, "ends", "2");
    let mut writer = spawn(broker, &["produce", "ends"], Stdio::piped());
    let mut input = writer.child.stdin.take().expect("it is piped");
    input.write_all(b"one\ntwo\nhalf").expect("the producer reads");
    let began = Instant::now();
    while ringmain(broker, &["consume", "ends", "-e"], b"").good().lines().count() < 2 {
        assert!(began.elapsed() < DEADLINE, "what was typed is not written");
    }
    writer.interrupt();
    assert_eq!(writer.wait(DEADLINE).code(), Some(130));
    let mut reader = spawn(broker, &["consume", "ends"], Stdio::null());
    let mut read = BufReader::new(reader.child.stdout.take().expect("it is piped"));
    for _ in 0..2 {
        read.read_line(&mut String::new()).expect("the consumer writes text");
    }
    reader.interrupt();
    assert_eq!(reader.wait(DEADLINE).code(), Some(130));

    let many: Vec<u8> = (0..200_000).flat_map(|n| format!("{n:050}\n").into_bytes()).collect();
    ringmain(broker, &["produce", "ends"], &many).good();
    let mut reader = spawn(broker, &["consume", "ends"], Stdio::null());
    let mut read = BufReader::new(reader.child.stdout.take().expect("it is piped"));
    read.read_line(&mut String::new()).expect("the consumer writes text");
    drop(read);
    assert!(reader.wait(DEADLINE).success(), "a closed pipe is no error");
}

fn wrong_words_say_what_to_do(broker: &Broker) {
    let cases: [(&[&str], i32, &str); 18] = [
        (&["topic", "create", "x", "-p", "-3"], 2, "write a whole number, 1 or more"),
        (&["topic", "create", "x", "-r", "two"], 2, "write a whole number, 1 or more"),
        (&["topic", "alter", "nulls", "-p", "0"], 2, "write a whole number, 1 or more"),
        (&["produce", "nulls", "-p", "-3"], 2, "write a whole number, 0 or more"),
        (&["consume", "nulls", "-p", "0,-3"], 2, "write a whole number, 0 or more"),
        (&["consume", "nulls", "-n", "-1"], 2, "write a whole number, 0 or more"),
        (&["topic", "list", "--timeout", "-1"], 2, "write a whole number from 1 to 86400"),
        (&["topic", "create", "x", "-s", "a=1", "-s", "a=2"], 1, "a is given twice"),
        (&["config", "alter", "topic", "nulls", "-s", "a=1", "-u", "a"], 1, "a is given twice"),
        (&["topic", "create", "x", "-p", "99999"], 1, "one command makes 10,000 at most"),
        (&["consume", "nowhere", "-e"], 1, "ringmain topic create nowhere"),
        (&["produce", "nowhere"], 1, "ringmain topic create nowhere"),
        (&["consume", "nulls", "-p", "7"], 1, "it has 1, counted from 0"),
        (&["produce", "nulls", "-p", "7"], 1, "the topic has 1, counted from 0"),
        (&["consume", "nulls", "--from", "yesterday"], 2, "how long ago"),
        (&["consume", "nulls", "-f", "%x"], 2, "behind % stands"),
        (&["produce", "nulls", "--json"], 1, "field `payload`"),
        (&["topic", "create", "bad name"], 1, "'.', '_' and '-'"),
    ];
    for (arguments, status, hint) in cases {
        let said = ringmain(broker, arguments, b"{}\n").bad(status);
        assert!(said.contains(hint), "{arguments:?}: {said}");
    }
    let reserved = ringmain(broker, &["produce", "__cluster_metadata"], b"x\n").bad(1);
    assert!(!reserved.contains("topic create"), "{reserved}");
    let nobody = ["consume", "nulls", "-b", "127.0.0.1:1", "--timeout", "1"];
    let said = Ran::of(Command::new(commands::run::BINARY).args(nobody), b"").bad(1);
    assert!(said.contains("127.0.0.1:1") && said.contains("--broker"), "{said}");
}

#[test]
fn a_broker_that_is_killed_meanwhile_gets_every_record_once_and_in_order() {
    let mut broker = Broker::start(Kind::Ringmain, "killed");
    create(&broker, "numbers", "3");
    let mut writer = spawn(&broker, &["produce", "numbers"], Stdio::piped());
    let mut input = writer.child.stdin.take().expect("it is piped");
    let count = 300_000;
    for number in 0..count {
        if number == count / 3 || number == count / 2 {
            broker.kill_and_start_again();
        }
        writeln!(input, "{number:060}").expect("the producer reads");
    }
    drop(input);
    assert!(writer.wait(DEADLINE).success());
    let mut all = Vec::new();
    for partition in ["0", "1", "2"] {
        let read = ringmain(&broker, &["consume", "numbers", "-e", "-p", partition], b"").good();
        let numbers: Vec<u64> = read.lines().map(|line| line.parse().expect("a number")).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "partition {partition} is not in order");
        all.extend(numbers);
    }
    all.sort();
    assert!(all.iter().copied().eq(0..count), "{} of {count} records", all.len());
}

#[test]
fn that_a_broker_is_away_is_told_once_and_so_is_its_return() {
    let mut broker = Broker::start(Kind::Ringmain, "away");
    create(&broker, "away", "1");
    let mut writer = spawn_heard(&broker, &["produce", "away", "--json"], Stdio::piped());
    let mut reader = spawn_heard(&broker, &["consume", "away", "--json", "-n3"], Stdio::null());
    let mut input = writer.child.stdin.take().expect("it is piped");
    let mut read = BufReader::new(reader.child.stdout.take().expect("it is piped"));
    let mut write = |payload: &str| {
        writeln!(input, "{}", json!({ "payload": payload })).expect("the producer reads");
    };
    write("1");
    read.read_line(&mut String::new()).expect("the consumer writes text");
    broker.kill();
    write("2");
    let errors = [writer.child.stderr.take(), reader.child.stderr.take()];
    let mut errors = errors.map(|errors| BufReader::new(errors.expect("it is piped")).lines());
    let mut next = || {
        errors.each_mut().map(|lines| -> Value {
            let line = lines.next().expect("more is said").expect("text");
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
        })
    };
    for away in next() {
        assert_eq!((&away["error"], &away["goes_on"]), (&json!("NETWORK_EXCEPTION"), &json!(true)));
        let words = away["message"].as_str().expect("text");
        assert!(words.starts_with("trying again: "), "{words}");
    }
    broker.start_again();
    for back in next() {
        assert_eq!((&back["error"], &back["goes_on"]), (&Value::Null, &json!(true)));
        assert!(back["message"].as_str().is_some_and(|words| words.ends_with("going on")));
    }
    write("3");
    drop(input);
    assert!(writer.wait(DEADLINE).success() && reader.wait(DEADLINE).success());
    for mut lines in errors {
        assert!(lines.next().is_none(), "it is told once");
    }
}

#[test]
fn a_person_sees_how_much_is_acknowledged_of_a_file_that_takes_longer() {
    let mut broker = Broker::start(Kind::Ringmain, "seen");
    create(&broker, "seen", "1");
    let (mut screen, mut file) = Screen::of_produce(&broker, "seen");
    file.write_all(b"abc\ndef").expect("the producer reads");
    screen.await_text("\r1 record, 3 bytes in 1.");
    broker.kill();
    file.write_all(b"g\nhij\n").expect("the producer reads");
    screen.await_text("\r\u{1b}[Kringmain: trying again: ");
    // What is read, and not acknowledged, does not count.
    screen.await_text("\r1 record, 3 bytes in ");
    broker.start_again();
    screen.await_text("\r\u{1b}[Kringmain: the broker is there again: going on");
    drop(file);
    screen.await_text("wrote to seen: 3 records, 10 bytes in ");
    assert!(screen.wait(DEADLINE).success());
}
