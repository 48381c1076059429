//! Who is measured.

use clap::ValueEnum;
use launch::{IoUring, Program};

use crate::Cli;

/// Who is measured, as users name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SubjectName {
    /// This project; it syncs before it acknowledges
    Ringmain,
    /// Apache Kafka as it is shipped: it acknowledges what no disk holds yet
    Kafka,
    /// Apache Kafka with log.flush.interval.messages=1
    KafkaFlush,
}

/// A broker that can be started.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    name: SubjectName,
    cli: &'a Cli,
}

impl<'a> Subject<'a> {
    /// The subject of this name, with the programs of the command line.
    pub fn new(name: SubjectName, cli: &'a Cli) -> Self {
        Self { name, cli }
    }

    /// The name, as tables and results have it.
    pub fn name(&self) -> &'static str {
        match self.name {
            SubjectName::Ringmain => "ringmain",
            SubjectName::Kafka => "kafka",
            SubjectName::KafkaFlush => "kafka-flush",
        }
    }

    /// What is run.
    pub fn program(&self) -> Program {
        match self.name {
            SubjectName::Ringmain => {
                Program::Ringmain { binary: self.cli.ringmain.clone(), io_uring: IoUring::AsIs }
            }
            SubjectName::Kafka | SubjectName::KafkaFlush => {
                Program::Kafka { jars: self.cli.jars.clone() }
            }
        }
    }

    /// How it differs from what is shipped.
    pub fn settings(&self) -> Vec<(String, String)> {
        let setting = |key: &str, value: &str| vec![(key.to_string(), value.to_string())];
        match self.name {
            // One shard for each core of the reference machine.
            SubjectName::Ringmain => setting("ringmain.shards", "2"),
            SubjectName::Kafka => Vec::new(),
            SubjectName::KafkaFlush => setting("log.flush.interval.messages", "1"),
        }
    }
}
