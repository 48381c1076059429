//! Where things lie: the workspace, its peers, and the folders that tests fill.

use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate lies two folders below the root").to_path_buf()
}

/// What `cargo xtask peers` installed.
///
/// # Panics
///
/// If it is missing.
pub fn peer(path: &str) -> PathBuf {
    let peer = root().join("target/peers").join(path);
    assert!(peer.exists(), "{} is missing: run `cargo xtask peers`", peer.display());
    peer
}

/// A new empty folder for one broker or client, on the disk that holds the workspace.
///
/// # Panics
///
/// If it cannot be made.
pub fn fresh_folder(name: &str) -> PathBuf {
    let folder = root().join("target/conformance").join(format!("{name}-{}", std::process::id()));
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("a folder that a test left can be removed");
    }
    std::fs::create_dir_all(&folder).expect("a folder below target can be made");
    folder
}
