//! The two librdkafkas that write and read flights for each other: kcat's and the newest one.

use std::fmt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::client::Client;
use crate::equality::Stamps;
use crate::flights::Flights;

/// The headers that kcat gives to every record of a run.
const KCAT_HEADERS: &str = "source=kcat";

/// A client that writes or reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// librdkafka of the Linux distribution, by kcat: it sets no timestamps, and the same headers
    /// for all records.
    Kcat,
    /// The newest librdkafka, by confluent-kafka for Python.
    Confluent,
}

/// How far a reader reads.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// To the end that the topic has.
    End,
    /// Until it has seen so many records, which may not be written yet.
    Count(usize),
}

impl Peer {
    /// The one that reads what this one writes.
    pub fn other(self) -> Self {
        match self {
            Self::Kcat => Self::Confluent,
            Self::Confluent => Self::Kcat,
        }
    }

    /// Writes all flights, waits until they are acknowledged, and returns what stands beside their
    /// keys and values.
    pub fn write(
        self,
        folder: &Path,
        address: &str,
        topic: &str,
        codec: &str,
        flights: &Flights,
    ) -> Stamps {
        match self {
            Self::Kcat => {
                let started_ms = wall_ms();
                let file = flights.keyed_file.to_str().expect("paths of the workspace are UTF-8");
                kcat_write(folder, &["-b", address, "-t", topic, "-z", codec, "-l", file]);
                Stamps::SendTimes { between_ms: started_ms..=wall_ms(), headers: KCAT_HEADERS }
            }
            Self::Confluent => {
                let file = flights.full_file.to_str().expect("paths of the workspace are UTF-8");
                let count = flights.rows().len().to_string();
                Client::python(folder, "write", &[address, topic, codec, file, &count]).output();
                Stamps::OwnTimes
            }
        }
    }

    /// Starts a reader whose output has the form of `read.py`.
    pub fn read(self, folder: &Path, address: &str, topic: &str, until: Until) -> Client {
        let count = match until {
            Until::End => None,
            Until::Count(count) => Some(count.to_string()),
        };
        match self {
            Self::Kcat => {
                let format = r"%p\t%o\t%T\t%K\t%k\t%h\t%s\n";
                let mut arguments =
                    vec!["-C", "-q", "-b", address, "-t", topic, "-o", "beginning", "-f", format];
                match &count {
                    Some(count) => arguments.extend(["-c", count]),
                    None => arguments.push("-e"),
                }
                Client::kcat(folder, &arguments)
            }
            Self::Confluent => {
                let until = count.as_deref().unwrap_or("end");
                Client::python(folder, "read", &[address, topic, until])
            }
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kcat => "kcat",
            Self::Confluent => "confluent",
        })
    }
}

/// Lets kcat write lines of key, tab and value; an empty key is none. Records with a key go where
/// Java's partitioner would put them. Without idempotence a busy broker's late answer is enough for
/// librdkafka to write some records again, behind later ones.
pub fn kcat_write(folder: &Path, arguments: &[&str]) {
    let partitioner = "topic.partitioner=murmur2_random";
    let once_in_order = "enable.idempotence=true";
    let fixed =
        ["-P", "-K", "\t", "-Z", "-H", KCAT_HEADERS, "-X", partitioner, "-X", once_in_order];
    Client::kcat(folder, &[&fixed, arguments].concat()).output();
}

fn wall_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    i64::try_from(now.as_millis()).expect("it is before the year 292,000,000")
}
