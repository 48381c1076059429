//! A terminal that `ringmain` believes in, by `script` of util-linux.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use launch::environment;

use super::broker::Broker;
use super::run::{BINARY, Running, start};

/// Longer than anything takes to appear on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// What stands on a terminal.
pub struct Screen {
    running: Running,
    pieces: Receiver<Vec<u8>>,
    /// What came and was not awaited yet.
    rest: String,
}

impl Screen {
    /// Writes a file to a topic; standard input, output and error are the terminal. Gives the file:
    /// what is written there is read, and it ends when it is dropped.
    pub fn of_produce(broker: &Broker, topic: &str) -> (Self, File) {
        let name = format!("screen-{topic}-{}", std::process::id());
        let path = environment::target().join(name);
        drop(std::fs::remove_file(&path));
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()), "mkfifo {}", path.display());
        // One that could be read here, too, opens at once. The shell's end keeps what is written
        // while the command opens the file twice.
        let mut both_ways = OpenOptions::new();
        let file = both_ways.read(true).write(true).open(&path).expect("it was made");
        let (path, address) = (path.display(), broker.address());
        let line = format!(
            "exec 3<'{path}'; rm '{path}'; exec '{BINARY}' produce {topic} /dev/fd/3 -b {address}"
        );
        let mut command = Command::new("script");
        command.args(["-qefc", &line, "/dev/null"]).env("SHELL", "/bin/sh");
        let mut running = start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let mut output = running.child.stdout.take().expect("it is piped");
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut piece) {
                // Nobody looks any more when the test is over.
                drop(sender.send(piece[..count].to_vec()));
            }
        });
        (Self { running, pieces, rest: String::new() }, file)
    }

    /// Looks until this has appeared, behind what was awaited before.
    pub fn await_text(&mut self, text: &str) {
        loop {
            if let Some(at) = self.rest.find(text) {
                self.rest.drain(..at + text.len());
                return;
            }
            match self.pieces.recv_timeout(DEADLINE) {
                Ok(piece) => self.rest += &String::from_utf8_lossy(&piece),
                Err(error) => panic!("{error}: no {text:?} in {:?}", self.rest),
            }
        }
    }

    /// Waits for the command's end.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        self.running.wait(deadline)
    }
}
