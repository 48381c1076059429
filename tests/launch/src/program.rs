//! What can be run: Ringmain or Apache Kafka, each with the settings it is shipped with.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use crate::error::LaunchError;
use crate::io_uring::IoUring;
use crate::site::Site;
use crate::{kafka, ringmain};

/// A broker that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// This project's.
    Ringmain {
        /// The binary `ringmain`.
        binary: PathBuf,
        /// Whether it may use what it is made for.
        io_uring: IoUring,
    },
    /// Apache Kafka: one node that is broker and controller. `java` must be on the path.
    Kafka {
        /// The folder of its jars.
        jars: PathBuf,
    },
}

impl Program {
    /// The command that serves `site`, whose folder must exist; Kafka's is formatted first, once.
    ///
    /// `settings` are keys and values, for Kafka from the first start on. Kafka is not told keys
    /// that begin with `ringmain.`.
    pub fn command(
        &self,
        site: &Site,
        settings: &[(String, String)],
    ) -> Result<Command, LaunchError> {
        let mut command = match self {
            Self::Ringmain { binary, io_uring } => {
                io_uring.applied_to(ringmain::command(binary, site, settings))?
            }
            Self::Kafka { jars } => {
                kafka::format_once(jars, site, settings)?;
                kafka::command(jars, site)
            }
        };
        let names = std::env::vars_os().map(|(name, _)| name);
        remove_settings(&mut command, names);
        // What a JVM leaves behind stays in the folder, too.
        command.current_dir(site.folder()).stdin(Stdio::null());
        Ok(command)
    }

    /// Whether a broker that was asked to stop says by its status that all is well.
    pub fn stopped_well(&self, status: ExitStatus) -> bool {
        // A JVM that ends by SIGTERM in good order says 128 + 15.
        let expected = match self {
            Self::Ringmain { .. } => 0,
            Self::Kafka { .. } => 143,
        };
        status.code() == Some(expected)
    }
}

/// Ringmain takes every variable RINGMAIN_… for a setting and refuses what it does not know: those
/// of tests are none, and a stray setting must not change what is tested or measured.
fn remove_settings(command: &mut Command, names: impl Iterator<Item = OsString>) {
    for name in names {
        if name.as_encoded_bytes().starts_with(b"RINGMAIN_") {
            command.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::remove_settings;

    #[test]
    fn a_broker_never_sees_settings_in_the_environment() {
        let mut command = Command::new("ringmain");
        let names = ["RINGMAIN_BIN", "PATH", "RINGMAIN_SHARDS", "NO_RINGMAIN_"];
        remove_settings(&mut command, names.into_iter().map(Into::into));
        let mut removed: Vec<_> = command.get_envs().map(|(name, _)| name).collect();
        removed.sort();
        assert_eq!(removed, ["RINGMAIN_BIN", "RINGMAIN_SHARDS"]);
    }
}
