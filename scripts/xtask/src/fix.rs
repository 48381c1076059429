//! `cargo xtask fix`: what can be mended by a program is mended.

use crate::steps::{StepError, cargo, step};

/// Formats every crate.
pub fn run() -> Result<(), StepError> {
    step("format", &mut cargo(&["fmt", "--all"]))
}
