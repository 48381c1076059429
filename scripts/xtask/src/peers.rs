//! `cargo xtask peers`: installs the clients, brokers and tools that tests and CI run, all pinned.
//!
//! ```text
//! target/peers/venv     Python clients, by scripts/peers/requirements.txt
//! target/peers/jars     Apache Kafka's broker and tools, by scripts/peers/pom.xml
//! target/peers/bin      cargo-deny
//! kcat                  from the system's packages
//! ```
//!
//! A stamp beside each part holds what it was made from, so that a second run has nothing to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{StepError, announce, answer, cargo, step};
use crate::workspace;

const CARGO_DENY_VERSION: &str = "0.20.2";
const DEPENDENCY_PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/// Installs what is missing or was made from other pins.
pub fn run() -> Result<(), StepError> {
    let folder = workspace::peers();
    fs::create_dir_all(&folder).map_err(|source| file_error(&folder, source))?;
    install_kcat()?;
    let pins = workspace::root().join("scripts/peers");
    once("python", &read(&pins.join("requirements.txt"))?, install_python)?;
    once("jars", &read(&pins.join("pom.xml"))?, install_jars)?;
    once("cargo-deny", CARGO_DENY_VERSION, install_cargo_deny)
}

/// Where cargo-deny is after [`run`].
pub fn cargo_deny() -> PathBuf {
    workspace::peers().join("bin/cargo-deny")
}

/// Runs `install` unless the stamp of `name` says that it was done with the same `pins`.
fn once(name: &str, pins: &str, install: fn() -> Result<(), StepError>) -> Result<(), StepError> {
    let stamp = workspace::peers().join(format!("{name}.stamp"));
    if fs::read_to_string(&stamp).is_ok_and(|done| done == pins) {
        announce(&format!("peers: {name} is ready"));
        return Ok(());
    }
    install()?;
    fs::write(&stamp, pins).map_err(|source| file_error(&stamp, source))
}

fn install_kcat() -> Result<(), StepError> {
    if answer("kcat", Command::new("kcat").arg("-V")).is_ok() {
        announce("peers: kcat is ready");
        return Ok(());
    }
    apt_install("kcat", "apt-get install kcat")
}

/// Installs one system package, if this user may.
fn apt_install(package: &'static str, install: &'static str) -> Result<(), StepError> {
    let user = answer("who am I", Command::new("id").arg("-u"))?;
    if user.trim() != "0" {
        return Err(StepError::Missing { what: package, install });
    }
    step("peers: update the package lists", Command::new("apt-get").args(["update", "-qq"]))?;
    step(
        &format!("peers: install {package}"),
        Command::new("apt-get")
            .args(["install", "-y", "-qq", "--no-install-recommends", package])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

fn install_python() -> Result<(), StepError> {
    if answer("python", Command::new("python3").args(["-c", "import ensurepip"])).is_err() {
        apt_install("python3-venv", "apt-get install python3-venv")?;
    }
    let venv = workspace::peers().join("venv");
    step(
        "peers: make a Python environment",
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv),
    )?;
    step(
        "peers: install the Python clients",
        Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r"])
            .arg(workspace::root().join("scripts/peers/requirements.txt")),
    )
}

fn install_jars() -> Result<(), StepError> {
    let jars = workspace::peers().join("jars");
    // Jars of other versions must not stay in the class path.
    if jars.exists() {
        fs::remove_dir_all(&jars).map_err(|source| file_error(&jars, source))?;
    }
    step(
        "peers: fetch Apache Kafka and its tools",
        Command::new("mvn")
            .args(["--quiet", "--batch-mode", "--file"])
            .arg(workspace::root().join("scripts/peers/pom.xml"))
            .arg(format!("{DEPENDENCY_PLUGIN}:copy-dependencies"))
            .arg(format!("-DoutputDirectory={}", jars.display())),
    )
}

fn install_cargo_deny() -> Result<(), StepError> {
    step(
        "peers: build cargo-deny (about two minutes)",
        cargo(&["install", "cargo-deny", "--quiet", "--locked", "--version", CARGO_DENY_VERSION])
            .arg("--root")
            .arg(workspace::peers())
            // Its build must not meet the workspace's own.
            .env_remove("CARGO_TARGET_DIR"),
    )
}

fn read(path: &Path) -> Result<String, StepError> {
    fs::read_to_string(path).map_err(|source| file_error(path, source))
}

fn file_error(path: &Path, source: std::io::Error) -> StepError {
    StepError::File { path: path.to_path_buf(), source }
}
