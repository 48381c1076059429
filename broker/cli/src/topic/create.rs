//! `ringmain topic create`.

use std::io::Write;
use std::time::Duration;

use protocol::ErrorCode;
use protocol::generated::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreatableTopicResult, CreateTopicsRequest,
};
use serde_json::json;

use super::{Out, TopicError, all_or_some};
use crate::client::cluster::{Cluster, Topic, insist};
use crate::client::error::{ClientError, Refusal};
use crate::fault::with_errors;
use crate::nearest;
use crate::options::{self, Asking, Reader, Setting, whole};
use crate::progress::counted;

/// Make topics
///
/// Returns when every partition has a leader, so that the next command finds it.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = with_errors(&examples_and_settings()))]
pub struct Create {
    /// Their names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// How many partitions each has; else as the broker is set (num.partitions)
    #[arg(short, long, value_name = "NUMBER")]
    #[arg(value_parser = whole(1_i32..), allow_negative_numbers = true)]
    partitions: Option<i32>,
    /// On how many brokers each partition is; else as the broker is set
    #[arg(short, long, value_name = "NUMBER")]
    #[arg(value_parser = whole(1_i16..), allow_negative_numbers = true)]
    replication_factor: Option<i16>,
    /// A setting, with Kafka's key; may be given several times
    #[arg(short, long, value_name = "KEY=VALUE")]
    set: Vec<Setting>,
    /// All is well if a topic of that name exists, whatever it is like
    #[arg(long)]
    if_not_exists: bool,
    /// Only ask whether it could be made
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) asking: Asking,
}

const EXAMPLES: &str = "\
Examples:
  ringmain topic create flights
  ringmain topic create flights --partitions 6 --set retention.ms=-1
  ringmain topic create flights --if-not-exists     for scripts
  ringmain topic create flights -p 6 --dry-run     would it be allowed?";

/// The examples, and what can be set, from the table that a broker checks it with.
fn examples_and_settings() -> String {
    let mut text =
        format!("{EXAMPLES}\n\nSettings of a topic, with the defaults of this broker:\n");
    for key in server::TOPIC_KEYS {
        text += &format!("  {}={}\n      {}\n", key.name, key.default, key.doc);
    }
    text.truncate(text.trim_end().len());
    text
}

/// The number that leaves a choice to the broker (KIP-464).
const AS_BROKER: i16 = -1;

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Made,
    WasThere,
    CouldBeMade,
}

impl Fate {
    /// For a program.
    fn name(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::WasThere => "was_there",
            Self::CouldBeMade => "could_be_made",
        }
    }
}

pub(super) fn run(args: &Create, out: &mut Out) -> Result<(), TopicError> {
    if let Some(name) = options::twice(args.set.iter().map(|setting| &setting.name[..])) {
        return Err(TopicError::Twice { setting: name.to_owned() });
    }
    let mut cluster = args.asking.cluster()?;
    let mut refused = Vec::new();
    let results = ask(args, &mut cluster)?;
    for result in &results {
        let what = || format!("make the topic {}", result.name);
        let checked = Refusal::check(what, result.error_code, result.error_message.as_deref());
        let exists = ErrorCode::TopicAlreadyExists.number();
        let fate = match checked {
            Ok(()) if args.dry_run => Fate::CouldBeMade,
            Ok(()) => Fate::Made,
            Err(refusal) if args.if_not_exists && refusal.code == exists => Fate::WasThere,
            Err(refusal) => {
                let error = ClientError::from(refusal).or_settings(|| right_settings(args));
                refused.push((result.name.clone(), error));
                continue;
            }
        };
        let topic = match fate {
            Fate::CouldBeMade => None,
            Fate::Made | Fate::WasThere => Some(cluster.topic_with_leaders(&result.name)?),
        };
        tell(args, fate, result, topic.as_ref(), out)?;
    }
    all_or_some(refused, results.len(), args.asking.reader())
}

/// A broker that is not the controller any more says so: then the new one is asked.
fn ask(args: &Create, cluster: &mut Cluster) -> Result<Vec<CreatableTopicResult>, ClientError> {
    let configs = args.set.iter().map(|setting| CreatableTopicConfig {
        name: setting.name.clone(),
        value: Some(setting.value.clone()),
    });
    let configs: Vec<_> = configs.collect();
    let topics = args.names.iter().map(|name| CreatableTopic {
        name: name.clone(),
        num_partitions: args.partitions.unwrap_or(AS_BROKER.into()),
        replication_factor: args.replication_factor.unwrap_or(AS_BROKER),
        assignments: Vec::new(),
        configs: configs.clone(),
    });
    let patience = cluster.patience();
    let request = CreateTopicsRequest {
        topics: topics.collect(),
        timeout_ms: milliseconds(patience),
        validate_only: args.dry_run,
    };
    insist(patience, || {
        let answer = cluster.ask_controller(&request)?;
        let moved = ErrorCode::NotController.number();
        if answer.topics.iter().any(|topic| topic.error_code == moved) {
            Refusal::check(|| "make topics".to_owned(), moved, None)?;
        }
        Ok(answer.topics)
    })
}

/// Where the right settings are found, when some are wrong and no topic has any yet.
fn right_settings(args: &Create) -> String {
    let names = server::TOPIC_KEYS.iter().map(|key| key.name);
    let given = args.set.iter().map(|setting| &setting.name[..]);
    let lists = "`ringmain topic create --help` lists a topic's settings";
    match nearest::to_unknown(given, names) {
        Some(near) => format!("did you mean {near}? {lists}"),
        None => lists.to_owned(),
    }
}

/// For a request's field.
pub(super) fn milliseconds(patience: Duration) -> i32 {
    i32::try_from(patience.as_millis()).unwrap_or(i32::MAX)
}

fn tell(
    args: &Create,
    fate: Fate,
    result: &CreatableTopicResult,
    topic: Option<&Topic>,
    out: &mut Out,
) -> Result<(), TopicError> {
    // Of a topic that is not made the broker may say what it would be like (KIP-525).
    let (partitions, replicas) = match topic {
        Some(topic) => {
            let copies = topic.partitions.first().map(|first| first.replicas.len());
            (Some(topic.partitions.len() as u64), copies.map(|copies| copies as u64))
        }
        None => (
            u64::try_from(result.num_partitions).ok(),
            u64::try_from(result.replication_factor).ok(),
        ),
    };
    let said = match (args.asking.reader(), fate) {
        (Reader::Program, _) => {
            let line = json!({
                "topic": result.name,
                "id": topic.map(|topic| &topic.id),
                "outcome": fate.name(),
                "made": fate == Fate::Made,
                "partitions": partitions,
                "replication_factor": replicas,
            });
            writeln!(out, "{line}")
        }
        (Reader::Person, Fate::CouldBeMade) => writeln!(out, "{} could be made", result.name),
        (Reader::Person, fate) => {
            let verb = if fate == Fate::Made { "made" } else { "there was already" };
            let (partitions, replicas) = (partitions.unwrap_or(0), replicas.unwrap_or(0));
            let partitions = counted(partitions, "partition");
            let brokers = counted(replicas, "broker");
            writeln!(out, "{verb} {}: {partitions} on {brokers}", result.name)
        }
    };
    Ok(said?)
}
