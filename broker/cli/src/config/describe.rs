//! `ringmain config describe`.

use std::io::{BufWriter, StdoutLock, Write};

use serde_json::json;

use super::settings::{self, Origin, Reported};
use super::{ConfigError, Kind, owner};
use crate::fault::with_errors;
use crate::options::{Asking, Reader};
use crate::table::Table;

/// Show the settings of a topic or a broker
///
/// Those that were set; with --all the defaults, too.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = with_errors(EXAMPLES))]
pub struct Describe {
    /// Whose
    kind: Kind,
    /// The topic's name or the broker's number; without it the broker with the least number
    name: Option<String>,
    /// Those that nobody set, too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub(super) asking: Asking,
}

const EXAMPLES: &str = "\
Examples:
  ringmain config describe topic flights          what was set for it
  ringmain config describe topic flights --all    all that can be set, with the defaults
  ringmain config describe broker --all --json | jq -r '.name'";

pub(super) fn run(args: &Describe, out: &mut BufWriter<StdoutLock<'_>>) -> Result<(), ConfigError> {
    let mut cluster = args.asking.cluster()?;
    let owner = owner(&mut cluster, args.kind, args.name.as_deref())?;
    let all = settings::describe(&mut cluster, &owner)?;
    let shown = all.iter().filter(|setting| args.all || setting.origin != Origin::Default);
    match args.asking.reader() {
        Reader::Program => {
            for setting in shown {
                writeln!(out, "{}", program_line(setting))?;
            }
            Ok(())
        }
        Reader::Person => {
            let mut shown = shown.peekable();
            if shown.peek().is_none() {
                eprintln!(
                    "ringmain: nothing is set for {owner}; --all shows all that can be, with the \
                     defaults"
                );
            }
            let mut table = Table::default();
            for setting in shown {
                let value = setting.value.as_deref().unwrap_or("(not shown)");
                let fixed = if setting.is_fixed { ", fixed" } else { "" };
                let origin = format!("{}{fixed}", setting.origin.words());
                table.row([format!("{}={value}", setting.name), origin]);
            }
            Ok(table.write(out)?)
        }
    }
}

fn program_line(setting: &Reported) -> serde_json::Value {
    json!({
        "name": setting.name,
        "value": setting.value,
        "origin": setting.origin.name(),
        "fixed": setting.is_fixed,
    })
}
