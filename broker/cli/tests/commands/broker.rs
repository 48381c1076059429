//! A broker for the commands: this one, or Apache Kafka.

use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use launch::{IoUring, LaunchError, Process, Program, Site, environment};

use super::run::BINARY;

/// A killed broker's listener is gone within this.
const DEADLINE: Duration = Duration::from_secs(30);

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This one, with two shards.
    Ringmain,
    /// Apache Kafka.
    Kafka,
}

/// A running broker. It is killed with the test; its folder stays if that failed.
pub struct Broker {
    program: Program,
    site: Site,
    process: Process,
}

impl Broker {
    /// Starts one on an empty folder.
    pub fn start(kind: Kind, name: &str) -> Self {
        let name = format!("commands/{kind:?}-{name}-{}", std::process::id());
        let folder = environment::target().join(name);
        fs::create_dir_all(&folder).expect("a folder below target can be made");
        let site = sound(Site::new(folder));
        let program = match kind {
            Kind::Ringmain => Program::Ringmain { binary: BINARY.into(), io_uring: IoUring::AsIs },
            Kind::Kafka => Program::Kafka { jars: sound(environment::kafka_jars()) },
        };
        let process = begin(&program, &site);
        Self { program, site, process }
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.site.address().to_string()
    }

    /// Kills it by SIGKILL, and starts it on the same folder and port.
    pub fn kill_and_start_again(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Kills it by SIGKILL.
    pub fn kill(&mut self) {
        sound(self.process.kill());
        // The kernel closes the listener of a ring after the process has ended.
        let began = Instant::now();
        while TcpStream::connect(self.site.address()).is_ok() {
            assert!(began.elapsed() < DEADLINE, "the killed broker listens");
        }
    }

    /// Starts one that was killed on the same folder and port.
    pub fn start_again(&mut self) {
        self.process = begin(&self.program, &self.site);
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill, and nobody to tell.
        drop(self.process.kill());
        if std::thread::panicking() {
            eprintln!("{}\n(kept: {})", self.site.last_words(), self.site.folder().display());
        } else {
            drop(fs::remove_dir_all(self.site.folder()));
        }
    }
}

fn begin(program: &Program, site: &Site) -> Process {
    let settings = [("ringmain.shards".to_owned(), "2".to_owned())];
    let mut process = sound(Process::start(sound(program.command(site, &settings)), site));
    let opened = process.await_port(site);
    opened.unwrap_or_else(|error| panic!("{error}\n{}", site.last_words()));
    process
}

fn sound<T>(outcome: Result<T, LaunchError>) -> T {
    outcome.unwrap_or_else(|error| panic!("{error}"))
}
