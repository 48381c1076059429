//! `ringmain topic describe`.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Map, Value, json};

use super::{Out, TopicError, all_or_some};
use crate::client::cluster::{Cluster, Partition, Topic};
use crate::client::error::ClientError;
use crate::client::offsets::{self, Isolation, Place};
use crate::config::settings::{self, Origin, Owner, Reported};
use crate::fault::with_errors;
use crate::options::{Asking, Reader};
use crate::progress::counted;
use crate::table::Table;

/// Describe topics: partitions, leaders, offsets, and the settings that were set for them
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = with_errors(EXAMPLES))]
pub struct Describe {
    /// Their names; without any, all topics
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    pub(super) asking: Asking,
}

const EXAMPLES: &str = "\
Examples:
  ringmain topic describe                  all topics
  ringmain topic describe flights planes
  ringmain topic describe flights --json | jq '[.partitions[].end_offset] | add'";

/// A partition and its offsets; those of one without a leader are not known.
struct Extent {
    partition: Partition,
    first: Option<i64>,
    end: Option<i64>,
}

pub(super) fn run(args: &Describe, out: &mut Out) -> Result<(), TopicError> {
    let mut cluster = args.asking.cluster()?;
    let (names, mut known) = match args.names.is_empty() {
        false => (args.names.clone(), BTreeMap::new()),
        true => {
            let topics = cluster.topics()?.into_iter().filter(|topic| !topic.is_internal);
            let known: BTreeMap<_, _> = topics.map(|topic| (topic.name.clone(), topic)).collect();
            (known.keys().cloned().collect(), known)
        }
    };
    let (mut refused, mut told) = (Vec::new(), 0);
    for name in &names {
        let looked = match known.remove(name) {
            Some(topic) => look(&mut cluster, topic),
            None => cluster.topic(name).and_then(|topic| look(&mut cluster, topic)),
        };
        let (topic, extents, settings) = match looked {
            Err(error) if error.is_about_topic() => {
                refused.push((name.clone(), error));
                continue;
            }
            other => other?,
        };
        match args.asking.reader() {
            Reader::Program => tell_program(&topic, &settings, &extents, out)?,
            Reader::Person => {
                if told > 0 {
                    writeln!(out)?;
                }
                tell_person(&topic, &settings, &extents, out)?;
            }
        }
        told += 1;
    }
    // On a terminal the refusals come behind what is shown.
    out.flush()?;
    all_or_some(refused, names.len(), args.asking.reader())
}

fn look(
    cluster: &mut Cluster,
    topic: Topic,
) -> Result<(Topic, Vec<Extent>, Vec<Reported>), ClientError> {
    let extents = extents(cluster, &topic)?;
    let settings = own_settings(cluster, &topic)?;
    Ok((topic, extents, settings))
}

fn extents(cluster: &mut Cluster, topic: &Topic) -> Result<Vec<Extent>, ClientError> {
    let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
    let led: Vec<i32> = led.map(|partition| partition.index).collect();
    let isolation = Isolation::ReadUncommitted;
    let first = offsets::find(cluster, topic, &led, Place::Earliest, isolation)?;
    let end = offsets::find(cluster, topic, &led, Place::Latest, isolation)?;
    let extents = topic.partitions.iter().map(|partition| Extent {
        partition: partition.clone(),
        first: first.get(&partition.index).copied().flatten(),
        end: end.get(&partition.index).copied().flatten(),
    });
    Ok(extents.collect())
}

/// What was set for the topic; nothing of a broker that can't tell.
fn own_settings(cluster: &mut Cluster, topic: &Topic) -> Result<Vec<Reported>, ClientError> {
    match settings::describe(cluster, &Owner::Topic(topic.name.clone())) {
        Err(ClientError::Unsupported { .. }) => Ok(Vec::new()),
        all => Ok(all?.into_iter().filter(|setting| setting.origin == Origin::Topic).collect()),
    }
}

impl Extent {
    /// How many offsets there are: as many records, where nothing was compacted.
    fn count(&self) -> Option<u64> {
        u64::try_from(self.end? - self.first?).ok()
    }
}

fn tell_person(
    topic: &Topic,
    settings: &[Reported],
    extents: &[Extent],
    out: &mut Out,
) -> Result<(), TopicError> {
    let count: u64 = extents.iter().filter_map(Extent::count).sum();
    writeln!(
        out,
        "{}: {}, {}, id {}",
        topic.name,
        counted(extents.len() as u64, "partition"),
        counted(count, "record"),
        topic.id
    )?;
    for setting in settings {
        writeln!(out, "  {}={}", setting.name, setting.value.as_deref().unwrap_or_default())?;
    }
    let mut table = Table::new(&[
        "  partition",
        "leader",
        "epoch",
        "replicas",
        "in sync",
        "first offset",
        "end offset",
        "records",
    ]);
    let or_none = |number: Option<String>| number.unwrap_or_else(|| "none".to_owned());
    for extent in extents {
        let partition = &extent.partition;
        table.row([
            format!("  {}", partition.index),
            or_none(partition.leader.map(|leader| leader.to_string())),
            partition.leader_epoch.to_string(),
            listed(&partition.replicas),
            listed(&partition.isr),
            or_none(extent.first.map(|offset| offset.to_string())),
            or_none(extent.end.map(|offset| offset.to_string())),
            or_none(extent.count().map(|count| count.to_string())),
        ]);
    }
    Ok(table.write(out)?)
}

fn tell_program(
    topic: &Topic,
    settings: &[Reported],
    extents: &[Extent],
    out: &mut Out,
) -> Result<(), TopicError> {
    let partitions = extents.iter().map(|extent| {
        let partition = &extent.partition;
        json!({
            "partition": partition.index,
            "leader": partition.leader,
            "leader_epoch": partition.leader_epoch,
            "replicas": partition.replicas,
            "isr": partition.isr,
            "first_offset": extent.first,
            "end_offset": extent.end,
        })
    });
    let settings = settings.iter().map(|own| (own.name.clone(), Value::from(own.value.clone())));
    let line = json!({
        "topic": topic.name,
        "id": topic.id,
        "internal": topic.is_internal,
        "settings": settings.collect::<Map<_, _>>(),
        "partitions": partitions.collect::<Vec<_>>(),
    });
    Ok(writeln!(out, "{line}")?)
}

fn listed(brokers: &[i32]) -> String {
    brokers.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}
