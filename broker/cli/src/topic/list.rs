//! `ringmain topic list`.

use std::io::Write;

use serde_json::json;

use super::{Out, TopicError};
use crate::options::{AsJson, Reach, Reader};

/// List the topics
///
/// One name a line; `ringmain topic describe` says more.
#[derive(clap::Args, Clone, Debug)]
pub struct List {
    /// Those that brokers have for themselves, too
    #[arg(long)]
    internal: bool,
    #[command(flatten)]
    json: AsJson,
    #[command(flatten)]
    reach: Reach,
}

pub(super) fn run(args: &List, out: &mut Out) -> Result<(), TopicError> {
    let topics = args.reach.cluster()?.topics()?;
    for topic in topics.iter().filter(|topic| args.internal || !topic.is_internal) {
        match args.json.reader() {
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
