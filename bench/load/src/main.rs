//! The load: one process around librdkafka that produces or consumes and says what it saw.
//!
//! It speaks with whoever started it in lines. `begin` on standard output: connections stand and
//! the first records are through; the load waits for a line on standard input. `end`: the last
//! record is acknowledged or consumed. Between the two lies what is measured. The last line is the
//! outcome as JSON.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a client of the broker, outside of it: it has a clock and threads"
)]

mod end_to_end;
mod produce;
mod replay;

mod client;
mod error;
mod gate;
mod latency;
mod outcome;
mod pace;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::LoadError;
use crate::outcome::Outcome;

#[derive(Parser)]
#[command(
    name = "load",
    about = "Loads a broker through librdkafka",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    load: Load,
}

#[derive(Subcommand)]
enum Load {
    /// Produce as fast as librdkafka can, or at a rate
    Produce(Sent),
    /// Produce at a rate and consume the same records
    EndToEnd(Sent),
    /// Consume everything from the beginning
    Replay(Target),
}

/// Which partitions the load works on, and as which client.
#[derive(Args, Clone, Debug)]
struct Target {
    /// host:port of the broker
    #[arg(long)]
    bootstrap: String,
    /// A topic that exists
    #[arg(long)]
    topic: String,
    /// How many partitions it has; all are used in turn
    #[arg(long, default_value_t = 6)]
    partitions: i32,
    /// A property of librdkafka's, key=value
    #[arg(long = "set", value_parser = property)]
    settings: Vec<(String, String)>,
}

/// What is sent.
#[derive(Args, Clone, Debug)]
struct Sent {
    #[command(flatten)]
    target: Target,
    /// How many records are sent and measured
    #[arg(long)]
    records: u64,
    /// How many records are sent before, so that connections stand and nothing is cold
    #[arg(long, default_value_t = 600)]
    warm_up_records: u64,
    /// The size of a record's value in bytes, at least 8
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(8..))]
    record_size: u32,
    /// Records a second; without it, as fast as possible
    #[arg(long)]
    rate: Option<f64>,
}

fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text}: say key=value"))?;
    Ok((key.to_string(), value.to_string()))
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().load {
        Load::Produce(sent) => produce::run(&sent),
        Load::EndToEnd(sent) => end_to_end::run(&sent),
        Load::Replay(target) => replay::run(&target),
    };
    match outcome.and_then(|outcome: Outcome| outcome.print()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error: LoadError = error;
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
