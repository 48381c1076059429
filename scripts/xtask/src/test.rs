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

/// Builds the broker that the whole-system tests start, then runs all tests.
///
/// It is the product as users build it: a build of the whole workspace would give it the simulator,
/// too.
///
/// The last line is the sum of what the test programs report themselves. A test program that dies
/// reports nothing: the step fails all the same, by its exit code.
pub fn run_tests() -> Result<(), StepError> {
    step("build the broker", &mut cargo(&["build", "--release", "--package", "cli"]))?;
    let title = "test";
    announce(title);
    let started = Instant::now();
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.env("RINGMAIN_BIN", workspace::target().join("release/ringmain"));
    let spawned = command.stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|source| cannot_start(title, &command, source))?;
    let stdout = child.stdout.take().expect("it was asked to be piped");
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|source| cannot_start(title, &command, source))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        tally.count(&line);
    }
    let status = child.wait().map_err(|source| cannot_start(title, &command, source))?;
    let outcome = finish(title, started, status);
    println!("{} passed, {} failed", tally.passed, tally.failed);
    outcome?;
    match tally.ignored {
        0 => Ok(()),
        count => Err(StepError::Ignored { count }),
    }
}

/// The sum of the results of several test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Adds a line of the form `test result: ok. 3 passed; 0 failed; 0 ignored; ...`, if it is one.
    fn count(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let Some((_, counts)) = result.split_once(". ") else { return };
        for part in counts.split("; ") {
            let Some((number, what)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn the_results_of_all_programs_are_summed_and_other_lines_are_not() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; finished in 0.01s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "9 passed",
        ] {
            tally.count(line);
        }
        assert_eq!(tally, Tally { passed: 7, failed: 2, ignored: 1 });
    }
}
