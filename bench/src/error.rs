//! Why a measurement ended early.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use launch::LaunchError;

/// Why a measurement ended early.
#[derive(Debug)]
pub enum BenchError {
    /// A file could not be read or written.
    File { path: PathBuf, source: io::Error },
    /// A program could not be started or waited for.
    Program { program: String, source: io::Error },
    /// A program failed.
    Failed { program: String, status: ExitStatus },
    /// A broker could not be prepared, started or stopped.
    Launch(LaunchError),
    /// A broker does not open its port; its folder goes, `log` is kept.
    NotServing { error: LaunchError, log: PathBuf },
    /// The load said something else than it should.
    Load { line: String },
    /// A broker refuses what every broker should grant.
    Refused { what: &'static str, error_code: i16 },
    /// A broker breaks off or answers in bytes that are no answer.
    Wire { what: &'static str, reason: String },
    /// Processes can't be sampled here.
    NoPerf,
    /// A scenario in which a broker is started, or has nothing to do.
    NoProfile { scenario: &'static str },
}

impl fmt::Display for BenchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => {
                write!(f, "{}: {source}; check the folder's owner and space", path.display())
            }
            Self::Program { program, source } => {
                write!(f, "cannot run `{program}` ({source}); is it installed?")
            }
            Self::Failed { program, status } => {
                write!(f, "`{program}` failed ({status}); what is wrong stands above")
            }
            Self::Launch(error) => error.fmt(f),
            Self::NotServing { error, log } => {
                write!(f, "{error}, kept as {}", log.display())
            }
            Self::Load { line } => {
                write!(f, "the load said {line:?}; is it of the same version?")
            }
            Self::Refused { what, error_code } => {
                write!(f, "{what}: the broker answers error {error_code}; look at its log")
            }
            Self::NoPerf => write!(
                f,
                "perf does not work here: install linux-perf, and allow kernel.perf_event_paranoid"
            ),
            Self::NoProfile { scenario } => write!(
                f,
                "{scenario} has no load that could be profiled; name a scenario that produces or \
                 replays"
            ),
            Self::Wire { what, reason } => write!(f, "{what}: {reason}; look at the broker's log"),
        }
    }
}

impl From<LaunchError> for BenchError {
    fn from(error: LaunchError) -> Self {
        Self::Launch(error)
    }
}

impl BenchError {
    /// The error of a file or folder, for `map_err`.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// The error of a program, for `map_err`.
    pub fn program(program: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let program = program.into();
        move |source| Self::Program { program, source }
    }
}
