//! What the outside knows of a store: every operation it asked for, and which of them were
//! acknowledged.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use storage::LogId;

/// A batch as its producer knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Unique over all of a seed's lives.
    pub id: u64,
    /// Records in it.
    pub count: i32,
    /// The epoch that its leader gave it.
    pub epoch: i32,
    /// The timestamp of its first record; each next one is a millisecond later.
    pub timestamp: i64,
    /// Who wrote it, if it was an idempotent producer.
    pub producer: Option<Producer>,
    /// Bytes of each record's value.
    pub value_size_bytes: usize,
}

/// An idempotent producer, at one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Its id.
    pub id: i64,
    /// Rises whenever it begins anew.
    pub epoch: i16,
    /// The sequence of the batch's first record.
    pub sequence: i32,
}

/// One operation on one log, in the order in which the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The log was made.
    Create,
    /// A batch was appended at that offset.
    Append(i64, Batch),
    /// An epoch began at that offset.
    EpochStart(i32, i64),
    /// The log's end went back to that offset.
    Truncate(i64),
    /// The log's start moved to that offset.
    LogStart(i64),
    /// The log was deleted.
    Delete,
}

/// Everything about one log.
#[derive(Clone, Debug, Default)]
pub struct LogHistory {
    /// In order; the first is its creation.
    pub operations: Rc<RefCell<Vec<Operation>>>,
    /// So many of them were acknowledged: they must survive.
    pub acknowledged: usize,
}

/// Everything about a store. Outlives every process.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// By log; a log that was deleted stays.
    pub logs: BTreeMap<LogId, LogHistory>,
}

/// What the outside knew at one moment. Cheap: operations are only added behind it.
#[derive(Clone, Debug)]
pub struct Moment {
    /// By log: its operations, how many were acknowledged, how many were asked for.
    pub logs: BTreeMap<LogId, (LogHistory, usize)>,
}

impl History {
    /// What is known now.
    pub fn moment(&self) -> Moment {
        let asked = |log: &LogHistory| log.operations.borrow().len();
        let logs = self.logs.iter().map(|(id, log)| (*id, (log.clone(), asked(log)))).collect();
        Moment { logs }
    }

    /// How many operations were acknowledged in all.
    pub fn acknowledged(&self) -> usize {
        self.logs.values().map(|log| log.acknowledged).sum()
    }

    /// Notes an operation; its number, for [`History::acknowledge`].
    pub fn ask(&mut self, id: LogId, operation: Operation) -> usize {
        let log = self.logs.entry(id).or_default();
        let mut operations = log.operations.borrow_mut();
        operations.push(operation);
        operations.len()
    }

    /// Whether somebody has asked for that log to be deleted: nothing else may be asked of it, for
    /// nobody could tell which of the two came first.
    pub fn is_doomed(&self, id: LogId) -> bool {
        let log = self.logs.get(&id);
        log.is_some_and(|log| matches!(log.operations.borrow().last(), Some(Operation::Delete)))
    }

    /// The operation with that number, and all before it, were acknowledged.
    pub fn acknowledge(&mut self, id: LogId, number: usize) {
        let log = self.logs.get_mut(&id).expect("asked for before it is acknowledged");
        log.acknowledged = log.acknowledged.max(number);
    }

    /// A store was opened and has the first `survived` operations of a log: the others never
    /// happened, and these were seen by everybody.
    pub fn decide(&mut self, id: LogId, survived: usize) {
        let log = self.logs.get_mut(&id).expect("a log of this history");
        // Moments share the list: they keep what they have.
        let kept = log.operations.borrow()[..survived].to_vec();
        log.operations = Rc::new(RefCell::new(kept));
        log.acknowledged = survived;
    }
}

/// What a log should be after some of its operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Whether it is there.
    pub exists: bool,
    /// Where it begins.
    pub log_start: i64,
    /// Where it ends.
    pub log_end: i64,
    /// Base offset and batch.
    pub batches: Vec<(i64, Batch)>,
    /// Epoch and its first offset.
    pub epochs: Vec<(i32, i64)>,
}

impl Expected {
    /// What the operations add up to.
    pub fn after(operations: &[Operation]) -> Expected {
        let mut expected = Expected::default();
        for operation in operations {
            expected.apply(operation);
        }
        expected
    }

    /// Adds one operation.
    pub fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Create => self.exists = true,
            Operation::Delete => *self = Expected::default(),
            Operation::Append(at, batch) => {
                assert_eq!(*at, self.log_end, "only batches that come next are noted");
                self.start_epoch(batch.epoch, *at);
                self.batches.push((*at, batch.clone()));
                self.log_end = at + i64::from(batch.count);
            }
            Operation::EpochStart(epoch, at) => self.start_epoch(*epoch, *at),
            Operation::Truncate(to) => {
                self.batches.retain(|(at, _)| at < to);
                self.epochs.retain(|(_, at)| at < to);
                self.log_end = *to;
            }
            Operation::LogStart(to) => self.move_start(*to),
        }
    }

    /// All batches of a producer's newest epoch, oldest first; the last five are its window.
    pub fn written_by(&self, id: i64) -> Vec<(i64, Producer, Batch)> {
        let own = |(at, batch): &(i64, Batch)| {
            let producer = batch.producer.filter(|producer| producer.id == id)?;
            Some((*at, producer, batch.clone()))
        };
        let mut batches: Vec<_> = self.batches.iter().filter_map(own).collect();
        let newest = batches.last().map(|(_, producer, _)| producer.epoch);
        batches.retain(|(_, producer, _)| Some(producer.epoch) == newest);
        batches
    }

    /// What a reader sees: batches that end before the log's start are gone.
    pub fn visible(&self) -> Expected {
        let mut visible = self.clone();
        let start = self.log_start;
        visible.batches.retain(|(at, batch)| at + i64::from(batch.count) > start);
        visible
    }

    fn start_epoch(&mut self, epoch: i32, at: i64) {
        if self.epochs.last().is_none_or(|(last, _)| *last < epoch) {
            self.epochs.retain(|(_, start)| *start < at);
            self.epochs.push((epoch, at));
        }
    }

    fn move_start(&mut self, to: i64) {
        self.log_start = to;
        let begun = self.epochs.iter().rposition(|(_, start)| *start <= to);
        if let Some(begun) = begun {
            self.epochs.drain(..begun);
            self.epochs[0].1 = to;
        }
    }
}
