//! `ringmain topic list`.

use std::io::Write;

use serde_json::json;

use super::{Out, TopicError};
use crate::fault::with_errors;
use crate::options::{Asking, Reader};

/// List the topics
///
/// One name a line; `ringmain topic describe` says more.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = with_errors(EXAMPLES))]
pub struct List {
    /// Those that brokers have for themselves, too
    #[arg(long)]
    internal: bool,
    #[command(flatten)]
    pub(super) asking: Asking,
}

const EXAMPLES: &str = "\
Examples:
  ringmain topic list
  ringmain topic list --internal --json | jq -r 'select(.partitions > 1) | .topic'
  ringmain topic list -b kafka:9092         those of another cluster";

pub(super) fn run(args: &List, out: &mut Out) -> Result<(), TopicError> {
    let topics = args.asking.cluster()?.topics()?;
    for topic in topics.iter().filter(|topic| args.internal || !topic.is_internal) {
        match args.asking.reader() {
            Reader::Person => writeln!(out, "{}", topic.name)?,
            Reader::Program => {
                let line = json!({
                    "topic": topic.name,
                    "id": topic.id,
                    "internal": topic.is_internal,
                    "partitions": topic.partitions.len(),
                });
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}
