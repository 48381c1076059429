//! `cargo xtask fix`: what can be mended by a program is mended.

use crate::steps::{StepError, cargo, step};
use crate::workspace;

/// Formats every crate.
pub fn run() -> Result<(), StepError> {
    step("format", &mut cargo(&["fmt", "--all"]))?;
    let mut format = cargo(&["fmt", "--manifest-path", workspace::LOAD]);
    step("format the load, a workspace of its own", &mut format)
}
