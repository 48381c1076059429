//! Proposals become records of the metadata log, many to a batch, and are answered when they are
//! applied.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use metadata::{Applied, LogPosition, MetadataEntry, MetadataImage, MetadataRecord, Refused};
use record::{BatchBuilder, BatchView, LeaderEpoch, Record, Timestamp};
use runtime::sync::{Queue, Sender, Signal, first, oneshot};
use runtime::{Shard, TaskClass};
use storage::{AppendError, Log, NoRoom, Purpose, Stamp, Store};

use crate::load::{LoadError, load};

/// Proposals of each kind that may wait for the log; more wait for a place.
const WAITING_MAX: usize = 1024;
/// Proposals are gathered into one batch up to this size: about a thousand topics of one partition.
const BATCH_SIZE: usize = 256 * 1024;
/// The same for those that free space: the journal's reserve is for small entries.
const FREEING_BATCH_SIZE: usize = 16 * 1024;

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
    size: usize,
    answer: Sender<Answer>,
}

struct Core {
    shard: Shard,
    store: Store,
    log: Log,
    term: u64,
    image: RefCell<MetadataImage>,
    /// Proposals that take space.
    taking: Queue<Proposal>,
    /// Proposals that free space or must not wait for it.
    freeing: Queue<Proposal>,
    /// Something was proposed, or nothing will be any more.
    proposed: Signal,
    stopping: Cell<bool>,
}

/// Proposals that found no room, and how much they want.
struct NoRoomFor {
    proposals: Vec<Proposal>,
    size: usize,
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
            taking: Queue::new(WAITING_MAX),
            freeing: Queue::new(WAITING_MAX),
            proposed: Signal::new(),
            stopping: Cell::new(false),
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
        let size = encode(LogPosition::default(), &record).len();
        let queue = self.0.queue(purpose_of(&record));
        let pushed = queue.push(Proposal { record, size, answer }).await;
        pushed.map_err(|_| ProposeError::Stopping)?;
        self.0.proposed.wake_all();
        answered.await.unwrap_or(Err(ProposeError::Stopping))
    }

    /// Takes no more proposals.
    pub fn stop(&self) {
        self.0.stopping.set(true);
        self.0.taking.close();
        self.0.freeing.close();
        self.0.proposed.wake_all();
    }
}

/// What a start and a deletion propose must get through when the journal is full of what can't
/// settle on a full disk: nothing else leads out of that.
fn purpose_of(record: &MetadataRecord) -> Purpose {
    match record {
        MetadataRecord::TopicCreated { .. }
        | MetadataRecord::PartitionsAdded { .. }
        | MetadataRecord::TopicConfigsChanged { .. }
        | MetadataRecord::ProducerIdsAllocated { .. } => Purpose::Metadata,
        MetadataRecord::BrokerRegistered { .. }
        | MetadataRecord::TopicRemoved { .. }
        | MetadataRecord::TopicForgotten { .. } => Purpose::FreesJournal,
    }
}

impl Core {
    /// One batch after the other: the proposals that came in while one was synced are the next.
    /// What frees space passes by what waits for room.
    async fn write(&self) {
        let mut waits: Option<NoRoomFor> = None;
        while let Some(purpose) = self.next(waits.as_ref()).await {
            let waited = if purpose == Purpose::Metadata { waits.take() } else { None };
            let proposals = waited.map_or_else(|| self.gather(purpose), |w| w.proposals);
            if let Err(no_room) = self.commit(purpose, proposals).await {
                waits = Some(no_room);
            }
        }
    }

    /// What the next batch is for; none when there will be no more.
    async fn next(&self, waits: Option<&NoRoomFor>) -> Option<Purpose> {
        let look = || match (self.freeing.is_empty(), self.taking.is_empty() || waits.is_some()) {
            (false, _) => Some(Some(Purpose::FreesJournal)),
            (true, false) => Some(Some(Purpose::Metadata)),
            (true, true) => self.stopping.get().then_some(None),
        };
        let proposed = self.proposed.wait_until(look);
        let Some(waits) = waits else { return proposed.await };
        let room = async {
            self.store.room(waits.size, Purpose::Metadata).await;
            Some(Purpose::Metadata)
        };
        first(proposed, room).await
    }

    fn queue(&self, purpose: Purpose) -> &Queue<Proposal> {
        match purpose {
            Purpose::FreesJournal => &self.freeing,
            Purpose::Records | Purpose::Metadata | Purpose::Control => &self.taking,
        }
    }

    fn gather(&self, purpose: Purpose) -> Vec<Proposal> {
        let (queue, size_max) = (self.queue(purpose), batch_size_max(purpose));
        let (mut gathered, mut size) = (Vec::new(), 0);
        while size < size_max
            && let Some(proposal) = queue.try_pop()
        {
            size += proposal.size;
            gathered.push(proposal);
        }
        gathered
    }

    /// Appends proposals as one batch, applies and answers them. What takes space comes back if
    /// there is no room for it.
    async fn commit(&self, purpose: Purpose, proposals: Vec<Proposal>) -> Result<(), NoRoomFor> {
        let base = self.log.log_end_offset().0 as u64;
        let position = |index| LogPosition { term: self.term, index };
        let placed: Vec<_> = (base..).map(position).zip(proposals).collect();
        let bytes = batch(&placed, Timestamp(self.shard.wall_ms()));
        let sequence = loop {
            match self.append(&bytes, purpose) {
                Ok(sequence) => break sequence,
                Err(AppendError::NoRoom(NoRoom::Journal | NoRoom::Tail)) => {}
                Err(e) => {
                    for (_, proposal) in placed {
                        let _gone = proposal.answer.send(Err(ProposeError::Log(e.clone())));
                    }
                    return Ok(());
                }
            }
            if purpose != Purpose::FreesJournal {
                let proposals = placed.into_iter().map(|(_, proposal)| proposal).collect();
                return Err(NoRoomFor { proposals, size: bytes.len() });
            }
            self.store.room(bytes.len(), purpose).await;
        };
        self.log.wait_durable(sequence).await;
        self.log.set_high_watermark(self.log.durable_end_offset());
        for (position, proposal) in placed {
            let applied = self.image.borrow_mut().apply(position, &proposal.record);
            let _gone = proposal.answer.send(applied.map_err(ProposeError::Refused));
        }
        Ok(())
    }

    fn append(&self, bytes: &[u8], purpose: Purpose) -> Result<u64, AppendError> {
        let (batch, _) = BatchView::parse(bytes).expect("built a moment ago");
        let facts = batch.facts().expect("built a moment ago");
        let stamp = Stamp { leader_epoch: epoch_of(self.term), log_append_time: None };
        Ok(self.log.append(bytes, &facts, stamp, purpose)?.sequence)
    }
}

fn batch_size_max(purpose: Purpose) -> usize {
    match purpose {
        Purpose::FreesJournal => FREEING_BATCH_SIZE,
        Purpose::Records | Purpose::Metadata | Purpose::Control => BATCH_SIZE,
    }
}

/// Proposals as one record batch, each with its place.
fn batch(placed: &[(LogPosition, Proposal)], timestamp: Timestamp) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for (position, proposal) in placed {
        let value = encode(*position, &proposal.record);
        builder.push(&Record { timestamp, key: None, value: Some(&value), headers: &[] });
    }
    builder.build().expect("records without compression, far below 2 GiB")
}

fn encode(position: LogPosition, record: &MetadataRecord) -> Vec<u8> {
    MetadataEntry::new(position, record.clone()).encode()
}

/// A term as the leader epoch of the log's batches.
fn epoch_of(term: u64) -> LeaderEpoch {
    LeaderEpoch(i32::try_from(term).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests;
