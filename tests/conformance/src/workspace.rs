//! Where things lie: the installed peers, and the folders that tests fill.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use launch::{LaunchError, environment};

/// The binary under test; if it must be built, then once for all tests of a test program.
///
/// # Panics
///
/// If it is missing, or cannot be built.
pub fn ringmain() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| found(environment::ringmain())).clone()
}

/// One of its commands that talk to the broker at `address`.
///
/// # Panics
///
/// As [`ringmain`].
pub fn ringmain_command(name: &str, address: &str) -> Command {
    let mut command = Command::new(ringmain());
    command.args([name, "--broker", address]);
    command
}

/// A Python with the clients that `cargo xtask peers` installed.
///
/// # Panics
///
/// If it is missing.
pub fn python() -> PathBuf {
    found(environment::python())
}

/// The jars of Apache Kafka that `cargo xtask peers` installed.
///
/// # Panics
///
/// If they are missing.
pub fn kafka_jars() -> PathBuf {
    found(environment::kafka_jars())
}

/// A folder with Prometheus and promtool that `cargo xtask peers` installed.
///
/// # Panics
///
/// If it is missing.
pub fn prometheus() -> PathBuf {
    found(environment::prometheus())
}

/// The Java programs of these tests, as `cargo xtask peers` compiled them.
///
/// # Panics
///
/// If that was not done since one of them was changed.
pub fn java_classes() -> PathBuf {
    let classes = environment::target().join("peers/classes");
    let compiled = fs::read_to_string(classes.with_extension("stamp")).unwrap_or_default();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("java");
    for source in fs::read_dir(sources).expect("they lie in this crate") {
        let source = source.expect("the folder can be read").path();
        let text = fs::read_to_string(&source).expect("the folder can be read");
        let is_fresh = compiled.contains(&text);
        assert!(is_fresh, "{} is not compiled: run `cargo xtask peers`", source.display());
    }
    classes
}

/// A new empty folder for one broker or client, on the disk that holds the workspace.
///
/// # Panics
///
/// If it cannot be made.
pub fn fresh_folder(name: &str) -> PathBuf {
    let folder = format!("conformance/{name}-{}", std::process::id());
    let folder = environment::target().join(folder);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("a folder that a test left can be removed");
    }
    fs::create_dir_all(&folder).expect("a folder below target can be made");
    folder
}

fn found(peer: Result<PathBuf, LaunchError>) -> PathBuf {
    peer.unwrap_or_else(|error| panic!("{error}"))
}
