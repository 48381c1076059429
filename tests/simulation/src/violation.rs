//! What a simulated power cut may find: a property that does not hold, or a program that panics.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use storage::LogId;

/// What was asked of the store, and does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// It refuses to open, so all that was acknowledged is out of reach.
    Opens,
    /// What it says is there can be read.
    IsReadable,
    /// What it gives back has the bytes that were sent.
    IsWhole,
    /// Offsets follow each other without a gap.
    IsDense,
    /// Everything acknowledged is there.
    LosesNothing,
    /// Nothing is there that was not asked for.
    InventsNothing,
    /// Nothing is there twice.
    DoublesNothing,
    /// What is there stands in the order in which it was asked for.
    KeepsOrder,
    /// An operation happened as a whole or not at all.
    DoesNothingByHalves,
    /// A deleted log never comes back.
    KeepsDeleted,
    /// A deleted log's folder goes.
    RemovesFolders,
    /// Producers' duplicates are known, the next sequence is taken, gaps and old epochs are not.
    KnowsProducers,
    /// Leader epochs end where the next one begins.
    KnowsEpochs,
    /// A record is found by its offset and by its time.
    FindsRecords,
    /// What an opened store showed is there at the next opening, too, and nothing else is.
    OpensTwiceAlike,
    /// A clean stop leaves files that Kafka's tools can read.
    LeavesKafkasFiles,
    /// A full disk heals when there is space again.
    Heals,
    /// On a disk without faults it does not end by itself.
    Lives,
    /// What was begun comes to its end.
    Ends,
}

impl Property {
    /// Whether its loss is a loss of data or of truth: what a planted fault is expected to bring
    /// about. A store that only stops or hangs has other troubles.
    pub fn is_of_data(self) -> bool {
        !matches!(self, Property::Heals | Property::Lives | Property::Ends)
    }
}

/// A property that does not hold, of what, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub property: Property,
    /// Of which log; none if it is about the whole store.
    pub log: Option<LogId>,
    /// What was found, and what should have been.
    pub evidence: String,
}

impl Violation {
    /// About the whole store.
    pub fn of_store(property: Property, evidence: impl Into<String>) -> Violation {
        Violation { property, log: None, evidence: evidence.into() }
    }

    /// About one log.
    pub fn of_log(property: Property, log: LogId, evidence: impl Into<String>) -> Violation {
        Violation { property, log: Some(log), evidence: evidence.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} does not hold", self.property)?;
        if let Some(log) = self.log {
            write!(f, " of log {log}")?;
        }
        write!(f, ": {}", self.evidence)
    }
}

/// How a seed failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The store is not what it should be.
    Violated(Violation),
    /// The program under test, or the test itself, panicked: a fault too, but of another kind.
    Panicked(String),
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Failure {
        Failure::Violated(violation)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Violated(violation) => violation.fmt(f),
            Failure::Panicked(message) => write!(f, "a panic: {message}"),
        }
    }
}

/// Where the tasks of a simulated broker leave the first violation that they see.
#[derive(Clone, Default)]
pub struct Findings(Rc<RefCell<Option<Violation>>>);

impl Findings {
    /// Keeps the violation, if it is the first.
    pub fn note(&self, violation: Violation) {
        self.0.borrow_mut().get_or_insert(violation);
    }

    /// Whether there is one.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_none()
    }

    /// The violation, if there is one.
    pub fn check(&self) -> Result<(), Violation> {
        self.0.borrow().clone().map_or(Ok(()), Err)
    }
}
