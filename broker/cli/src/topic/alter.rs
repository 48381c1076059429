//! `ringmain topic alter`.

use std::io::Write;

use protocol::generated::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use serde_json::json;

use super::create::milliseconds;
use super::{Out, TopicError};
use crate::client::cluster::{Cluster, insist};
use crate::client::error::{ClientError, Refusal};
use crate::config::settings::{self, Owner, Then};
use crate::fault::with_errors;
use crate::options::{Asking, Changes, Reader, whole};
use crate::progress::counted;

/// Give a topic more partitions, or other settings
///
/// A topic cannot lose partitions. Records with a key go to other partitions when there are more;
/// those that are written stay where they are. Where partitions and settings are to change, the
/// cluster is asked whether it would do both before it does either.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = with_errors(EXAMPLES))]
pub struct Alter {
    /// Its name
    name: String,
    /// How many partitions it is to have
    #[arg(short, long, value_name = "NUMBER")]
    #[arg(value_parser = whole(1_i32..), allow_negative_numbers = true)]
    partitions: Option<i32>,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    pub(super) asking: Asking,
}

const EXAMPLES: &str = "\
Examples:
  ringmain topic alter flights --partitions 12
  ringmain topic alter flights --set retention.ms=-1 --unset segment.bytes";

pub(super) fn run(args: &Alter, out: &mut Out) -> Result<(), TopicError> {
    let Alter { name, partitions, changes, asking } = args;
    if partitions.is_none() && changes.is_empty() {
        return Err(TopicError::Nothing);
    }
    if let Some(name) = changes.twice() {
        return Err(TopicError::Twice { setting: name.to_owned() });
    }
    let mut cluster = asking.cluster()?;
    // A name that was mistyped is better known before a part of it is done.
    cluster.topic(name)?;
    let owner = Owner::Topic(name.clone());
    let new = (*partitions).map(|count| NewPartitions { name, count });
    if !changes.is_empty() {
        settings::check_unset(&mut cluster, &owner, &changes.unset)?;
        if let Some(new) = &new {
            settings::request(&mut cluster, &owner, changes, Then::Nothing)?;
            new.request(&mut cluster, Then::Nothing)?;
        }
        settings::alter(&mut cluster, &owner, changes)?;
    }
    if let Some(new) = &new {
        let grown = new.make(&mut cluster);
        grown.map_err(|error| match changes.is_empty() {
            true => TopicError::Client(error),
            false => TopicError::Half { changes: Box::new(changes.clone()), error },
        })?;
    }
    let partitions = cluster.topic_with_leaders(name)?.partitions.len();
    match asking.reader() {
        Reader::Person => {
            writeln!(out, "changed {name}: {}", counted(partitions as u64, "partition"))?;
        }
        Reader::Program => {
            let (set, unset) = (changes.set_json(), &changes.unset);
            let line =
                json!({ "topic": name, "partitions": partitions, "set": set, "unset": unset });
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// So many partitions for a topic.
struct NewPartitions<'a> {
    name: &'a str,
    count: i32,
}

impl NewPartitions<'_> {
    /// Asks for them, or only whether they could be had.
    fn request(&self, cluster: &mut Cluster, then: Then) -> Result<(), ClientError> {
        let patience = cluster.patience();
        let name = self.name.to_owned();
        let topic = CreatePartitionsTopic { name, count: self.count, assignments: None };
        let request = CreatePartitionsRequest {
            topics: vec![topic],
            timeout_ms: milliseconds(patience),
            validate_only: then == Then::Nothing,
        };
        let count = u64::from(self.count.unsigned_abs());
        let what = || format!("give {} {}", self.name, counted(count, "partition"));
        insist(patience, || {
            let answer = cluster.ask_controller(&request)?;
            for result in &answer.results {
                Refusal::check(what, result.error_code, result.error_message.as_deref())?;
            }
            Ok(())
        })
    }

    /// Asks for them, and waits until they are known.
    fn make(&self, cluster: &mut Cluster) -> Result<(), ClientError> {
        self.request(cluster, Then::Change)?;
        insist(cluster.patience(), || {
            let found = cluster.topic(self.name)?.partitions.len();
            match usize::try_from(self.count).is_ok_and(|count| found >= count) {
                true => Ok(()),
                // The broker that was asked has not heard of them yet.
                false => {
                    let (topic, partition) = (self.name.to_owned(), self.count - 1);
                    Err(ClientError::NoLeader { topic, partition })
                }
            }
        })
    }
}
