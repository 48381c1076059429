//! Real clients as processes: started, ended within a deadline, their output kept.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use crate::{wait, workspace};

/// Longer than any client of these tests takes on a busy machine of two cores.
const DEADLINE: Duration = Duration::from_secs(300);

/// A client that runs. Its output goes to files, so that it never waits for its reader.
#[derive(Debug)]
pub struct Client {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Client {
    /// Starts one of the programs in `tests/conformance/python`; its output goes below `folder`.
    pub fn python(folder: &Path, program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(workspace::python());
        command.arg(format!("{}/python/{program}.py", env!("CARGO_MANIFEST_DIR")));
        Self::program(folder, program, command.args(arguments))
    }

    /// Starts kcat.
    pub fn kcat(folder: &Path, arguments: &[&str]) -> Self {
        Self::program(folder, "kcat", Command::new("kcat").args(arguments))
    }

    /// Starts any program.
    pub fn program(folder: &Path, name: &str, command: &mut Command) -> Self {
        let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
        fs::create_dir_all(folder).expect("a folder below target can be made");
        command.stdout(File::create(&stdout).expect("a fresh folder can be written"));
        command.stderr(File::create(&stderr).expect("a fresh folder can be written"));
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("{name}: {error}; see cargo xtask peers"));
        Self { name: name.to_string(), child, stdout, stderr }
    }

    /// Waits until it has printed a line.
    ///
    /// # Panics
    ///
    /// If it ends, or takes too long.
    pub fn await_line(&mut self, line: &str) {
        wait::until(&self.name, DEADLINE, || {
            let ended = self.child.try_wait().expect("our own child can be waited for");
            let errors = || fs::read_to_string(&self.stderr).unwrap_or_default();
            assert!(ended.is_none(), "{}: ended before it said {line}\n{}", self.name, errors());
            let output = fs::read_to_string(&self.stdout).unwrap_or_default();
            output.lines().any(|found| found == line).then_some(())
        });
    }

    /// Waits for its end and returns its standard output.
    ///
    /// # Panics
    ///
    /// If it fails or takes too long.
    pub fn output(self) -> Vec<u8> {
        let mut output = Vec::new();
        self.output_file().read_to_end(&mut output).expect("an open file of ours can be read");
        output
    }

    /// Waits for its end and returns its standard output as a file that has no name any more.
    ///
    /// # Panics
    ///
    /// If it fails or takes too long.
    pub fn output_file(mut self) -> File {
        let child = &mut self.child;
        let status = wait::until(&self.name, DEADLINE, || {
            child.try_wait().expect("our own child can be waited for")
        });
        let errors = fs::read(&self.stderr).unwrap_or_default();
        let errors = String::from_utf8_lossy(&errors);
        assert!(status.success(), "{}: {status}\n{errors}", self.name);
        let output = File::open(&self.stdout).expect("it was created for the client");
        fs::remove_file(&self.stdout).expect("it was just opened");
        output
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // After its end there is nothing to kill, and nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
