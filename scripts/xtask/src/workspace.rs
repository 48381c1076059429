//! Where the workspace is, and where its peers are installed.

use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub fn root() -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it for what it runs");
    let root = Path::new(&manifest).ancestors().nth(2);
    root.expect("this crate lies two folders below the root").to_path_buf()
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    let elsewhere = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    elsewhere.unwrap_or_else(|| root().join("target"))
}

/// The manifest of the load, from the root: a workspace of its own.
pub const LOAD: &str = "bench/load/Cargo.toml";

/// The manifest of the programs that libFuzzer drives, from the root: a workspace of its own.
pub const FUZZ_TARGETS: &str = "tests/fuzz/targets/Cargo.toml";

/// Where cargo puts what it builds of the load: one folder and one profile for all tasks, so that
/// librdkafka, which takes minutes, is built once.
pub fn load_target() -> PathBuf {
    target().join("load")
}

/// The folder of everything that `cargo xtask peers` installs.
///
/// It is in the workspace even where CARGO_TARGET_DIR points elsewhere, so that tests find it.
pub fn peers() -> PathBuf {
    root().join("target/peers")
}
