//! How Ringmain is started.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The command that serves the records in `data` on `port`.
pub fn command(data: &Path, port: u16, settings: &[(String, String)]) -> Command {
    let mut command = Command::new(binary());
    // The broker takes every RINGMAIN_ variable for a setting: those of the tests are none, and a
    // stray setting must not change what is tested.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"RINGMAIN_") {
            command.env_remove(name);
        }
    }
    command.arg("serve");
    command.arg("--set").arg(format!("listeners=PLAINTEXT://127.0.0.1:{port}"));
    command.arg("--set").arg(format!("log.dirs={}", data.display()));
    for (key, value) in settings {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    command
}

/// The broker that the test command built and names in `RINGMAIN_BIN`; without it, one that lies
/// beside the tests or in the release profile.
///
/// # Panics
///
/// If there is none.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("RINGMAIN_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a running program has a path");
    let profile = test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps");
    let places = [profile.join("ringmain"), profile.join("../release/ringmain")];
    let found = places.iter().find(|binary| binary.exists());
    found.unwrap_or_else(|| panic!("none of {places:?}: run `cargo build -p cli`")).clone()
}
