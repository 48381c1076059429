//! `ringmain config alter`.

use std::io::{BufWriter, StdoutLock, Write};

use serde_json::{Map, Value, json};

use super::settings;
use super::{ConfigError, Kind, owner};
use crate::options::{AsJson, Reach, Reader, Setting};

/// Change the settings of a topic or a broker
///
/// Takes effect without a restart, and survives one. All of it is done, or nothing.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Alter {
    /// Whose
    kind: Kind,
    /// The topic's name or the broker's number
    name: String,
    /// A setting, with Kafka's key; may be given several times
    #[arg(short, long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
    /// A setting that goes back to its default; may be given several times
    #[arg(short, long, value_name = "KEY")]
    unset: Vec<String>,
    #[command(flatten)]
    json: AsJson,
    #[command(flatten)]
    reach: Reach,
}

const EXAMPLES: &str = "\
Examples:
  ringmain config alter topic flights --set segment.bytes=1048576 --set retention.ms=-1
  ringmain config alter topic flights --unset segment.bytes";

pub(super) fn run(args: &Alter, out: &mut BufWriter<StdoutLock<'_>>) -> Result<(), ConfigError> {
    if args.set.is_empty() && args.unset.is_empty() {
        return Err(ConfigError::Nothing);
    }
    let mut cluster = args.reach.cluster()?;
    let owner = owner(&cluster, args.kind, Some(&args.name))?;
    settings::alter(&mut cluster, &owner, &args.set, &args.unset)?;
    match args.json.reader() {
        Reader::Person => writeln!(out, "changed the settings of {owner}")?,
        Reader::Program => {
            let set = args.set.iter();
            let set = set.map(|own| (own.name.clone(), Value::from(own.value.clone())));
            let set: Map<_, _> = set.collect();
            writeln!(out, "{}", json!({ "set": set, "unset": args.unset }))?;
        }
    }
    Ok(())
}
