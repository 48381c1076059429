//! One shard's journal: a ring of files in which every append of the shard becomes durable.
//!
//! Owned by one shard. Entries gather in an open commit; as soon as fewer than four commits are in
//! flight it is written and synced in one go, and what arrives meanwhile gathers in the next.
//! Commits are acknowledged in their order: when `synced()` says n, everything up to n survives.
//! A write or sync that fails or is short ends the process.

pub(crate) mod config;
pub(crate) mod error;
pub(crate) mod place;
pub(crate) mod purpose;

pub(crate) mod commits;
mod keeper;
pub(crate) mod meters;
mod open;
mod ring;
mod tail;
mod writer;

pub(crate) mod chain;
pub(crate) mod replay;
pub(crate) mod scan;

pub(crate) mod format;

#[cfg(test)]
mod tests;

pub(crate) use commits::Appended;
pub(crate) use config::JournalConfig;
pub(crate) use error::{NoRoom, OpenError, ReplayError, Rot, ScanError};
pub(crate) use format::{COMMIT_HEADER_BYTES, ENTRY_HEADER_BYTES, EntryHeader, EntryKind};
pub(crate) use place::{EntryPlace, ReplayFrom};
pub(crate) use purpose::Purpose;
pub(crate) use replay::{JournalEntry, Replay};
pub(crate) use scan::Scanned;

use commits::Commits;
use meters::{JournalReading, Meters};
use runtime::sync::Signal;
use runtime::{Instant, JoinHandle, Shard};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// One shard's journal. Clones are the same journal.
#[derive(Clone)]
pub struct Journal(Rc<Inner>);

/// What the journal's tasks share.
///
/// Invariant: `commits` is never borrowed across a wait, nor while a stranger's code runs.
struct Inner {
    shard: Shard,
    dir: PathBuf,
    config: JournalConfig,
    commits: RefCell<Commits>,
    /// Lanes that wait for a commit to write.
    idle_lanes: RefCell<VecDeque<Waker>>,
    /// Who waits for which commit.
    waiters: RefCell<BTreeMap<u64, Vec<Waker>>>,
    on_synced: RefCell<Option<OnSynced>>,
    last_sync: Cell<Instant>,
    /// Everything that was appended is synced.
    quiet: Signal,
    /// There is more room than before.
    room: Signal,
    /// The ring wants files made or removed.
    wanted: Signal,
    /// The settler should free space.
    pressed: Signal,
    refused: Cell<bool>,
    meters: Meters,
    tasks: RefCell<Vec<JoinHandle<()>>>,
}

/// Told the highest synced sequence.
type OnSynced = Rc<dyn Fn(u64)>;

/// How full the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pressure {
    /// Journal bytes that are not recycled, unusable rests of files included.
    pub used_bytes: u64,
    /// Journal bytes that there are.
    pub capacity_bytes: u64,
    /// Tail memory that is in use.
    pub tail_used_bytes: u64,
    /// Tail memory that there is.
    pub tail_bytes: u64,
    /// When all commits up to this one are unneeded, recycling frees a file.
    pub oldest_file_ends: Option<u64>,
    /// An entry has been refused since the last recycling.
    pub refused: bool,
}

impl Pressure {
    /// Half of the ring or of the tail is used, or an entry was refused: time to settle.
    pub fn is_high(&self) -> bool {
        self.refused
            || self.used_bytes >= self.capacity_bytes / 2
            || self.tail_used_bytes >= self.tail_bytes / 2
    }
}

impl Journal {
    /// The first pass of recovery: reads every file of the ring and decides what the journal is.
    /// Nothing is written.
    ///
    /// `replay_from` is what the manifest's last record says, none if there is no record;
    /// `manifest_last` is that record's number, or 0.
    pub async fn scan(
        shard: &Shard,
        dir: &Path,
        config: &JournalConfig,
        replay_from: Option<ReplayFrom>,
        manifest_last: u64,
    ) -> Result<Scanned, ScanError> {
        scan::scan(shard, dir, config, replay_from, manifest_last).await
    }

    /// The second pass: syncs what a killed process may have left in the device's cache, then
    /// writes and syncs the opening of a new generation, alone. On a fresh folder it makes the
    /// first file of the ring; the others follow in the background.
    pub async fn open(scanned: Scanned) -> Result<(Journal, Replay), OpenError> {
        open::open(scanned).await
    }

    /// Adds an entry to the open commit. `fill` writes the payload's bytes into the tail, where the
    /// journal writes them from and readers find them.
    ///
    /// Durable when `place.sequence` is synced. Panics if the payload is longer than
    /// [`largest_payload_bytes`](JournalConfig::largest_payload_bytes).
    pub fn append(
        &self,
        entry: EntryHeader,
        payload_len: usize,
        purpose: Purpose,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Appended, NoRoom> {
        let largest = self.0.config.largest_payload_bytes();
        assert!(payload_len <= largest, "a payload of {payload_len} bytes, at most {largest} fit");
        let result = self.0.commits.borrow_mut().append(entry, payload_len, purpose, fill);
        match &result {
            Err(_) => self.0.refuse(),
            // Its first entry: the commit is new.
            Ok(appended) if appended.place.entry == 0 => self.0.begun(),
            Ok(_) => {}
        }
        result
    }

    /// Whether an entry of that payload and purpose would be taken now.
    pub fn has_room(&self, payload_len: usize, purpose: Purpose) -> Result<(), NoRoom> {
        self.0.commits.borrow().check(payload_len, purpose)
    }

    /// Returns when an entry of that payload and purpose would be taken. Others may be faster: try,
    /// and wait again. Never returns when the journal is stopping.
    pub async fn room(&self, payload_len: usize, purpose: Purpose) {
        while let Err(refused) = self.has_room(payload_len, purpose) {
            self.0.refuse();
            match refused {
                NoRoom::Tail => {
                    let (pool, wanted) = {
                        let commits = self.0.commits.borrow();
                        let whole = COMMIT_HEADER_BYTES + ENTRY_HEADER_BYTES + payload_len;
                        (commits.tail.pool(), commits.tail.wanted_bytes(whole, purpose))
                    };
                    pool.wait_for_room(wanted).await;
                }
                NoRoom::Journal | NoRoom::Stopping => {
                    let changed =
                        || (self.has_room(payload_len, purpose) != Err(refused)).then_some(());
                    self.0.room.wait_until(changed).await;
                }
            }
        }
    }

    /// The highest commit that is synced with all before it.
    pub fn synced(&self) -> u64 {
        self.0.commits.borrow().synced()
    }

    /// Returns when that commit is synced with all before it.
    pub async fn wait_synced(&self, sequence: u64) {
        let mut waits: Option<Waker> = None;
        poll_fn(|cx| {
            if self.synced() >= sequence {
                return Poll::Ready(());
            }
            if waits.as_ref().is_none_or(|w| !w.will_wake(cx.waker())) {
                let mut waiters = self.0.waiters.borrow_mut();
                waiters.entry(sequence).or_default().push(cx.waker().clone());
                waits = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// Calls `f` with the highest synced sequence once at each advance, before those who wait for
    /// it are woken. A second call replaces the first.
    pub fn on_synced(&self, f: impl Fn(u64) + 'static) {
        *self.0.on_synced.borrow_mut() = Some(Rc::new(f));
    }

    /// A place after all entries so far, and not after the next one.
    pub fn next_place(&self) -> EntryPlace {
        self.0.commits.borrow().next_place()
    }

    /// Where a replay from that commit begins, for the manifest. Panics unless the commit is not
    /// yet recycled, and at most one above `synced`.
    pub fn replay_place(&self, sequence: u64) -> ReplayFrom {
        let mut commits = self.0.commits.borrow_mut();
        let synced = commits.synced();
        assert!(sequence <= synced + 1, "commit {sequence} is not synced: {synced} is the last");
        let place = commits.replay_place(sequence);
        commits.ring.will_be_named(&place);
        place
    }

    /// All commits below `sequence` are unneeded, and the manifest record that says so is synced:
    /// files that hold no others are used again. Panics if they are not all synced.
    pub fn recycle_before(&self, sequence: u64) {
        let mut commits = self.0.commits.borrow_mut();
        let synced = commits.synced();
        assert!(sequence <= synced + 1, "commit {sequence} is not synced: {synced} is the last");
        commits.ring.recycle_before(sequence, synced);
        drop(commits);
        self.0.refused.set(false);
        self.0.freed();
    }

    /// The manifest's records up to that number are synced: headers say so from now on.
    pub fn manifest_synced(&self, number: u64) {
        let mut commits = self.0.commits.borrow_mut();
        commits.manifest_synced = commits.manifest_synced.max(number);
    }

    /// How full the journal is.
    pub fn pressure(&self) -> Pressure {
        self.0.pressure()
    }

    /// What was counted of the commits with entries.
    pub(crate) fn reading(&self) -> JournalReading {
        self.0.meters.read()
    }

    /// Returns while, or as soon as, the pressure is high. If settling did not help, wait for
    /// something else before asking again.
    pub async fn wait_pressure(&self) -> Pressure {
        let high = || Some(self.pressure()).filter(Pressure::is_high);
        self.0.pressed.wait_until(high).await
    }

    /// Takes no more entries, waits until all are synced, and ends with a mark.
    pub async fn stop(&self) {
        self.0.stop().await;
    }
}

impl Inner {
    fn pressure(&self) -> Pressure {
        let commits = self.commits.borrow();
        Pressure {
            used_bytes: commits.ring.used_bytes(),
            capacity_bytes: commits.ring.capacity_bytes(),
            tail_used_bytes: commits.tail.used_bytes(),
            tail_bytes: self.config.tail_bytes,
            oldest_file_ends: commits.ring.oldest_file_ends(),
            refused: self.refused.get(),
        }
    }

    /// A commit was begun: somebody must write it, and somebody may have to make room.
    fn begun(&self) {
        self.commits.borrow_mut().note_begun(self.shard.now(), self.shard.wall_ms());
        self.wake_lane();
        if self.commits.borrow().wants_keeper() {
            self.wanted.wake_all();
        }
        if self.pressure().is_high() {
            self.pressed.wake_all();
        }
    }

    /// Files may have come free: somebody may wait for room, or have odd ones to remove.
    fn freed(&self) {
        self.room.wake_all();
        self.wanted.wake_all();
    }

    fn refuse(&self) {
        self.refused.set(true);
        self.pressed.wake_all();
        self.wanted.wake_all();
    }
}
