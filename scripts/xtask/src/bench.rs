//! `cargo xtask bench kafka`: builds the broker, the load and the measuring program, and runs it.

use std::fs;
use std::process::Command;

use crate::steps::{StepError, cargo, step};
use crate::{peers, workspace};

/// Measures Ringmain beside Apache Kafka; `arguments` are for the measuring program.
pub fn run(arguments: &[String]) -> Result<(), StepError> {
    let (root, target) = (workspace::root(), workspace::target());
    peers::install_fio()?;
    // One at a time: together, the broker would get the features of what tests it.
    for package in ["cli", "bench"] {
        let title = format!("build {package}");
        step(&title, &mut cargo(&["build", "--release", "--quiet", "--package", package]))?;
    }
    let mut build_load = cargo(&["build", "--release", "--quiet", "--locked"]);
    build_load.args(["--manifest-path", workspace::LOAD, "--target-dir"]);
    step("build the load", build_load.arg(workspace::load_target()))?;
    let folder = root.join("target/bench");
    fs::create_dir_all(&folder)
        .map_err(|source| StepError::File { path: folder.clone(), source })?;
    let mut bench = Command::new(target.join("release/bench"));
    bench.arg("--ringmain").arg(target.join("release/ringmain"));
    bench.arg("--jars").arg(workspace::peers().join("jars"));
    bench.arg("--load").arg(workspace::load_target().join("release/load"));
    bench.arg("--folder").arg(&folder);
    bench.arg("--results").arg(root.join("bench/results"));
    step("bench", bench.args(arguments).current_dir(root))
}
