//! The clients that read flights, without a group; all print them in the form of `read.py`.

use std::fmt;
use std::path::Path;

use crate::client::Client;
use crate::{java, workspace};

/// A client that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// librdkafka of the Linux distribution, by kcat.
    Kcat,
    /// The newest librdkafka, by confluent-kafka for Python.
    Confluent,
    /// Kafka's Java consumer, by `Read.java`.
    Java,
    /// A client that is all Python. It reads what is not compressed, and gzip: for anything else it
    /// wants further packages.
    KafkaPython,
    /// `ringmain consume`.
    Ringmain,
}

/// What kcat and our own command print of each record.
const LINE: &str = r"%p\t%o\t%T\t%K\t%k\t%h\t%s\n";

/// How far a reader reads.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// To the end that the topic has.
    End,
    /// Until it has seen so many records, which may not be written yet.
    Count(usize),
}

impl Reader {
    /// All that can read what is compressed with this codec.
    pub fn all(codec: &str) -> Vec<Self> {
        let all = [Self::Kcat, Self::Confluent, Self::Java, Self::KafkaPython, Self::Ringmain];
        let is_plain = ["none", "gzip"].contains(&codec);
        all.into_iter().filter(|&reader| reader != Self::KafkaPython || is_plain).collect()
    }

    /// Starts to read a topic from its beginning.
    pub fn read(self, folder: &Path, address: &str, topic: &str, until: Until) -> Client {
        let count = match until {
            Until::End => None,
            Until::Count(count) => Some(count.to_string()),
        };
        let arguments = [address, topic, count.as_deref().unwrap_or("end")];
        match self {
            Self::Kcat => {
                let mut arguments =
                    vec!["-C", "-q", "-b", address, "-t", topic, "-o", "beginning", "-f", LINE];
                match &count {
                    Some(count) => arguments.extend(["-c", count]),
                    None => arguments.push("-e"),
                }
                Client::kcat(folder, &arguments)
            }
            Self::Confluent => Client::python(folder, "read", &arguments),
            Self::Java => Client::program(folder, "Read", java::ours("Read").args(arguments)),
            Self::KafkaPython => Client::python(folder, "read_kafka_python", &arguments),
            Self::Ringmain => {
                let mut command = workspace::ringmain_command("consume", address);
                command.args([topic, "-f", LINE]);
                match &count {
                    Some(count) => command.args(["-n", count]),
                    None => command.arg("-e"),
                };
                Client::program(folder, "ringmain consume", &mut command)
            }
        }
    }
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kcat => "kcat",
            Self::Confluent => "confluent",
            Self::Java => "java",
            Self::KafkaPython => "kafka-python",
            Self::Ringmain => "ringmain",
        })
    }
}
