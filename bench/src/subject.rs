//! Who is measured.

use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use crate::Cli;
use crate::error::BenchError;
use crate::kafka::{Flush, Kafka};
use crate::session;

/// One shard for each core of the reference machine.
const SHARDS: u32 = 2;

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
pub enum Subject<'a> {
    /// Ringmain, from this binary.
    Ringmain { binary: &'a Path },
    /// Apache Kafka.
    Kafka { kafka: Kafka<'a>, flush: Flush },
}

impl<'a> Subject<'a> {
    /// The subject of this name, with the programs of the command line.
    pub fn new(name: SubjectName, cli: &'a Cli) -> Self {
        let kafka = Kafka { jars: &cli.jars, log_settings: &cli.log_settings };
        match name {
            SubjectName::Ringmain => Self::Ringmain { binary: &cli.ringmain },
            SubjectName::Kafka => Self::Kafka { kafka, flush: Flush::AsShipped },
            SubjectName::KafkaFlush => Self::Kafka { kafka, flush: Flush::Each },
        }
    }

    /// The name, as tables and results have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ringmain { .. } => "ringmain",
            Self::Kafka { flush: Flush::AsShipped, .. } => "kafka",
            Self::Kafka { flush: Flush::Each, .. } => "kafka-flush",
        }
    }

    /// Prepares the folder and gives the command that serves it on `port`, once it is told to go.
    pub fn prepare(&self, folder: &Path, port: u16) -> Result<Command, BenchError> {
        match self {
            Self::Ringmain { binary } => {
                let mut command = session::on_command(binary);
                command.arg("serve");
                for setting in [
                    format!("listeners=PLAINTEXT://127.0.0.1:{port}"),
                    format!("log.dirs={}", folder.join("data").display()),
                    format!("ringmain.shards={SHARDS}"),
                ] {
                    command.arg("--set").arg(setting);
                }
                Ok(command)
            }
            Self::Kafka { kafka, flush } => {
                kafka.format(folder, port, *flush)?;
                Ok(kafka.command(folder))
            }
        }
    }
}
