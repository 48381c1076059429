//! Reads partitions from their leader on a thread of its own, ahead of whoever writes records out.

use std::sync::mpsc::SyncSender;
use std::thread;

use protocol::ErrorCode;
use protocol::generated::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use record::BatchView;

use super::connection::Connection;
use super::error::{ClientError, Refusal};
use super::offsets::Isolation;

/// How long the broker may wait for a record, in ms: an end or an interruption is seen no later.
const WAIT_MAX_MS: i32 = 500;
/// What an answer should bring at most, in bytes, of all partitions and of one.
const ANSWER_SIZE_BYTES: i32 = 16 << 20;
const PARTITION_SIZE_BYTES: i32 = 4 << 20;

/// How far a partition is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which.
    pub partition: i32,
    /// The offset that comes next.
    pub next: i64,
    /// The first one that is not wanted; nothing to go on for ever.
    pub end: Option<i64>,
}

impl Position {
    /// Whether all that is wanted has come.
    pub fn is_done(&self) -> bool {
        self.end.is_some_and(|end| self.next >= end)
    }
}

/// Record batches of one partition.
#[derive(Debug)]
pub struct Fetched {
    /// Which.
    pub partition: i32,
    /// Who gave them.
    pub leader: i32,
    /// Whole batches, the last one perhaps cut; the first one may begin before what was asked for.
    pub batches: Vec<u8>,
    /// The transactions in them that were aborted: producer id and first offset.
    pub aborted: Vec<(i64, i64)>,
}

/// What a fetcher says.
#[derive(Debug)]
pub enum FetchEvent {
    /// Records.
    Records(Fetched),
    /// It reads no more of these partitions: they are done, or something went wrong.
    Ended {
        /// How far each has been read, those that are not done.
        left: Vec<Position>,
        /// What went wrong, if anything did.
        error: Option<ClientError>,
    },
}

/// Starts to read these partitions of a topic from the broker of a connection. It ends when all
/// are done, at the first error, or when nobody listens any more.
pub fn start<E: From<FetchEvent> + Send + 'static>(
    connection: Connection,
    leader: i32,
    topic: String,
    positions: Vec<Position>,
    isolation: Isolation,
    events: SyncSender<E>,
) {
    let mut fetcher = Fetcher { connection, leader, topic, positions, isolation, events };
    thread::spawn(move || {
        let error = match fetcher.run() {
            Ok(()) => None,
            Err(Stop::Failed(error)) => Some(error),
            Err(Stop::Unheard) => return,
        };
        let left = fetcher.positions;
        // Nobody listens any more: the program ends.
        drop(fetcher.events.send(FetchEvent::Ended { left, error }.into()));
    });
}

struct Fetcher<E> {
    connection: Connection,
    leader: i32,
    topic: String,
    positions: Vec<Position>,
    isolation: Isolation,
    events: SyncSender<E>,
}

enum Stop {
    Failed(ClientError),
    Unheard,
}

impl<E: From<FetchEvent>> Fetcher<E> {
    fn run(&mut self) -> Result<(), Stop> {
        loop {
            self.positions.retain(|position| !position.is_done());
            if self.positions.is_empty() {
                return Ok(());
            }
            let question = self.question();
            let answer = self.connection.ask(&question).map_err(Stop::Failed)?;
            self.take(answer)?;
            // A broker fills its answer in the order of the question.
            self.positions.rotate_left(1);
        }
    }

    fn question(&self) -> FetchRequest {
        let partitions = self.positions.iter().map(|position| FetchPartition {
            partition: position.partition,
            fetch_offset: position.next,
            partition_max_bytes: PARTITION_SIZE_BYTES,
            ..FetchPartition::default()
        });
        let topic = FetchTopic {
            topic: self.topic.clone(),
            partitions: partitions.collect(),
            ..FetchTopic::default()
        };
        FetchRequest {
            max_wait_ms: WAIT_MAX_MS,
            min_bytes: 1,
            max_bytes: ANSWER_SIZE_BYTES,
            isolation_level: self.isolation.number(),
            topics: vec![topic],
            ..FetchRequest::default()
        }
    }

    fn take(&mut self, answer: FetchResponse) -> Result<(), Stop> {
        let what = || format!("read {}", self.topic);
        let whole = Refusal::check(what, answer.error_code, None);
        whole.map_err(|refusal| Stop::Failed(refusal.into()))?;
        let mut failed = Ok(());
        for partition in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            // What the others have brought is not asked for again.
            match self.take_partition(partition) {
                Err(Stop::Failed(error)) => failed = Err(Stop::Failed(error)),
                other => other?,
            }
        }
        failed
    }

    fn take_partition(&mut self, answer: PartitionData) -> Result<(), Stop> {
        let partition = answer.partition_index;
        let what = || format!("read partition {partition} of {}", self.topic);
        let checked = Refusal::check(what, answer.error_code, None);
        checked.map_err(|refusal| Stop::Failed(refusal.into()))?;
        let batches = answer.records.unwrap_or_default();
        let position = self.positions.iter_mut().find(|position| position.partition == partition);
        let (Some(position), false) = (position, batches.is_empty()) else { return Ok(()) };
        let next = behind(&batches).max(position.next);
        if next == position.next {
            let what = format!("read partition {partition} of {} at offset {next}", self.topic);
            let code = ErrorCode::CorruptMessage.number();
            return Err(Stop::Failed(Refusal::new(what, code, None).into()));
        }
        position.next = next;
        let aborted = answer.aborted_transactions.unwrap_or_default();
        let aborted = aborted.iter().map(|one| (one.producer_id, one.first_offset)).collect();
        let fetched = Fetched { partition, leader: self.leader, batches, aborted };
        self.events.send(FetchEvent::Records(fetched).into()).map_err(|_| Stop::Unheard)
    }
}

/// The offset behind the last whole batch, or the least if there is none.
fn behind(mut batches: &[u8]) -> i64 {
    let mut next = i64::MIN;
    while let Ok((batch, rest)) = BatchView::parse(batches) {
        next = batch.last_offset().plus(1).0;
        batches = rest;
    }
    next
}
