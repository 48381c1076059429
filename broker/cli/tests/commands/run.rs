//! Runs `ringmain` and looks at what it says and how it ends.

use std::io::Write;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::broker::Broker;

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_ringmain");

/// A program that has ended.
pub struct Ran {
    command: String,
    output: Output,
}

/// Runs a command to its end, against this broker.
pub fn ringmain(broker: &Broker, arguments: &[&str], input: &[u8]) -> Ran {
    Ran::of(&mut command(broker, arguments), input)
}

impl Ran {
    /// Runs a program that reads `input`.
    pub fn of(command: &mut Command, input: &[u8]) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut stdin = child.stdin.take().expect("it is piped");
        let input = input.to_vec();
        let feeder = std::thread::spawn(move || {
            // It may end without reading all.
            drop(stdin.write_all(&input));
        });
        let output = child.wait_with_output().expect("our own child can be waited for");
        feeder.join().expect("it does not panic");
        Self { command: format!("{command:?}"), output }
    }

    /// What it wrote, of a program that must have succeeded.
    pub fn good(self) -> String {
        let errors = String::from_utf8_lossy(&self.output.stderr);
        assert!(self.output.status.success(), "{}: {}\n{errors}", self.command, self.output.status);
        assert_eq!(errors, "", "{}", self.command);
        String::from_utf8(self.output.stdout).expect("text")
    }

    /// The same, as JSON lines.
    pub fn json(self) -> Vec<Value> {
        let parsed = |line: &str| serde_json::from_str(line).expect("a line is JSON");
        self.good().lines().map(parsed).collect()
    }

    /// What it wrote and what it said beside, of a program that must have succeeded.
    pub fn good_with_words(self) -> (String, String) {
        let words = String::from_utf8_lossy(&self.output.stderr).into_owned();
        assert!(self.output.status.success(), "{}: {words}", self.command);
        (String::from_utf8(self.output.stdout).expect("text"), words)
    }

    /// What it wrote and what it said beside, of a program that did only a part of its work.
    pub fn partly(self) -> (String, String) {
        let words = String::from_utf8_lossy(&self.output.stderr).into_owned();
        assert_eq!(self.output.status.code(), Some(1), "{}: {words}", self.command);
        (String::from_utf8(self.output.stdout).expect("text"), words)
    }

    /// What it said of a failure, for programs: an object a line.
    pub fn bad_json(self, status: i32) -> Vec<Value> {
        let parsed = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        self.bad(status).lines().map(parsed).collect()
    }

    /// What it said of a failure, of a program that must have ended with this status.
    pub fn bad(self, status: i32) -> String {
        let errors = String::from_utf8_lossy(&self.output.stderr).into_owned();
        assert_eq!(self.output.status.code(), Some(status), "{}: {errors}", self.command);
        errors
    }
}

/// A program that runs; it is killed with the test.
pub struct Running {
    /// Its process.
    pub child: Child,
}

/// Starts a command against this broker; its standard output is a pipe.
pub fn spawn(broker: &Broker, arguments: &[&str], input: Stdio) -> Running {
    start(command(broker, arguments).stdin(input).stdout(Stdio::piped()))
}

/// The same, and its standard error is a pipe, too.
pub fn spawn_heard(broker: &Broker, arguments: &[&str], input: Stdio) -> Running {
    let mut command = command(broker, arguments);
    start(command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Starts a program.
pub fn start(command: &mut Command) -> Running {
    Running { child: command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")) }
}

impl Running {
    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        let sent = Command::new("kill").args(["-s", "INT", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIGINT was sent");
    }

    /// Waits for its end.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child can be waited for") {
                return status;
            }
            assert!(began.elapsed() < deadline, "{} does not end", self.child.id());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; the test has said so then.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(broker: &Broker, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).args(["--broker", &broker.address()]);
    command
}
