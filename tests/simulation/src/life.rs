//! One life of a broker's storage: it opens, is held against its history, works at random, and
//! stops or is stopped.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use record::{LeaderEpoch, Offset};
use runtime::{Shard, TaskClass};
use storage::{AppendError, Log, LogId, Purpose, Stamp, Store};

use crate::history::{Batch, Expected, History, Operation};
use crate::inspect::{encode, facts};
use crate::invariants;
use crate::world::{Draw, Sizes};

/// Where the store lives on the simulated disk.
pub const DATA_DIR: &str = "/data";
/// Logs of one shard that take part at once.
const LOGS_MAX: usize = 6;
/// Producers of one log.
pub const PRODUCERS: [i64; 2] = [1000, 1001];

/// What the lives of one store share with those who watch.
#[derive(Clone)]
pub struct Life {
    /// What the outside knows.
    pub history: Rc<RefCell<History>>,
    /// What the seed decided.
    pub sizes: Sizes,
    /// Numbers for batches and topics.
    pub next_id: Rc<Cell<u64>>,
    /// Whether the store works after it opened, or only shows itself.
    pub works: bool,
}

/// The folders that exist before a shard's storage is opened.
pub async fn make_folders(shard: &Shard) {
    let disk = shard.disk();
    let own = format!("{DATA_DIR}/shard-{:03}", shard.id().0);
    for folder in [DATA_DIR, &format!("{DATA_DIR}/partitions"), &own] {
        let path = Path::new(folder);
        let _exists_already = disk.create_dir(path).await;
        // Even if it was there: whoever made it may have been killed before this.
        let parent = path.parent().expect("not the root");
        disk.sync_dir(parent).await.expect("a disk without faults");
    }
}

/// Opens the shard's store; a refusal is a failed test.
pub async fn open(shard: &Shard, sizes: &Sizes) -> Store {
    make_folders(shard).await;
    let dir = Path::new(DATA_DIR);
    let file_system = shard.disk().identity(dir).await.expect("a disk without faults");
    let store = Store::open(shard, dir, file_system, sizes.store.clone()).await;
    let store = store.unwrap_or_else(|e| panic!("the store does not open: {e}"));
    for log in store.logs() {
        log.set_config(sizes.log);
    }
    store
}

impl Life {
    /// Runs on one shard until it is told to shut down, or is cut off.
    pub async fn run(self, shard: Shard) {
        let store = open(&shard, &self.sizes).await;
        let moment = self.history.borrow().moment();
        let survived = invariants::hold(&shard, &store, &moment).await;
        for (id, count) in survived {
            self.history.borrow_mut().decide(id, count);
        }
        if self.works {
            for log in store.logs() {
                self.start_log(&shard, &store, log);
            }
            let (life, churning) = (self.clone(), (shard.clone(), store.clone()));
            let churn = async move { life.churn(churning.0, churning.1).await };
            shard.spawn(TaskClass::Foreground, "churn", churn).detach();
        }
        shard.shutdown_requested().await;
        store.stop().await;
    }

    fn start_log(&self, shard: &Shard, store: &Store, log: Log) {
        let operations = self.history.borrow().logs[&log.id()].operations.borrow().clone();
        let worker = Worker {
            life: self.clone(),
            shard: shard.clone(),
            store: store.clone(),
            expected: Expected::after(&operations),
            log,
        };
        shard.spawn(TaskClass::Foreground, "worker", worker.run()).detach();
    }

    /// Makes and deletes logs.
    async fn churn(&self, shard: Shard, store: Store) {
        while !shard.is_shutting_down() {
            shard.sleep(Duration::from_micros((&shard).pick(200..20_000))).await;
            let logs = store.logs();
            let full = logs.len() >= LOGS_MAX;
            if full || (logs.len() > 2 && (&shard).pick(0..3) == 0) {
                let id = logs[(&shard).pick(0..logs.len() as u64) as usize].id();
                let number = self.history.borrow_mut().ask(id, Operation::Delete);
                store.delete_log(&id).await.expect("a log of this store");
                self.history.borrow_mut().acknowledge(id, number);
            } else {
                self.create(&shard, &store).await;
            }
        }
    }

    /// Always under the same name: only the id tells the topics apart.
    async fn create(&self, shard: &Shard, store: &Store) {
        let mut topic_id = [0; 16];
        topic_id[..8].copy_from_slice(&self.number().to_be_bytes());
        topic_id[15] = shard.id().0 as u8;
        let id = LogId { topic_id, partition: 0 };
        let number = self.history.borrow_mut().ask(id, Operation::Create);
        let log = store.create_log(id, "flights", self.sizes.log).await.expect("a new log");
        self.history.borrow_mut().acknowledge(id, number);
        self.start_log(shard, store, log);
    }

    fn number(&self) -> u64 {
        self.next_id.replace(self.next_id.get() + 1)
    }
}

/// Works on one log, alone.
struct Worker {
    life: Life,
    shard: Shard,
    store: Store,
    log: Log,
    /// What the log is when everything that was asked for has happened.
    expected: Expected,
}

impl Worker {
    async fn run(mut self) {
        while !self.shard.is_shutting_down() && self.store.log(&self.log.id()).is_some() {
            match (&self.shard).pick(0..24) {
                0 => self.truncate().await,
                1 => self.start_epoch().await,
                2 => self.move_start().await,
                3..8 => self.log.set_high_watermark(self.log.durable_end_offset()),
                8..11 => self.shard.sleep(Duration::from_micros((&self.shard).pick(0..3000))).await,
                _ => self.append().await,
            }
        }
    }

    /// Notes an operation before the store is asked for it; none if the log is deleted by now.
    fn ask(&mut self, operation: Operation) -> Option<usize> {
        self.store.log(&self.log.id())?;
        self.expected.apply(&operation);
        Some(self.life.history.borrow_mut().ask(self.log.id(), operation))
    }

    fn acknowledge(&self, number: usize) {
        if self.store.log(&self.log.id()).is_some() {
            self.life.history.borrow_mut().acknowledge(self.log.id(), number);
        }
    }

    async fn append(&mut self) {
        let batch = self.draw_batch();
        let bytes = encode(&batch, self.draw_value_size());
        let stamp = Stamp { leader_epoch: LeaderEpoch(batch.epoch), log_append_time: None };
        let appended = loop {
            match self.log.append(&bytes, &facts(&bytes), stamp, Purpose::Records) {
                Ok(appended) => break appended,
                Err(AppendError::NoRoom(_)) => self.wait_for_room(bytes.len()).await,
                Err(AppendError::Deleted) => return,
                Err(e) => panic!("a small batch on a disk with space: {e}"),
            }
        };
        let operation = Operation::Append(appended.base_offset.0, batch);
        let number = self.ask(operation).expect("the log took the batch");
        let (life, log, store) = (self.life.clone(), self.log.clone(), self.store.clone());
        let acknowledged = async move {
            log.wait_durable(appended.sequence).await;
            if store.log(&log.id()).is_some() {
                life.history.borrow_mut().acknowledge(log.id(), number);
            }
        };
        if (&self.shard).pick(0..3) == 0 {
            acknowledged.await;
        } else {
            self.shard.spawn(TaskClass::Foreground, "ack", acknowledged).detach();
        }
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
            self.log.truncate(Offset(to)).await;
            self.acknowledge(number);
        }
    }

    async fn start_epoch(&mut self) {
        let epoch = self.expected.epochs.last().map_or(0, |(epoch, _)| epoch + 1);
        let at = self.expected.log_end;
        if let Some(number) = self.ask(Operation::EpochStart(epoch, at)) {
            self.log.start_leader_epoch(LeaderEpoch(epoch)).await;
            self.acknowledge(number);
        }
    }

    async fn move_start(&mut self) {
        let (start, high_watermark) = (self.expected.log_start, self.high_watermark());
        if high_watermark <= start {
            return;
        }
        let to = start + (&self.shard).pick(0..(high_watermark - start) as u64 + 1) as i64;
        if let Some(number) = self.ask(Operation::LogStart(to)) {
            self.log.move_log_start(Offset(to)).await;
            self.acknowledge(number);
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
            _ => {
                let id = PRODUCERS[pick(0..2) as usize];
                let window = self.expected.window(id);
                let next = |(_, b): &(i64, Batch)| b.producer.map_or(0, |(_, s)| s + b.count);
                Some((id, window.last().map_or(0, next)))
            }
        };
        let id = self.life.number();
        // Timestamps rise, but not from batch to batch.
        let timestamp = 1_700_000_000_000 + (id as i64) * 7 + pick(0..40) as i64;
        let epoch = self.expected.epochs.last().map_or(0, |(epoch, _)| *epoch);
        Batch { id, count, epoch, timestamp, producer }
    }

    fn draw_value_size(&self) -> usize {
        let pick = |range: std::ops::Range<u64>| (&self.shard).pick(range) as usize;
        match pick(0..12) {
            0 => pick(500..1800),
            1..4 => pick(100..500),
            _ => pick(8..100),
        }
    }
}
