//! The partitions that a shard owns: follows the cluster's view, and answers for their logs.

pub(crate) mod append;
mod fetch;
mod follow;
mod list_offsets;
pub(crate) mod watch;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use protocol::ErrorCode;
use record::LeaderEpoch;
use replica::Partition;
use runtime::Shard;
use storage::{LogId, Store};

use crate::error_codes::Refusal;

use append::AppendQueue;
use follow::Follower;
pub(crate) use follow::{follow, log_config};
use watch::Watchers;

/// What one shard leads. Belongs to its [`crate::shard::Core`].
pub(crate) struct Owner {
    partitions: RefCell<BTreeMap<LogId, Partition>>,
    /// Appends that found no room, in their order.
    queue: Rc<AppendQueue>,
    /// Fetches that wait for these partitions.
    watchers: Rc<Watchers>,
    follower: Follower,
    /// Topics that are gone, though something of them may be on disk.
    removed: RefCell<BTreeSet<[u8; 16]>>,
}

impl Owner {
    /// Owns nothing yet.
    pub(crate) fn new(shard: &Shard, store: &Store) -> Owner {
        Owner {
            partitions: RefCell::default(),
            queue: Rc::new(AppendQueue::new(shard, store)),
            watchers: Rc::default(),
            follower: Follower::default(),
            removed: RefCell::default(),
        }
    }

    /// How many bytes of batches each log has.
    pub(crate) fn measure_logs(&self, logs: &[LogId]) -> Vec<Result<u64, Refusal>> {
        let measure = |id: &LogId| self.partition(id).map(|led| led.log().size_bytes());
        logs.iter().map(measure).collect()
    }

    /// How many partitions are led here.
    pub(crate) fn partition_count(&self) -> usize {
        self.partitions.borrow().len()
    }

    /// How many batches wait for room.
    pub(crate) fn queued_batches(&self) -> usize {
        self.queue.len()
    }

    /// The partition, if it is led here.
    fn partition(&self, id: &LogId) -> Result<Partition, Refusal> {
        let partition = self.partitions.borrow().get(id).cloned();
        partition.ok_or_else(|| {
            if self.removed.borrow().contains(&id.topic_id) {
                return Refusal::bare(ErrorCode::UnknownTopicOrPartition);
            }
            if self.follower.is_without_log(id) {
                let why = "the partition has no log: the broker's own log says why";
                return Refusal::because(ErrorCode::KafkaStorageError, why);
            }
            // The asking shard's view is newer than ours: the client looks it up again.
            Refusal::bare(ErrorCode::NotLeaderOrFollower)
        })
    }

    /// The partition, if it is led here in the epoch that the client knows (KIP-320).
    fn partition_in_epoch(
        &self,
        id: &LogId,
        known: Option<LeaderEpoch>,
    ) -> Result<Partition, Refusal> {
        let partition = self.partition(id)?;
        let ours = partition.leader_epoch();
        match known {
            Some(known) if known < ours => Err(ErrorCode::FencedLeaderEpoch.into()),
            Some(known) if known > ours => Err(ErrorCode::UnknownLeaderEpoch.into()),
            _ => Ok(partition),
        }
    }
}
