//! `cargo xtask ci`: exactly what CI runs, in the order in which a fault is found soonest.

use std::process::Command;

use crate::steps::{StepError, cargo, step};
use crate::{peers, test, tidy};

/// Checks format, house rules, lints, dependencies and all tests; stops at the first failure.
pub fn run() -> Result<(), StepError> {
    step("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    // A workspace of its own, which takes minutes to build: tidy and format see it, lints do not.
    let load = "bench/load/Cargo.toml";
    step("format of the load", &mut cargo(&["fmt", "--manifest-path", load, "--check"]))?;
    tidy::run()?;
    step("lint", &mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    peers::run()?;
    step("dependencies", &mut deny())?;
    test::run_tests()
}

/// cargo-deny over deny.toml. Its advisories need a database from elsewhere; they are not looked
/// at, so that the same tree always gets the same answer.
fn deny() -> Command {
    let mut command = Command::new(peers::cargo_deny());
    command.args(["--workspace", "check", "bans", "licenses", "sources"]);
    command.current_dir(crate::workspace::root());
    command
}
