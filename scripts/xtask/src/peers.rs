//! `cargo xtask peers`: installs the clients, brokers and tools that tests and CI run, pinned.
//!
//! ```text
//! target/peers/venv     Python clients, by scripts/peers/requirements.txt
//! target/peers/jars     Apache Kafka's broker and tools, by scripts/peers/pom.xml
//! target/peers/classes  our own programs on its clients, from tests/conformance/java
//! target/peers/prometheus  Prometheus, out of Debian's package: no service is set up
//! target/peers/bin      cargo-deny; cargo-fuzz, once somebody fuzzes
//! kcat                  from the system's packages, 1.7.1 where they have it
//! python3, javac, mvn   from the system's packages, where they are missing
//! fio                   likewise, once somebody measures
//! ```
//!
//! A stamp beside each part holds what it was made from, so that a second run has nothing to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{StepError, announce, answer, cargo, step};
use crate::workspace;

/// Debian 12's, which the tests were written with.
const KCAT: &str = "1.7.1";
/// The library below Debian 12's kcat: what kcat can do hangs more on this than on its own version.
const LIBRDKAFKA: &str = "2.0.2";
/// What the peers are made and run with: a program, and the package that brings it.
const TOOLS: [(&str, &str, &str); 3] = [
    ("python3", "python3", "apt-get install python3"),
    ("javac", "default-jdk-headless", "apt-get install default-jdk-headless"),
    ("mvn", "maven", "apt-get install maven"),
];
/// Debian 12's, which the tests were written with.
const PROMETHEUS: &str = "2.42.0";
const CARGO_DENY_VERSION: &str = "0.20.2";
const CARGO_FUZZ_VERSION: &str = "0.13.2";
const DEPENDENCY_PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/// Installs what is missing or was made from other pins.
pub fn run() -> Result<(), StepError> {
    let folder = workspace::peers();
    fs::create_dir_all(&folder).map_err(|source| file_error(&folder, source))?;
    for (program, package, install) in TOOLS {
        if answer(program, Command::new(program).arg("--version")).is_err() {
            apt_install(package, None, install)?;
        }
    }
    install_kcat()?;
    let pins = workspace::root().join("scripts/peers");
    once("python", &read(&pins.join("requirements.txt"))?, install_python)?;
    let pom = read(&pins.join("pom.xml"))?;
    once("jars", &pom, install_jars)?;
    once("classes", &(pom + &java_sources()?.1), install_classes)?;
    once("prometheus", PROMETHEUS, install_prometheus)?;
    once("cargo-deny", CARGO_DENY_VERSION, || install_cargo_tool("cargo-deny", CARGO_DENY_VERSION))
}

/// Where cargo-deny is after [`run`].
pub fn cargo_deny() -> PathBuf {
    workspace::peers().join("bin/cargo-deny")
}

/// Installs fio, which no test needs: it says what a disk can do.
pub fn install_fio() -> Result<(), StepError> {
    match answer("fio", Command::new("fio").arg("--version")) {
        Ok(_) => Ok(()),
        Err(_) => apt_install("fio", None, "apt-get install fio"),
    }
}

/// Installs cargo-fuzz, which no test needs.
pub fn install_cargo_fuzz() -> Result<(), StepError> {
    let folder = workspace::peers();
    fs::create_dir_all(&folder).map_err(|source| file_error(&folder, source))?;
    once("cargo-fuzz", CARGO_FUZZ_VERSION, || install_cargo_tool("cargo-fuzz", CARGO_FUZZ_VERSION))
}

/// Where cargo-fuzz is after [`install_cargo_fuzz`].
pub fn cargo_fuzz() -> PathBuf {
    workspace::peers().join("bin/cargo-fuzz")
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

/// The distribution decides which kcat there is; the one that the tests were written with is asked
/// for, and any other is taken and named.
fn install_kcat() -> Result<(), StepError> {
    let version = || answer("kcat", Command::new("kcat").arg("-V"));
    let said = match version() {
        Ok(said) => said,
        Err(_) => {
            apt_install("kcat", Some(KCAT), "apt-get install kcat")?;
            version()?
        }
    };
    announce(&match kcat_versions(&said) {
        Some((KCAT, LIBRDKAFKA)) => {
            format!("peers: kcat {KCAT} on librdkafka {LIBRDKAFKA} is ready")
        }
        Some((kcat, library)) => format!(
            "peers: kcat {kcat} on librdkafka {library} is ready; the tests were written with \
             {KCAT} on {LIBRDKAFKA}"
        ),
        None => format!("peers: kcat is ready, of an unknown version: {}", said.trim()),
    });
    Ok(())
}

/// The versions of kcat and of its library in what `kcat -V` prints.
fn kcat_versions(said: &str) -> Option<(&str, &str)> {
    let line = said.lines().find_map(|line| line.strip_prefix("Version "))?;
    let (kcat, rest) = line.split_once(' ')?;
    let (_, library) = rest.split_once("librdkafka ")?;
    Some((kcat, library.split([' ', ')', ',']).next()?))
}

/// Unpacks the package where the other peers lie: installed, it would start a Prometheus with the
/// machine. Another version than the one asked for is taken where the distribution has no other.
fn install_prometheus() -> Result<(), StepError> {
    let folder = workspace::peers().join("prometheus");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|source| file_error(&folder, source))?;
    }
    fs::create_dir_all(&folder).map_err(|source| file_error(&folder, source))?;
    let download = |what: &str| {
        let mut command = Command::new("apt-get");
        command.args(["download", "-qq", what]).current_dir(&folder);
        step("peers: fetch Prometheus", &mut command)
    };
    let pinned = format!("prometheus={PROMETHEUS}*");
    if download(&pinned).is_err() {
        update_package_lists("prometheus", "apt-get update")?;
        download(&pinned).or_else(|_| download("prometheus"))?;
    }
    let entries = fs::read_dir(&folder).map_err(|source| file_error(&folder, source))?;
    let package = entries.flatten().map(|entry| entry.path()).next();
    let missing = StepError::Missing { what: "prometheus", install: "apt-get install prometheus" };
    let package = package.ok_or(missing)?;
    let mut unpack = Command::new("dpkg-deb");
    unpack.arg("--extract").arg(&package).arg(&folder);
    step("peers: unpack Prometheus", &mut unpack)
}

/// Installs one system package, if this user may: in this version, if the distribution has it.
fn apt_install(
    package: &'static str,
    version: Option<&str>,
    install: &'static str,
) -> Result<(), StepError> {
    update_package_lists(package, install)?;
    let title = format!("peers: install {package}");
    let pinned = version.map(|version| format!("{package}={version}*"));
    let install = |what: &str| {
        let mut command = Command::new("apt-get");
        command.args(["install", "-y", "-qq", "--no-install-recommends", what]);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        step(&title, &mut command)
    };
    if pinned.is_some_and(|pinned| install(&pinned).is_ok()) {
        return Ok(());
    }
    install(package)
}

/// Learns what the distribution has, if this user may: it is wanted for `package`.
fn update_package_lists(package: &'static str, install: &'static str) -> Result<(), StepError> {
    let user = answer("who am I", Command::new("id").arg("-u"))?;
    if user.trim() != "0" {
        return Err(StepError::Missing { what: package, install });
    }
    step("peers: update the package lists", Command::new("apt-get").args(["update", "-qq"]))
}

fn install_python() -> Result<(), StepError> {
    if answer("python", Command::new("python3").args(["-c", "import ensurepip"])).is_err() {
        apt_install("python3-venv", None, "apt-get install python3-venv")?;
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

/// The Java programs of the tests: where they are, and what all of them say.
fn java_sources() -> Result<(Vec<PathBuf>, String), StepError> {
    let folder = workspace::root().join("tests/conformance/java");
    let entries = fs::read_dir(&folder).map_err(|source| file_error(&folder, source))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths = paths.collect::<Result<Vec<_>, _>>();
    let mut paths = paths.map_err(|source| file_error(&folder, source))?;
    paths.sort();
    let texts = paths.iter().map(|path| read(path)).collect::<Result<String, _>>()?;
    Ok((paths, texts))
}

fn install_classes() -> Result<(), StepError> {
    let classes = workspace::peers().join("classes");
    if classes.exists() {
        fs::remove_dir_all(&classes).map_err(|source| file_error(&classes, source))?;
    }
    step(
        "peers: compile the Java programs",
        Command::new("javac")
            .args(["-Xlint:all", "-d"])
            .arg(&classes)
            .arg("-cp")
            .arg(workspace::peers().join("jars/*"))
            .args(java_sources()?.0),
    )
}

fn install_cargo_tool(name: &str, version: &str) -> Result<(), StepError> {
    step(
        &format!("peers: build {name} (about two minutes)"),
        cargo(&["install", name, "--quiet", "--locked", "--version", version])
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

#[cfg(test)]
mod tests {
    use super::kcat_versions;

    #[test]
    fn kcat_says_its_own_version_and_its_librarys() {
        let said = "kcat - Apache Kafka producer and consumer tool\nVersion 1.7.1 (JSON, \
                    Transactions, librdkafka 2.0.2 builtin.features=gzip,zstd)\n";
        assert_eq!(kcat_versions(said), Some(("1.7.1", "2.0.2")));
        assert_eq!(kcat_versions("Version 2.0 (librdkafka 2.8.0)"), Some(("2.0", "2.8.0")));
        assert_eq!(kcat_versions("kcat"), None);
    }
}
