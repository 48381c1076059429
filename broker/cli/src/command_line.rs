//! What can be said on the command line, and what `--help` teaches.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::log_dump::LogDump;

/// An event-streaming broker that Kafka's clients talk to.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    /// What to do; `serve` if nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXAMPLES: &str = "Examples:
  ringmain                                      a broker at 127.0.0.1:9092, data in ./data
  ringmain serve --config server.properties     with Kafka's keys from a file
  ringmain serve --set log.dirs=/var/lib/ringmain --set listeners=PLAINTEXT://0.0.0.0:9092
  RINGMAIN_LOG_SEGMENT_BYTES=1048576 ringmain   log.segment.bytes from the environment
  kcat -b 127.0.0.1:9092 -L                     what it says of itself
  ringmain log dump data                        what it has written, and whether that is sound

An acknowledgement of acks=1 or acks=all means: on stable storage.";

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a broker until SIGTERM or SIGINT.
    Serve(ServeOptions),
    /// Look into what a broker wrote.
    #[command(subcommand)]
    Log(LogCommand),
}

/// What can be done with a broker's files.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    Dump(LogDump),
}

impl Default for Command {
    fn default() -> Command {
        Command::Serve(ServeOptions::default())
    }
}

/// How a broker is run. Later places win: defaults, file, environment, --set.
#[derive(Args, Debug, Default)]
#[command(after_long_help = settings_help())]
pub struct ServeOptions {
    /// A file of Kafka's form: key=value, one a line.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One setting; may be given several times. See --help for all keys.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}

/// All settings, from the table that also checks them.
fn settings_help() -> String {
    let mut text = String::from("Settings (RINGMAIN_NODE_ID is node.id, and so on):\n");
    for key in server::BROKER_KEYS {
        text += &format!("  {}={}\n      {}\n", key.name, key.default, key.doc);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn serve_is_what_happens_if_nothing_is_said() {
        let line = CommandLine::parse_from(["ringmain"]);
        assert!(matches!(line.command.unwrap_or_default(), Command::Serve(_)));
    }

    #[test]
    fn help_names_every_setting() {
        let help = settings_help();
        for key in server::BROKER_KEYS {
            assert!(help.contains(key.name), "{}", key.name);
        }
    }
}
