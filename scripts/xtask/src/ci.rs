//! `cargo xtask ci`: exactly what CI runs, in the order in which a fault is found soonest.

use std::process::Command;

use crate::steps::{StepError, cargo, step};
use crate::{peers, test, tidy, workspace};

/// Checks format, house rules, lints, dependencies and all tests; stops at the first failure.
///
/// The load of `cargo xtask bench` is a workspace of its own, and has a step of its own each time.
/// Of the fuzz targets only format and dependencies are checked: what they call runs in a test,
/// which looks at them, too.
pub fn run() -> Result<(), StepError> {
    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    let load = ["fmt", "--manifest-path", workspace::LOAD, "--check"];
    step("format of the load", &mut cargo(&load))?;
    let targets = ["fmt", "--manifest-path", workspace::FUZZ_TARGETS, "--check"];
    step("format of the fuzz targets", &mut cargo(&targets))?;
    tidy::run()?;
    step("lint", &mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    // It builds librdkafka, once.
    let mut lint = of_the_load("clippy");
    step("lint of the load", lint.args(["--all-targets", "--", "-D", "warnings"]))?;
    peers::run()?;
    step("dependencies", &mut deny("Cargo.toml"))?;
    step("dependencies of the load", &mut deny(workspace::LOAD))?;
    step("dependencies of the fuzz targets", &mut deny(workspace::FUZZ_TARGETS))?;
    step("test of the load", &mut of_the_load("test"))?;
    test::run_tests()
}

/// A task of cargo's on the load, as `cargo xtask bench` builds it.
fn of_the_load(task: &str) -> Command {
    let mut command = cargo(&[task, "--release", "--locked", "--manifest-path", workspace::LOAD]);
    command.arg("--target-dir").arg(workspace::load_target());
    command
}

/// cargo-deny over deny.toml. Its advisories need a database from elsewhere; they are not looked
/// at, so that the same tree always gets the same answer.
fn deny(manifest: &str) -> Command {
    let mut command = Command::new(peers::cargo_deny());
    command.args(["--manifest-path", manifest, "--workspace"]);
    command.args(["check", "bans", "licenses", "sources"]);
    command.current_dir(workspace::root());
    command
}
