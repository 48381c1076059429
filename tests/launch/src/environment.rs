//! What is found in the surroundings: the workspace, the broker's binary, the installed peers.
//!
//! | Variable | Says | Without it |
//! |---|---|---|
//! | `RINGMAIN_BIN` | the broker to run | it is built: `cargo build -p cli` |
//! | `RINGMAIN_PYTHON` | a Python with confluent-kafka | the one of `cargo xtask peers` |
//! | `RINGMAIN_KAFKA_JARS` | a folder of Kafka's jars | the one of `cargo xtask peers` |
//! | `RINGMAIN_PROMETHEUS` | where prometheus and promtool are | the one of `cargo xtask peers` |

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::LaunchError;

/// The workspace's root folder.
pub fn workspace() -> &'static Path {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate lies two folders below the root")
}

/// Where tests put their files and find their peers. It is in the workspace even where
/// CARGO_TARGET_DIR points elsewhere: a file system in memory may refuse direct I/O.
pub fn target() -> PathBuf {
    workspace().join("target")
}

/// The binary `ringmain`: `RINGMAIN_BIN`, or built in the profile of the caller, so that nobody
/// tests the broker of yesterday.
pub fn ringmain() -> Result<PathBuf, LaunchError> {
    match std::env::var_os("RINGMAIN_BIN") {
        Some(binary) => existing(binary.into(), "RINGMAIN_BIN"),
        None => build(&[], &cargo_target()),
    }
}

/// The binary `ringmain`, built with the planted fault of this feature, in a target folder of its
/// own, so that nobody takes it for the good one.
pub fn ringmain_with_fault(feature: &str) -> Result<PathBuf, LaunchError> {
    build(&["--features", feature], &cargo_target().join("known-bad"))
}

/// A Python interpreter with confluent-kafka.
pub fn python() -> Result<PathBuf, LaunchError> {
    given_or("RINGMAIN_PYTHON", "peers/venv/bin/python")
}

/// A folder with the jars of Apache Kafka and all that they need.
pub fn kafka_jars() -> Result<PathBuf, LaunchError> {
    given_or("RINGMAIN_KAFKA_JARS", "peers/jars")
}

/// A folder with the programs `prometheus` and `promtool`.
pub fn prometheus() -> Result<PathBuf, LaunchError> {
    given_or("RINGMAIN_PROMETHEUS", "peers/prometheus/usr/bin")
}

fn build(features: &[&str], target: &Path) -> Result<PathBuf, LaunchError> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["build", "--package", "cli"]);
    cargo.args(features).arg("--target-dir").arg(target);
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        cargo.arg("--release");
        "release"
    };
    let status = cargo.status().map_err(LaunchError::program("cargo"))?;
    if !status.success() {
        return Err(LaunchError::Build { status, features: features.join(" ") });
    }
    existing(target.join(profile).join("ringmain"), "RINGMAIN_BIN")
}

fn cargo_target() -> PathBuf {
    let given = std::env::var_os("CARGO_TARGET_DIR");
    given.map_or_else(target, |given| workspace().join(given))
}

fn given_or(variable: &'static str, usual: &str) -> Result<PathBuf, LaunchError> {
    let given = std::env::var_os(variable).map(PathBuf::from);
    existing(given.unwrap_or_else(|| target().join(usual)), variable)
}

/// The path made absolute, since brokers run in folders of their own. Links stay: a Python knows
/// its environment by the link that it was called by.
fn existing(path: PathBuf, variable: &'static str) -> Result<PathBuf, LaunchError> {
    let absolute = std::path::absolute(&path).map_err(LaunchError::file(&path))?;
    if absolute.exists() { Ok(absolute) } else { Err(LaunchError::Missing { path, variable }) }
}
