//! `bench`: measures Ringmain beside Apache Kafka, in turn, on one machine, with one load.
//!
//! `cargo xtask bench kafka` builds everything and calls it; docs/performance.md says how the
//! figures come about and how far they carry.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it runs outside the broker: it has a clock, processes and files"
)]

mod comparison;
mod scenario;

mod broker;
mod fio;
mod first_ack;
mod flood;
mod kernel;
mod load;
mod machine;
mod profile;
mod session;
mod subject;
mod usage;
mod wire;

mod measure;
mod report;
mod results;
mod spread;

mod error;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::scenario::Scenario;
use crate::subject::SubjectName;

/// What is measured, and with which programs.
#[derive(Parser, Debug)]
#[command(name = "bench", about = "Measures brokers in turn", disable_help_subcommand = true)]
struct Cli {
    /// The binary of Ringmain
    #[arg(long)]
    ringmain: PathBuf,
    /// The folder of Apache Kafka's jars
    #[arg(long)]
    jars: PathBuf,
    /// The binary of the load
    #[arg(long)]
    load: PathBuf,
    /// Where brokers keep their records meanwhile: on the disk that is to be measured
    #[arg(long)]
    folder: PathBuf,
    /// Where rounds are kept, in a file named after the commit
    #[arg(long)]
    results: PathBuf,
    /// Keep the rounds, not only print them
    #[arg(long)]
    keep: bool,
    /// Who is measured; ratios are of the first to each other one
    #[arg(long, value_delimiter = ',', default_value = "ringmain,kafka")]
    subjects: Vec<SubjectName>,
    /// What is measured
    #[arg(long, value_delimiter = ',', default_value = "start,produce-16k,produce-single")]
    scenarios: Vec<Scenario>,
    /// How often each subject is measured, after one round that does not count
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Multiplies the number of records of every load
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    scale: f64,
    /// Profile each broker under this load instead of measuring
    #[arg(long)]
    profile: Option<Scenario>,
}

impl Cli {
    /// A number of records or requests at the scale that was asked for.
    fn scaled(&self, count: usize) -> usize {
        ((count as f64 * self.scale) as usize).max(1)
    }
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if scale > 0.0 && scale <= 1000.0 => Ok(scale),
        _ => Err("say a factor above 0 and up to 1000".to_string()),
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.profile {
        Some(scenario) => profile::run(&cli, scenario),
        None => comparison::run(&cli),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
