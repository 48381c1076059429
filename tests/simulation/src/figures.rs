//! What a campaign has seen happen, each event counted from evidence: what the store answered, or
//! what stands on the simulated disk.

use std::collections::BTreeMap;
use std::fmt;

/// Something that must happen often enough for a campaign to prove anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The power was cut at a sync point of a life.
    Cut,
    /// The power was cut at a sync point of the recovery from a cut.
    CutInRecovery,
    /// The power was cut at a sync point of the recovery from a cut inside a recovery.
    CutInSecondRecovery,
    /// A batch was acknowledged.
    Append,
    /// A truncation was acknowledged.
    Truncation,
    /// A move of a log's start was acknowledged.
    LogStartMove,
    /// A leader epoch's start was acknowledged.
    EpochStart,
    /// A log was made.
    Creation,
    /// A log was deleted.
    Deletion,
    /// A log was made under the name of one that had been deleted.
    Recreation,
    /// The manifest said that a deleted log's folder is gone.
    FolderRemoval,
    /// A manifest record moved the settled end of a log.
    SettleRound,
    /// A manifest record had a segment that was newly sealed.
    Roll,
    /// A journal file was written from its beginning, over a commit of an earlier round.
    Recycle,
    /// A journal had a file more than ever, and more than a fresh one has.
    JournalGrowth,
    /// A manifest went on in a new file.
    Compaction,
    /// A manifest record was written before the store was open.
    SettlingReplay,
    /// The broker stopped on request.
    CleanStop,
    /// The broker was killed.
    Kill,
    /// The power was cut, and the next life began with what was left.
    PowerCut,
    /// The broker was started with other sizes than before.
    NewSizes,
    /// A batch was refused because the disk was full.
    RefusedByFullDisk,
    /// After a full disk had space again, something was acknowledged.
    Healing,
    /// A start was refused because the disk was full; with space it came through.
    StartWithoutSpace,
}

impl Event {
    /// Every event.
    pub const ALL: [Event; 24] = [
        Event::Cut,
        Event::CutInRecovery,
        Event::CutInSecondRecovery,
        Event::Append,
        Event::Truncation,
        Event::LogStartMove,
        Event::EpochStart,
        Event::Creation,
        Event::Deletion,
        Event::Recreation,
        Event::FolderRemoval,
        Event::SettleRound,
        Event::Roll,
        Event::Recycle,
        Event::JournalGrowth,
        Event::Compaction,
        Event::SettlingReplay,
        Event::CleanStop,
        Event::Kill,
        Event::PowerCut,
        Event::NewSizes,
        Event::RefusedByFullDisk,
        Event::Healing,
        Event::StartWithoutSpace,
    ];

    /// How often it happens at least in a hundred seeds, with a wide margin.
    pub fn floor_per_hundred_seeds(self) -> u64 {
        match self {
            Event::Cut | Event::CutInRecovery => 2_000,
            Event::Append => 2_000,
            Event::CutInSecondRecovery | Event::SettleRound => 500,
            Event::Roll | Event::Recycle => 200,
            // It takes luck: it is counted, not asked for.
            Event::StartWithoutSpace => 0,
            _ => 10,
        }
    }
}

/// How often each event happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    counts: BTreeMap<Event, u64>,
    /// The traces of all worlds, folded: two runs that agree in it went the same way.
    pub trace: u64,
}

impl Figures {
    /// It happened once more.
    pub fn count(&mut self, event: Event) {
        *self.counts.entry(event).or_default() += 1;
    }

    /// How often it happened.
    pub fn of(&self, event: Event) -> u64 {
        self.counts.get(&event).copied().unwrap_or_default()
    }

    /// Folds in the trace of a world.
    pub fn trace(&mut self, trace: u64) {
        self.trace = self.trace.rotate_left(7) ^ trace;
    }

    /// Adds what another seed has seen. The order of the seeds does not matter.
    pub fn add(&mut self, other: &Figures) {
        for (event, count) in &other.counts {
            *self.counts.entry(*event).or_default() += count;
        }
        self.trace ^= other.trace;
    }

    /// The events that happened too rarely in so many seeds.
    pub fn too_rare(&self, seeds: u64) -> Vec<Event> {
        let rare = |event: &Event| self.of(*event) * 100 < event.floor_per_hundred_seeds() * seeds;
        Event::ALL.into_iter().filter(rare).collect()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in Event::ALL {
            writeln!(f, "{:>12}  {event:?}", self.of(event))?;
        }
        Ok(())
    }
}
