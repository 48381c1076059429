//! The commits that are not yet synced: one open, some closed, some in flight, in order.
//!
//! ```text
//! append ─► open ─► closed ─► in flight ─► synced
//!            │        │           └ acknowledged when all before it are
//!            │        └ its chunk's or file's end was reached, or it is being taken
//!            └ sequence and place are fixed when it is begun
//! ```

use super::error::NoRoom;
use super::format::{
    COMMIT_HEADER_BYTES, CommitHeader, CommitKind, ENTRY_HEADER_BYTES, EntryHeader,
};
use super::place::{EntryPlace, Place, ReplayFrom};
use super::purpose::Purpose;
use super::ring::{NextLink, Ring};
use super::tail::{SharedChunk, Tail};
use crate::block::{crc, padded};
use runtime::{File, Instant, Lease, Reserved};
use std::collections::VecDeque;

/// What every header of this run of the broker carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) shard: u16,
    pub(super) generation: u64,
    pub(super) journal_id: u64,
}

/// The state of the journal's writing side. It does no I/O and never waits.
pub(super) struct Commits {
    pub(super) ring: Ring,
    pub(super) tail: Tail,
    identity: Identity,
    open: Option<OpenCommit>,
    closed: VecDeque<ClosedCommit>,
    in_flight: VecDeque<InFlight>,
    /// The last commit that was begun, and its kind.
    last: u64,
    last_kind: CommitKind,
    /// The last one that was submitted, and its CRC.
    submitted: u64,
    submitted_crc: u32,
    /// The last one that was synced with all before it.
    synced: u64,
    pub(super) manifest_synced: u64,
    pub(super) stopping: bool,
}

/// An entry that was taken.
pub struct Appended {
    /// Where it stands; durable when that commit is synced.
    pub place: EntryPlace,
    /// The payload, in the tail.
    pub bytes: Lease,
}

/// A write that makes one commit durable.
pub(super) struct Submission {
    pub(super) sequence: u64,
    pub(super) file: File,
    pub(super) position: u64,
    pub(super) bytes: Lease,
    /// When its first entry came; none if it has none.
    pub(super) begun_at: Option<Instant>,
}

struct OpenCommit {
    kind: CommitKind,
    place: Place,
    chunk: SharedChunk,
    /// Where the header stands in the chunk.
    start: usize,
    header: Reserved,
    entry_count: u32,
    begun_at: Option<Instant>,
    /// The same by the wall clock, for the header; 0 if it has no entries.
    begun_ms: i64,
}

struct ClosedCommit {
    commit: OpenCommit,
    sequence: u64,
    len: usize,
    file: File,
}

struct InFlight {
    sequence: u64,
    is_done: bool,
}

impl Commits {
    /// Nothing has been written by this run yet; `last` is the last commit of the one before.
    pub(super) fn new(ring: Ring, tail: Tail, identity: Identity, last: NextLink) -> Commits {
        let NextLink { sequence, previous_crc } = last;
        let done = sequence - 1;
        Commits {
            ring,
            tail,
            identity,
            open: None,
            closed: VecDeque::new(),
            in_flight: VecDeque::new(),
            last: done,
            last_kind: CommitKind::Mark,
            submitted: done,
            submitted_crc: previous_crc,
            synced: done,
            manifest_synced: 0,
            stopping: false,
        }
    }

    /// Lays an entry into the open commit, or into a new one if it does not fit there.
    pub(super) fn append(
        &mut self,
        entry: EntryHeader,
        payload_len: usize,
        purpose: Purpose,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<Appended, NoRoom> {
        self.check(payload_len, purpose)?;
        let len = ENTRY_HEADER_BYTES + payload_len;
        if !self.open_takes(len) {
            self.close();
            self.begin(CommitKind::Entries, len, purpose)?;
        }
        let open = self.open.as_mut().expect("begun, if there was none");
        let place = EntryPlace { sequence: self.last, entry: open.entry_count };
        open.entry_count += 1;
        let bytes = open.chunk.borrow_mut().append_with(len, |into| {
            let (header, payload) = into.split_at_mut(ENTRY_HEADER_BYTES);
            entry.encode(payload_len, header);
            fill(payload);
        });
        Ok(Appended { place, bytes: bytes.slice(ENTRY_HEADER_BYTES..len) })
    }

    /// Whether an entry would be taken now.
    pub(super) fn check(&self, payload_len: usize, purpose: Purpose) -> Result<(), NoRoom> {
        if self.stopping {
            return Err(NoRoom::Stopping);
        }
        let has_reserve = matches!(purpose, Purpose::Control | Purpose::FreesJournal);
        if !has_reserve && self.tail.is_over_limit() {
            return Err(NoRoom::Tail);
        }
        let len = ENTRY_HEADER_BYTES + payload_len;
        let taken = self.open.as_ref().map_or(0, OpenCommit::len);
        if self.open_takes(len) {
            return self.ring.fit(0, taken + len, purpose);
        }
        let whole = COMMIT_HEADER_BYTES + len;
        self.ring.fit(taken, whole, purpose)?;
        if self.tail.fits(whole, purpose) { Ok(()) } else { Err(NoRoom::Tail) }
    }

    /// Whether another file should be made. Beyond the maximum only if what frees the journal has
    /// no place left: the logs that hold the oldest file may be more than the reserve has blocks,
    /// and without their truncations or deletions nothing would ever make room.
    pub(super) fn wants_file(&self) -> bool {
        self.ring.wants_file() || self.check(0, Purpose::FreesJournal) == Err(NoRoom::Journal)
    }

    /// Whether a file should be made or removed.
    pub(super) fn wants_keeper(&self) -> bool {
        self.wants_file() || self.ring.has_retired()
    }

    /// The open commit, if there is one, got its first entry.
    pub(super) fn note_begun(&mut self, now: Instant, wall_ms: i64) {
        if let Some(open) = &mut self.open {
            open.begun_at = Some(now);
            open.begun_ms = wall_ms;
        }
    }

    fn open_takes(&self, len: usize) -> bool {
        self.open.as_ref().is_some_and(|open| {
            len <= open.chunk.borrow().remaining()
                && padded(open.len() + len) as u64 <= self.ring.remaining()
        })
    }

    /// Begins a commit with room for `len` bytes of entries.
    fn begin(&mut self, kind: CommitKind, len: usize, purpose: Purpose) -> Result<(), NoRoom> {
        let whole = COMMIT_HEADER_BYTES + len;
        let chunk = self.tail.chunk(whole, purpose)?;
        let place = self.ring.begin(whole);
        let (start, header) = {
            let mut writer = chunk.borrow_mut();
            (writer.position(), writer.reserve(COMMIT_HEADER_BYTES))
        };
        let (entry_count, begun_at, begun_ms) = (0, None, 0);
        let open =
            OpenCommit { kind, place, chunk, start, header, entry_count, begun_at, begun_ms };
        self.open = Some(open);
        self.last += 1;
        self.last_kind = kind;
        Ok(())
    }

    fn close(&mut self) {
        let Some(commit) = self.open.take() else { return };
        let len = commit.len();
        commit.chunk.borrow_mut().pad_to(crate::block::BLOCK_BYTES);
        let file = self.ring.end(self.last, len);
        self.closed.push_back(ClosedCommit { commit, sequence: self.last, len, file });
    }

    /// A commit without entries, closed at once. False if there is no room for it.
    pub(super) fn add_empty(&mut self, kind: CommitKind, purpose: Purpose) -> bool {
        self.close();
        let room = match kind {
            // The reserve for openings is for openings.
            CommitKind::Opening => self.ring.has_place(COMMIT_HEADER_BYTES),
            _ => self.ring.fit(0, COMMIT_HEADER_BYTES, purpose).is_ok(),
        };
        if !room || self.begin(kind, 0, purpose).is_err() {
            return false;
        }
        self.close();
        true
    }

    /// Whether something waits to be written, and whether it may still grow.
    pub(super) fn waiting(&self) -> Waiting {
        match (self.closed.is_empty(), &self.open) {
            (false, _) => Waiting::Closed,
            (true, Some(_)) => Waiting::Open,
            (true, None) => Waiting::Nothing,
        }
    }

    /// The next commit, with its header filled in: from here on it is in flight.
    pub(super) fn submit(&mut self) -> Option<Submission> {
        if self.closed.is_empty() {
            self.close();
        }
        let ClosedCommit { commit, sequence, len, file } = self.closed.pop_front()?;
        assert_eq!(sequence, self.submitted + 1, "commits are submitted in order");
        let OpenCommit { kind, place, chunk, start, header, entry_count, begun_at, begun_ms } =
            commit;
        let mut chunk = chunk.borrow_mut();
        let end = start + len;
        let entries_crc = crc(&chunk.lease(start + COMMIT_HEADER_BYTES..end));
        let facts = CommitHeader {
            shard: self.identity.shard,
            kind,
            generation: self.identity.generation,
            sequence,
            file: place.file,
            entry_count,
            position: place.position,
            length: u32::try_from(len).expect("a commit fits a file"),
            previous_crc: self.submitted_crc,
            mark: self.synced,
            manifest_mark: self.manifest_synced,
            journal_id: self.identity.journal_id,
            begun_ms,
        };
        let (bytes, own_crc) = facts.encode(entries_crc);
        chunk.fill(header, &bytes);
        self.ring.chain(sequence, self.submitted_crc);
        (self.submitted, self.submitted_crc) = (sequence, own_crc);
        self.in_flight.push_back(InFlight { sequence, is_done: false });
        let bytes = chunk.lease(start..start + padded(len));
        Some(Submission { sequence, file, position: place.position, bytes, begun_at })
    }

    /// A commit's sync has completed. Returns how far all are synced, if that has changed.
    pub(super) fn complete(&mut self, sequence: u64) -> Option<u64> {
        let at = self.in_flight.iter().position(|c| c.sequence == sequence);
        self.in_flight[at.expect("a commit completes once")].is_done = true;
        let before = self.synced;
        while let Some(first) = self.in_flight.front()
            && first.is_done
        {
            self.synced = first.sequence;
            self.in_flight.pop_front();
        }
        (self.synced > before).then_some(self.synced)
    }

    /// The highest commit that is synced with all before it.
    pub(super) fn synced(&self) -> u64 {
        self.synced
    }

    /// Whether everything that was appended is synced.
    pub(super) fn is_quiet(&self) -> bool {
        self.synced == self.last
    }

    /// Whether the last commit is one that a mark should follow.
    pub(super) fn wants_mark(&self) -> bool {
        self.is_quiet() && self.last_kind != CommitKind::Mark && !self.stopping
    }

    /// Whether the last commit that was begun is a mark.
    pub(super) fn ends_with_mark(&self) -> bool {
        self.last_kind == CommitKind::Mark
    }

    /// A place that is not after the next entry's, and after all before it.
    pub(super) fn next_place(&self) -> EntryPlace {
        match &self.open {
            Some(open) => EntryPlace { sequence: self.last, entry: open.entry_count },
            None => EntryPlace { sequence: self.last + 1, entry: 0 },
        }
    }

    /// Where a replay begins with that commit: one that was submitted, or the next one.
    pub(super) fn replay_place(&self, sequence: u64) -> ReplayFrom {
        let next = NextLink { sequence: self.submitted + 1, previous_crc: self.submitted_crc };
        self.ring.replay_place(sequence, &next)
    }
}

impl OpenCommit {
    /// Header and entries so far, in bytes.
    fn len(&self) -> usize {
        self.chunk.borrow().position() - self.start
    }
}

/// What a lane that has nothing to do finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Nothing,
    /// A commit that still takes entries.
    Open,
    /// A commit that takes no more.
    Closed,
}
