//! Apache Kafka as the broker under test: the harness is believed because Kafka passes it, and a
//! Kafka that forgets its producers does not.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::broker::Site;

/// What Kafka keeps of its idempotent producers over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProducerMemory {
    /// All it should.
    Kept,
    /// Nothing: producer state expires after one millisecond, and a start drops what has expired.
    /// While the broker runs the expiry is not carried out, so that only kills show the fault.
    Lost,
}

const CLUSTER_ID: &str = "MkU3OEVBNTcwNTJENDM2Qg";
/// The controller lets a killed broker register again only when its old session has expired: the
/// default of 9 s would be most of a campaign.
const SESSION_MS: u32 = 1500;
const ONE_DAY_MS: u32 = 86_400_000;

/// The command that starts a node which is broker and controller. A first start formats its folder.
pub(crate) fn command(jars: &Path, memory: ProducerMemory, site: &Site) -> io::Result<Command> {
    let properties = site.folder.join("server.properties");
    let mut java = Command::new("java");
    // The JVM's own files go into the campaign's folder.
    java.current_dir(&site.folder).arg("-cp").arg(jars.join("*"));
    if !properties.exists() {
        std::fs::write(&properties, settings(memory, site))?;
        let mut format = Command::new("java");
        format.arg("-cp").arg(jars.join("*")).arg("kafka.tools.StorageTool");
        let status = format
            .args(["format", "-t", CLUSTER_ID, "-c"])
            .arg(&properties)
            .stdout(site.log()?)
            .stderr(site.log()?)
            .status()?;
        if !status.success() {
            return Err(io::Error::other(format!("kafka.tools.StorageTool ended with {status}")));
        }
    }
    java.args(["-Xmx1G", "-Xms512M", "-server", "kafka.Kafka"]).arg(&properties);
    Ok(java)
}

fn settings(memory: ProducerMemory, site: &Site) -> String {
    let (port, controller) = (site.port, site.second_port);
    let data = site.data_folder();
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\n\
         broker.session.timeout.ms={SESSION_MS}\n\
         broker.heartbeat.interval.ms={}\n",
        data.display(),
        SESSION_MS / 3
    );
    if memory == ProducerMemory::Lost {
        let interval_ms = ONE_DAY_MS;
        write!(
            text,
            "producer.id.expiration.ms=1\nproducer.id.expiration.check.interval.ms={interval_ms}\n"
        )
        .expect("writing into a String cannot fail");
    }
    text
}
