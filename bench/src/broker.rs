//! A broker that is measured: prepared, told to go, stopped.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use launch::{Process, STOP_DEADLINE, Site};

use crate::error::BenchError;
use crate::session;
use crate::subject::Subject;

/// A running broker; dropping it kills it and removes its folder.
#[derive(Debug)]
pub struct Broker {
    site: Site,
    process: Process,
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
        let site = Site::new(folder)?;
        let (process, began) = exec(subject, &site)?;
        let mut broker = Self { site, process, began, port_open: Duration::ZERO };
        broker.await_port()?;
        Ok(broker)
    }

    /// Kills it with -9, starts it again on what it has left, and waits for its open port.
    pub fn kill_and_start(&mut self, subject: &Subject<'_>) -> Result<(), BenchError> {
        self.process.kill_and_await_silence(&self.site)?;
        (self.process, self.began) = exec(subject, &self.site)?;
        self.await_port()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.site.address()
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.process.id()
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
        self.process.stop(STOP_DEADLINE)?;
        Ok(())
    }

    fn await_port(&mut self) -> Result<(), BenchError> {
        let open = self.process.await_port(&self.site);
        self.port_open = self.began.elapsed();
        open.map_err(|error| BenchError::NotServing { error, log: self.keep_log() })
    }

    /// Saves the log from the folder's end, and says where it is.
    fn keep_log(&self) -> PathBuf {
        let kept = self.site.folder().with_extension("log");
        // If it cannot be copied, its name still says what is missing.
        drop(fs::copy(self.site.log_path(), &kept));
        kept
    }
}

/// Runs the subject, and says when it was told to go.
fn exec(subject: &Subject<'_>, site: &Site) -> Result<(Process, Instant), BenchError> {
    let command = subject.program().command(site, &subject.settings())?;
    let mut process = Process::start(session::on_command(&command), site)?;
    let input = process.take_input().expect("on_command asks for a pipe");
    let began = session::go(input)?;
    Ok((process, began))
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill, and nobody to tell.
        drop(self.process.kill());
        drop(fs::remove_dir_all(self.site.folder()));
    }
}
