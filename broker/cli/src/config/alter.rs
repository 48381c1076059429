//! `ringmain config alter`.

use std::io::{BufWriter, StdoutLock, Write};

use serde_json::json;

use super::settings;
use super::{ConfigError, Kind, owner};
use crate::fault::with_errors;
use crate::options::{Asking, Changes, Reader};

/// Change the settings of a topic or a broker
///
/// Takes effect without a restart, and survives one. All of it is done, or nothing.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = with_errors(EXAMPLES))]
pub struct Alter {
    /// Whose
    kind: Kind,
    /// The topic's name or the broker's number
    name: String,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    pub(super) asking: Asking,
}

const EXAMPLES: &str = "\
Examples:
  ringmain config alter topic flights --set segment.bytes=1048576 --set retention.ms=-1
  ringmain config alter topic flights --unset segment.bytes";

pub(super) fn run(args: &Alter, out: &mut BufWriter<StdoutLock<'_>>) -> Result<(), ConfigError> {
    let Alter { changes, asking, .. } = args;
    if changes.is_empty() {
        return Err(ConfigError::Nothing);
    }
    if let Some(name) = changes.twice() {
        return Err(ConfigError::Twice { setting: name.to_owned() });
    }
    let mut cluster = asking.cluster()?;
    let owner = owner(&mut cluster, args.kind, Some(&args.name))?;
    settings::check_unset(&mut cluster, &owner, &changes.unset)?;
    settings::alter(&mut cluster, &owner, changes)?;
    match asking.reader() {
        Reader::Person => writeln!(out, "changed the settings of {owner}")?,
        Reader::Program => {
            let line = json!({ "set": changes.set_json(), "unset": changes.unset });
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}
