//! Programs in sessions of their own, preferred by the scheduler.
//!
//! With autogroups, which most distributions switch on, Linux divides the processor between
//! sessions and not between processes: `nice` only ranks within one session. Without a session of
//! its own that is raised, a broker shares one weight with the shell that measures it, and its
//! latencies are steps of the scheduler's 4 ms.

use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Instant;

use crate::error::BenchError;

/// Raises its session, waits for a line, becomes the program.
const WAIT_AND_BECOME: &str = "echo -20 2>/dev/null > /proc/self/autogroup; \
                               read -r go; exec \"$@\" < /dev/null";

/// Raises its session and becomes the program at once, which keeps its standard input.
const BECOME: &str = "echo -20 2>/dev/null > /proc/self/autogroup; exec \"$@\"";

/// A program in a raised session that takes its standard input from us.
pub fn at_once(program: &Path) -> Command {
    let mut command = raised(BECOME);
    command.arg(program);
    command
}

/// The same command in a raised session, that begins when [`go`] says so.
pub fn on_command(command: &Command) -> Command {
    let mut command = launch::wrapped(raised(WAIT_AND_BECOME), command);
    command.stdin(Stdio::piped());
    command
}

/// Lets a program of [`on_command`] begin by its standard input, and says when that was: the time
/// of its exec.
pub fn go(mut input: ChildStdin) -> Result<Instant, BenchError> {
    let began = Instant::now();
    input.write_all(b"go\n").map_err(BenchError::program("sh"))?;
    Ok(began)
}

/// Whether sessions can be raised here: it takes root, and a kernel with autogroups.
pub fn can_raise() -> bool {
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", "echo -20 > /proc/self/autogroup"]);
    command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A child of ours leads no group, so that `setsid` does not fork: the process keeps its id.
fn raised(script: &str) -> Command {
    let mut command = Command::new("setsid");
    // Who interrupts a measurement at the terminal does not reach other sessions: they end with us.
    command.args(["setpriv", "--pdeathsig", "KILL"]);
    command.args(["sh", "-c", script, "sh"]);
    command
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::{go, on_command};

    #[test]
    fn a_program_keeps_the_id_of_the_child_and_begins_on_command() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$"]);
        let mut child = on_command(&command).stdout(Stdio::piped()).spawn().unwrap();
        assert!(child.try_wait().unwrap().is_none());
        let id = child.id();
        go(child.stdin.take().unwrap()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), id.to_string());
    }
}
