//! `ringmain topic delete`.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::generated::delete_topics::{DeletableTopicResult, DeleteTopicsRequest};
use serde_json::json;

use super::create::milliseconds;
use super::{Out, TopicError, all_or_some};
use crate::client::cluster::{Cluster, insist};
use crate::client::error::{ClientError, Refusal};
use crate::fault::with_errors;
use crate::options::{Asking, Reader};

/// Delete topics, and all records in them
///
/// Returns when the brokers do not know them any more. There is no way back, and no question.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = with_errors(EXAMPLES))]
pub struct Delete {
    /// Their names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// All is well if there is no such topic
    #[arg(long)]
    if_exists: bool,
    #[command(flatten)]
    pub(super) asking: Asking,
}

const EXAMPLES: &str = "\
Examples:
  ringmain topic delete flights
  ringmain topic delete flights planes --if-exists    for scripts";

/// How often the brokers are asked whether they still know it.
const GLANCE: Duration = Duration::from_millis(20);

pub(super) fn run(args: &Delete, out: &mut Out) -> Result<(), TopicError> {
    let mut cluster = args.asking.cluster()?;
    let results = ask(args, &mut cluster)?;
    let mut refused = Vec::new();
    for (name, result) in &results {
        let what = || format!("delete the topic {name}");
        let checked = Refusal::check(what, result.error_code, result.error_message.as_deref());
        let unknown = ErrorCode::UnknownTopicOrPartition.number();
        let is_deleted = match checked {
            Ok(()) => true,
            Err(refusal) if args.if_exists && refusal.code == unknown => false,
            Err(refusal) => {
                refused.push((name.clone(), refusal.into()));
                continue;
            }
        };
        if is_deleted {
            await_end(&mut cluster, name)?;
        }
        match args.asking.reader() {
            Reader::Person if is_deleted => writeln!(out, "deleted {name}")?,
            Reader::Person => writeln!(out, "there was no {name}")?,
            Reader::Program => {
                writeln!(out, "{}", json!({ "topic": name, "deleted": is_deleted }))?;
            }
        }
    }
    all_or_some(refused, results.len(), args.asking.reader())
}

fn ask(
    args: &Delete,
    cluster: &mut Cluster,
) -> Result<BTreeMap<String, DeletableTopicResult>, ClientError> {
    let patience = cluster.patience();
    let request = DeleteTopicsRequest {
        topic_names: args.names.clone(),
        timeout_ms: milliseconds(patience),
        ..DeleteTopicsRequest::default()
    };
    insist(patience, || {
        let answer = cluster.ask_controller(&request)?;
        let moved = ErrorCode::NotController.number();
        if answer.responses.iter().any(|topic| topic.error_code == moved) {
            Refusal::check(|| "delete topics".to_owned(), moved, None)?;
        }
        let named = |result: DeletableTopicResult| Some((result.name.clone()?, result));
        Ok(answer.responses.into_iter().filter_map(named).collect())
    })
}

/// Other brokers hear of it a moment later.
fn await_end(cluster: &mut Cluster, name: &str) -> Result<(), ClientError> {
    let deadline = Instant::now() + cluster.patience();
    while Instant::now() < deadline {
        match cluster.try_topic(name) {
            Err(ClientError::NoTopic { .. }) => return Ok(()),
            Ok(_) => std::thread::sleep(GLANCE),
            Err(error) if error.is_retriable() => std::thread::sleep(GLANCE),
            Err(error) => return Err(error),
        }
    }
    let what = format!("see the end of the topic {name}");
    Err(Refusal::new(what, ErrorCode::RequestTimedOut.number(), None).into())
}
