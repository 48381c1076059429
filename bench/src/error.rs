//! Why a measurement ended early.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why a measurement ended early.
#[derive(Debug)]
pub enum BenchError {
    /// A file could not be read or written.
    File { path: PathBuf, source: io::Error },
    /// A program could not be started or waited for.
    Program { program: String, source: io::Error },
    /// A program failed.
    Failed { program: String, status: ExitStatus },
    /// A broker ended, or did not open its port in time; `log` is where it says why.
    NotServing { subject: &'static str, log: PathBuf },
    /// The load said something else than it should.
    Load { line: String },
    /// A broker refuses what every broker should grant.
    Refused { what: &'static str, error_code: i16 },
    /// A broker breaks off or answers in bytes that are no answer.
    Wire { what: &'static str, reason: String },
    /// No port is free.
    NoPort,
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
            Self::NotServing { subject, log } => {
                write!(f, "{subject} does not serve; look at {}", log.display())
            }
            Self::Load { line } => {
                write!(f, "the load said {line:?}; is it of the same version?")
            }
            Self::Refused { what, error_code } => {
                write!(f, "{what}: the broker answers error {error_code}; look at its log")
            }
            Self::Wire { what, reason } => write!(f, "{what}: {reason}; look at the broker's log"),
            Self::NoPort => write!(f, "no port from 20000 to 32000 is free; stop other brokers"),
        }
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
