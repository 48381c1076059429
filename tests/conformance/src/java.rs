//! Programs for a JVM: Kafka's own, and those of `tests/conformance/java` on its classes.

use std::env;
use std::process::Command;

use crate::workspace;

/// Two processors have no use for more threads of the collector's.
const ONE_OF_MANY: [&str; 3] = ["-Xmx512m", "-XX:+UseSerialGC", LOG_ON_STANDARD_ERROR];
/// What lives for seconds gains nothing by a second look at its code.
const SHORT_LIVED: &str = "-XX:TieredStopAtLevel=1";
/// Standard output belongs to what a program prints.
const LOG_ON_STANDARD_ERROR: &str = "-Dlog.target=SYSTEM_ERR";

/// A main class of Kafka's.
///
/// # Panics
///
/// If its jars are missing.
pub fn kafka(class: &str) -> Command {
    launch::java(workspace::kafka_jars().join("*"), class, &ONE_OF_MANY)
}

/// One of our own programs.
///
/// # Panics
///
/// If it is not compiled, or Kafka's jars are missing.
pub fn ours(class: &str) -> Command {
    let class_path = [workspace::java_classes(), workspace::kafka_jars().join("*")];
    let class_path = env::join_paths(class_path).expect("there is no colon in these paths");
    launch::java(class_path, class, &[&ONE_OF_MANY[..], &[SHORT_LIVED]].concat())
}
