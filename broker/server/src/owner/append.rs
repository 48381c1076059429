//! Appends at the owner: at once if there is room, else in a queue that keeps their order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use protocol::ErrorCode;
use record::Timestamp;
use replica::{Acks, AppendOutcome, AppendRefused, LeaderAppend, Partition};
use runtime::sync::{Event, Receiver, Sender, oneshot};
use runtime::{Instant, Lease, Shard};
use storage::{AppendError, NoRoom, Purpose, Store};

use super::Owner;
use crate::error_codes::Refusal;
use crate::message::{Append, Appended};
use crate::shard::Core;

/// Appends of one request that have their place, in the log or in the queue.
pub(crate) struct BegunAppends {
    acks: Acks,
    deadline: Instant,
    batches: Vec<BegunAppend>,
}

enum BegunAppend {
    Refused(Refusal),
    InLog(Partition, AppendOutcome),
    Queued(Partition, Receiver<Result<AppendOutcome, Refusal>>),
}

/// Batches that may wait for room on one shard: what memory for requests can hold of batches of the
/// usual size, and a few MiB where they are tiny.
const QUEUED_MAX: usize = 16 * 1024;

/// Appends that found no room in journal or tail. What comes later waits behind them, so that the
/// batches of a producer stay in order.
pub(super) struct AppendQueue {
    shard: Shard,
    store: Store,
    waiting: RefCell<VecDeque<QueuedAppend>>,
    filled: Event,
}

struct QueuedAppend {
    partition: Partition,
    records: Lease,
    acks: Acks,
    deadline: Instant,
    outcome: Sender<Result<AppendOutcome, Refusal>>,
}

impl Owner {
    /// Appends what has room and queues the rest, in order, before it returns.
    pub(crate) fn begin_append(&self, append: &Append) -> BegunAppends {
        let (acks, deadline) = (append.acks, append.deadline);
        let begin = |batch: &crate::message::AppendBatch| match self.partition(&batch.partition) {
            Err(refusal) => BegunAppend::Refused(refusal),
            Ok(partition) => self.queue.begin(partition, &batch.records, acks, deadline),
        };
        BegunAppends { acks, deadline, batches: append.batches.iter().map(begin).collect() }
    }

    /// Waits until each batch is as durable as its acks asks for.
    pub(crate) async fn finish_append(
        &self,
        begun: BegunAppends,
    ) -> Vec<Result<Appended, Refusal>> {
        let mut results = Vec::with_capacity(begun.batches.len());
        for batch in begun.batches {
            results.push(self.queue.finish(batch, begun.acks, begun.deadline).await);
        }
        results
    }
}

impl AppendQueue {
    pub(super) fn new(shard: &Shard, store: &Store) -> AppendQueue {
        let (shard, store) = (shard.clone(), store.clone());
        AppendQueue { shard, store, waiting: RefCell::default(), filled: Event::new() }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.borrow().len()
    }

    fn begin(
        &self,
        partition: Partition,
        records: &Lease,
        acks: Acks,
        deadline: Instant,
    ) -> BegunAppend {
        if self.waiting.borrow().is_empty() {
            match self.append(&partition, records, acks) {
                Ok(outcome) => return BegunAppend::InLog(partition, outcome),
                Err(refused) if !passes_with_time(&refused) => {
                    return BegunAppend::Refused(Refusal::from(&refused));
                }
                Err(_) => {}
            }
        }
        if self.waiting.borrow().len() >= QUEUED_MAX {
            let why = format!("{QUEUED_MAX} batches wait for room already: send less, or later");
            return BegunAppend::Refused(Refusal::because(ErrorCode::KafkaStorageError, why));
        }
        let (outcome, answer) = oneshot();
        let (records, waiting) = (records.clone(), partition.clone());
        let queued = QueuedAppend { partition, records, acks, deadline, outcome };
        self.waiting.borrow_mut().push_back(queued);
        self.filled.set();
        BegunAppend::Queued(waiting, answer)
    }

    fn append(
        &self,
        partition: &Partition,
        records: &Lease,
        acks: Acks,
    ) -> Result<AppendOutcome, AppendRefused> {
        let now = Timestamp(self.shard.wall_ms());
        partition.append(&LeaderAppend { records, acks, now })
    }

    async fn finish(
        &self,
        batch: BegunAppend,
        acks: Acks,
        deadline: Instant,
    ) -> Result<Appended, Refusal> {
        let (partition, outcome) = match batch {
            BegunAppend::Refused(refusal) => return Err(refusal),
            BegunAppend::InLog(partition, outcome) => (partition, outcome),
            BegunAppend::Queued(partition, outcome) => {
                let ended = || Refusal::bare(ErrorCode::NotLeaderOrFollower);
                (partition, outcome.await.map_err(|_| ended())??)
            }
        };
        partition.acknowledged(&self.shard, &outcome, acks, deadline).await?;
        let log_append_time = partition.log_append_time(&outcome).await;
        Ok(Appended {
            base_offset: outcome.base_offset,
            log_append_time: log_append_time.map_err(|e| Refusal::from(&e))?,
            log_start_offset: outcome.log_start_offset,
        })
    }

    /// Appends what is queued, for as long as the shard lives. The batch that is tried stays at the
    /// front, so that nothing passes it by.
    async fn run(&self) {
        loop {
            let Some((partition, records, acks, deadline)) = self.front() else {
                self.filled.wait().await;
                continue;
            };
            let result = match self.append(&partition, &records, acks) {
                Err(refused) if passes_with_time(&refused) && self.shard.now() < deadline => {
                    let left = deadline.since(self.shard.now());
                    let room = self.store.room(records.len(), Purpose::Records);
                    let _room_or_late = self.shard.timeout(left, room).await;
                    continue;
                }
                result => result.map_err(|refused| Refusal::from(&refused)),
            };
            let done = self.waiting.borrow_mut().pop_front().expect("only this task takes");
            let _client_is_gone = done.outcome.send(result);
        }
    }

    fn front(&self) -> Option<(Partition, Lease, Acks, Instant)> {
        let waiting = self.waiting.borrow();
        let first = waiting.front()?;
        Some((first.partition.clone(), first.records.clone(), first.acks, first.deadline))
    }
}

/// Appends what is queued, for as long as the shard lives.
pub(crate) fn start_queue(core: &Rc<Core>) {
    let queue = core.owner.queue.clone();
    core.spawn("append queue", async move { queue.run().await });
}

fn passes_with_time(refused: &AppendRefused) -> bool {
    let passing =
        |e: &AppendError| matches!(e, AppendError::NoRoom(NoRoom::Journal | NoRoom::Tail));
    matches!(refused, AppendRefused::Log(error) if passing(error))
}
