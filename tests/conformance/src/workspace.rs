//! Where things lie: the installed peers, and the folders that tests fill.

use std::path::PathBuf;

use launch::{LaunchError, environment};

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

/// A new empty folder for one broker or client, on the disk that holds the workspace.
///
/// # Panics
///
/// If it cannot be made.
pub fn fresh_folder(name: &str) -> PathBuf {
    let folder = format!("conformance/{name}-{}", std::process::id());
    let folder = environment::target().join(folder);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("a folder that a test left can be removed");
    }
    std::fs::create_dir_all(&folder).expect("a folder below target can be made");
    folder
}

fn found(peer: Result<PathBuf, LaunchError>) -> PathBuf {
    peer.unwrap_or_else(|error| panic!("{error}"))
}
