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
mod json_bytes;
mod options;
mod progress;
mod table;

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser;
use command_line::{Command, CommandLine, LogCommand};
use mimalloc::MiMalloc;
use runtime::Instant;

/// Without huge pages: with them an idle broker holds five times the memory.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let began = Instant::of_process();
    let line = CommandLine::parse();
    match line.chosen() {
        Command::Serve(options) => {
            let ran = serve::run(&options, began);
            ran.map_or_else(|e| failed(&e, e.exit_code()), |()| ExitCode::SUCCESS)
        }
        Command::Topic(topic) => topic::run(&topic).map_or_else(|e| failed(&e, 1), ExitCode::from),
        Command::Config(args) => config::run(&args).map_or_else(|e| failed(&e, 1), ExitCode::from),
        Command::Produce(args) => {
            produce::run(&args).map_or_else(|e| failed(&e, 1), ExitCode::from)
        }
        Command::Consume(args) => {
            consume::run(&args).map_or_else(|e| failed(&e, 1), ExitCode::from)
        }
        Command::Log(LogCommand::Dump(paths)) => log_dump::run(&paths),
    }
}

fn failed(error: &impl Display, code: u8) -> ExitCode {
    eprintln!("ringmain: {error}");
    ExitCode::from(code)
}
