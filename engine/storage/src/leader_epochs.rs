//! Which leader epoch began at which offset: what followers truncate by (KIP-101, KIP-279).

use record::{LeaderEpoch, Offset};

/// An epoch and the offset of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// The epoch, at least 0.
    pub epoch: LeaderEpoch,
    /// The first offset that was, or will be, appended under it.
    pub start_offset: Offset,
}

/// The answer to "where does that epoch end": the largest known epoch at or below the one asked
/// for, and the offset behind its last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The epoch that the answer is about.
    pub epoch: LeaderEpoch,
    /// The first offset that is not of it any more.
    pub end_offset: Offset,
}

/// The epochs of one log, oldest first.
///
/// Invariant: epochs and start offsets both rise strictly. Elections add to the list, not clients,
/// and the moves of the log start shorten it, so it has no limit of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    starts: Vec<EpochStart>,
}

impl LeaderEpochs {
    /// The epochs that were written down before. None if they do not rise strictly.
    pub fn from_starts(starts: Vec<EpochStart>) -> Option<LeaderEpochs> {
        let rises = starts.windows(2).all(|pair| {
            pair[0].epoch < pair[1].epoch && pair[0].start_offset < pair[1].start_offset
        });
        let is_sound = rises && starts.first().is_none_or(|first| first.epoch >= LeaderEpoch(0));
        is_sound.then_some(LeaderEpochs { starts })
    }

    /// All epochs, oldest first.
    pub fn starts(&self) -> &[EpochStart] {
        &self.starts
    }

    /// The newest epoch, if there is any.
    pub fn latest(&self) -> Option<EpochStart> {
        self.starts.last().copied()
    }

    /// The epoch under which `offset` was appended, if the list reaches back so far.
    pub fn epoch_of(&self, offset: Offset) -> Option<LeaderEpoch> {
        let after = self.starts.partition_point(|start| start.start_offset <= offset);
        after.checked_sub(1).map(|i| self.starts[i].epoch)
    }

    /// Notes that `epoch` begins at `start_offset`; whether that changed anything.
    ///
    /// What contradicts it is older and wrong, and goes: epochs at or above it, and epochs that
    /// begin at or behind its start (such an epoch wrote nothing). An epoch that is the newest
    /// already keeps the start it has.
    pub fn start(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        assert!(epoch >= LeaderEpoch(0), "a leader has epoch {epoch}");
        if let Some(latest) = self.latest()
            && latest.epoch == epoch
            && latest.start_offset <= start_offset
        {
            return false;
        }
        let kept =
            self.starts.partition_point(|old| old.epoch < epoch && old.start_offset < start_offset);
        self.starts.truncate(kept);
        self.starts.push(EpochStart { epoch, start_offset });
        true
    }

    /// Where `epoch` ends, with `log_end_offset` as the end of the newest one.
    ///
    /// None if the list cannot tell: it is empty, or `epoch` is newer than all of it. An epoch
    /// older than all of it ends where the oldest known one begins.
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end_offset: Offset) -> Option<EpochEnd> {
        if self.latest()?.epoch == epoch {
            return Some(EpochEnd { epoch, end_offset: log_end_offset });
        }
        let after = self.starts.partition_point(|start| start.epoch <= epoch);
        let end_offset = self.starts.get(after)?.start_offset;
        let floor = after.checked_sub(1).map_or(epoch, |i| self.starts[i].epoch);
        Some(EpochEnd { epoch: floor, end_offset })
    }

    /// The log now ends at `end_offset`; whether that changed anything.
    pub fn truncate_from_end(&mut self, end_offset: Offset) -> bool {
        let kept = self.starts.partition_point(|start| start.start_offset < end_offset);
        let changed = kept != self.starts.len();
        self.starts.truncate(kept);
        changed
    }

    /// The log now begins at `start_offset`; whether that changed anything.
    ///
    /// The epoch that contains the new start stays, and begins there from now on.
    pub fn truncate_from_start(&mut self, start_offset: Offset) -> bool {
        let begun = self.starts.partition_point(|start| start.start_offset <= start_offset);
        let Some(containing) = begun.checked_sub(1) else { return false };
        let changed = containing > 0 || self.starts[containing].start_offset != start_offset;
        self.starts.drain(..containing);
        self.starts[0].start_offset = start_offset;
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(starts: &[(i32, i64)]) -> LeaderEpochs {
        let starts = starts
            .iter()
            .map(|&(epoch, offset)| EpochStart {
                epoch: LeaderEpoch(epoch),
                start_offset: Offset(offset),
            })
            .collect();
        LeaderEpochs::from_starts(starts).expect("epochs that rise")
    }

    fn end(list: &LeaderEpochs, epoch: i32) -> Option<(i32, i64)> {
        list.end_offset_for(LeaderEpoch(epoch), Offset(100))
            .map(|end| (end.epoch.0, end.end_offset.0))
    }

    #[test]
    fn an_epoch_ends_where_the_next_known_one_begins() {
        let list = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert_eq!(end(&list, 0), Some((0, 10)), "older than all");
        assert_eq!(end(&list, 2), Some((2, 20)));
        assert_eq!(end(&list, 3), Some((2, 20)), "a gap belongs to the epoch before it");
        assert_eq!(end(&list, 4), Some((4, 30)));
        assert_eq!(end(&list, 7), Some((7, 100)), "the newest ends with the log");
        assert_eq!(end(&list, 8), None);
        assert_eq!(end(&LeaderEpochs::default(), 0), None);
    }

    #[test]
    fn a_start_removes_what_contradicts_it() {
        let mut list = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert!(!list.start(LeaderEpoch(7), Offset(35)), "known already");
        assert!(list.start(LeaderEpoch(9), Offset(30)), "epoch 7 wrote nothing");
        assert_eq!(list, epochs(&[(2, 10), (4, 20), (9, 30)]));
        assert!(list.start(LeaderEpoch(4), Offset(15)));
        assert_eq!(list, epochs(&[(2, 10), (4, 15)]));
        assert!(list.start(LeaderEpoch(4), Offset(3)));
        assert_eq!(list, epochs(&[(4, 3)]));
    }

    #[test]
    fn truncation_from_the_end_keeps_epochs_that_have_a_record_left() {
        let mut list = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert!(!list.truncate_from_end(Offset(31)));
        assert!(list.truncate_from_end(Offset(30)));
        assert_eq!(list, epochs(&[(2, 10), (4, 20)]));
        assert!(list.truncate_from_end(Offset(0)));
        assert_eq!(list.latest(), None);
    }

    #[test]
    fn truncation_from_the_start_moves_the_epoch_that_contains_it() {
        let mut list = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert!(!list.truncate_from_start(Offset(5)), "before all of it");
        assert!(!list.truncate_from_start(Offset(10)));
        assert!(list.truncate_from_start(Offset(25)));
        assert_eq!(list, epochs(&[(4, 25), (7, 30)]));
        assert!(list.truncate_from_start(Offset(30)));
        assert_eq!(list, epochs(&[(7, 30)]));
        assert_eq!(list.epoch_of(Offset(29)), None);
        assert_eq!(list.epoch_of(Offset(30)), Some(LeaderEpoch(7)));
    }

    #[test]
    fn lists_that_do_not_rise_are_refused() {
        let start =
            |epoch, offset| EpochStart { epoch: LeaderEpoch(epoch), start_offset: Offset(offset) };
        for bad in
            [[start(1, 5), start(1, 6)], [start(1, 5), start(2, 5)], [start(-1, 0), start(0, 1)]]
        {
            assert_eq!(LeaderEpochs::from_starts(bad.to_vec()), None);
        }
    }
}
