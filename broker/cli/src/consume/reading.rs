//! The reading itself: a fetcher for each leader, records out as they come, and what to do when a
//! leader moves or records are gone.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use protocol::ErrorCode;
use record::{BatchView, ReadLimits};

use super::ConsumeError;
use super::format::{Format, NullText, Read};
use crate::client::cluster::{Cluster, Topic, insist};
use crate::client::error::ClientError;
use crate::client::fetcher::{self, FetchEvent, Fetched, Position};
use crate::client::offsets::{self, Isolation, Place};
use crate::ending::{self, Ending, Interrupted};
use crate::fault::{self, Notice};
use crate::options::Reader;
use crate::progress::Progress;

/// Fetched pieces that may wait to be written out; each is up to 4 MiB, or one large batch.
const AHEAD_MAX: usize = 4;
/// What a batch may decompress to, in bytes: more than any broker's messages, less than a machine.
const LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 256 << 20 };
/// How often the progress is looked at while nothing comes.
const GLANCE: Duration = Duration::from_millis(200);
/// Before a leader is looked for again.
const PAUSE: Duration = Duration::from_millis(100);

/// What is to be read, and how it is written out.
#[derive(Debug)]
pub struct Wanted {
    /// From where to where.
    pub positions: Vec<Position>,
    /// Which of the records.
    pub isolation: Isolation,
    /// At most so many.
    pub count: u64,
    /// The form.
    pub format: Format,
    /// What null looks like in it.
    pub null: NullText,
    /// Who reads what is said beside.
    pub reader: Reader,
}

/// A topic that is being read.
pub struct Reading {
    cluster: Cluster,
    topic: Topic,
    wanted: Wanted,
    /// Where each partition goes on, for what is written out.
    positions: BTreeMap<i32, Position>,
    out: BufWriter<StdoutLock<'static>>,
    events: Receiver<Event>,
    sender: SyncSender<Event>,
    fetchers: usize,
    progress: Progress,
    /// All records that are wanted, as far as that is known.
    whole: Option<u64>,
    trouble: Option<Trouble>,
}

/// Leaders failed, and no records came since.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    first: Instant,
    last: Instant,
    /// Whether it was said that it is tried again.
    is_told: bool,
}

enum Event {
    Fetch(FetchEvent),
    Interrupted,
}

impl From<FetchEvent> for Event {
    fn from(event: FetchEvent) -> Self {
        Self::Fetch(event)
    }
}

impl From<Interrupted> for Event {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl Reading {
    /// Starts to read.
    pub fn new(
        cluster: Cluster,
        topic: Topic,
        wanted: Wanted,
        out: BufWriter<StdoutLock<'static>>,
    ) -> Result<Self, ConsumeError> {
        let (sender, events) = sync_channel(AHEAD_MAX);
        ending::listen(sender.clone());
        let positions = wanted.positions.iter().map(|position| (position.partition, *position));
        let mut this = Self {
            cluster,
            topic,
            positions: positions.collect(),
            whole: whole(&wanted),
            wanted,
            out,
            events,
            sender,
            fetchers: 0,
            progress: Progress::begin(Some(&io::stdout())),
            trouble: None,
        };
        let all = this.wanted.positions.clone();
        this.fetch(&all)?;
        Ok(this)
    }

    /// Reads and writes until all that is wanted has come.
    pub fn run(mut self) -> Result<Ending, ConsumeError> {
        let outcome = self.take_all();
        self.progress.clear();
        let ending = outcome?;
        self.out.flush()?;
        Ok(ending)
    }

    fn take_all(&mut self) -> Result<Ending, ConsumeError> {
        while self.fetchers > 0 && self.progress.records() < self.wanted.count {
            match self.next_event()? {
                None => {}
                Some(Event::Interrupted) => return Ok(Ending::Interrupted),
                Some(Event::Fetch(FetchEvent::Records(fetched))) => {
                    if self.trouble.take().is_some_and(|trouble| trouble.is_told) {
                        self.say(&Notice::going_on());
                    }
                    self.take(&fetched)?;
                }
                Some(Event::Fetch(FetchEvent::Ended { left, error })) => {
                    self.fetchers -= 1;
                    if let Some(error) = error {
                        self.go_on(left, error)?;
                    }
                }
            }
            self.progress.draw(self.whole);
        }
        Ok(Ending::Done)
    }

    /// The next event; before waiting for one, everything that has come is written out.
    fn next_event(&mut self) -> Result<Option<Event>, ConsumeError> {
        match self.events.try_recv() {
            Ok(event) => return Ok(Some(event)),
            Err(TryRecvError::Empty) => self.out.flush()?,
            Err(TryRecvError::Disconnected) => unreachable!("we hold a sender ourselves"),
        }
        match self.events.recv_timeout(GLANCE) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => unreachable!("we hold a sender ourselves"),
        }
    }

    /// Writes the records of what was fetched that are wanted.
    fn take(&mut self, fetched: &Fetched) -> Result<(), ConsumeError> {
        let partition = fetched.partition;
        let mut aborted = Aborted::new(&fetched.aborted);
        let mut rest = &fetched.batches[..];
        self.progress.add(0, fetched.batches.len() as u64);
        while let Ok((batch, behind)) = BatchView::parse(rest) {
            rest = behind;
            if !aborted.hides(&batch) && !batch.is_control() {
                self.take_batch(fetched, &batch)?;
            }
            let position = self.position(partition);
            position.next = position.next.max(batch.last_offset().plus(1).0);
        }
        Ok(())
    }

    fn take_batch(&mut self, fetched: &Fetched, batch: &BatchView<'_>) -> Result<(), ConsumeError> {
        let partition = fetched.partition;
        let Position { next, end, .. } = *self.position(partition);
        let offset = batch.base_offset().0;
        if batch.last_offset().0 < next || end.is_some_and(|end| offset >= end) {
            return Ok(());
        }
        batch.validate_crc().map_err(|error| ConsumeError::Batch { partition, offset, error })?;
        let unreadable = |error| ConsumeError::Records { partition, offset, error };
        let records = record::records(batch, &LIMITS).map_err(unreadable)?;
        for record in &records {
            let record = record.map_err(unreadable)?;
            let is_over = end.is_some_and(|end| record.offset.0 >= end);
            if is_over || self.progress.records() >= self.wanted.count {
                break;
            }
            if record.offset.0 < next {
                continue;
            }
            let read = Read {
                topic: &self.topic.name,
                partition,
                broker: fetched.leader,
                timestamp_type: batch.timestamp_type(),
                record,
            };
            self.wanted.format.write(&mut self.out, &read, self.wanted.null)?;
            self.progress.add(1, 0);
        }
        Ok(())
    }

    fn position(&mut self, partition: i32) -> &mut Position {
        let unknown = Position { partition, next: 0, end: None };
        self.positions.entry(partition).or_insert(unknown)
    }

    /// Starts a fetcher for each leader of these partitions; all of them, or none.
    fn fetch(&mut self, positions: &[Position]) -> Result<(), ClientError> {
        let partitions: Vec<i32> = positions.iter().map(|position| position.partition).collect();
        let by_leader = offsets::by_leader(&self.topic, &partitions)?;
        let connect = |(leader, theirs)| Ok((self.cluster.connect(leader)?, leader, theirs));
        let connected = by_leader.into_iter().map(connect);
        for (connection, leader, theirs) in connected.collect::<Result<Vec<_>, ClientError>>()? {
            let theirs = positions.iter().filter(|p| theirs.contains(&p.partition)).copied();
            let (topic, theirs) = (self.topic.name.clone(), theirs.collect());
            let isolation = self.wanted.isolation;
            fetcher::start(connection, leader, topic, theirs, isolation, self.sender.clone());
            self.fetchers += 1;
        }
        Ok(())
    }

    /// After an error that may pass, looks for the leaders again, as long as the client's patience.
    fn go_on(&mut self, mut left: Vec<Position>, error: ClientError) -> Result<(), ConsumeError> {
        let out_of_range = is_refused_with(&error, ErrorCode::OffsetOutOfRange);
        let patience = self.cluster.patience();
        let now = Instant::now();
        let is_of_now = |trouble: &Trouble| now.duration_since(trouble.last) <= patience;
        let before = self.trouble.filter(is_of_now);
        let mut trouble = before.unwrap_or(Trouble { first: now, last: now, is_told: false });
        trouble.last = now;
        let is_hopeless = now.duration_since(trouble.first) > patience;
        if is_hopeless || !(error.is_retriable() || out_of_range) {
            return Err(error.into());
        }
        self.out.flush()?;
        if out_of_range {
            self.move_into_range(&mut left)?;
        } else if !trouble.is_told {
            trouble.is_told = true;
            self.say(&Notice::trying_again(&error));
        }
        self.trouble = Some(trouble);
        std::thread::sleep(PAUSE);
        insist(patience, || {
            self.topic = self.cluster.topic_with_leaders(&self.topic.name)?;
            self.fetch(&left)
        })?;
        Ok(())
    }

    /// What was to come next is gone, or never was.
    fn move_into_range(&mut self, left: &mut [Position]) -> Result<(), ConsumeError> {
        let partitions: Vec<i32> = left.iter().map(|position| position.partition).collect();
        let isolation = Isolation::ReadUncommitted;
        let (cluster, topic) = (&mut self.cluster, &self.topic);
        let earliest = offsets::find(cluster, topic, &partitions, Place::Earliest, isolation)?;
        let latest = offsets::find(cluster, topic, &partitions, Place::Latest, isolation)?;
        for position in left {
            let Position { partition, next, .. } = *position;
            let of = |map: &BTreeMap<i32, Option<i64>>| map.get(&partition).copied().flatten();
            let first = of(&earliest).unwrap_or(next);
            let last = of(&latest).unwrap_or(next).max(first);
            if next < first {
                self.say(&Notice::out_of_range(format!(
                    "the records {next} to {} of partition {partition} are gone; going on with \
                     {first}",
                    first - 1
                )));
            } else if next > last {
                self.say(&Notice::out_of_range(format!(
                    "partition {partition} ends at {last} now and had {next} before: was the \
                     topic made anew? Going on at its end"
                )));
            }
            position.next = next.clamp(first, last);
            self.position(partition).next = position.next;
        }
        Ok(())
    }

    /// Says something that is no end, where the progress stood.
    fn say(&mut self, notice: &Notice) {
        self.progress.clear();
        fault::say(notice, self.wanted.reader);
    }
}

/// How many records are wanted, if there is an end.
fn whole(wanted: &Wanted) -> Option<u64> {
    let left = |position: &Position| {
        position.end.map(|end| u64::try_from(end - position.next).unwrap_or(0))
    };
    let to_the_ends: Option<u64> = wanted.positions.iter().map(left).sum();
    let counted = Some(wanted.count).filter(|count| *count < u64::MAX);
    match (to_the_ends, counted) {
        (Some(all), Some(count)) => Some(all.min(count)),
        (all, count) => all.or(count),
    }
}

fn is_refused_with(error: &ClientError, code: ErrorCode) -> bool {
    matches!(error, ClientError::Refused(refusal) if refusal.code == code.number())
}

/// The transactions whose records are not to be seen.
///
/// A broker that is asked for committed records sends all, and names the aborted transactions: each
/// is its producer's from its first offset on until the marker of the abort.
struct Aborted<'a> {
    /// Those that have not begun yet.
    coming: Vec<&'a (i64, i64)>,
    /// The producers of those that have.
    begun: Vec<i64>,
}

impl<'a> Aborted<'a> {
    fn new(transactions: &'a [(i64, i64)]) -> Self {
        let mut coming: Vec<_> = transactions.iter().collect();
        coming.sort_by_key(|(_, first_offset)| std::cmp::Reverse(*first_offset));
        Self { coming, begun: Vec::new() }
    }

    /// Whether a batch belongs to an aborted transaction. Batches come in their order.
    fn hides(&mut self, batch: &BatchView<'_>) -> bool {
        while let Some((producer, _)) =
            self.coming.pop_if(|(_, first_offset)| *first_offset <= batch.last_offset().0)
        {
            self.begun.push(*producer);
        }
        let producer = batch.producer_id().0;
        let is_aborted = self.begun.contains(&producer);
        if is_aborted && batch.is_control() {
            self.begun.retain(|begun| *begun != producer);
        }
        is_aborted && batch.is_transactional()
    }
}

#[cfg(test)]
mod tests;
