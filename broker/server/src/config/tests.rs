//! Which settings make a broker, and how the others are refused.

use super::keys::BROKER_KEYS;
use super::*;

fn check(arguments: &[&str]) -> Result<Config, String> {
    let mut settings = Settings::new();
    for argument in arguments {
        settings.set_argument(argument).map_err(|e| e.to_string())?;
    }
    Config::check(&settings).map_err(|e| e.to_string())
}

#[test]
fn the_defaults_make_a_broker() {
    let config = check(&[]).unwrap();
    assert_eq!((config.listener.port, config.partition_count), (9092, 1));
    assert_eq!(config.topic.segment_size_bytes, 1 << 30);
    for key in BROKER_KEYS {
        assert!(fits(key.kind, key.default), "{}={}", key.name, key.default);
    }
}

#[test]
fn an_impossible_value_is_refused_with_key_place_and_remedy() {
    assert_eq!(
        check(&["num.partitions=0"]).unwrap_err(),
        "--set on the command line: num.partitions=0 can't be: a whole number from 1 to 10000"
    );
    assert!(check(&["ringmain.shards=0"]).unwrap_err().contains("auto, or a number"));
    assert!(check(&["log.dirs=a,b"]).unwrap_err().contains("one folder"));
    assert!(check(&["listeners=SSL://:1"]).unwrap_err().contains("PLAINTEXT"));
}

#[test]
fn a_batch_that_no_journal_file_could_take_is_refused_with_the_arithmetic() {
    let error = check(&["message.max.bytes=20000000"]).unwrap_err();
    assert!(error.contains("ringmain.journal.file.bytes=16777216"), "{error}");
    let room = ["ringmain.journal.file.bytes=33554432", "ringmain.tail.bytes=134217728"];
    assert!(check(&[room[0], room[1], "message.max.bytes=20000000"]).is_ok());
}

#[test]
fn a_topic_follows_the_broker_where_it_sets_nothing() {
    let config = check(&["log.segment.bytes=65536"]).unwrap();
    let own = [("segment.ms".to_string(), "5".to_string())].into();
    let topic = config.topic.with(&own);
    assert_eq!((topic.segment_size_bytes, topic.segment_ms), (65536, 5));
}
