//! How Ringmain is set up: all by its command line.

use std::path::Path;
use std::process::Command;

use crate::site::Site;

/// The command that serves the records of `site`.
pub(crate) fn command(binary: &Path, site: &Site, settings: &[(String, String)]) -> Command {
    let mut command = Command::new(binary);
    command.arg("serve");
    command.arg("--set").arg(format!("listeners=PLAINTEXT://{}", site.address()));
    command.arg("--set").arg(format!("log.dirs={}", site.data_folder().display()));
    // A port that nobody else has; settings may name another.
    command.arg("--set").arg("ringmain.admin.listener=127.0.0.1:0");
    for (key, value) in settings {
        command.arg("--set").arg(format!("{key}={value}"));
    }
    command.env("RUST_BACKTRACE", "1");
    command
}
