//! A broker as a process: started on a free port with a folder of its own, stopped, started again.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::{kafka, ringmain, wait, workspace};

/// A JVM on a busy machine of two cores needs a while; a sound broker comes far below it.
const START_DEADLINE: Duration = Duration::from_secs(90);
/// How Linux counts processor time for programs, on every machine.
const TICK_MS: u64 = 10;
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// Which program is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The binary of this workspace.
    Ringmain,
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
}

/// A running broker. When it is dropped its process is killed; its folder stays if a test failed.
#[derive(Debug)]
pub struct Broker {
    kind: Kind,
    folder: PathBuf,
    port: u16,
    settings: Vec<(String, String)>,
    open_files_max: Option<u32>,
    child: Child,
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
        let folder = workspace::fresh_folder(name);
        let settings = settings.iter().map(|(k, v)| (k.to_string(), v.to_string()));
        let settings: Vec<_> = settings.collect();
        let port = free_port();
        if kind == Kind::Kafka {
            kafka::format(&folder, port, &settings);
        }
        let child = spawn(kind, &folder, port, &settings, open_files_max);
        let mut broker = Self { kind, folder, port, settings, open_files_max, child };
        broker.await_port();
        broker
    }

    /// `host:port` for clients.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The folder that holds the broker's records.
    pub fn data_folder(&self) -> PathBuf {
        data_folder(&self.folder)
    }

    /// The processor time that all threads of the broker have taken, in steps of 10 ms.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("a running process has its line");
        // The name in parentheses may hold anything; user and system time are fields 14 and 15.
        let (_, fields) = stat.rsplit_once(')').expect("the name stands in parentheses");
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks = ticks.map(|field| field.parse::<u64>().expect("a count of ticks")).sum::<u64>();
        Duration::from_millis(ticks * TICK_MS)
    }

    /// The memory that the broker has now, in MiB.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn resident_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("a running process has its page");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.expect("a process that has not ended has memory");
        let kib = resident.trim().trim_end_matches("kB").trim();
        kib.parse::<u64>().expect("a count of KiB") / 1024
    }

    /// Stops the broker in good order and starts it again on the same folder and port.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// Kills the broker by SIGKILL and starts it again on the same folder and port.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
        // The kernel closes the sockets of a ring after the process has ended: until then the old
        // listener would be taken for the new one.
        let address = self.socket_address();
        wait::until("the end of the killed broker's listener", STOP_DEADLINE, || {
            TcpStream::connect(address).is_err().then_some(())
        });
        self.start_again();
    }

    /// Stops the broker by SIGTERM.
    ///
    /// # Panics
    ///
    /// If it does not end in good order and in time.
    pub fn stop(&mut self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIGTERM: no process {id}");
        let child = &mut self.child;
        let status = wait::until("the broker's end after SIGTERM", STOP_DEADLINE, || {
            child.try_wait().expect("our own child can be waited for")
        });
        // A JVM that ends by SIGTERM in good order says 128 + 15.
        let expected = if self.kind == Kind::Kafka { 143 } else { 0 };
        let found = status.code();
        assert!(found == Some(expected), "stopped with {status}\n{}", self.last_words());
    }

    fn start_again(&mut self) {
        let Self { kind, folder, port, settings, open_files_max, .. } = &*self;
        self.child = spawn(*kind, folder, *port, settings, *open_files_max);
        self.await_port();
    }

    fn await_port(&mut self) {
        let address = self.socket_address();
        let child = &mut self.child;
        let started: Result<(), ExitStatus> =
            wait::until("the broker's open port", START_DEADLINE, || {
                if let Some(status) = child.try_wait().expect("our own child can be waited for") {
                    return Some(Err(status));
                }
                TcpStream::connect(address).is_ok().then_some(Ok(()))
            });
        if let Err(status) = started {
            panic!("the broker ended at its start with {status}\n{}", self.last_words());
        }
    }

    fn socket_address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The end of what the broker wrote to its standard output and error.
    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log.txt")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill, and nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("the broker's folder is kept: {}", self.folder.display());
        } else {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

/// Where the records of the broker that lives in `folder` are.
pub(crate) fn data_folder(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// A port that nobody listens on, another one each time.
///
/// It lies below those that Linux gives to clients, so that no client takes it while a broker is
/// restarted.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        let step = std::process::id() % COUNT * 64 + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + step % COUNT).expect("32,000 fits");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}

fn spawn(
    kind: Kind,
    folder: &Path,
    port: u16,
    settings: &[(String, String)],
    open_files_max: Option<u32>,
) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log.txt"));
    let log = log.expect("a log can be written into a fresh folder");
    let mut command = match kind {
        Kind::Ringmain => ringmain::command(&data_folder(folder), port, settings),
        Kind::Kafka => kafka::command(folder),
    };
    if let Some(max) = open_files_max {
        command = limited(&command, max);
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let copy = log.try_clone().expect("an open file can be shared");
    let child = command.current_dir(folder).stdout(log).stderr(copy).spawn();
    child.unwrap_or_else(|error| panic!("cannot start {program}: {error}; is it built?"))
}

/// The same program, by a shell that sets both limits on open files and becomes it.
fn limited(command: &Command, open_files_max: u32) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -n {open_files_max} && exec \"$0\" \"$@\""));
    shell.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}
