//! A broker without io_uring, as in a container whose seccomp profile forbids it.

use std::process::Command;

use crate::environment;
use crate::error::LaunchError;
use crate::process::wrapped;

/// The numbers of its three calls (setup, enter, register), the same on every architecture.
const CALLS: &str = "425,426,427";
/// What Docker's profile answers: EPERM.
const ERRNO: &str = "1";

/// Whether the kernel lets a broker use io_uring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoUring {
    /// As the machine has it.
    AsIs,
    /// A seccomp filter answers its calls with EPERM.
    Forbidden,
}

impl IoUring {
    /// The same program, to which this applies.
    pub(crate) fn applied_to(self, command: Command) -> Result<Command, LaunchError> {
        match self {
            Self::AsIs => Ok(command),
            Self::Forbidden => {
                let script = environment::workspace().join("tests/launch/python/forbid_calls.py");
                let mut python = Command::new(environment::python()?);
                python.arg(script).args([ERRNO, CALLS]);
                Ok(wrapped(python, &command))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_io_uring_runs_under_a_filter_and_knows_its_arguments() {
        let mut inner = Command::new("sh");
        inner.args(["-c", "grep ^Seccomp: /proc/$$/status; echo \"$0\" \"$KEPT\"; exit 7", "a b"]);
        inner.env("KEPT", "value");
        let command = IoUring::Forbidden.applied_to(inner).expect("the peers are installed");
        let output = { command }.output().expect("there is a Python");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // 2 is a filter.
        assert_eq!(said, "Seccomp:\t2\na b value\n", "{output:?}");
        assert_eq!(output.status.code(), Some(7));
    }
}
