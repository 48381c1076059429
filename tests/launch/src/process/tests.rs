//! A process is told how it ended, and by whom.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Process, STOP_DEADLINE, wrapped};
use crate::error::LaunchError;
use crate::{Site, environment};

/// A site with a folder of its own, which is removed at the end.
struct Place(Site);

impl Place {
    fn new(name: &str) -> Self {
        let folder = environment::target().join("launch").join(name);
        std::fs::create_dir_all(&folder).expect("target can be written");
        Self(Site::new(folder).expect("ports are free"))
    }

    fn run(&self, script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(command, &self.0).expect("there is a shell")
    }

    /// Waits until the script has said something: its trap is set by then.
    fn await_words(&self) {
        let deadline = Instant::now() + STOP_DEADLINE;
        while self.0.last_words().is_empty() {
            assert!(Instant::now() < deadline, "the script says nothing");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(self.0.folder()).expect("it was just made");
    }
}

#[test]
fn a_broker_that_ends_at_its_start_is_told_with_its_status_and_its_log() {
    let place = Place::new("ends");
    let mut process = place.run("echo so it ends >&2; exit 3");
    match process.await_port(&place.0) {
        Err(LaunchError::Ended { status, log }) => {
            assert_eq!(status.code(), Some(3));
            assert_eq!(std::fs::read_to_string(log).expect("its log"), "so it ends\n");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_broker_that_stops_in_time_says_how() {
    let place = Place::new("stops");
    let mut process = place.run("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done");
    place.await_words();
    let status = process.stop(STOP_DEADLINE).expect("it can be stopped");
    assert_eq!(status.and_then(|status| status.code()), Some(7));
}

#[test]
fn a_broker_that_does_not_stop_is_killed() {
    let place = Place::new("lives-on");
    let mut process = place.run("trap '' TERM; echo ready; while :; do sleep 0.01; done");
    place.await_words();
    assert_eq!(process.stop(Duration::from_millis(50)).expect("it can be killed"), None);
    assert!(process.ended().expect("it was waited for").is_some());
}

#[test]
fn a_wrapped_command_keeps_arguments_environment_and_folder() {
    let mut inner = Command::new("sh");
    inner.args(["-c", "echo $0 $KEPT $PWD; test -z \"$HOME\"", "name"]);
    inner.env("KEPT", "value").env_remove("HOME").current_dir("/");
    let mut outer = Command::new("sh");
    outer.args(["-c", "exec \"$@\"", "sh"]);
    let output = wrapped(outer, &inner).output().expect("there is a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "name value /\n");
    assert!(output.status.success());
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let place = Place::new("nowhere");
    let missing: PathBuf = place.0.folder().join("no-such-program");
    let error = Process::start(Command::new(&missing), &place.0).expect_err("it is not there");
    assert!(error.to_string().contains("no-such-program"), "{error}");
}
