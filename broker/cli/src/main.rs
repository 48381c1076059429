//! The program `ringmain`: reads the command line and starts what it names.

mod command_line;
mod log_dump;
mod serve;

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
    let ended = match line.chosen() {
        Command::Serve(options) => serve::run(&options, began),
        Command::Log(LogCommand::Dump(paths)) => return log_dump::run(&paths),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("ringmain: {e}");
            ExitCode::from(e.exit_code())
        }
    }
}
