//! How a real Apache Kafka is started: a single node of broker and controller, as it is shipped.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::{broker, workspace};

/// The options of Kafka's own start script, so that it is measured as users run it.
const JVM_OPTIONS: [&str; 7] = [
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];

/// The identity of every cluster that tests make: any 16 bytes in Base64.
const CLUSTER_ID: &str = "cmluZ21haW4tdGVzdHMtMQ";

/// Writes the properties of a node that listens on `port`, and formats its folder.
///
/// # Panics
///
/// If Kafka's own tool refuses them.
pub fn format(folder: &Path, port: u16, settings: &[(String, String)]) {
    let controller = broker::free_port();
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
        broker::data_folder(folder).display()
    );
    for (key, value) in settings.iter().filter(|(key, _)| !key.starts_with("ringmain.")) {
        properties.push_str(&format!("{key}={value}\n"));
    }
    let file = folder.join("server.properties");
    fs::write(&file, properties).expect("a fresh folder can be written");
    let mut tool = java("kafka.tools.StorageTool", &["-Xmx256M"]);
    tool.args(["format", "-t", CLUSTER_ID, "-c"]).arg(&file);
    let output = tool.output().expect("java is installed");
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "Kafka refuses its folder: {words}");
}

/// The command that runs the node which [`format`] prepared in `folder`.
pub fn command(folder: &Path) -> Command {
    let mut command = java("kafka.Kafka", &JVM_OPTIONS);
    command.arg(folder.join("server.properties"));
    command
}

/// A main class of Kafka's, with every jar that the peers hold, and a log on standard output.
pub fn java(class: &str, options: &[&str]) -> Command {
    let log = workspace::root().join("scripts/peers/log4j2.properties");
    let mut command = Command::new("java");
    command.args(options).arg(format!("-Dlog4j2.configurationFile={}", log.display()));
    command.arg("-cp").arg(format!("{}/*", workspace::peer("jars").display())).arg(class);
    command
}
