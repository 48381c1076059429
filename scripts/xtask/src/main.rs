//! The project's tasks: everything that a developer or CI runs, by one command, `cargo xtask`.
#![allow(clippy::disallowed_methods, reason = "a task runs outside the broker: it exits and waits")]

mod bench;
mod ci;
mod codegen;
mod fix;
mod fuzz;
mod peers;
mod test;
mod tidy;

mod steps;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Ringmain's tasks", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check everything that CI checks; changes no file outside target
    Ci,
    /// Install the peers, then run all tests
    Test,
    /// Format the code
    Fix,
    /// Check the house rules
    Tidy,
    /// Install the clients and brokers that the tests run beside Ringmain, under target/peers
    Peers,
    /// Measure Ringmain beside another broker, in turn
    Bench {
        #[command(subcommand)]
        beside: Beside,
    },
    /// Search for bytes that a decoder does not stand
    Fuzz {
        /// Which: request, record_batches, journal, manifest or indexes
        target: String,
        /// For how long
        #[arg(default_value_t = 60)]
        seconds: u64,
        /// Put the inputs that see most into tests/fuzz/corpus
        #[arg(long)]
        keep: bool,
    },
    /// Write the protocol's messages from the schemas of Kafka's
    Codegen {
        /// Only say whether the committed files are fresh
        #[arg(long)]
        check: bool,
    },
}

#[derive(Subcommand)]
enum Beside {
    /// Beside Apache Kafka
    Kafka {
        /// What the measuring program takes, such as --rounds 5; `-- --help` lists all
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().task {
        Task::Ci => ci::run(),
        Task::Test => test::run(),
        Task::Fix => fix::run(),
        Task::Tidy => tidy::run(),
        Task::Peers => peers::run(),
        Task::Bench { beside: Beside::Kafka { arguments } } => bench::run(&arguments),
        Task::Fuzz { target, seconds, keep } => {
            let keep = if keep { fuzz::Keep::InRepository } else { fuzz::Keep::InTarget };
            fuzz::run(&target, seconds, keep)
        }
        Task::Codegen { check: false } => codegen::run(codegen::Mode::Write),
        Task::Codegen { check: true } => codegen::run(codegen::Mode::Check),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
