//! The brokers of a cluster: which one leads what, and asking again where that may help.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use protocol::generated::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};

use super::api::Question;
use super::connection::Connection;
use super::error::{ClientError, Refusal};

/// How long nobody may listen at the first address: a broker that was started a moment ago takes
/// less, and who mistyped an address does not want to wait.
const FIRST_CONTACT: Duration = Duration::from_secs(3);
/// How long a topic may be unknown that was made a moment ago, by another broker than the one that
/// is asked.
const UNKNOWN_TOPIC: Duration = Duration::from_millis(500);
/// The pauses between two tries grow from the first to the last of these.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// A cluster that at least one broker of has answered.
#[derive(Debug)]
pub struct Cluster {
    seeds: Vec<String>,
    patience: Duration,
    /// `host:port` of each broker, as the brokers say.
    brokers: BTreeMap<i32, String>,
    controller: i32,
    /// To whichever broker answered first.
    seed: Option<Connection>,
    connections: BTreeMap<i32, Connection>,
}

/// A topic as the brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id, in Kafka's text form.
    pub id: String,
    /// Whether it is one of the broker's own.
    pub is_internal: bool,
    /// By number, without gaps.
    pub partitions: Vec<Partition>,
}

/// A partition as the brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number.
    pub index: i32,
    /// The broker that leads it, if one does.
    pub leader: Option<i32>,
    /// The epoch of that.
    pub leader_epoch: i32,
    /// The brokers that hold it.
    pub replicas: Vec<i32>,
    /// Those of them that are in sync.
    pub isr: Vec<i32>,
}

impl Cluster {
    /// Finds a broker that answers at one of these addresses.
    ///
    /// `patience` is how long any answer may take, and how long is tried again.
    pub fn reach(seeds: &[String], patience: Duration) -> Result<Self, ClientError> {
        let mut this = Self {
            seeds: seeds.to_vec(),
            patience,
            brokers: BTreeMap::new(),
            controller: -1,
            seed: None,
            connections: BTreeMap::new(),
        };
        let first = patience.min(FIRST_CONTACT);
        insist(first, || this.metadata(Some(&[])).map(drop))?;
        Ok(this)
    }

    /// How long an answer may take, and how long is tried again.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// The ids of all brokers.
    pub fn brokers(&self) -> impl Iterator<Item = i32> {
        self.brokers.keys().copied()
    }

    /// All topics, by name.
    pub fn topics(&mut self) -> Result<Vec<Topic>, ClientError> {
        let mut topics: Vec<Topic> =
            insist(self.patience, || self.metadata(None)?.topics.iter().map(described).collect())?;
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// One topic.
    pub fn topic(&mut self, name: &str) -> Result<Topic, ClientError> {
        let began = Instant::now();
        insist(self.patience, || {
            match self.try_topic(name) {
                // The one that says so may not have heard of it yet.
                Err(ClientError::NoTopic { topic }) if began.elapsed() < UNKNOWN_TOPIC => {
                    Err(unknown_yet(&topic).into())
                }
                other => other,
            }
        })
    }

    /// One topic that has a leader for each partition of it: what is made a moment ago may not.
    pub fn topic_with_leaders(&mut self, name: &str) -> Result<Topic, ClientError> {
        insist(self.patience, || {
            let topic = self.topic(name)?;
            match topic.partitions.iter().find(|partition| partition.leader.is_none()) {
                None => Ok(topic),
                Some(Partition { index, .. }) => {
                    Err(ClientError::NoLeader { topic: topic.name, partition: *index })
                }
            }
        })
    }

    /// One look at a topic, without patience.
    pub fn try_topic(&mut self, name: &str) -> Result<Topic, ClientError> {
        let answer = self.metadata(Some(&[name]))?;
        let unknown = ErrorCode::UnknownTopicOrPartition.number();
        match answer.topics.first() {
            Some(topic) if topic.error_code != unknown => described(topic),
            _ => Err(ClientError::NoTopic { topic: name.to_owned() }),
        }
    }

    /// Asks any broker, again and again if that may help.
    pub fn ask<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer, ClientError> {
        insist(self.patience, || self.try_ask(question))
    }

    /// Asks the controller what only it may do, once, and looks for it before: it may have moved.
    /// With one that is not there, any broker is asked, which passes it on.
    pub fn ask_controller<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer, ClientError> {
        self.metadata(Some(&[]))?;
        match self.brokers.contains_key(&self.controller) {
            true => self.ask_broker(self.controller, question),
            false => self.try_ask(question),
        }
    }

    /// Asks one broker, once.
    pub fn ask_broker<Q: Question>(
        &mut self,
        broker: i32,
        question: &Q,
    ) -> Result<Q::Answer, ClientError> {
        let mut connection = match self.connections.remove(&broker) {
            Some(connection) => connection,
            None => self.connect(broker)?,
        };
        // One that broke is not kept: what comes next on it would belong to this request.
        let answer = connection.ask(question)?;
        self.connections.insert(broker, connection);
        Ok(answer)
    }

    /// A new connection to a broker.
    pub fn connect(&self, broker: i32) -> Result<Connection, ClientError> {
        let Some(address) = self.brokers.get(&broker) else {
            let what = format!("ask broker {broker}, which nobody knows");
            let code = ErrorCode::BrokerNotAvailable.number();
            return Err(Refusal::new(what, code, None).into());
        };
        Connection::open(address, self.patience).map_err(|error| match error {
            ClientError::Unreachable { address, error } if !self.seeds.contains(&address) => {
                ClientError::Misnamed { broker, address, error }
            }
            other => other,
        })
    }

    fn try_ask<Q: Question>(&mut self, question: &Q) -> Result<Q::Answer, ClientError> {
        let mut connection = match self.seed.take() {
            Some(connection) => connection,
            None => self.first_contact()?,
        };
        let answer = connection.ask(question)?;
        self.seed = Some(connection);
        Ok(answer)
    }

    fn first_contact(&self) -> Result<Connection, ClientError> {
        let mut refused = None;
        let known = self.brokers.values().filter(|address| !self.seeds.contains(address));
        for address in self.seeds.iter().chain(known) {
            match Connection::open(address, self.patience) {
                Ok(connection) => return Ok(connection),
                // The next one may be alive.
                Err(ClientError::Unreachable { error, .. } | ClientError::Lost { error, .. }) => {
                    refused = Some(error);
                }
                Err(other) => return Err(other),
            }
        }
        let error = refused.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
        Err(ClientError::NoBroker { addresses: self.seeds.join(","), error })
    }

    /// What the brokers say of these topics, or of all; no topic is made by being asked for.
    fn metadata(&mut self, topics: Option<&[&str]>) -> Result<MetadataResponse, ClientError> {
        let named = |name: &&str| MetadataRequestTopic {
            name: Some((*name).to_owned()),
            ..MetadataRequestTopic::default()
        };
        let request = MetadataRequest {
            topics: topics.map(|names| names.iter().map(named).collect()),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let answer = self.try_ask(&request)?;
        self.controller = answer.controller_id;
        let at = |host: &str, port| match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let brokers = answer.brokers.iter();
        self.brokers = brokers.map(|b| (b.node_id, at(&b.host, b.port))).collect();
        Ok(answer)
    }
}

/// Tries until it succeeds, fails for good, or `patience` is over.
pub fn insist<T>(
    patience: Duration,
    mut attempt: impl FnMut() -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let deadline = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        match attempt() {
            Err(error) if error.is_retriable() && Instant::now() + pause < deadline => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(LAST_PAUSE);
            }
            outcome => return outcome,
        }
    }
}

fn unknown_yet(topic: &str) -> Refusal {
    let code = ErrorCode::UnknownTopicOrPartition.number();
    Refusal::new(format!("find the topic {topic}"), code, None)
}

fn described(topic: &MetadataResponseTopic) -> Result<Topic, ClientError> {
    let name = topic.name.clone().unwrap_or_default();
    Refusal::check(|| format!("describe the topic {name}"), topic.error_code, None)?;
    let partitions = topic.partitions.iter().map(|partition| Partition {
        index: partition.partition_index,
        leader: Some(partition.leader_id).filter(|leader| *leader >= 0),
        leader_epoch: partition.leader_epoch,
        replicas: partition.replica_nodes.clone(),
        isr: partition.isr_nodes.clone(),
    });
    let mut partitions: Vec<Partition> = partitions.collect();
    partitions.sort_by_key(|partition| partition.index);
    let id = topic.topic_id.to_string();
    Ok(Topic { name, id, is_internal: topic.is_internal, partitions })
}
