//! Running a program as one step of a task: it is announced, timed, and its failure has a name.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Instant;

use crate::codegen::CodegenError;

/// Why a task ended early.
#[derive(Debug)]
pub enum StepError {
    /// A program could not be started at all.
    CannotStart { title: String, program: String, source: io::Error },
    /// A program ended with something else than success.
    Failed { title: String, status: ExitStatus },
    /// A file of the workspace or of the peers could not be read or written.
    File { path: PathBuf, source: io::Error },
    /// A program's answer had another form than the task can read.
    Answer { title: String, reason: String },
    /// The machine lacks something that only its owner may install.
    Missing { what: &'static str, install: &'static str },
    /// House rules are broken; each place has been printed.
    Untidy { count: usize },
    /// The generated code is not fresh, or cannot be made.
    Codegen(CodegenError),
    /// Tests were skipped: a test that does not run shows nothing.
    Ignored { count: u64 },
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotStart { title, program, source } => {
                write!(f, "{title}: cannot start `{program}` ({source}); is it installed?")
            }
            Self::Failed { title, status } => {
                write!(f, "{title}: failed ({status}); what is wrong stands above")
            }
            Self::File { path, source } => {
                write!(f, "{}: {source}; check the folder's owner and space", path.display())
            }
            Self::Answer { title, reason } => {
                write!(f, "{title}: cannot read its answer ({reason}); is the version right?")
            }
            Self::Missing { what, install } => {
                write!(f, "{what} is missing; install it: {install}")
            }
            Self::Untidy { count } => write!(f, "{count} house rules are broken; mend each place"),
            Self::Codegen(error) => write!(f, "codegen: {error}"),
            Self::Ignored { count } => write!(f, "{count} tests are ignored; mend or remove them"),
        }
    }
}

/// Runs `command` to its end, with its output on ours, and says how long it took.
pub fn step(title: &str, command: &mut Command) -> Result<(), StepError> {
    announce(title);
    let started = Instant::now();
    let status = command.status().map_err(|source| cannot_start(title, command, source))?;
    finish(title, started, status)
}

/// Runs `command` and returns its standard output; nothing is announced.
pub fn answer(title: &str, command: &mut Command) -> Result<String, StepError> {
    let output = command.output().map_err(|source| cannot_start(title, command, source))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(StepError::Failed { title: title.to_string(), status: output.status });
    }
    String::from_utf8(output.stdout)
        .map_err(|error| StepError::Answer { title: title.to_string(), reason: error.to_string() })
}

/// Says what begins now.
pub fn announce(title: &str) {
    println!("==> {title}");
}

/// Says how a step ended, and turns a failure into an error.
pub fn finish(title: &str, started: Instant, status: ExitStatus) -> Result<(), StepError> {
    let seconds = started.elapsed().as_secs_f64();
    if !status.success() {
        println!("==> {title}: FAILED after {seconds:.1} s");
        return Err(StepError::Failed { title: title.to_string(), status });
    }
    println!("==> {title}: done in {seconds:.1} s");
    Ok(())
}

/// The error of a program that did not start.
pub fn cannot_start(title: &str, command: &Command, source: io::Error) -> StepError {
    let program = command.get_program().to_string_lossy().into_owned();
    StepError::CannotStart { title: title.to_string(), program, source }
}

/// `cargo` with these arguments, in the workspace's root.
pub fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(crate::workspace::root());
    command
}
