//! What the tests take from their surroundings: where the broker, Python and Kafka's jars are, and
//! how long to go on.
//!
//! | Variable | Says | Without it |
//! |---|---|---|
//! | `RINGMAIN_BIN` | the broker to test | it is built: `cargo build -p cli` |
//! | `RINGMAIN_PYTHON` | a Python with confluent-kafka | the one of `cargo xtask peers` |
//! | `RINGMAIN_KAFKA_JARS` | a folder of Kafka's jars | the one of `cargo xtask peers` |
//! | `RINGMAIN_KILL_CYCLES` | kills under load | as many as the test says |
//! | `RINGMAIN_SEED` | when the kills come | another one each time |

use std::env::VarError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::SystemTime;

/// The build feature that makes a broker forget its producers at its start.
pub const FORGETFUL: &str = "known-bad-forget-producer-state";

/// Which build of the broker to test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// As it is shipped.
    Good,
    /// With the fault that the tests must find.
    Forgetful,
}

/// What is missing before a campaign can start.
#[derive(Debug)]
pub enum EnvironmentError {
    /// A variable does not hold a number.
    NotANumber(&'static str, String),
    /// A file or folder that must be there is not.
    Missing(PathBuf, &'static str),
    /// Cargo could not be started.
    Cargo(io::Error),
    /// The broker does not build.
    Build(ExitStatus, Build),
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EnvironmentError::NotANumber(variable, found) => {
                write!(f, "{variable} is {found:?}: give it a whole number, or unset it")
            }
            EnvironmentError::Missing(path, variable) => write!(
                f,
                "there is no {}: run `cargo xtask peers`, or set {variable}",
                path.display()
            ),
            EnvironmentError::Cargo(error) => write!(f, "cannot start cargo: {error}"),
            EnvironmentError::Build(status, build) => {
                let features = match build {
                    Build::Good => String::new(),
                    Build::Forgetful => format!(" --features {FORGETFUL}"),
                };
                write!(f, "`cargo build -p cli{features}` ended with {status}: see its output")
            }
        }
    }
}

/// The binary `ringmain`: `RINGMAIN_BIN`, or built in the profile of this test.
///
/// The forgetful broker has a target folder of its own, so that nobody takes it for the good one.
pub fn ringmain(build: Build) -> Result<PathBuf, EnvironmentError> {
    if let (Build::Good, Some(binary)) = (build, std::env::var_os("RINGMAIN_BIN")) {
        return existing(binary.into(), "RINGMAIN_BIN");
    }
    let given = std::env::var_os("CARGO_TARGET_DIR");
    let shared = given.map_or_else(target, |given| workspace().join(given));
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["build", "--package", "cli"]);
    let target = match build {
        Build::Good => shared,
        Build::Forgetful => {
            cargo.args(["--features", FORGETFUL]);
            shared.join("known-bad")
        }
    };
    cargo.arg("--target-dir").arg(&target);
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        cargo.arg("--release");
        "release"
    };
    let status = cargo.status().map_err(EnvironmentError::Cargo)?;
    if !status.success() {
        return Err(EnvironmentError::Build(status, build));
    }
    existing(target.join(profile).join("ringmain"), "RINGMAIN_BIN")
}

/// A Python interpreter with confluent-kafka.
pub fn python() -> Result<PathBuf, EnvironmentError> {
    given_or("RINGMAIN_PYTHON", target().join("peers/venv/bin/python"))
}

/// A folder with the jars of Apache Kafka.
pub fn kafka_jars() -> Result<PathBuf, EnvironmentError> {
    given_or("RINGMAIN_KAFKA_JARS", target().join("peers/jars"))
}

/// How often to kill: `RINGMAIN_KILL_CYCLES` or `usual`.
pub fn kill_cycles(usual: u32) -> Result<u32, EnvironmentError> {
    Ok(number("RINGMAIN_KILL_CYCLES")?.unwrap_or(usual))
}

/// The seed: `RINGMAIN_SEED`, or one taken from the clock.
pub fn seed() -> Result<u64, EnvironmentError> {
    let from_clock = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.expect("the clock stands after 1970").as_millis() as u64
    };
    Ok(number("RINGMAIN_SEED")?.unwrap_or_else(from_clock))
}

/// Where the campaign `name` puts its files: on the disk of the build, since a file system in
/// memory may refuse direct I/O.
pub fn folder(name: &str) -> PathBuf {
    target().join("crash").join(name)
}

fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate is tests/crash of the workspace")
}

fn target() -> PathBuf {
    workspace().join("target")
}

fn given_or(variable: &'static str, usual: PathBuf) -> Result<PathBuf, EnvironmentError> {
    existing(std::env::var_os(variable).map_or(usual, PathBuf::from), variable)
}

fn existing(path: PathBuf, variable: &'static str) -> Result<PathBuf, EnvironmentError> {
    if path.exists() { Ok(path) } else { Err(EnvironmentError::Missing(path, variable)) }
}

fn number<T: std::str::FromStr>(variable: &'static str) -> Result<Option<T>, EnvironmentError> {
    match std::env::var(variable) {
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(found)) => {
            Err(EnvironmentError::NotANumber(variable, found.display().to_string()))
        }
        Ok(text) => match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(EnvironmentError::NotANumber(variable, text)),
        },
    }
}
