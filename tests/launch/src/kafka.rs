//! How Apache Kafka is set up: one node of broker and controller, with the options it ships with.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::environment;
use crate::error::LaunchError;
use crate::site::Site;

/// The options of Kafka's own start script, so that it is run as users run it.
const JVM_OPTIONS: [&str; 7] = [
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];

/// The identity of every cluster that is made here: any 16 bytes in Base64.
const CLUSTER_ID: &str = "cmluZ21haW4tdGVzdHMtMQ";

/// Eligible leader replicas mean nothing to a single node; but with them Kafka sets
/// `min.insync.replicas` for the whole cluster, as if an operator had.
const NO_ELR: &str = "eligible.leader.replicas.version=0";

/// A main class of Kafka's, or of its tools', with a log on standard output, or with the option
/// `-Dlog.target=SYSTEM_ERR` on standard error.
pub fn java(class_path: impl AsRef<OsStr>, class: &str, options: &[&str]) -> Command {
    let log = environment::workspace().join("scripts/peers/log4j2.properties");
    let mut command = Command::new("java");
    command.args(options).arg(format!("-Dlog4j2.configurationFile={}", log.display()));
    command.arg("-cp").arg(class_path).arg(class);
    command
}

/// Writes the node's settings and formats its folder, unless an earlier start did.
pub(crate) fn format_once(
    jars: &Path,
    site: &Site,
    settings: &[(String, String)],
) -> Result<(), LaunchError> {
    let path = properties_path(site);
    if path.exists() {
        return Ok(());
    }
    std::fs::write(&path, properties(site, settings)).map_err(LaunchError::file(&path))?;
    let [stdout, stderr] = site.logs()?;
    let mut tool = java(jars.join("*"), "kafka.tools.StorageTool", &["-Xmx256M"]);
    tool.args(["format", "-t", CLUSTER_ID, "--feature", NO_ELR, "-c"]).arg(&path);
    tool.stdout(stdout).stderr(stderr);
    let status = tool.status().map_err(LaunchError::program("java"))?;
    if status.success() {
        return Ok(());
    }
    Err(LaunchError::Format { status, log: site.log_path() })
}

/// The command that runs the formatted node.
pub(crate) fn command(jars: &Path, site: &Site) -> Command {
    let mut command = java(jars.join("*"), "kafka.Kafka", &JVM_OPTIONS);
    command.arg(properties_path(site));
    command
}

fn properties_path(site: &Site) -> std::path::PathBuf {
    site.folder().join("server.properties")
}

fn properties(site: &Site, settings: &[(String, String)]) -> String {
    let (port, controller) = (site.port(), site.controller_port());
    let mut properties = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n",
        site.data_folder().display()
    );
    for (key, value) in settings.iter().filter(|(key, _)| !key.starts_with("ringmain.")) {
        writeln!(properties, "{key}={value}").expect("a String takes everything");
    }
    properties
}
