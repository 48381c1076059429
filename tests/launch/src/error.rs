//! Why a broker could not be run.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a broker could not be found, prepared, started or stopped.
#[derive(Debug)]
pub enum LaunchError {
    /// A file or folder that must be there is not.
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// What names another place.
        variable: &'static str,
    },
    /// Ringmain does not build.
    Build {
        /// Cargo's.
        status: ExitStatus,
        /// What was asked for besides.
        features: String,
    },
    /// Kafka refuses its folder or its settings.
    Format {
        /// The tool's.
        status: ExitStatus,
        /// Where it says why.
        log: PathBuf,
    },
    /// A file could not be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program could not be started, waited for or killed.
    Program {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The broker ended before it opened its port.
    Ended {
        /// How.
        status: ExitStatus,
        /// Where it says why.
        log: PathBuf,
    },
    /// The broker runs and does not open its port.
    Silent {
        /// How long it was waited for.
        after: Duration,
        /// What it says.
        log: PathBuf,
    },
    /// The broker was killed, and somebody still listens at its address.
    StillOpen {
        /// Where.
        address: SocketAddr,
    },
    /// SIGTERM could not be sent: the broker had ended by itself.
    Signal {
        /// That of `kill`.
        status: ExitStatus,
    },
    /// No port is free.
    NoPort,
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { path, variable } => {
                write!(f, "there is no {}: ", path.display())?;
                write!(f, "run `cargo xtask peers`, or set {variable}")
            }
            Self::Build { status, features } => {
                write!(f, "`cargo build -p cli {features}` ended with {status}: see its output")
            }
            Self::Format { status, log } => {
                write!(f, "kafka.tools.StorageTool ended with {status}: see {}", log.display())
            }
            Self::File { path, source } => {
                write!(f, "{}: {source}; check the folder's owner and space", path.display())
            }
            Self::Program { program, source } => {
                write!(f, "cannot run `{program}` ({source}); is it installed?")
            }
            Self::Ended { status, log } => {
                write!(f, "the broker ended at its start with {status}: see {}", log.display())
            }
            Self::Silent { after, log } => {
                let seconds = after.as_secs();
                write!(f, "the broker opens no port in {seconds} s: see {}", log.display())
            }
            Self::StillOpen { address } => {
                write!(f, "somebody listens at {address}, and the broker was killed; stop others")
            }
            Self::Signal { status } => {
                write!(f, "`kill -s TERM` ended with {status}: see the log of the broker")
            }
            Self::NoPort => write!(f, "no port from 20000 to 32000 is free; stop other brokers"),
        }
    }
}

impl std::error::Error for LaunchError {}

impl LaunchError {
    /// The error of a file or folder, for `map_err`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// The error of a program, for `map_err`.
    pub(crate) fn program(program: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let program = program.into();
        move |source| Self::Program { program, source }
    }
}
