//! A running broker: awaited, asked to stop, killed.

use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::error::LaunchError;
use crate::site::Site;

/// A JVM on a busy machine of two cores needs a while; a sound broker comes far below it.
const START_DEADLINE: Duration = Duration::from_secs(90);
/// The same for the end of a broker that was asked to stop.
pub const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// How often a starting or stopping broker is looked at; it is part of what a measured start takes.
const GLANCE: Duration = Duration::from_micros(500);

/// A broker's process; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    program: String,
    child: Child,
}

impl Process {
    /// Starts `command`, whose output goes to the log of `site`, and returns at once: clients find
    /// out when it serves.
    pub fn start(mut command: Command, site: &Site) -> Result<Self, LaunchError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let [stdout, stderr] = site.logs()?;
        let spawned = command.stdout(stdout).stderr(stderr).spawn();
        let child = spawned.map_err(LaunchError::program(&*program))?;
        Ok(Self { program, child })
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard input, once, where the command asked for a pipe.
    pub fn take_input(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits until it listens at the address of `site`.
    pub fn await_port(&mut self, site: &Site) -> Result<(), LaunchError> {
        let deadline = Instant::now() + START_DEADLINE;
        while TcpStream::connect(site.address()).is_err() {
            if let Some(status) = self.ended()? {
                return Err(LaunchError::Ended { status, log: site.log_path() });
            }
            if Instant::now() >= deadline {
                return Err(LaunchError::Silent { after: START_DEADLINE, log: site.log_path() });
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, LaunchError> {
        self.child.try_wait().map_err(LaunchError::program(&*self.program))
    }

    /// Sends SIGTERM, which asks for a clean end, and SIGKILL after `patience`. Returns how the
    /// broker ended if it was quicker.
    pub fn stop(&mut self, patience: Duration) -> Result<Option<ExitStatus>, LaunchError> {
        let deadline = Instant::now() + patience;
        let mut kill = Command::new("kill");
        kill.args(["-s", "TERM", &self.id().to_string()]);
        let sent = kill.status().map_err(LaunchError::program("kill"))?;
        if !sent.success() {
            return Err(LaunchError::Signal { status: sent });
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

    /// Sends SIGKILL, and waits until the process is gone and nobody listens at the address of
    /// `site`: the kernel closes the sockets of a ring a moment after its process has ended, and
    /// until then the old listener would be taken for that of the next broker.
    pub fn kill_and_await_silence(&mut self, site: &Site) -> Result<(), LaunchError> {
        self.kill()?;
        let deadline = Instant::now() + STOP_DEADLINE;
        while TcpStream::connect(site.address()).is_ok() {
            if Instant::now() >= deadline {
                return Err(LaunchError::StillOpen { address: site.address() });
            }
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// Sends SIGKILL and waits until the process is gone.
    pub fn kill(&mut self) -> Result<(), LaunchError> {
        let gone = self.child.kill().and_then(|()| self.child.wait());
        gone.map(drop).map_err(LaunchError::program(&*self.program))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill, and nobody to tell.
        drop(self.kill());
    }
}

/// `outer` with the program and the arguments of `inner` behind its own, in the same environment
/// and folder: for a shell or a tool that prepares the process and then becomes `inner`.
pub fn wrapped(mut outer: Command, inner: &Command) -> Command {
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    if let Some(folder) = inner.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}

#[cfg(test)]
mod tests;
