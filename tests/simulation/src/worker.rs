//! Works on one log of a life: appends, truncates, moves its start, begins leader epochs, and notes
//! what was asked and what was acknowledged.

use std::pin::pin;
use std::time::Duration;

use record::{LeaderEpoch, Offset};
use runtime::{Shard, TaskClass};
use storage::{AppendError, Appended, Log, Purpose, Stamp, Store};

use crate::figures::Event;
use crate::history::{Batch, Expected, Operation, Producer};
use crate::inspect::{encode, facts};
use crate::life::{Life, PRODUCERS};
use crate::violation::{Property, Violation};
use crate::world::Draw;

/// How long a change of a log waits before the high watermark moves.
const WATERMARK_PAUSE: Duration = Duration::from_millis(50);

/// Runs a change of `log`, which waits for room in the journal. The watermark moves on meanwhile,
/// up to `limit`, as it does by itself where there are replicas: else nothing could settle.
pub(crate) async fn with_moving_watermark<T>(
    shard: &Shard,
    log: &Log,
    limit: i64,
    change: impl Future<Output = T>,
) -> T {
    let mut change = pin!(change);
    loop {
        if let Ok(changed) = shard.timeout(WATERMARK_PAUSE, change.as_mut()).await {
            return changed;
        }
        let end = log.durable_end_offset().min(Offset(limit));
        log.set_high_watermark(end.max(log.high_watermark()));
    }
}

/// Works on one log, alone.
pub struct Worker {
    /// What it shares.
    pub life: Life,
    /// Where it runs.
    pub shard: Shard,
    /// The store of the log.
    pub store: Store,
    /// The log.
    pub log: Log,
    /// What the log is when everything that was asked for has happened.
    pub expected: Expected,
}

impl Worker {
    /// Until the store stops or the log is deleted.
    pub async fn run(mut self) {
        while !self.shard.is_shutting_down() && !self.is_gone() {
            let watermark_steps = 6..6 + self.life.sizes.watermark_steps;
            match (&self.shard).pick(0..24) {
                0 => self.truncate().await,
                1 => self.start_epoch().await,
                2 => self.move_start().await,
                step if watermark_steps.contains(&step) => {
                    self.log.set_high_watermark(self.log.durable_end_offset());
                }
                3..6 => self.shard.sleep(Duration::from_micros((&self.shard).pick(0..3000))).await,
                _ => self.append().await,
            }
            let rest = self.life.rest.get();
            if !rest.is_zero() {
                let nanos = (&self.shard).pick(0..rest.as_nanos() as u64);
                self.shard.sleep(Duration::from_nanos(nanos)).await;
            }
        }
    }

    /// Notes an operation before the store is asked for it; none if the log is deleted by now.
    fn ask(&mut self, operation: Operation) -> Option<usize> {
        if self.is_gone() {
            return None;
        }
        self.expected.apply(&operation);
        Some(self.life.history.borrow_mut().ask(self.log.id(), operation))
    }

    /// Deleted, or about to be.
    fn is_gone(&self) -> bool {
        let id = self.log.id();
        self.store.log(&id).is_none() || self.life.history.borrow().is_doomed(id)
    }

    fn acknowledge(&self, number: usize, event: Event) {
        if self.store.log(&self.log.id()).is_some() {
            self.life.history.borrow_mut().acknowledge(self.log.id(), number);
            self.life.count(event);
        }
    }

    async fn append(&mut self) {
        let batch = self.draw_batch();
        let Some(appended) = self.append_to_log(&batch).await else { return };
        let at = appended.base_offset.0;
        if at != self.expected.log_end {
            let evidence = format!("a batch got {at}, not {}", self.expected.log_end);
            let violation = Violation::of_log(Property::IsDense, self.log.id(), evidence);
            return self.life.findings.note(violation);
        }
        let number = self.ask(Operation::Append(at, batch)).expect("the log took the batch");
        let (life, log, store) = (self.life.clone(), self.log.clone(), self.store.clone());
        let acknowledged = async move {
            log.wait_durable(appended.sequence).await;
            if store.log(&log.id()).is_some() {
                life.history.borrow_mut().acknowledge(log.id(), number);
                life.count(Event::Append);
            }
        };
        if (&self.shard).pick(0..3) == 0 {
            acknowledged.await;
        } else {
            self.shard.spawn(TaskClass::Foreground, "ack", acknowledged).detach();
        }
    }

    /// None if the log is deleted, or takes nothing for now.
    async fn append_to_log(&self, batch: &Batch) -> Option<Appended> {
        let bytes = encode(batch);
        let stamp = Stamp { leader_epoch: LeaderEpoch(batch.epoch), log_append_time: None };
        while !self.is_gone() {
            match self.log.append(&bytes, &facts(&bytes), stamp, Purpose::Records) {
                Ok(appended) => return Some(appended),
                Err(AppendError::NoRoom(_)) => self.wait_for_room(bytes.len()).await,
                Err(AppendError::DiskFull { .. }) => {
                    self.life.count(Event::RefusedByFullDisk);
                    self.shard.sleep(Duration::from_millis(50)).await;
                    return None;
                }
                // No power cut may leave a file shorter than the manifest says.
                Err(e @ AppendError::Quarantined) => {
                    let found =
                        Violation::of_log(Property::IsReadable, self.log.id(), e.to_string());
                    self.life.findings.note(found);
                    return None;
                }
                Err(AppendError::Deleted | AppendError::TooLarge { .. }) => return None,
            }
        }
        None
    }

    /// A log whose high watermark stands still would keep the journal full for ever.
    async fn wait_for_room(&self, size: usize) {
        self.log.set_high_watermark(self.log.durable_end_offset());
        let _late = self
            .shard
            .timeout(Duration::from_millis(5), self.store.room(size, Purpose::Records))
            .await;
    }

    async fn truncate(&mut self) {
        let high_watermark = self.high_watermark();
        let above: Vec<i64> = self.expected.batches.iter().map(|(at, _)| *at).collect();
        let above: Vec<i64> = above.into_iter().filter(|at| *at >= high_watermark).collect();
        if above.is_empty() {
            return;
        }
        let to = above[(&self.shard).pick(0..above.len() as u64) as usize];
        if let Some(number) = self.ask(Operation::Truncate(to)) {
            with_moving_watermark(&self.shard, &self.log, to, self.log.truncate(Offset(to))).await;
            self.acknowledge(number, Event::Truncation);
        }
    }

    async fn start_epoch(&mut self) {
        let epoch = self.expected.epochs.last().map_or(0, |(epoch, _)| epoch + 1);
        let at = self.expected.log_end;
        if let Some(number) = self.ask(Operation::EpochStart(epoch, at)) {
            let start = self.log.start_leader_epoch(LeaderEpoch(epoch));
            with_moving_watermark(&self.shard, &self.log, i64::MAX, start).await;
            self.acknowledge(number, Event::EpochStart);
        }
    }

    async fn move_start(&mut self) {
        let (start, high_watermark) = (self.expected.log_start, self.high_watermark());
        if high_watermark <= start {
            return;
        }
        let to = start + (&self.shard).pick(0..(high_watermark - start) as u64 + 1) as i64;
        if let Some(number) = self.ask(Operation::LogStart(to)) {
            let move_start = self.log.move_log_start(Offset(to));
            with_moving_watermark(&self.shard, &self.log, i64::MAX, move_start).await;
            self.acknowledge(number, Event::LogStartMove);
        }
    }

    fn high_watermark(&self) -> i64 {
        self.log.high_watermark().0
    }

    fn draw_batch(&self) -> Batch {
        let pick = |range: std::ops::Range<u64>| (&self.shard).pick(range);
        let count = pick(1..5) as i32;
        let producer = match pick(0..2) {
            0 => None,
            _ => Some(self.next_of(PRODUCERS[pick(0..2) as usize])),
        };
        let id = self.life.number();
        // Timestamps rise, but not from batch to batch.
        let timestamp = 1_700_000_000_000 + (id as i64) * 7 + pick(0..40) as i64;
        let epoch = self.expected.epochs.last().map_or(0, |(epoch, _)| *epoch);
        Batch { id, count, epoch, timestamp, producer, value_size_bytes: self.draw_value_size() }
    }

    /// What a producer sends next: the sequence goes on, or begins anew under a new epoch.
    fn next_of(&self, id: i64) -> Producer {
        match self.expected.written_by(id).last() {
            None => Producer { id, epoch: 0, sequence: 0 },
            Some((_, last, _)) if (&self.shard).pick(0..12) == 0 => {
                Producer { id, epoch: last.epoch + 1, sequence: 0 }
            }
            Some((_, last, batch)) => Producer { sequence: last.sequence + batch.count, ..*last },
        }
    }

    /// Mostly small; in half of the seeds large ones are common, so that memory runs short.
    fn draw_value_size(&self) -> usize {
        let pick = |range: std::ops::Range<u64>| (&self.shard).pick(range);
        let max = self.life.sizes.value_max_bytes;
        let size = match pick(0..12) {
            0 => pick(500..max),
            1..5 => pick(100..max / 4),
            _ => pick(8..100),
        };
        size as usize
    }
}
