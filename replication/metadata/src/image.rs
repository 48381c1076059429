//! The metadata of the cluster as a value: what all records so far add up to.

use std::collections::BTreeMap;
use std::fmt;

use crate::record::{LogPosition, MetadataRecord};
use crate::topic::{NameError, Partition, Topic, check_topic_name, names_collide};
use crate::types::{BrokerId, TopicId};

/// A broker as clients reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its number.
    pub id: BrokerId,
    /// Where clients connect.
    pub host: String,
    /// Where clients connect.
    pub port: u16,
}

/// What applying a record did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The image changed as the record says.
    Changed,
    /// These producer ids, from `first` on, now belong to the broker that asked.
    ProducerIds {
        /// The first of them.
        first: i64,
        /// How many.
        count: u32,
    },
}

/// Why a record, though in the log, changed nothing. The rule is part of the metadata: every broker
/// that applies the log comes to the same answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The name is taken.
    TopicExists(String),
    /// The name can't be one.
    Name(NameError),
    /// Another name would look the same in tools that write `_` for `.`.
    NameCollides {
        /// The name asked for.
        name: String,
        /// The one that it collides with.
        with: String,
    },
    /// No topic with this id.
    UnknownTopic(TopicId),
    /// A topic needs at least one partition, and each partition at least one replica.
    NoPartitions,
    /// The topic has another number of partitions than the new ones were meant for: somebody else
    /// added some at the same moment.
    PartitionsExist {
        /// How many it has.
        count: u32,
    },
    /// All 2^63 producer ids are gone.
    ProducerIdsExhausted,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::TopicExists(name) => write!(f, "Topic '{name}' already exists."),
            Refused::Name(e) => e.fmt(f),
            Refused::NameCollides { name, with } => write!(
                f,
                "Topic '{name}' collides with existing topic '{with}': '.' and '_' look the same \
                 in metric names."
            ),
            Refused::UnknownTopic(id) => write!(f, "no topic has the id {id}"),
            Refused::NoPartitions => {
                write!(f, "a topic needs at least one partition with at least one replica")
            }
            Refused::PartitionsExist { count } => write!(
                f,
                "The topic has {count} partitions by now: look again, and ask for more than that."
            ),
            Refused::ProducerIdsExhausted => write!(f, "all producer ids have been used"),
        }
    }
}

/// What all records up to [`MetadataImage::applied`] add up to. It never changes once it is given
/// out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataImage {
    applied: LogPosition,
    brokers: BTreeMap<BrokerId, Broker>,
    topics: BTreeMap<String, Topic>,
    names: BTreeMap<TopicId, String>,
    removed: BTreeMap<TopicId, u32>,
    next_producer_id: i64,
}

impl MetadataImage {
    /// The last record in it.
    pub fn applied(&self) -> LogPosition {
        self.applied
    }

    /// All brokers, by number.
    pub fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values()
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values()
    }

    /// The topic of that name.
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    /// The topic with that id, unless it was removed.
    pub fn topic_by_id(&self, id: &TopicId) -> Option<&Topic> {
        self.topics.get(self.names.get(id)?)
    }

    /// Topics that are gone for clients but may still have something on disk, and how many
    /// partitions they had.
    pub fn removed_topics(&self) -> impl Iterator<Item = (TopicId, u32)> + '_ {
        self.removed.iter().map(|(id, partitions)| (*id, *partitions))
    }

    /// Changes the image by one record. It is [`Refused`], and nothing changes but the position,
    /// where the record does not fit what came before it.
    ///
    /// # Panics
    /// If the record is not the next one: the log would have a gap.
    pub fn apply(
        &mut self,
        position: LogPosition,
        record: &MetadataRecord,
    ) -> Result<Applied, Refused> {
        assert!(
            position.term >= self.applied.term
                && (position.index > self.applied.index || self.applied == LogPosition::default()),
            "record {position:?} behind {:?}",
            self.applied
        );
        self.applied = position;
        match record {
            MetadataRecord::BrokerRegistered { broker, host, port } => {
                self.register(Broker { id: *broker, host: host.clone(), port: *port });
                Ok(Applied::Changed)
            }
            MetadataRecord::TopicCreated { name, id, partitions, configs } => {
                self.create(name, *id, partitions, configs)
            }
            MetadataRecord::PartitionsAdded { id, first, partitions } => {
                self.add_partitions(id, *first, partitions)
            }
            MetadataRecord::TopicConfigsChanged { id, changes } => self.change_configs(id, changes),
            MetadataRecord::TopicRemoved { id } => self.remove(id),
            MetadataRecord::TopicForgotten { id } => {
                self.removed.remove(id).ok_or(Refused::UnknownTopic(*id))?;
                Ok(Applied::Changed)
            }
            MetadataRecord::ProducerIdsAllocated { count, .. } => self.allocate(*count),
        }
    }

    fn register(&mut self, broker: Broker) {
        let led = self.topics.values_mut().flat_map(|topic| &mut topic.partitions);
        for partition in led.filter(|partition| partition.leader == broker.id) {
            partition.leader_epoch += 1;
        }
        self.brokers.insert(broker.id, broker);
    }

    fn create(
        &mut self,
        name: &str,
        id: TopicId,
        partitions: &[Vec<BrokerId>],
        configs: &BTreeMap<String, String>,
    ) -> Result<Applied, Refused> {
        check_topic_name(name).map_err(Refused::Name)?;
        if self.topics.contains_key(name) {
            return Err(Refused::TopicExists(name.into()));
        }
        if let Some(with) = self.topics.keys().find(|other| names_collide(name, other)) {
            return Err(Refused::NameCollides { name: name.into(), with: with.clone() });
        }
        if partitions.is_empty() || partitions.iter().any(Vec::is_empty) {
            return Err(Refused::NoPartitions);
        }
        let partitions = partitions.iter().cloned().map(Partition::new).collect();
        let topic = Topic { name: name.into(), id, partitions, configs: configs.clone() };
        self.names.insert(id, name.into());
        self.topics.insert(name.into(), topic);
        Ok(Applied::Changed)
    }

    fn add_partitions(
        &mut self,
        id: &TopicId,
        first: u32,
        partitions: &[Vec<BrokerId>],
    ) -> Result<Applied, Refused> {
        let topic = self.topic_mut(id)?;
        let count = topic.partitions.len() as u32;
        if count != first {
            return Err(Refused::PartitionsExist { count });
        }
        if partitions.is_empty() || partitions.iter().any(Vec::is_empty) {
            return Err(Refused::NoPartitions);
        }
        topic.partitions.extend(partitions.iter().cloned().map(Partition::new));
        Ok(Applied::Changed)
    }

    fn change_configs(
        &mut self,
        id: &TopicId,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<Applied, Refused> {
        let configs = &mut self.topic_mut(id)?.configs;
        for (name, value) in changes {
            match value {
                Some(value) => configs.insert(name.clone(), value.clone()),
                None => configs.remove(name),
            };
        }
        Ok(Applied::Changed)
    }

    fn topic_mut(&mut self, id: &TopicId) -> Result<&mut Topic, Refused> {
        let name = self.names.get(id).ok_or(Refused::UnknownTopic(*id))?;
        // `names` and `topics` hold the same topics: create() and remove() keep both.
        Ok(self.topics.get_mut(name).expect("every id's name is a topic"))
    }

    fn remove(&mut self, id: &TopicId) -> Result<Applied, Refused> {
        let name = self.names.remove(id).ok_or(Refused::UnknownTopic(*id))?;
        // `names` and `topics` hold the same topics: create() and remove() keep both.
        let topic = self.topics.remove(&name).expect("every id's name is a topic");
        self.removed.insert(*id, topic.partitions.len() as u32);
        Ok(Applied::Changed)
    }

    fn allocate(&mut self, count: u32) -> Result<Applied, Refused> {
        let first = self.next_producer_id;
        self.next_producer_id =
            first.checked_add(i64::from(count)).ok_or(Refused::ProducerIdsExhausted)?;
        Ok(Applied::ProducerIds { first, count })
    }
}

#[cfg(test)]
mod tests;
