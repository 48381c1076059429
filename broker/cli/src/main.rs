//! The program `ringmain`: reads the command line and does what it names.

// The commands are a client of the broker, on threads and clocks of their own, and in no simulator.
#![allow(clippy::disallowed_methods)]

mod command_line;
mod serve;

mod config;
mod consume;
mod produce;
mod topic;

mod log_dump;

mod client;

mod calendar;
mod ending;
mod escapes;
mod fault;
mod json_bytes;
mod nearest;
mod options;
mod progress;
mod table;

use std::process::ExitCode;

use clap::Parser;
use command_line::{Command, CommandLine, LogCommand};
use ending::Ending;
use fault::Fault;
use mimalloc::MiMalloc;
use options::Reader;
use runtime::Instant;
use serve::ServeError;

/// Without huge pages: with them an idle broker holds five times the memory.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let began = Instant::of_process();
    let line = CommandLine::parse();
    match line.chosen() {
        Command::Serve(options) => {
            let ran = serve::run(&options, began);
            ran.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
        }
        Command::Topic(topic) => ended(topic::run(&topic), topic.reader()),
        Command::Config(args) => ended(config::run(&args), args.reader()),
        Command::Produce(args) => ended(produce::run(&args), args.reader()),
        Command::Consume(args) => ended(consume::run(&args), args.reader()),
        Command::Log(LogCommand::Dump(paths)) => log_dump::run(&paths),
    }
}

fn ended(outcome: Result<Ending, impl Fault>, reader: Reader) -> ExitCode {
    match outcome {
        Ok(ending) => ending.into(),
        Err(fault) => {
            fault::say(&fault, reader);
            ExitCode::from(1)
        }
    }
}

fn failed(error: &ServeError) -> ExitCode {
    eprintln!("ringmain: {error}");
    ExitCode::from(error.exit_code())
}
