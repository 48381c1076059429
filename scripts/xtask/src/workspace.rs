//! Where the workspace is, and where its peers are installed.

use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for what it runs");
    let root = Path::new(&manifest).ancestors().nth(2);
    root.expect("this crate lies two folders below the root").to_path_buf()
}

/// The folder of everything that `cargo xtask peers` installs.
///
/// It is in the workspace even where CARGO_TARGET_DIR points elsewhere, so that tests find it.
pub fn peers() -> PathBuf {
    root().join("target/peers")
}
