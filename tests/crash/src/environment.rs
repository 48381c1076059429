//! What the tests take from their surroundings: the broker and its peers, as `launch::environment`
//! finds them, and how long to go on.
//!
//! | Variable | Says | Without it |
//! |---|---|---|
//! | `RINGMAIN_KILL_CYCLES` | kills under load | as many as the test says |
//! | `RINGMAIN_SEED` | when the kills come | another one each time |

use std::env::VarError;
use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use launch::{LaunchError, environment};

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
    /// The broker or one of its peers is not there, or the broker does not build.
    Launch(LaunchError),
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EnvironmentError::NotANumber(variable, found) => {
                write!(f, "{variable} is {found:?}: give it a whole number, or unset it")
            }
            EnvironmentError::Launch(error) => error.fmt(f),
        }
    }
}

impl From<LaunchError> for EnvironmentError {
    fn from(error: LaunchError) -> EnvironmentError {
        EnvironmentError::Launch(error)
    }
}

/// The binary `ringmain`.
pub fn ringmain(build: Build) -> Result<PathBuf, EnvironmentError> {
    Ok(match build {
        Build::Good => environment::ringmain()?,
        Build::Forgetful => environment::ringmain_with_fault(FORGETFUL)?,
    })
}

/// A Python interpreter with confluent-kafka.
pub fn python() -> Result<PathBuf, EnvironmentError> {
    Ok(environment::python()?)
}

/// A folder with the jars of Apache Kafka.
pub fn kafka_jars() -> Result<PathBuf, EnvironmentError> {
    Ok(environment::kafka_jars()?)
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

/// Where the campaign `name` puts its files.
pub fn folder(name: &str) -> PathBuf {
    environment::target().join("crash").join(name)
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
