//! Follows the cluster's view: makes and leads the logs that are new, deletes those that are gone.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use metadata::{Topic, TopicId};
use record::LeaderEpoch;
use replica::{Partition, PartitionConfig};
use runtime::sync::Signal;
use runtime::{Level, Snapshot};
use storage::{
    AppendError, CreateError, Log, LogConfig, LogId, ProducerLimits, Purpose, SegmentConfig,
};

use super::Owner;
use crate::config::Config;
use crate::config::topic::TopicConfig;
use crate::controller::METADATA_LOG;
use crate::router::together;
use crate::shard::Core;
use crate::view::{ClusterView, log_id};

/// How long a view waits for room in the journal for its new logs. It is not much: the view behind
/// it may have the deletion that makes room.
const ROOM_WAIT: Duration = Duration::from_secs(1);

/// Keeps views in their order: one is followed after the other.
#[derive(Default)]
pub(super) struct Follower {
    arrived: Cell<u64>,
    followed: Cell<u64>,
    next: Signal,
    /// Somebody waits for the room that logs did not find.
    waits_for_room: Cell<bool>,
    /// Logs of topics that no view has ever named, said once.
    quarantined: RefCell<BTreeSet<LogId>>,
    /// Partitions of ours whose log could not be made, said once.
    without_log: RefCell<BTreeSet<LogId>>,
}

/// Since when a topic's logs are to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    /// It was there before this start.
    Before,
    /// It came, or its log could not be made until now.
    Now,
}

/// What is to be led anew.
struct Lead {
    id: LogId,
    label: String,
    leader_epoch: LeaderEpoch,
    partition: PartitionConfig,
    log: LogConfig,
}

/// Does this shard's part of a change, and shows the new view to its connections. Views are
/// followed in the order of the calls. Returns the removed topics of which something is kept.
pub(crate) async fn follow(core: &Rc<Core>, view: Snapshot<ClusterView>) -> Vec<TopicId> {
    let turn = core.owner.follower.turn().await;
    let since = if turn == 0 { Since::Before } else { Since::Now };
    if let Some(label_bytes) = lead_new(core, &view, since).await {
        lead_when_there_is_room(core, label_bytes);
    }
    core.owner.configure(core, &view);
    let removed = view.image.removed_topics().map(|(id, _)| id.0).collect();
    *core.owner.removed.borrow_mut() = removed;
    core.set_view(view.clone());
    let gone = core.owner.gone(core, &view);
    let kept = together(gone.into_iter().map(|id| delete(core.clone(), id))).await;
    core.owner.follower.end(turn);
    kept.into_iter().flatten().collect()
}

/// Makes and leads the logs of a view that are not led yet. If some found no room in the journal,
/// it answers with the size of the longest label, for which there would have to be room.
async fn lead_new(core: &Rc<Core>, view: &ClusterView, since: Since) -> Option<usize> {
    let news = core.owner.leads(core, view);
    let label_bytes = news.iter().map(|lead| lead.label.len()).max()?;
    let led = together(news.into_iter().map(|lead| start_leading(core.clone(), lead, since))).await;
    led.iter().any(|led| led.as_ref().is_err_and(lacks_room)).then_some(label_bytes)
}

/// Tries again whenever there is room, until every log of the view of then has found it.
fn lead_when_there_is_room(core: &Rc<Core>, label_bytes: usize) {
    if core.owner.follower.waits_for_room.replace(true) {
        return;
    }
    let later = core.clone();
    core.spawn("room for logs", async move {
        let follower = &later.owner.follower;
        let mut lacking = Some(label_bytes);
        while let Some(label_bytes) = lacking {
            later.store.room(label_bytes, Purpose::Metadata).await;
            let turn = follower.turn().await;
            lacking = lead_new(&later, &later.view(), Since::Now).await;
            follower.end(turn);
        }
        follower.waits_for_room.set(false);
    });
}

fn lacks_room(error: &CreateError) -> bool {
    matches!(error, CreateError::Append(AppendError::NoRoom(_)))
}

impl Follower {
    /// Waits until everybody who came before is done.
    async fn turn(&self) -> u64 {
        let turn = self.arrived.replace(self.arrived.get() + 1);
        self.next.wait_until(|| (self.followed.get() == turn).then_some(())).await;
        turn
    }

    fn end(&self, turn: u64) {
        self.followed.set(turn + 1);
        self.next.wake_all();
    }

    /// Whether that log could not be made.
    pub(super) fn is_without_log(&self, id: &LogId) -> bool {
        self.without_log.borrow().contains(id)
    }
}

impl Owner {
    /// The partitions of ours that are not led yet.
    fn leads(&self, core: &Core, view: &ClusterView) -> Vec<Lead> {
        let led = self.partitions.borrow();
        let mut configs: BTreeMap<&str, TopicConfig> = BTreeMap::new();
        let mut leads = Vec::new();
        for (topic, partition, id) in view.owned_by(core.shard.id()) {
            if led.contains_key(&id) {
                continue;
            }
            let config = configs
                .entry(&topic.name)
                .or_insert_with(|| core.config.topic.with(&topic.configs));
            leads.push(Lead {
                id,
                label: topic.name.clone(),
                leader_epoch: LeaderEpoch(partition.leader_epoch),
                partition: partition_config(config, partition),
                log: log_config(config, &core.config),
            });
        }
        leads
    }

    /// Lets the partitions of topics whose settings are others than before follow them. Records
    /// that were appended before stay as they are; where a segment ends is decided when it is
    /// written, so it is the newest setting that decides.
    fn configure(&self, core: &Core, view: &ClusterView) {
        let before = core.view();
        let known = |topic: &Topic| before.image.topic_by_id(&topic.id);
        let is_changed = |topic: &&Topic| known(topic).is_some_and(|k| k.configs != topic.configs);
        let changed = view.image.topics().filter(is_changed);
        for topic in changed {
            let config = core.config.topic.with(&topic.configs);
            let log = log_config(&config, &core.config);
            for (index, partition) in (0u32..).zip(&topic.partitions) {
                let led = self.partitions.borrow().get(&log_id(&topic.id, index)).cloned();
                if let Some(led) = led {
                    led.log().set_config(log);
                    led.set_config(partition_config(&config, partition));
                }
            }
        }
    }

    /// The logs that a removed topic left. What no view knows stays, untouched: only a removal
    /// that was decided deletes anything.
    fn gone(&self, core: &Core, view: &ClusterView) -> Vec<LogId> {
        let removed: BTreeSet<[u8; 16]> = view.image.removed_topics().map(|(id, _)| id.0).collect();
        let owned: BTreeSet<LogId> = view.owned_by(core.shard.id()).map(|(_, _, id)| id).collect();
        let mut quarantined = self.follower.quarantined.borrow_mut();
        let mut gone = Vec::new();
        for log in core.store.logs() {
            let id = log.id();
            if id == METADATA_LOG || owned.contains(&id) {
                continue;
            }
            if removed.contains(&id.topic_id) {
                gone.push(id);
            } else if quarantined.insert(id) {
                let line = format_args!("log {id} ({}) is of no known topic: kept", log.label());
                core.log(Level::Warn, line);
            }
        }
        gone
    }
}

/// Leads a partition, whose log it makes if there is none. Without a log the partition has no
/// leader; clients try again, and so does the next view and the next start.
async fn start_leading(core: Rc<Core>, lead: Lead, since: Since) -> Result<(), CreateError> {
    let log = match core.store.log(&lead.id) {
        Some(log) => {
            log.set_config(lead.log);
            log
        }
        None => {
            let made = make_log(&core, &lead).await;
            let log = made.inspect_err(|e| say_not_made(&core, &lead, e))?;
            core.owner.follower.without_log.borrow_mut().remove(&lead.id);
            say_made(&core, &lead, since);
            log
        }
    };
    let broker = core.config.broker;
    let partition = Partition::lead(log, broker, lead.leader_epoch, lead.partition).await;
    let (id, watchers) = (lead.id, Rc::downgrade(&core.owner.watchers));
    partition.on_high_watermark(move |_| {
        if let Some(watchers) = watchers.upgrade() {
            watchers.mark(&id);
        }
    });
    core.owner.partitions.borrow_mut().insert(id, partition);
    Ok(())
}

async fn make_log(core: &Core, lead: &Lead) -> Result<Log, CreateError> {
    let until = core.shard.now() + ROOM_WAIT;
    loop {
        let made = core.store.try_create_log(lead.id, &lead.label, lead.log).await;
        if !made.as_ref().is_err_and(lacks_room) {
            return made;
        }
        let room = core.store.room(lead.label.len(), Purpose::Metadata);
        let left = until.since(core.shard.now());
        if core.shard.timeout(left, room).await.is_err() {
            return made;
        }
    }
}

/// What a start makes anew is what a cut has left of a topic's creation, or a loss.
fn say_made(core: &Core, lead: &Lead, since: Since) {
    if since == Since::Before {
        let line = format_args!(
            "{}-{} had no log: it begins with an empty one",
            lead.label, lead.id.partition
        );
        core.log(Level::Warn, line);
    }
}

fn say_not_made(core: &Core, lead: &Lead, error: &CreateError) {
    if core.owner.follower.without_log.borrow_mut().insert(lead.id) {
        let line = format_args!("no log for {}-{}: {error}", lead.label, lead.id.partition);
        core.log(Level::Error, line);
    }
}

/// Returns the topic if its log could not be deleted.
async fn delete(core: Rc<Core>, id: LogId) -> Option<TopicId> {
    let led = core.owner.partitions.borrow_mut().remove(&id);
    if let Some(partition) = led {
        partition.resign();
    }
    core.owner.mark(&id);
    let deleted = core.store.delete_log(&id).await;
    deleted.err().map(|e| {
        // The topic stays among the removed ones: the next start tries again.
        core.log(Level::Error, format_args!("log {id} is not deleted yet: {e}"));
        TopicId(id.topic_id)
    })
}

fn partition_config(topic: &TopicConfig, partition: &metadata::Partition) -> PartitionConfig {
    PartitionConfig {
        replica_count: u32::try_from(partition.replicas.len()).unwrap_or(u32::MAX),
        batch_size_max: usize::try_from(topic.batch_size_max).unwrap_or(usize::MAX),
        min_insync: topic.min_insync_replicas,
        timestamps: topic.timestamps,
    }
}

/// What the storage is told of a log with these settings.
pub(crate) fn log_config(topic: &TopicConfig, broker: &Config) -> LogConfig {
    LogConfig {
        segment: SegmentConfig {
            segment_bytes: topic.segment_size_bytes,
            segment_ms: topic.segment_ms,
            segment_index_bytes: topic.index_size_bytes,
            index_interval_bytes: topic.index_interval_bytes,
        },
        producers: producer_limits(broker),
    }
}

/// How every log remembers its producers.
fn producer_limits(broker: &Config) -> ProducerLimits {
    ProducerLimits { expiration_ms: broker.producer_id_expiration_ms, ..ProducerLimits::default() }
}
