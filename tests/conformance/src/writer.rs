//! The clients that write flights: each in its own way, with what it can put beside key and value.

use std::fmt;
use std::fs::File;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::client::Client;
use crate::equality::{Headers, Stamps, Times};
use crate::flights::{Flights, NO_KEY};
use crate::{java, workspace};

/// The headers that kcat gives to every record of a run.
const KCAT_HEADERS: &str = "source=kcat";
/// The same of our own command.
const OUR_HEADERS: &str = "source=ringmain";

/// A client that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// librdkafka of the Linux distribution, by kcat: it sets no timestamps, and the same headers
    /// for all records.
    Kcat,
    /// The newest librdkafka, by confluent-kafka for Python.
    Confluent,
    /// Kafka's Java producer, by `Write.java`.
    Java,
    /// Kafka's console producer, which sets no timestamps.
    Console,
    /// `ringmain produce`, which stamps lines when it reads them.
    Ringmain,
}

impl Writer {
    /// Writes all flights, waits until they are acknowledged, and returns what stands beside their
    /// keys and values.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn write(
        self,
        folder: &Path,
        address: &str,
        topic: &str,
        codec: &str,
        flights: &Flights,
    ) -> Stamps {
        let started_ms = wall_ms();
        let full = flights.files.full.to_str().expect("paths of the workspace are UTF-8");
        let count = flights.rows().len().to_string();
        let arguments = [address, topic, codec, full, &count];
        match self {
            Self::Kcat => {
                let file = flights.files.keyed.to_str().expect("paths of the workspace are UTF-8");
                kcat(folder, &["-b", address, "-t", topic, "-z", codec, "-l", file]);
            }
            Self::Confluent => {
                Client::python(folder, "write", &arguments).output();
            }
            Self::Java => {
                let mut program = java::ours("Write");
                Client::program(folder, "Write", program.args(arguments)).output();
            }
            Self::Console => console(folder, address, topic, codec, &flights.files.headed),
            Self::Ringmain => {
                let mut command = workspace::ringmain_command("produce", address);
                command.args([topic, "-K", "\t", "-Z", "-H", OUR_HEADERS, "-z", codec]);
                command.arg(&flights.files.keyed);
                Client::program(folder, "ringmain produce", &mut command).output();
            }
        }
        self.stamps(started_ms..=wall_ms())
    }

    fn stamps(self, between_ms: RangeInclusive<i64>) -> Stamps {
        let (times, headers) = match self {
            Self::Kcat => (Times::Sending { between_ms }, Headers::Same(KCAT_HEADERS)),
            Self::Ringmain => (Times::Sending { between_ms }, Headers::Same(OUR_HEADERS)),
            Self::Confluent | Self::Java => (Times::Own, Headers::Own),
            Self::Console => (Times::Sending { between_ms }, Headers::Own),
        };
        Stamps { times, headers }
    }
}

impl fmt::Display for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kcat => "kcat",
            Self::Confluent => "confluent",
            Self::Java => "java",
            Self::Console => "console",
            Self::Ringmain => "ringmain",
        })
    }
}

/// Lets kcat write lines of key, tab and value; an empty key is none. Records with a key go where
/// Java's partitioner would put them. Without idempotence a busy broker's late answer is enough for
/// librdkafka to write some records again, behind later ones.
pub fn kcat(folder: &Path, arguments: &[&str]) {
    let partitioner = "topic.partitioner=murmur2_random";
    let once_in_order = "enable.idempotence=true";
    let fixed =
        ["-P", "-K", "\t", "-Z", "-H", KCAT_HEADERS, "-X", partitioner, "-X", once_in_order];
    Client::kcat(folder, &[&fixed, arguments].concat()).output();
}

/// Lets Kafka's console producer write lines of headers, tab, key, tab and value.
fn console(folder: &Path, address: &str, topic: &str, codec: &str, file: &Path) {
    let no_key = format!("null.marker={NO_KEY}");
    let mut tool = java::kafka("org.apache.kafka.tools.ConsoleProducer");
    tool.args(["--bootstrap-server", address, "--topic", topic, "--compression-codec", codec]);
    for property in ["parse.headers=true", "parse.key=true", &no_key] {
        tool.args(["--reader-property", property]);
    }
    tool.stdin(File::open(file).expect("it was made or found"));
    Client::program(folder, "ConsoleProducer", &mut tool).output();
}

fn wall_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(now.as_millis()).expect("it is before the year 292,000,000")
}
