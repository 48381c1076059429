//! One life of a broker's storage: it opens, is held against its history, works at random, and
//! stops or is stopped.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use runtime::{JoinHandle, Shard, TaskClass};
use storage::{Log, LogId, Store};

use crate::figures::{Event, Figures};
use crate::history::{Expected, History, Operation};
use crate::invariants;
use crate::violation::{Findings, Property, Violation};
use crate::worker::{Worker, with_moving_watermark};
use crate::world::{DATA_DIR, Draw, PARTITIONS_DIR, Sizes, shard_dir};

/// Logs of one shard that take part at once.
const LOGS_MAX: usize = 6;
/// How long a task of a life may go on when the store is about to stop.
const DRAINED_WITHIN: Duration = Duration::from_secs(1);
/// Producers of one log.
pub const PRODUCERS: [i64; 2] = [1000, 1001];
/// What every topic is called, so that only its id tells it from those before it.
const LABEL: &str = "flights";

/// What the lives of one store share with those who watch.
#[derive(Clone)]
pub struct Life {
    /// What the outside knows.
    pub history: Rc<RefCell<History>>,
    /// What the seed, or its operator since, decided.
    pub sizes: Sizes,
    /// Numbers for batches and topics.
    pub next_id: Rc<Cell<u64>>,
    /// How long a worker rests after an operation, at most.
    pub rest: Rc<Cell<Duration>>,
    /// A bit for every shard whose store is open.
    pub open: Rc<Cell<u64>>,
    /// Who works on the logs of one shard.
    workers: Rc<RefCell<Vec<JoinHandle<()>>>>,
    /// What happened.
    pub figures: Rc<RefCell<Figures>>,
    /// What must not happen.
    pub findings: Findings,
}

/// The folders that exist before a shard's storage is opened.
pub async fn make_folders(shard: &Shard) {
    let disk = shard.disk();
    let own = shard_dir(shard.id().0);
    for path in [Path::new(DATA_DIR), Path::new(PARTITIONS_DIR), &own] {
        let _exists_already = disk.create_dir(path).await;
        // Even if it was there: whoever made it may have been killed before this.
        let parent = path.parent().expect("not the root");
        disk.sync_dir(parent).await.expect("a disk without faults");
    }
}

/// Opens the shard's store.
pub async fn open(shard: &Shard, sizes: &Sizes) -> Result<Store, Violation> {
    make_folders(shard).await;
    let dir = Path::new(DATA_DIR);
    let file_system = shard.disk().identity(dir).await.expect("a disk without faults");
    let store = Store::open(shard, dir, file_system, sizes.store.clone()).await;
    let store = store.map_err(|e| Violation::of_store(Property::Opens, e.to_string()))?;
    for log in store.logs() {
        log.set_config(sizes.log);
    }
    Ok(store)
}

/// Waits for a task of a life to come to its end.
async fn drain(shard: &Shard, mut task: JoinHandle<()>) {
    if shard.timeout(DRAINED_WITHIN, &mut task).await.is_err() {
        task.abort();
    }
}

impl Life {
    /// A store that nothing has happened to.
    pub fn new(sizes: Sizes) -> Life {
        Life {
            history: Rc::default(),
            sizes,
            next_id: Rc::new(Cell::new(1)),
            rest: Rc::default(),
            open: Rc::default(),
            workers: Rc::default(),
            figures: Rc::default(),
            findings: Findings::default(),
        }
    }

    /// Runs on one shard until it is told to shut down, or is cut off.
    pub async fn run(mut self, shard: Shard) {
        self.workers = Rc::default();
        if let Err(violation) = self.live(&shard).await {
            self.findings.note(violation);
        }
    }

    async fn live(&self, shard: &Shard) -> Result<(), Violation> {
        let store = open(shard, &self.sizes).await?;
        self.open.set(self.open.get() | 1 << shard.id().0);
        let moment = self.history.borrow().moment();
        let survived = invariants::hold(shard, &store, &moment).await?;
        for (id, survived) in survived {
            self.history.borrow_mut().decide(id, survived.operations);
        }
        for log in store.logs() {
            self.start_log(shard, &store, log);
        }
        let (life, churning) = (self.clone(), (shard.clone(), store.clone()));
        let churn = async move { life.churn(churning.0, churning.1).await };
        let churn = shard.spawn(TaskClass::Foreground, "churn", churn);
        shard.shutdown_requested().await;
        // Nothing may be asked of a store that stops. Who waits for room may wait for ever.
        drain(shard, churn).await;
        let workers = self.workers.take();
        for worker in workers {
            drain(shard, worker).await;
        }
        store.stop().await;
        Ok(())
    }

    /// It happened.
    pub fn count(&self, event: Event) {
        self.figures.borrow_mut().count(event);
    }

    /// A number that nothing else has.
    pub fn number(&self) -> u64 {
        self.next_id.replace(self.next_id.get() + 1)
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
        let worker = shard.spawn(TaskClass::Foreground, "worker", worker.run());
        self.workers.borrow_mut().push(worker);
    }

    /// Makes and deletes logs.
    async fn churn(&self, shard: Shard, store: Store) {
        while !shard.is_shutting_down() {
            shard.sleep(Duration::from_micros((&shard).pick(200..20_000)) + self.rest.get()).await;
            let logs = store.logs();
            let full = logs.len() >= LOGS_MAX;
            if full || (logs.len() > 2 && (&shard).pick(0..3) == 0) {
                let id = logs[(&shard).pick(0..logs.len() as u64) as usize].id();
                let number = self.history.borrow_mut().ask(id, Operation::Delete);
                let log = store.log(&id).expect("a log of this store");
                let deletion = store.delete_log(&id);
                let deleted = with_moving_watermark(&shard, &log, i64::MAX, deletion).await;
                deleted.expect("a log of this store");
                self.history.borrow_mut().acknowledge(id, number);
                self.count(Event::Deletion);
            } else {
                self.create(&shard, &store).await;
            }
        }
    }

    async fn create(&self, shard: &Shard, store: &Store) {
        let mut topic_id = [0; 16];
        topic_id[..8].copy_from_slice(&self.number().to_be_bytes());
        topic_id[15] = shard.id().0 as u8;
        let id = LogId { topic_id, partition: 0 };
        let number = self.history.borrow_mut().ask(id, Operation::Create);
        let log = store.create_log(id, LABEL, self.sizes.log).await.expect("a new log");
        let was_deleted = self.has_deleted(shard.id().0);
        self.history.borrow_mut().acknowledge(id, number);
        self.count(Event::Creation);
        if was_deleted && log.label() == LABEL {
            self.count(Event::Recreation);
        }
        self.start_log(shard, store, log);
    }

    /// Whether the shard has acknowledged the deletion of a log, which had that one name.
    fn has_deleted(&self, shard: u16) -> bool {
        let history = self.history.borrow();
        let mut of_shard =
            history.logs.iter().filter(|(id, _)| u16::from(id.topic_id[15]) == shard);
        of_shard.any(|(_, log)| {
            log.operations.borrow()[..log.acknowledged].contains(&Operation::Delete)
        })
    }
}
