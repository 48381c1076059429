//! `ringmain topic alter`.

use std::io::Write;

use protocol::generated::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use serde_json::json;

use super::create::milliseconds;
use super::{Out, TopicError};
use crate::client::cluster::{Cluster, insist};
use crate::client::error::{ClientError, Refusal};
use crate::config::settings::{self, Owner};
use crate::options::{AsJson, Reach, Reader, Setting};

/// Give a topic more partitions, or other settings
///
/// A topic cannot lose partitions. Records with a key go to other partitions when there are more;
/// those that are written stay where they are.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = EXAMPLES)]
pub struct Alter {
    /// Its name
    name: String,
    /// How many partitions it is to have
    #[arg(short, long, value_name = "NUMBER")]
    #[arg(required_unless_present_any = ["set", "unset"])]
    partitions: Option<i32>,
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
  ringmain topic alter flights --partitions 12
  ringmain topic alter flights --set retention.ms=-1 --unset segment.bytes";

pub(super) fn run(args: &Alter, out: &mut Out) -> Result<(), TopicError> {
    let mut cluster = args.reach.cluster()?;
    // A name that was mistyped is better known before a part of it is done.
    cluster.topic(&args.name)?;
    if !(args.set.is_empty() && args.unset.is_empty()) {
        let owner = Owner::Topic(args.name.clone());
        settings::alter(&mut cluster, &owner, &args.set, &args.unset)?;
    }
    if let Some(count) = args.partitions {
        grow(&mut cluster, &args.name, count)?;
    }
    let partitions = cluster.topic_with_leaders(&args.name)?.partitions.len();
    match args.json.reader() {
        Reader::Person => writeln!(out, "changed {}: {partitions} partitions", args.name)?,
        Reader::Program => {
            writeln!(out, "{}", json!({ "topic": args.name, "partitions": partitions }))?;
        }
    }
    Ok(())
}

/// Asks for so many partitions, and waits until they are known.
fn grow(cluster: &mut Cluster, name: &str, count: i32) -> Result<(), ClientError> {
    let patience = cluster.patience();
    let topic = CreatePartitionsTopic { name: name.to_owned(), count, assignments: None };
    let request = CreatePartitionsRequest {
        topics: vec![topic],
        timeout_ms: milliseconds(patience),
        validate_only: false,
    };
    let what = || format!("give {name} {count} partitions");
    insist(patience, || {
        let answer = cluster.ask_controller(&request)?;
        for result in &answer.results {
            Refusal::check(what, result.error_code, result.error_message.as_deref())?;
        }
        Ok(())
    })?;
    insist(patience, || {
        let found = cluster.topic(name)?.partitions.len();
        match usize::try_from(count).is_ok_and(|count| found >= count) {
            true => Ok(()),
            // The broker that was asked has not heard of them yet.
            false => Err(ClientError::NoLeader { topic: name.to_owned(), partition: count - 1 }),
        }
    })
}
