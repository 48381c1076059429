//! `cargo xtask fix`: what can be mended by a program is mended.

use crate::steps::{StepError, cargo, step};

/// Formats every crate.
pub fn run() -> Result<(), StepError> {
    step("format", &mut cargo(&["fmt", "--all"]))?;
    let load = "bench/load/Cargo.toml";
    step("format the load, a workspace of its own", &mut cargo(&["fmt", "--manifest-path", load]))
}
