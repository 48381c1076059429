//! `cargo xtask test`: installs the peers, builds the broker, runs every test, and counts them.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use crate::peers;
use crate::steps::{StepError, announce, cannot_start, cargo, finish, step};
use crate::workspace;

/// Installs the peers and runs all tests.
pub fn run() -> Result<(), StepError> {
    peers::run()?;
    run_tests()
}

/// The faults that the simulated power cuts must find, each a feature of crate `simulation`.
const PLANTED: [&str; 5] = [
    "known-bad-ack-before-sync",
    "known-bad-recycle-before-flush",
    "known-bad-serve-before-recovery-sync",
    "known-bad-skip-syncfs",
    "known-bad-skip-dir-sync",
];

/// Builds the broker that the whole-system tests start, then runs all tests, and those of the
/// planted faults with each fault in turn.
///
/// The broker is the product as users build it: a build of the whole workspace would give it the
/// simulator, too.
///
/// The last line is the sum of what the test programs report themselves. A test program that dies
/// reports nothing: whatever it announced counts as failed.
pub fn run_tests() -> Result<(), StepError> {
    step("build the broker", &mut cargo(&["build", "--release", "--package", "cli"]))?;
    build_forgetful()?;
    let mut tally = Tally::default();
    let mut outcome = count("test", &["--workspace", "--no-fail-fast"], &mut tally);
    for fault in PLANTED {
        let title = format!("planted fault {fault}");
        let arguments = ["--package", "simulation", "--features", fault, "--test", "planted"];
        outcome = outcome.and(count(&title, &arguments, &mut tally));
    }
    println!("{} passed, {} failed", tally.passed, tally.failed());
    outcome?;
    match tally.ignored {
        0 => Ok(()),
        count => Err(StepError::Ignored { count }),
    }
}

/// Builds, where the kill tests look for it, the broker that they must find out: it takes minutes
/// in a fresh folder, which should not look like a test that hangs.
fn build_forgetful() -> Result<(), StepError> {
    let mut build = cargo(&["build", "--package", "cli"]);
    build.args(["--features", "known-bad-forget-producer-state"]);
    build.arg("--target-dir").arg(workspace::target().join("known-bad"));
    step("build the broker that forgets its producers", &mut build)
}

/// Runs `cargo test` with these arguments, and adds its results to the tally.
fn count(title: &str, arguments: &[&str], tally: &mut Tally) -> Result<(), StepError> {
    announce(title);
    let started = Instant::now();
    let mut command = cargo(&["test"]);
    command.args(arguments);
    command.env("RINGMAIN_BIN", workspace::target().join("release/ringmain"));
    let spawned = command.stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|source| cannot_start(title, &command, source))?;
    let stdout = child.stdout.take().expect("it was asked to be piped");
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|source| cannot_start(title, &command, source))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.count(&line);
    }
    let status = child.wait().map_err(|source| cannot_start(title, &command, source))?;
    finish(title, started, status)
}

/// The sum of the results of several test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    announced: u64,
    passed: u64,
    ignored: u64,
}

impl Tally {
    /// Adds a line of the form `running 3 tests` or `test result: ok. 3 passed; 0 failed; 0
    /// ignored; ...`, if it is one.
    fn count(&mut self, line: &str) {
        if let Some(announced) = announced(line) {
            self.announced += announced;
        }
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let Some((_, counts)) = result.split_once(". ") else { return };
        for part in counts.split("; ") {
            let Some((number, what)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// The tests that were announced and neither passed nor were skipped.
    fn failed(&self) -> u64 {
        self.announced.saturating_sub(self.passed + self.ignored)
    }
}

/// The count in `running 3 tests`.
fn announced(line: &str) -> Option<u64> {
    let (count, what) = line.strip_prefix("running ")?.split_once(' ')?;
    if what.starts_with("test") { count.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.count(line));
        tally
    }

    #[test]
    fn the_results_of_all_programs_are_summed_and_other_lines_are_not() {
        let tally = tally(&[
            "running 4 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; finished in 0.01s",
            "running 6 tests",
            "running 9 miles",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "9 passed",
        ]);
        assert_eq!(tally, Tally { announced: 10, passed: 7, ignored: 1 });
        assert_eq!(tally.failed(), 2);
    }

    #[test]
    fn the_tests_of_a_program_that_dies_count_as_failed() {
        let tally = tally(&["running 1 test", "test a ... error: process didn't exit"]);
        assert_eq!((tally.passed, tally.failed()), (0, 1));
    }
}
