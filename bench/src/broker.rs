//! A broker as a process: prepared, told to go, looked at, stopped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::error::BenchError;
use crate::session;
use crate::subject::Subject;

const START_DEADLINE: Duration = Duration::from_secs(90);
const STOP_DEADLINE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_micros(500);

/// A running broker; dropping it kills it and removes its folder.
#[derive(Debug)]
pub struct Broker {
    subject: &'static str,
    folder: PathBuf,
    address: SocketAddr,
    child: Child,
    /// When it was told to go.
    began: Instant,
    /// How long after that its port was open.
    port_open: Duration,
}

impl Broker {
    /// Starts the subject on an empty folder below `folder` and waits for its open port.
    pub fn start(subject: &Subject<'_>, folder: &Path) -> Result<Self, BenchError> {
        let folder = folder.join(format!("{}-{}", subject.name(), std::process::id()));
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(BenchError::file(&folder))?;
        }
        fs::create_dir_all(&folder).map_err(BenchError::file(&folder))?;
        let port = free_ports()?;
        let mut command = subject.prepare(&folder, port)?;
        let log = folder.join("log.txt");
        let log = File::create(&log).map_err(BenchError::file(&log))?;
        let copy = log.try_clone().map_err(BenchError::file(&folder))?;
        command.current_dir(&folder).stdout(log).stderr(copy);
        let mut child = command.spawn().map_err(BenchError::program("setsid"))?;
        let began = session::go(&mut child)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let port_open = Duration::ZERO;
        let mut broker = Self { subject: subject.name(), folder, address, child, began, port_open };
        broker.await_port()?;
        Ok(broker)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// When it was told to go.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// How long after that its port was open.
    pub fn port_open(&self) -> Duration {
        self.port_open
    }

    /// Asks it to end, waits, and removes its folder.
    pub fn stop(mut self) -> Result<(), BenchError> {
        let id = self.process().to_string();
        let mut kill = Command::new("kill");
        // If it is gone already, there is nothing to wait for either.
        kill.args(["-TERM", &id]).status().map_err(BenchError::program("kill"))?;
        let deadline = Instant::now() + STOP_DEADLINE;
        while Instant::now() < deadline {
            if self.child.try_wait().map_err(BenchError::program(self.subject))?.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn await_port(&mut self) -> Result<(), BenchError> {
        let deadline = self.began + START_DEADLINE;
        while Instant::now() < deadline {
            if TcpStream::connect(self.address).is_ok() {
                self.port_open = self.began.elapsed();
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(BenchError::program(self.subject))?;
            if ended.is_some() {
                break;
            }
            std::thread::sleep(STEP);
        }
        Err(BenchError::NotServing { subject: self.subject, log: self.keep_log() })
    }

    /// Saves the log from the folder's end, and says where it is.
    fn keep_log(&self) -> PathBuf {
        let kept = self.folder.with_extension("log");
        // If it cannot be copied, its name still says what is missing.
        drop(fs::copy(self.folder.join("log.txt"), &kept));
        kept
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill, and nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// Two ports in a row that nobody listens on, below those that Linux gives to clients.
fn free_ports() -> Result<u16, BenchError> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 6_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % u32::from(COUNT)).expect("COUNT fits");
    for _ in 0..COUNT {
        let step = (process + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = FIRST + step * 2;
        let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if is_free(port) && is_free(port + 1) {
            return Ok(port);
        }
    }
    Err(BenchError::NoPort)
}
