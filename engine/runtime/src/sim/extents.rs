//! Where the blocks of a file lie on the simulated device, and which of them were ever written.

use std::collections::BTreeMap;
use std::ops::Range;

/// A run of blocks that lie in a row both in the file and on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// First block on the device.
    pub(crate) block: u64,
    pub(crate) count: u64,
    /// Unwritten blocks read as zeros, whatever the device holds there.
    pub(crate) written: bool,
}

/// The map of one file, from block in the file to block on the device.
///
/// Invariant: extents don't overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extents(BTreeMap<u64, Extent>);

impl Extents {
    /// Where block `at` of the file lies, if it has a place.
    pub(crate) fn find(&self, at: u64) -> Option<Extent> {
        let (start, extent) = self.0.range(..=at).next_back()?;
        let skipped = at - start;
        (skipped < extent.count).then(|| Extent {
            block: extent.block + skipped,
            count: extent.count - skipped,
            written: extent.written,
        })
    }

    /// The parts of `range` that have no place.
    pub(crate) fn holes(&self, range: Range<u64>) -> Vec<Range<u64>> {
        let mut holes = Vec::new();
        let mut at = range.start;
        while at < range.end {
            if let Some(extent) = self.find(at) {
                at += extent.count;
                continue;
            }
            let next = self.0.range(at..).next().map_or(range.end, |(start, _)| *start);
            holes.push(at..next.min(range.end));
            at = next;
        }
        holes
    }

    /// Whether every block of `range` has a place and was written.
    pub(crate) fn all_written(&self, range: Range<u64>) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.find(at) {
                Some(extent) if extent.written => at += extent.count,
                _ => return false,
            }
        }
        true
    }

    /// Gives the file's blocks from `at` on, which have no place yet, that of the extent.
    pub(crate) fn insert(&mut self, at: u64, extent: Extent) {
        if let Some((start, before)) = self.0.range_mut(..at).next_back()
            && *start + before.count == at
            && before.block + before.count == extent.block
            && before.written == extent.written
        {
            before.count += extent.count;
            return;
        }
        self.0.insert(at, extent);
    }

    /// The blocks of `range` that have a place are written now.
    pub(crate) fn mark_written(&mut self, range: Range<u64>) {
        if self.all_written(range.clone()) {
            return;
        }
        for (at, mut extent) in self.take(range) {
            extent.written = true;
            self.insert(at, extent);
        }
    }

    /// Removes and returns what has a place in `range`.
    pub(crate) fn take(&mut self, range: Range<u64>) -> Vec<(u64, Extent)> {
        self.split(range.start);
        self.split(range.end);
        let starts: Vec<u64> = self.0.range(range).map(|(start, _)| *start).collect();
        starts.into_iter().filter_map(|at| Some((at, self.0.remove(&at)?))).collect()
    }

    /// Makes an extent begin at `at` if one covers it.
    fn split(&mut self, at: u64) {
        let Some((start, extent)) = self.0.range_mut(..at).next_back() else { return };
        let before = at - *start;
        if before >= extent.count {
            return;
        }
        let rest = Extent { block: extent.block + before, count: extent.count - before, ..*extent };
        extent.count = before;
        self.0.insert(at, rest);
    }

    /// Every run of blocks on the device.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Range<u64>> {
        self.0.values().map(|extent| extent.block..extent.block + extent.count)
    }

    /// How many blocks have a place.
    pub(crate) fn blocks(&self) -> u64 {
        self.0.values().map(|extent| extent.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(block: u64, count: u64) -> Extent {
        Extent { block, count, written: false }
    }

    #[test]
    fn holes_are_exactly_what_has_no_place() {
        let mut map = Extents::default();
        map.insert(2, extent(100, 3));
        map.insert(8, extent(200, 1));
        assert_eq!(map.holes(0..10), vec![0..2, 5..8, 9..10]);
        assert_eq!(map.holes(3..5), Vec::<Range<u64>>::new());
        assert_eq!(map.holes(20..21), vec![20..21]);
    }

    #[test]
    fn writing_the_middle_leaves_the_ends_unwritten() {
        let mut map = Extents::default();
        map.insert(0, extent(50, 10));
        map.mark_written(3..5);
        let written: Vec<bool> =
            (0..10).map(|at| map.find(at).is_some_and(|e| e.written)).collect();
        assert_eq!(written.iter().filter(|w| **w).count(), 2);
        assert!(written[3] && written[4]);
        assert_eq!(map.find(7).map(|e| e.block), Some(57));
        assert!(map.all_written(3..5) && !map.all_written(2..5));
    }

    #[test]
    fn neighbours_grow_together() {
        let mut map = Extents::default();
        for at in 0..100 {
            map.insert(at, extent(at, 1));
        }
        assert_eq!(map.0.len(), 1);
        assert_eq!(map.take(40..60).iter().map(|(_, e)| e.count).sum::<u64>(), 20);
        assert_eq!(map.blocks(), 80);
    }
}
