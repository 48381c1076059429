//! A broker of a test: started on a free port with a folder of its own, stopped, started again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use launch::{IoUring, LaunchError, Process, Program, STOP_DEADLINE, Site, usage};

use crate::{wait, workspace};

/// Which program is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The binary of this workspace.
    Ringmain,
    /// The same, where io_uring is forbidden.
    RingmainWithoutIoUring,
    /// Apache Kafka, a single node of broker and controller.
    Kafka,
}

impl Kind {
    /// Ringmain, or Kafka where `RINGMAIN_ORACLE=kafka`: a test that Kafka fails is a wrong test.
    ///
    /// # Panics
    ///
    /// If the variable holds something else.
    pub fn under_test() -> Self {
        match std::env::var("RINGMAIN_ORACLE").as_deref() {
            Err(_) => Self::Ringmain,
            Ok("kafka") => Self::Kafka,
            Ok(other) => panic!("RINGMAIN_ORACLE={other}: only `kafka` is known"),
        }
    }

    fn program(self) -> Program {
        let ringmain = |io_uring| Program::Ringmain { binary: workspace::ringmain(), io_uring };
        match self {
            Self::Ringmain => ringmain(IoUring::AsIs),
            Self::RingmainWithoutIoUring => ringmain(IoUring::Forbidden),
            Self::Kafka => Program::Kafka { jars: workspace::kafka_jars() },
        }
    }
}

/// A running broker. When it is dropped its process is killed; its folder stays if a test failed.
#[derive(Debug)]
pub struct Broker {
    program: Program,
    site: Site,
    settings: Vec<(String, String)>,
    open_files_max: Option<u32>,
    process: Process,
}

impl Broker {
    /// Starts a broker on an empty folder and waits until its port is open.
    ///
    /// `settings` are Kafka's keys and Ringmain's; Kafka is not told those that begin with
    /// `ringmain.`.
    ///
    /// # Panics
    ///
    /// If it ends or does not open its port in time; its last words are part of the message.
    pub fn start(kind: Kind, name: &str, settings: &[(&str, &str)]) -> Self {
        Self::start_with_limit(kind, name, settings, None)
    }

    /// As [`Broker::start`], in a process that may have so many files open and cannot change that.
    ///
    /// # Panics
    ///
    /// As that does.
    pub fn start_with_open_files(
        kind: Kind,
        name: &str,
        settings: &[(&str, &str)],
        open_files_max: u32,
    ) -> Self {
        Self::start_with_limit(kind, name, settings, Some(open_files_max))
    }

    fn start_with_limit(
        kind: Kind,
        name: &str,
        settings: &[(&str, &str)],
        open_files_max: Option<u32>,
    ) -> Self {
        let program = kind.program();
        let site = sound(Site::new(workspace::fresh_folder(name)));
        let settings = settings.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        let settings: Vec<_> = settings.collect();
        let process = spawn(&program, &site, &settings, open_files_max);
        let mut broker = Self { program, site, settings, open_files_max, process };
        broker.await_port();
        broker
    }

    /// Which program it is.
    pub fn kind(&self) -> Kind {
        match self.program {
            Program::Ringmain { .. } => Kind::Ringmain,
            Program::Kafka { .. } => Kind::Kafka,
        }
    }

    /// `host:port` for clients.
    pub fn address(&self) -> String {
        self.site.address().to_string()
    }

    /// Where its pages for those who watch are, as its log told last.
    ///
    /// # Panics
    ///
    /// If the log does not say it in time.
    pub fn admin_address(&self) -> SocketAddr {
        wait::until("the address of the pages in the log", Duration::from_secs(10), || {
            let log = std::fs::read_to_string(self.site.log_path()).ok()?;
            let mut lines = log.lines().rev();
            let told = lines.find_map(|line| line.split_once("http://")?.1.split_once('/'));
            told?.0.parse().ok()
        })
    }

    /// The folder that holds the broker's records.
    pub fn data_folder(&self) -> PathBuf {
        self.site.data_folder()
    }

    /// What the broker has said, in all its lives.
    ///
    /// # Panics
    ///
    /// If its log can't be read.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.site.log_path()).expect("its start made the log")
    }

    /// The processor time that all threads of the broker have taken, in steps of 10 ms.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn processor_time(&self) -> Duration {
        sound(usage::processor_time(self.process.id()))
    }

    /// The memory that the broker has now, in MiB.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn resident_mib(&self) -> u64 {
        self.resident_bytes() >> 20
    }

    /// The same in bytes.
    pub fn resident_bytes(&self) -> u64 {
        sound(usage::resident_bytes(self.process.id()))
    }

    /// Stops the broker in good order and starts it again on the same folder and port.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// Kills the broker by SIGKILL and starts it again on the same folder and port.
    pub fn kill_and_restart(&mut self) {
        sound(self.process.kill_and_await_silence(&self.site));
        self.start_again();
    }

    /// Stops the broker by SIGTERM.
    ///
    /// # Panics
    ///
    /// If it does not end in good order and in time.
    pub fn stop(&mut self) {
        let ended = sound(self.process.stop(STOP_DEADLINE));
        let stopped_well = ended.is_some_and(|status| self.program.stopped_well(status));
        assert!(stopped_well, "stopped with {ended:?}\n{}", self.site.last_words());
    }

    fn start_again(&mut self) {
        self.process = spawn(&self.program, &self.site, &self.settings, self.open_files_max);
        self.await_port();
    }

    fn await_port(&mut self) {
        let started = self.process.await_port(&self.site);
        started.unwrap_or_else(|error| panic!("{error}\n{}", self.site.last_words()));
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill, and nobody to tell.
        drop(self.process.kill());
        if std::thread::panicking() {
            eprintln!("the broker's folder is kept: {}", self.site.folder().display());
        } else {
            drop(std::fs::remove_dir_all(self.site.folder()));
        }
    }
}

fn spawn(
    program: &Program,
    site: &Site,
    settings: &[(String, String)],
    open_files_max: Option<u32>,
) -> Process {
    let command = program.command(site, settings);
    let command = command.unwrap_or_else(|error| panic!("{error}\n{}", site.last_words()));
    let command = match open_files_max {
        Some(max) => limited(&command, max),
        None => command,
    };
    sound(Process::start(command, site))
}

/// The same program, by a shell that sets both limits on open files and becomes it.
fn limited(command: &Command, open_files_max: u32) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -n {open_files_max} && exec \"$0\" \"$@\""));
    launch::wrapped(shell, command)
}

/// What must not fail in a test.
fn sound<T>(outcome: Result<T, LaunchError>) -> T {
    outcome.unwrap_or_else(|error| panic!("{error}"))
}
