//! Proposals become records of the metadata log, many to a batch, and are answered when they are
//! applied.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use metadata::{Applied, LogPosition, MetadataEntry, MetadataImage, MetadataRecord, Refused};
use record::{BatchBuilder, BatchView, LeaderEpoch, Offset, Record, Timestamp};
use runtime::sync::{Queue, Sender, oneshot};
use runtime::{Shard, TaskClass};
use storage::{AppendError, Log, NoRoom, Stamp, Store};

use crate::load::{LoadError, load};

/// Proposals that may wait for the log; more wait for a place.
const WAITING_MAX: usize = 1024;
/// Proposals are gathered into one batch up to this size: about a thousand topics of one partition.
const BATCH_SIZE: usize = 256 * 1024;

/// Why a proposal came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProposeError {
    /// It is in the log, and changed nothing.
    Refused(Refused),
    /// The log did not take it.
    Log(AppendError),
    /// The broker is stopping.
    Stopping,
}

impl fmt::Display for ProposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProposeError::Refused(e) => e.fmt(f),
            ProposeError::Log(e) => write!(f, "the metadata log can't take it: {e}"),
            ProposeError::Stopping => write!(f, "this broker is stopping"),
        }
    }
}

impl std::error::Error for ProposeError {}

type Answer = Result<Applied, ProposeError>;

struct Proposal {
    record: MetadataRecord,
    answer: Sender<Answer>,
}

struct Core {
    shard: Shard,
    store: Store,
    log: Log,
    term: u64,
    image: RefCell<MetadataImage>,
    waiting: Queue<Proposal>,
}

/// The metadata log and what it adds up to. Lives on one shard. Cheap to clone.
#[derive(Clone)]
pub struct Quorum(Rc<Core>);

impl Quorum {
    /// Reads the log back and leads it in a new term.
    pub async fn open(shard: &Shard, store: &Store, log: Log) -> Result<Quorum, LoadError> {
        let image = load(&log).await?;
        log.set_high_watermark(log.durable_end_offset());
        let newest = log.epoch_starts().last().map_or(0, |start| start.epoch.0);
        let term = (image.applied().term).max(u64::try_from(newest).unwrap_or(0)) + 1;
        log.start_leader_epoch(epoch_of(term)).await;
        let core = Rc::new(Core {
            shard: shard.clone(),
            store: store.clone(),
            log,
            term,
            image: RefCell::new(image),
            waiting: Queue::new(WAITING_MAX),
        });
        let writer = core.clone();
        let write = async move { writer.write().await };
        shard.spawn(TaskClass::Foreground, "metadata log", write).detach();
        Ok(Quorum(core))
    }

    /// What all applied records add up to.
    pub fn image(&self) -> MetadataImage {
        self.0.image.borrow().clone()
    }

    /// Makes a change: on return it is durable and applied, or it was refused.
    pub async fn propose(&self, record: MetadataRecord) -> Answer {
        let (answer, answered) = oneshot();
        let proposal = Proposal { record, answer };
        self.0.waiting.push(proposal).await.map_err(|_| ProposeError::Stopping)?;
        answered.await.unwrap_or(Err(ProposeError::Stopping))
    }

    /// Takes no more proposals.
    pub fn stop(&self) {
        self.0.waiting.close();
    }
}

impl Core {
    /// One batch after the other: the proposals that came in while one was synced are the next.
    async fn write(&self) {
        while let Some(first) = self.waiting.pop().await {
            self.commit(first).await;
        }
    }

    async fn commit(&self, first: Proposal) {
        let mut batch = Batch::new(self.term, self.log.log_end_offset());
        let now = Timestamp(self.shard.wall_ms());
        batch.push(first, now);
        while batch.size < BATCH_SIZE
            && let Some(next) = self.waiting.try_pop()
        {
            batch.push(next, now);
        }
        let bytes = batch.builder.build().expect("records without compression, far below 2 GiB");
        match self.append(&bytes).await {
            Ok(sequence) => self.log.wait_durable(sequence).await,
            Err(e) => {
                for (_, proposal) in batch.proposals {
                    let _gone = proposal.answer.send(Err(ProposeError::Log(e.clone())));
                }
                return;
            }
        }
        self.log.set_high_watermark(self.log.durable_end_offset());
        for (position, proposal) in batch.proposals {
            let applied = self.image.borrow_mut().apply(position, &proposal.record);
            let _gone = proposal.answer.send(applied.map_err(ProposeError::Refused));
        }
    }

    /// Appends, as soon as the journal has room.
    async fn append(&self, bytes: &[u8]) -> Result<u64, AppendError> {
        let (batch, _) = BatchView::parse(bytes).expect("built a moment ago");
        let facts = batch.facts().expect("built a moment ago");
        let stamp = Stamp { leader_epoch: epoch_of(self.term), log_append_time: None };
        loop {
            match self.log.append(bytes, &facts, stamp) {
                Ok(appended) => return Ok(appended.sequence),
                Err(AppendError::NoRoom(NoRoom::Journal | NoRoom::Tail)) => {
                    self.store.room(bytes.len()).await;
                }
                Err(e) => return Err(e),
            }
        }
    }
}

/// Proposals on their way into the log as one record batch, each with its place.
struct Batch {
    term: u64,
    base: Offset,
    proposals: Vec<(LogPosition, Proposal)>,
    builder: BatchBuilder,
    size: usize,
}

impl Batch {
    fn new(term: u64, base: Offset) -> Batch {
        Batch { term, base, proposals: Vec::new(), builder: BatchBuilder::new(), size: 0 }
    }

    fn push(&mut self, proposal: Proposal, timestamp: Timestamp) {
        let index = self.base.0 as u64 + self.proposals.len() as u64;
        let position = LogPosition { term: self.term, index };
        let value = MetadataEntry::new(position, proposal.record.clone()).encode();
        self.builder.push(&Record { timestamp, key: None, value: Some(&value), headers: &[] });
        self.size += value.len();
        self.proposals.push((position, proposal));
    }
}

/// A term as the leader epoch of the log's batches.
fn epoch_of(term: u64) -> LeaderEpoch {
    LeaderEpoch(i32::try_from(term).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests;
