//! The broker under test as a process: started on a folder and a port, killed with SIGKILL.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::kafka::{self, ProducerMemory};

/// Which broker is tested.
#[derive(Clone, Debug)]
pub enum Subject {
    /// Ringmain, from this binary.
    Ringmain {
        /// The binary `ringmain`.
        binary: PathBuf,
        /// How large its files are.
        sizes: Sizes,
    },
    /// Apache Kafka, from a folder of jars; `java` must be on the path.
    Kafka {
        /// The folder with Kafka's jars and all that they need.
        jars: PathBuf,
        /// Whether it is made to forget its producers.
        memory: ProducerMemory,
    },
}

/// How large Ringmain's files and memory are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// As it is shipped: a campaign hardly fills one segment, and a start replays much.
    Usual,
    /// So small that between kills segments end, batches leave the memory, and the journal's
    /// files are used again.
    Small,
}

/// Eight of these journal files hold about a second of the campaign's load.
const SMALL: [&str; 5] = [
    "log.segment.bytes=131072",
    "log.index.interval.bytes=1024",
    "ringmain.journal.file.bytes=2097152",
    "ringmain.journal.files.max=8",
    "ringmain.tail.bytes=8388608",
];

/// How often a stopping broker is looked at.
const GLANCE: Duration = Duration::from_millis(1);

/// Where a broker lives; the same over all restarts.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    /// The clients' port.
    pub(crate) port: u16,
    /// For a broker that needs another port for itself.
    pub(crate) second_port: u16,
}

impl Site {
    pub(crate) fn new(folder: &Path) -> io::Result<Site> {
        let (port, second_port) = free_ports()?;
        Ok(Site { folder: folder.into(), port, second_port })
    }

    pub(crate) fn data_folder(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.folder.join("broker.log")
    }

    /// The broker's output, all starts after one another.
    pub(crate) fn log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.log_path())
    }
}

/// Two ports that nobody listens on. They lie below Linux's range for outgoing connections (from
/// 32768): a client that keeps dialling a dead broker could otherwise be given the very port it
/// dials, meet itself, and keep the restarted broker out.
fn free_ports() -> io::Result<(u16, u16)> {
    let first = 20_000 + (std::process::id() % 5_000) as u16 * 2;
    for port in (first..32_000).step_by(2) {
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + 1) {
            return Ok((port, port + 1));
        }
    }
    Err(io::Error::other(format!("no two free ports between {first} and 32000")))
}

/// A running broker; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Broker {
    child: Child,
}

impl Broker {
    /// Starts the broker and returns at once: clients find out when it serves.
    pub(crate) fn start(subject: &Subject, site: &Site) -> io::Result<Broker> {
        let mut command = match subject {
            Subject::Ringmain { binary, sizes } => ringmain(binary, *sizes, site),
            Subject::Kafka { jars, memory } => kafka::command(jars, *memory, site)?,
        };
        command.stdin(Stdio::null()).stdout(site.log()?).stderr(site.log()?);
        Ok(Broker { child: command.spawn()? })
    }

    /// How the broker ended, if it ended by itself.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends SIGTERM, which asks for a clean end, and SIGKILL after `patience`. Returns how the
    /// broker ended if it was quicker.
    pub(crate) fn kill_amid_stop(mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        let asked =
            Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status()?;
        if !asked.success() {
            return Err(io::Error::other(format!("`kill -s TERM` ended with {asked}")));
        }
        loop {
            let ended = self.ended()?;
            if ended.is_some() || Instant::now() >= deadline {
                self.kill()?;
                return Ok(ended);
            }
            std::thread::sleep(GLANCE);
        }
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub(crate) fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both fail only if the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ringmain(binary: &Path, sizes: Sizes, site: &Site) -> Command {
    let mut command = Command::new(binary);
    command.arg("serve");
    for setting in [
        format!("listeners=PLAINTEXT://127.0.0.1:{}", site.port),
        format!("log.dirs={}", site.data_folder().display()),
        "ringmain.shards=2".into(),
    ] {
        command.args(["--set", &setting]);
    }
    if sizes == Sizes::Small {
        command.args(SMALL.iter().flat_map(|setting| ["--set", setting]));
    }
    // The broker takes every RINGMAIN_… for a setting and refuses what it does not know: those of
    // this harness are not for it, and a stray setting must not change what is tested.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"RINGMAIN_") {
            command.env_remove(name);
        }
    }
    command.env("RUST_BACKTRACE", "1");
    command
}
