//! One partition as its leader: what is checked before an append, in Kafka's order, and when it may
//! be acknowledged.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use metadata::BrokerId;
use record::{
    BatchError, BatchFacts, LeaderEpoch, Offset, ProducedLimits, Timestamp, TimestampType,
};
use runtime::sync::Signal;
use runtime::{Instant, Shard};
use storage::{AppendError, Log, LogReadError, ProducerCheck, Purpose, Stamp};

use crate::isr::Isr;

/// Which timestamps a topic takes (`message.timestamp.*`). Times are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampPolicy {
    /// Whether the producer or the leader stamps records.
    pub kind: TimestampType,
    /// How far back a producer's timestamp may lie.
    pub before_max_ms: i64,
    /// How far ahead it may lie.
    pub after_max_ms: i64,
}

/// What a topic's settings mean to a leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionConfig {
    /// `max.message.bytes`: the largest batch, header included.
    pub batch_size_max: usize,
    /// How many replicas the partition has, in sync or not.
    pub replica_count: u32,
    /// `min.insync.replicas`; more than there are replicas means all of them.
    pub min_insync: u32,
    /// `message.timestamp.*`.
    pub timestamps: TimestampPolicy,
}

/// What a producer wants to have happened before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Nothing: there is no answer.
    None,
    /// The leader has it on disk.
    Leader,
    /// Every in-sync replica has it on disk, and there are enough of them.
    All,
}

/// A client's append.
pub struct LeaderAppend<'a> {
    /// What must be exactly one record batch.
    pub records: &'a [u8],
    /// When it may be acknowledged.
    pub acks: Acks,
    /// The time of the append.
    pub now: Timestamp,
}

/// A batch that is in the log: just appended, or a duplicate of one that was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppendOutcome {
    /// The offset of its first record.
    pub base_offset: Offset,
    /// The offset of its last record.
    pub last_offset: Offset,
    /// What its records were stamped with.
    pub stamped: Stamped,
    /// Where the log begins.
    pub log_start_offset: Offset,
}

/// The times that a batch's records have in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamped {
    /// Those that their producer gave them.
    ByProducer,
    /// That of the append.
    ByLeader(Timestamp),
    /// That of the first append, as this is a duplicate: [`Partition::log_append_time`] finds it.
    Before,
}

/// Why a batch was not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendRefused {
    /// Fewer in-sync replicas than `min.insync.replicas`; nothing was appended.
    NotEnoughReplicas,
    /// The batch breaks a rule.
    Batch(BatchError),
    /// Its timestamps are too far from now.
    Timestamp {
        /// The batch's timestamp.
        timestamp: Timestamp,
        /// The time of the append.
        now: Timestamp,
    },
    /// It is part of a transaction, of which nobody here keeps account.
    Transactional,
    /// The producer's state speaks against it.
    Producer(ProducerCheck),
    /// The log can't take it.
    Log(AppendError),
}

impl fmt::Display for AppendRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AppendRefused::NotEnoughReplicas => {
                write!(f, "fewer in-sync replicas than min.insync.replicas")
            }
            AppendRefused::Batch(e) => e.fmt(f),
            AppendRefused::Timestamp { timestamp, now } => write!(
                f,
                "timestamp {timestamp} is outside of what message.timestamp.before.max.ms and \
                 message.timestamp.after.max.ms allow at {now}"
            ),
            AppendRefused::Transactional => write!(f, "there are no transactions here yet"),
            AppendRefused::Producer(check) => check.fmt(f),
            AppendRefused::Log(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for AppendRefused {}

/// Why what is in the log is not acknowledged. It may come to count all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unacknowledged {
    /// This broker leads the partition no longer, for instance because its topic was deleted.
    Resigned,
    /// The leader has it on disk, but not every in-sync replica had it in time.
    Late,
}

impl fmt::Display for Unacknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unacknowledged::Resigned => {
                "this broker leads the partition no longer: look its leader up again"
            }
            Unacknowledged::Late => {
                "not every in-sync replica had it in time: send it again, or wait for longer"
            }
        })
    }
}

impl std::error::Error for Unacknowledged {}

/// A partition that this broker leads. Cheap to clone; all clones are the same partition.
#[derive(Clone)]
pub struct Partition(Rc<Leader>);

struct Leader {
    log: Log,
    broker: BrokerId,
    state: RefCell<LeaderState>,
    moved: Signal,
    resigned: Cell<bool>,
    on_high_watermark: RefCell<Option<HighWatermarkHook>>,
}

type HighWatermarkHook = Box<dyn Fn(Offset)>;

struct LeaderState {
    leader_epoch: LeaderEpoch,
    isr: Isr,
    config: PartitionConfig,
}

impl Partition {
    /// Leads `log` in a new epoch, which is durable when this returns. Everything that is on disk
    /// here is in sync with a replica set of this broker alone.
    pub async fn lead(
        log: Log,
        broker: BrokerId,
        leader_epoch: LeaderEpoch,
        config: PartitionConfig,
    ) -> Partition {
        log.start_leader_epoch(leader_epoch).await;
        // What has settled was below the high watermark once; readers have seen it.
        let settled = log.settled_end_offset().max(log.log_start_offset());
        let isr = Isr::new([broker], config.replica_count, config.min_insync, settled);
        let leader = Rc::new(Leader {
            log,
            broker,
            state: RefCell::new(LeaderState { leader_epoch, isr, config }),
            moved: Signal::new(),
            resigned: Cell::new(false),
            on_high_watermark: RefCell::new(None),
        });
        let weak = Rc::downgrade(&leader);
        leader.log.on_durable(move |end| {
            if let Some(leader) = weak.upgrade() {
                leader.advance(end);
            }
        });
        leader.advance(leader.log.durable_end_offset());
        Partition(leader)
    }

    /// The log beneath.
    pub fn log(&self) -> &Log {
        &self.0.log
    }

    /// The epoch in which this broker leads.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.0.state.borrow().leader_epoch
    }

    /// Follows other settings from here on; what is in the log already stays as it is.
    pub fn set_config(&self, config: PartitionConfig) {
        let mut state = self.0.state.borrow_mut();
        state.isr.set_min_insync(config.replica_count, config.min_insync);
        state.config = config;
        drop(state);
        self.0.advance(self.0.log.durable_end_offset());
    }

    /// What consumers may read: everything below.
    pub fn high_watermark(&self) -> Offset {
        self.0.state.borrow().isr.high_watermark()
    }

    /// Calls `hook` with the new high watermark whenever it moves. There is one hook.
    pub fn on_high_watermark(&self, hook: impl Fn(Offset) + 'static) {
        *self.0.on_high_watermark.borrow_mut() = Some(Box::new(hook));
    }

    /// Appends a client's batch, or finds that it was appended before. Synchronous, so that batches
    /// are in the log in the order of the calls; wait with [`Partition::acknowledged`].
    pub fn append(&self, append: &LeaderAppend<'_>) -> Result<AppendOutcome, AppendRefused> {
        let state = self.0.state.borrow();
        if append.acks == Acks::All && !state.isr.is_enough() {
            return Err(AppendRefused::NotEnoughReplicas);
        }
        let batch = record::parse_single(append.records).map_err(AppendRefused::Batch)?;
        let limits = ProducedLimits { batch_size_max_bytes: state.config.batch_size_max };
        let facts = record::validate_produced(&batch, &limits).map_err(AppendRefused::Batch)?;
        if facts.is_transactional {
            return Err(AppendRefused::Transactional);
        }
        let log_append_time = self.stamp(&state.config.timestamps, &facts, append.now)?;
        let log = &self.0.log;
        log.check_open().map_err(AppendRefused::Log)?;
        let outcome = |base_offset, last_offset, stamped| AppendOutcome {
            base_offset,
            last_offset,
            stamped,
            log_start_offset: log.log_start_offset(),
        };
        match log.check_producer(&facts) {
            ProducerCheck::InOrder => {}
            ProducerCheck::Duplicate { base_offset, last_offset } => {
                let stamped = log_append_time.map_or(Stamped::ByProducer, |_| Stamped::Before);
                return Ok(outcome(base_offset, last_offset, stamped));
            }
            refused => return Err(AppendRefused::Producer(refused)),
        }
        let stamp = Stamp { leader_epoch: state.leader_epoch, log_append_time };
        let appended = log.append(append.records, &facts, stamp, Purpose::Records);
        let appended = appended.map_err(AppendRefused::Log)?;
        let stamped = log_append_time.map_or(Stamped::ByProducer, Stamped::ByLeader);
        Ok(outcome(appended.base_offset, appended.last_offset, stamped))
    }

    /// The time that the records of a batch carry, if the leader stamped them. For a duplicate its
    /// header is looked at, on the disk if it has settled.
    pub async fn log_append_time(
        &self,
        outcome: &AppendOutcome,
    ) -> Result<Option<Timestamp>, LogReadError> {
        match outcome.stamped {
            Stamped::ByProducer => Ok(None),
            Stamped::ByLeader(time) => Ok(Some(time)),
            Stamped::Before => self.0.log.log_append_time(outcome.base_offset).await,
        }
    }

    /// Waits until what was appended may be acknowledged: for acks=1 when the leader has it on
    /// disk, for acks=all when it is below the high watermark. As in Kafka only the other replicas
    /// have a `deadline`: the leader's own disk takes the time it needs, and then there is no wait.
    pub async fn acknowledged(
        &self,
        shard: &Shard,
        outcome: &AppendOutcome,
        acks: Acks,
        deadline: Instant,
    ) -> Result<(), Unacknowledged> {
        let end = outcome.last_offset.plus(1);
        if acks == Acks::All {
            self.reached(end, Acks::Leader).await?;
            if self.high_watermark() < end {
                let left = deadline.since(shard.now());
                let replicated = shard.timeout(left, self.reached(end, Acks::All)).await;
                return replicated.unwrap_or(Err(Unacknowledged::Late));
            }
            return Ok(());
        }
        self.reached(end, acks).await
    }

    /// Waits until everything below `end` is where `acks` wants it.
    async fn reached(&self, end: Offset, acks: Acks) -> Result<(), Unacknowledged> {
        let done = || {
            let reached = match acks {
                Acks::None => true,
                Acks::Leader => self.0.log.durable_end_offset() >= end,
                Acks::All => self.high_watermark() >= end,
            };
            match (reached, self.0.resigned.get()) {
                (true, _) => Some(Ok(())),
                (false, true) => Some(Err(Unacknowledged::Resigned)),
                (false, false) => None,
            }
        };
        self.0.moved.wait_until(done).await
    }

    /// Leads no longer: whoever waits for an acknowledgement is told.
    pub fn resign(&self) {
        self.0.resigned.set(true);
        *self.0.on_high_watermark.borrow_mut() = None;
        self.0.moved.wake_all();
    }

    fn stamp(
        &self,
        policy: &TimestampPolicy,
        facts: &BatchFacts,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, AppendRefused> {
        if policy.kind == TimestampType::LogAppendTime {
            return Ok(Some(now));
        }
        let (first, last) = (facts.min_timestamp, facts.max_timestamp);
        let refused = |timestamp| Err(AppendRefused::Timestamp { timestamp, now });
        if last.0 >= 0 && last.0.saturating_sub(now.0) > policy.after_max_ms {
            return refused(last);
        }
        if first.0 >= 0 && now.0.saturating_sub(first.0) > policy.before_max_ms {
            return refused(first);
        }
        Ok(None)
    }
}

impl Leader {
    /// The log has everything below `end` on disk.
    fn advance(&self, end: Offset) {
        let moved = self.state.borrow_mut().isr.advance(self.broker, end);
        if let Some(high_watermark) = moved {
            self.log.set_high_watermark(high_watermark);
            if let Some(hook) = &*self.on_high_watermark.borrow() {
                hook(high_watermark);
            }
        }
        self.moved.wake_all();
    }
}

#[cfg(test)]
mod tests;
