//! What can be said on the command line, and what `--help` teaches.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::Config;
use crate::consume::Consume;
use crate::log_dump::LogDump;
use crate::produce::Produce;
use crate::topic::Topic;

/// An event-streaming broker that Kafka's clients talk to, and commands for any Kafka cluster.
#[derive(Debug, Parser)]
#[command(name = "ringmain", version, about, after_help = EXAMPLES)]
#[command(args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    /// What to do; `serve` if nothing is said.
    #[command(subcommand)]
    command: Option<Command>,
    /// For `serve`, if nothing is said.
    #[command(flatten)]
    serve: ServeOptions,
}

impl CommandLine {
    /// What to do.
    pub fn chosen(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

const EXAMPLES: &str = "Examples:
  ringmain                                      a broker at 127.0.0.1:9092, data in ./data
  ringmain --config server.properties           with Kafka's keys from a file
  ringmain serve --set log.dirs=/var/lib/ringmain --set listeners=PLAINTEXT://:9092
  RINGMAIN_LOG_SEGMENT_BYTES=1048576 ringmain   log.segment.bytes from the environment
  ringmain serve --help                         all settings, with their defaults
  ringmain topic create flights --partitions 6
  ringmain produce flights -K '\\t' flights.tsv  a record for each line: key, tab, value
  ringmain consume flights -e                   all that there is
  ringmain topic describe flights -b kafka:9092 the same of another broker, ours or Apache Kafka's
  ringmain log dump data                        what it has written, and whether that is sound

An acknowledgement of acks=1 or acks=all means: on stable storage.";

const LOG_EXAMPLES: &str = "\
Examples:
  ringmain log dump data                        everything that a broker has written
  ringmain log dump --records data/shard-000    record by record
  ringmain log dump --help                      more of them, and what the exit status says";

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a broker until SIGTERM or SIGINT.
    #[command(after_long_help = settings_help())]
    #[command(override_usage = "ringmain serve [--config FILE] [--set KEY=VALUE]...")]
    Serve(ServeOptions),
    /// Make, list, describe, change and delete topics
    #[command(subcommand)]
    Topic(Topic),
    Produce(Produce),
    Consume(Consume),
    /// Show and change settings of topics and brokers
    #[command(subcommand)]
    Config(Config),
    /// Look into what a broker wrote.
    #[command(subcommand, after_help = LOG_EXAMPLES)]
    Log(LogCommand),
}

/// What can be done with a broker's files.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    Dump(LogDump),
}

/// How a broker is run. Later places win: defaults, file, environment, --set.
#[derive(Args, Debug)]
pub struct ServeOptions {
    /// A file of Kafka's form: key=value, one a line. Kafka's own server.properties will do.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One setting; may be given several times. `ringmain serve --help` lists them all.
    #[arg(long = "set", visible_alias = "override", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
}

/// All settings, from the table that also checks them, and what becomes of Kafka's others.
fn settings_help() -> String {
    let mut text = String::from("Settings (RINGMAIN_NODE_ID is node.id, and so on):\n");
    for key in server::BROKER_KEYS {
        text += &format!("  {}={}\n      {}\n", key.name, key.default, key.doc);
        for way in server::other_ways(key.name) {
            text += &format!("      also {}, where {} is not given\n", way.name, key.name);
        }
    }
    text += "\nKafka's other settings are known by name, have no effect, and get a warning that \
             says why.\nRefused are those that would cost data or safety if they were ignored:\n";
    for group in server::WITHOUT_EFFECT {
        if matches!(group.standing, server::Standing::Unsafe(_)) {
            text += &format!("  {}\n      {}\n", group.names.join(", "), group.why);
        }
    }
    text + "A name that neither Ringmain nor Kafka knows is refused, too."
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
        for words in [&["ringmain"][..], &["ringmain", "serve"]] {
            assert!(matches!(CommandLine::parse_from(words).chosen(), Command::Serve(_)));
        }
        for word in ["--set", "--override"] {
            let Command::Serve(options) =
                CommandLine::parse_from(["ringmain", word, "a=b"]).chosen()
            else {
                panic!("{word} is an option of serve")
            };
            assert_eq!(options.settings, ["a=b"]);
        }
    }

    #[test]
    fn help_has_examples_for_every_command() {
        fn look(command: &mut clap::Command) {
            let name = command.get_name().to_owned();
            let is_group = command.has_subcommands() && name != "log" && name != "ringmain";
            // A group's help names its commands, and theirs have examples.
            if !is_group && name != "serve" && name != "help" {
                let help = command.render_long_help().to_string();
                assert!(help.contains("Examples:\n  "), "{name}: {help}");
            }
            command.get_subcommands_mut().for_each(look);
        }
        look(&mut CommandLine::command());
    }

    #[test]
    fn help_names_every_setting() {
        let help = settings_help();
        for key in server::BROKER_KEYS {
            assert!(help.contains(key.name), "{}", key.name);
        }
        for name in ["log.retention.hours", "broker.id", "authorizer.class.name"] {
            assert!(help.contains(name), "{name}");
        }
    }
}
