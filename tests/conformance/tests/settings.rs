//! The list of Kafka's settings that the broker knows by name, beside the one in Kafka's classes.

use std::fs;

use conformance::java;
use launch::environment;

const LIST: &str = "broker/server/src/config/kafka_settings.txt";

#[test]
fn the_known_settings_are_those_of_kafkas_classes() {
    let output = java::ours("SettingNames").output().expect("a JDK is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "Kafka's classes did not answer: {said}");
    let names = String::from_utf8(output.stdout).expect("Kafka's names are ASCII");
    let list = fs::read_to_string(environment::workspace().join(LIST)).expect("the list is UTF-8");
    let listed: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
    let wanted: Vec<&str> = names.lines().collect();
    let missing: Vec<_> = wanted.iter().filter(|name| !listed.contains(name)).collect();
    let gone: Vec<_> = listed.iter().filter(|name| !wanted.contains(name)).collect();
    assert!(missing.is_empty() && gone.is_empty(), "{LIST}: add {missing:?}, remove {gone:?}");
    assert_eq!(listed, wanted, "{LIST} is not in Kafka's order");
}
