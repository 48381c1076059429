//! How Apache Kafka is set up: one node of broker and controller, with the options it ships with.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::BenchError;
use crate::session;

/// The options of Kafka's own start script.
const JVM_OPTIONS: [&str; 7] = [
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
];

/// Any 16 bytes in Base64.
const CLUSTER_ID: &str = "cmluZ21haW4tYmVuY2gtMQ";

/// When Kafka asks the disk to keep what it acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// Never before an acknowledgement, as it is shipped.
    AsShipped,
    /// Before every one: `log.flush.interval.messages=1`.
    Each,
}

/// What it takes to run Kafka.
#[derive(Clone, Copy, Debug)]
pub struct Kafka<'a> {
    /// The folder of its jars.
    pub jars: &'a Path,
    /// The configuration of its log, without which it is mute.
    pub log_settings: &'a Path,
}

impl Kafka<'_> {
    /// Writes the settings of a node on `port` (and `port + 1`) and formats its folder.
    pub fn format(&self, folder: &Path, port: u16, flush: Flush) -> Result<(), BenchError> {
        let file = folder.join("server.properties");
        fs::write(&file, properties(folder, port, flush)).map_err(BenchError::file(&file))?;
        let mut command = Command::new("java");
        command.args(self.arguments(&["-Xmx256M"], "kafka.tools.StorageTool"));
        command.args(["format", "-t", CLUSTER_ID, "-c"]).arg(&file).stdout(Stdio::null());
        let status = command.status().map_err(BenchError::program("java"))?;
        if status.success() {
            return Ok(());
        }
        Err(BenchError::Failed { program: "kafka.tools.StorageTool".to_string(), status })
    }

    /// The command that runs the node.
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = session::on_command(Path::new("java"));
        command.args(self.arguments(&JVM_OPTIONS, "kafka.Kafka"));
        command.arg(folder.join("server.properties"));
        command
    }

    fn arguments(&self, options: &[&str], class: &str) -> Vec<String> {
        let mut arguments: Vec<String> = options.iter().map(|option| option.to_string()).collect();
        arguments.push(format!("-Dlog4j2.configurationFile={}", self.log_settings.display()));
        arguments.push("-cp".to_string());
        arguments.push(format!("{}/*", self.jars.display()));
        arguments.push(class.to_string());
        arguments
    }
}

fn properties(folder: &Path, port: u16, flush: Flush) -> String {
    let controller = port + 1;
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
        folder.join("data").display()
    );
    if flush == Flush::Each {
        writeln!(properties, "log.flush.interval.messages=1").expect("a String takes everything");
    }
    properties
}
