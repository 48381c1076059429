//! Shard 0's part: decides through the metadata log, places partitions on shards, publishes views.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;

use crate::config::topic::not_obeyed;
use crate::data_folder::cluster_id_text;
use crate::error_codes::Refusal;
use crate::message::{
    NewPartitions, NewTopic, ProducerIdBlock, Reply, Request, TopicConfigChanges,
};
use crate::router::{ask, together};
use crate::shard::Core;
use crate::view::{ClusterView, log_id};
use coordinator::PRODUCER_ID_BLOCK_SIZE;
use metadata::{Applied, MetadataImage, MetadataRecord, TopicId, spread_over_shards};
use protocol::{ErrorCode, Uuid};
use quorum::{LoadError, ProposeError, Quorum};
use runtime::sync::Signal;
use runtime::{Lane, ShardId, Snapshot, Unanswered};
use storage::{CreateError, Layout, LogConfig, LogId};

/// `__cluster_metadata-0`, under the id that Kafka reserves for it.
pub(crate) const METADATA_LOG: LogId = LogId { topic_id: Uuid::ONE.0, partition: 0 };
/// The name of the metadata topic: no client's topic is called so.
pub(crate) const METADATA_TOPIC: &str = "__cluster_metadata";

/// Why the metadata log can't be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// It can't be made.
    Create(CreateError),
    /// It can't be read.
    Load(LoadError),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OpenError::Create(e) => write!(f, "the metadata log can't be made: {e}"),
            OpenError::Load(e) => e.fmt(f),
        }
    }
}

/// Decides, on shard 0.
pub(crate) struct Controller {
    quorum: Quorum,
    layout: Layout,
    /// Which shard owns each partition. Placed when a topic appears, found again at a start.
    owners: RefCell<BTreeMap<TopicId, Vec<ShardId>>>,
    /// At the start: which shard has which log.
    found: RefCell<BTreeMap<LogId, ShardId>>,
    /// Shards that have told their logs.
    told: RefCell<BTreeSet<ShardId>>,
    /// Shards that have no more requests.
    drained: RefCell<BTreeSet<ShardId>>,
    changed: Signal,
}

impl Controller {
    /// Opens the metadata log and leads it.
    pub(crate) async fn open(core: &Core, layout: Layout) -> Result<Controller, OpenError> {
        let log = match core.store.log(&METADATA_LOG) {
            Some(log) => log,
            None => {
                let created =
                    core.store.create_log(METADATA_LOG, METADATA_TOPIC, LogConfig::default()).await;
                created.map_err(OpenError::Create)?
            }
        };
        let quorum = Quorum::open(&core.shard, &core.store, log).await.map_err(OpenError::Load)?;
        Ok(Controller {
            quorum,
            layout,
            owners: RefCell::default(),
            found: RefCell::default(),
            told: RefCell::default(),
            drained: RefCell::default(),
            changed: Signal::new(),
        })
    }

    /// Every shard's storage is open, and it is known which logs it has.
    pub(crate) async fn all_found(&self) {
        let all = usize::from(self.layout.shard_count);
        let told = || (self.told.borrow().len() == all).then_some(());
        self.changed.wait_until(told).await;
    }

    /// Brings the broker up, once all logs are found: registers it, which gives every partition
    /// that it leads a new epoch, places the partitions, and lets every shard lead its own.
    pub(crate) async fn start(
        &self,
        core: &Rc<Core>,
        advertised: Advertised,
    ) -> Result<(), ProposeError> {
        let Advertised { host, port } = advertised;
        let broker = core.config.broker;
        self.quorum.propose(MetadataRecord::BrokerRegistered { broker, host, port }).await?;
        self.place_all(core.shard.count());
        let kept = self.publish(core).await;
        let removed = self.quorum.image().removed_topics().map(|(id, _)| id).collect();
        self.forget(removed, &kept).await;
        Ok(())
    }

    /// Lets clients in, on every shard.
    pub(crate) async fn open_other_listeners(&self, core: &Rc<Core>, addr: SocketAddr) {
        let tell = |shard| ask(core.clone(), ShardId(shard), Lane::Control, Request::Listen(addr));
        let _shards_listen = together((1..core.shard.count()).map(tell)).await;
    }

    /// Takes no more changes.
    pub(crate) fn stop(&self) {
        self.quorum.stop();
    }

    async fn create_topics(
        &self,
        core: &Rc<Core>,
        topics: Vec<NewTopic>,
    ) -> Vec<Result<(), Refusal>> {
        // Nothing on disk, not even an empty log: a full disk is for what frees space.
        if let Err(e) = core.store.check_space().await {
            return topics.iter().map(|_| Err(Refusal::from(&e))).collect();
        }
        for topic in &topics {
            say_not_obeyed(core, &topic.name, &topic.configs);
        }
        let record = |topic: NewTopic| {
            let NewTopic { name, id, partitions, configs } = topic;
            MetadataRecord::TopicCreated { name, id, partitions, configs }
        };
        self.decide(core, topics.into_iter().map(record)).await
    }

    async fn add_partitions(
        &self,
        core: &Rc<Core>,
        wanted: Vec<NewPartitions>,
    ) -> Vec<Result<(), Refusal>> {
        if let Err(e) = core.store.check_space().await {
            return wanted.iter().map(|_| Err(Refusal::from(&e))).collect();
        }
        let record = |new: NewPartitions| {
            let NewPartitions { topic, first, partitions } = new;
            MetadataRecord::PartitionsAdded { id: topic, first, partitions }
        };
        self.decide(core, wanted.into_iter().map(record)).await
    }

    /// Also on a full disk: a topic's settings may be the way out of that.
    async fn change_topic_configs(
        &self,
        core: &Rc<Core>,
        wanted: Vec<TopicConfigChanges>,
    ) -> Vec<Result<(), Refusal>> {
        let image = self.quorum.image();
        for change in &wanted {
            let name = image.topic_by_id(&change.topic).map_or("", |topic| &topic.name);
            let given = change.changes.iter();
            say_not_obeyed(
                core,
                name,
                given.filter_map(|(key, value)| Some((key, value.as_ref()?))),
            );
        }
        let record = |change: TopicConfigChanges| {
            let TopicConfigChanges { topic, changes } = change;
            MetadataRecord::TopicConfigsChanged { id: topic, changes }
        };
        self.decide(core, wanted.into_iter().map(record)).await
    }

    /// Proposes all records, and lets every shard follow those that were accepted.
    async fn decide(
        &self,
        core: &Rc<Core>,
        records: impl Iterator<Item = MetadataRecord>,
    ) -> Vec<Result<(), Refusal>> {
        let propose = |record| {
            let quorum = self.quorum.clone();
            async move { quorum.propose(record).await }
        };
        let decided = together(records.map(propose)).await;
        if decided.iter().any(Result::is_ok) {
            self.publish(core).await;
        }
        let answer = |result: Result<Applied, ProposeError>| match result {
            Ok(_) => Ok(()),
            Err(e) => Err(Refusal::from(&e)),
        };
        decided.into_iter().map(answer).collect()
    }

    async fn delete_topics(&self, core: &Rc<Core>, ids: Vec<TopicId>) -> Vec<Result<(), Refusal>> {
        let propose = |id: TopicId| {
            let quorum = self.quorum.clone();
            async move { (id, quorum.propose(MetadataRecord::TopicRemoved { id }).await) }
        };
        let mut results = Vec::new();
        let mut removed = Vec::new();
        for (id, result) in together(ids.into_iter().map(propose)).await {
            if result.is_ok() {
                self.owners.borrow_mut().remove(&id);
                removed.push(id);
            }
            results.push(result.map(|_| ()).map_err(|e| Refusal::from(&e)));
        }
        if !removed.is_empty() {
            let kept = self.publish(core).await;
            self.forget(removed, &kept).await;
        }
        results
    }

    async fn allocate_producer_ids(&self, core: &Core) -> Result<ProducerIdBlock, Refusal> {
        // Clients may ask for ids without end, and each block is a record.
        core.store.check_space().await.map_err(|e| Refusal::from(&e))?;
        let (broker, count) = (core.config.broker, PRODUCER_ID_BLOCK_SIZE);
        let record = MetadataRecord::ProducerIdsAllocated { broker, count };
        match self.quorum.propose(record).await {
            Ok(Applied::ProducerIds { first, count }) => Ok(ProducerIdBlock { first, count }),
            Ok(Applied::Changed) => unreachable!("an allocation is applied as one"),
            Err(e) => Err(Refusal::from(&e)),
        }
    }

    /// Gives the image to every shard; returns when each has done its part, with what is kept of
    /// removed topics all the same.
    async fn publish(&self, core: &Rc<Core>) -> BTreeSet<TopicId> {
        let image = self.quorum.image();
        self.place_new(&image, core.shard.count());
        let view = Snapshot::new(ClusterView {
            image,
            cluster_id: cluster_id_text(&self.layout),
            owners: self.owners.borrow().clone(),
        });
        let mut kept = BTreeSet::new();
        for reply in self.tell_all(core, || Request::View(view.clone())).await {
            match reply {
                Ok(Reply::Followed { kept: by_shard }) => kept.extend(by_shard),
                // That shard is ending, and the process with it: the next start will find out.
                _ => kept.extend(view.image.removed_topics().map(|(id, _)| id)),
            }
        }
        kept
    }

    /// Tells every shard; the order of several such calls is the same for all of them.
    async fn tell_all(
        &self,
        core: &Rc<Core>,
        request: impl Fn() -> Request,
    ) -> Vec<Result<Reply, Unanswered>> {
        let tell = |shard| ask(core.clone(), ShardId(shard), Lane::Control, request());
        together((0..core.shard.count()).map(tell)).await
    }

    /// Every shard has synced the tombstones of what it had of these topics, but for those that
    /// are kept: their ids can go.
    async fn forget(&self, removed: Vec<TopicId>, kept: &BTreeSet<TopicId>) {
        for id in removed.into_iter().filter(|id| !kept.contains(id)) {
            // If it fails, the next start does it.
            let _forgotten = self.quorum.propose(MetadataRecord::TopicForgotten { id }).await;
        }
    }

    /// Places what a start finds: a log stays where it is, what has none yet is spread.
    fn place_all(&self, shards: u16) {
        let image = self.quorum.image();
        let found = self.found.take();
        let mut loads = vec![0u32; usize::from(shards)];
        for shard in found.values() {
            loads[usize::from(shard.0)] += 1;
        }
        for topic in image.topics() {
            let partitions = 0..topic.partitions.len() as u32;
            let place = |partition| match found.get(&log_id(&topic.id, partition)) {
                Some(shard) => *shard,
                None => ShardId(spread_over_shards(&mut loads, 1)[0]),
            };
            let owners = partitions.map(place).collect();
            self.owners.borrow_mut().insert(topic.id, owners);
        }
    }

    /// Places the partitions of an image that have no owner yet. Whatever is published has owners
    /// for all that it has, however many changes came at once.
    fn place_new(&self, image: &MetadataImage, shards: u16) {
        let mut owners = self.owners.borrow_mut();
        let count_of = |id: &TopicId| owners.get(id).map_or(0, Vec::len);
        let new = image.topics().filter(|topic| count_of(&topic.id) < topic.partitions.len());
        let new: Vec<(TopicId, usize)> =
            new.map(|topic| (topic.id, topic.partitions.len())).collect();
        if new.is_empty() {
            return;
        }
        let mut loads = vec![0u32; usize::from(shards)];
        for shard in owners.values().flatten() {
            loads[usize::from(shard.0)] += 1;
        }
        for (id, count) in new {
            let owned = owners.entry(id).or_default();
            let missing = (count - owned.len()) as u32;
            owned.extend(spread_over_shards(&mut loads, missing).into_iter().map(ShardId));
        }
    }

    fn logs_found(&self, shard: ShardId, logs: Vec<LogId>) {
        self.found.borrow_mut().extend(logs.into_iter().map(|id| (id, shard)));
        self.told.borrow_mut().insert(shard);
        self.changed.wake_all();
    }

    async fn all_drained(&self, shard: ShardId, count: u16) {
        self.drained.borrow_mut().insert(shard);
        self.changed.wake_all();
        let all = || (self.drained.borrow().len() == usize::from(count)).then_some(());
        self.changed.wait_until(all).await;
    }
}

/// Clients are told that what they set is stored; whoever runs the broker, that nothing follows.
fn say_not_obeyed<'a>(
    core: &Core,
    topic: &str,
    given: impl IntoIterator<Item = (&'a String, &'a String)>,
) {
    for line in not_obeyed(given) {
        core.warn_of_peer(format_args!("topic {topic}: {line}"));
    }
}

/// Where clients are told to connect.
pub(crate) struct Advertised {
    /// A name or an address.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

/// Answers what only shard 0 can.
pub(crate) async fn answer(core: &Rc<Core>, from: ShardId, request: Request) -> Reply {
    let Some(controller) = core.controller() else { return misdirected(&request) };
    match request {
        Request::LogsFound(logs) => {
            controller.logs_found(from, logs);
            Reply::Done
        }
        Request::CreateTopics(topics) => {
            Reply::Topics(controller.create_topics(core, topics).await)
        }
        Request::DeleteTopics(ids) => Reply::Topics(controller.delete_topics(core, ids).await),
        Request::AddPartitions(wanted) => {
            Reply::Topics(controller.add_partitions(core, wanted).await)
        }
        Request::ChangeTopicConfigs(wanted) => {
            Reply::Topics(controller.change_topic_configs(core, wanted).await)
        }
        Request::AllocateProducerIds => {
            Reply::ProducerIds(controller.allocate_producer_ids(core).await)
        }
        Request::Drained => {
            controller.all_drained(from, core.shard.count()).await;
            Reply::Done
        }
        _ => unreachable!("an owner's question came to the controller"),
    }
}

fn misdirected(request: &Request) -> Reply {
    let refuse = || Refusal::bare(ErrorCode::NotController);
    let all = |count| Reply::Topics((0..count).map(|_| Err(refuse())).collect());
    match request {
        Request::CreateTopics(topics) => all(topics.len()),
        Request::DeleteTopics(ids) => all(ids.len()),
        Request::AddPartitions(wanted) => all(wanted.len()),
        Request::ChangeTopicConfigs(wanted) => all(wanted.len()),
        Request::AllocateProducerIds => Reply::ProducerIds(Err(refuse())),
        _ => Reply::Done,
    }
}
