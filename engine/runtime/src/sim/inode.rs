//! One simulated file's inode: its size and map as readers see them, and as a power cut finds them.

use std::ops::Range;
use std::rc::Rc;

use super::Rng;
use super::extents::{Extent, Extents};
use super::pending::{Lot, Pending, Standing};
use super::platter::{BLOCK_BYTES, Fate};
use crate::op::SyncKind;

/// What a sync saves of a file besides its bytes.
///
/// Changes reach the durable state in order, as in a journaling file system: after a cut it is the
/// durable state with the first few of the pending changes. Only those behind a failed sync, which
/// a later one saved, stand without them.
#[derive(Clone, Default)]
pub(crate) struct Inode {
    live: State,
    durable: State,
    pending: Pending<Change>,
}

#[derive(Clone, Default)]
struct State {
    size: u64,
    extents: Rc<Extents>,
}

#[derive(Clone, Debug)]
enum Change {
    /// Blocks got a place. Unwritten: they read as zeros.
    Placed { at: u64, extent: Extent },
    /// Blocks that have a place were written.
    Written { blocks: Range<u64> },
    /// The file became longer.
    Grown { size: u64 },
    /// The file was cut, or extended by a hole.
    Resized { size: u64 },
}

impl Inode {
    pub(crate) fn size(&self) -> u64 {
        self.live.size
    }

    pub(crate) fn extents(&self) -> &Extents {
        &self.live.extents
    }

    /// Whether a cut could change anything.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether a sync that was submitted at that number has anything to save.
    pub(crate) fn is_unsaved(&self, upto: u64) -> bool {
        self.pending.unsaved_back(upto).next().is_some()
    }

    /// Every run of blocks on the device that the file has or may have again after a cut.
    pub(crate) fn runs(&self) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = self.live.extents.runs().collect();
        runs.extend(self.durable.extents.runs());
        for change in self.pending.changes() {
            if let Change::Placed { extent, .. } = change {
                runs.push(extent.block..extent.block + extent.count);
            }
        }
        runs
    }

    /// Places blocks of the file on the device.
    pub(crate) fn place(&mut self, number: u64, at: u64, extent: Extent) {
        self.change(number, Change::Placed { at, extent });
    }

    /// A write of `range` (in bytes) reached the device or the page cache.
    pub(crate) fn written(&mut self, number: u64, range: Range<u64>) {
        let blocks = blocks_of(&range);
        if !self.live.extents.all_written(blocks.clone()) {
            self.change(number, Change::Written { blocks });
        }
        self.grow(number, range.end);
    }

    /// The file is at least that long.
    pub(crate) fn grow(&mut self, number: u64, size: u64) {
        if size > self.live.size {
            self.change(number, Change::Grown { size });
        }
    }

    /// The file is exactly that long.
    pub(crate) fn resize(&mut self, number: u64, size: u64) {
        if size != self.live.size {
            self.change(number, Change::Resized { size });
        }
    }

    fn change(&mut self, number: u64, change: Change) {
        self.live.apply(&change);
        self.pending.push(number, change);
    }

    /// A sync decided about the changes up to that number: `fsync` about all, `fdatasync` about
    /// what reading the data back needs: all up to the last change that gave the file bytes. A
    /// file that was only cut may be long again.
    pub(crate) fn sync(&mut self, kind: SyncKind, upto: u64, standing: Standing) {
        let gave_bytes = |change: &Change| !matches!(change, Change::Resized { .. });
        let wanted = |change: &Change| kind == SyncKind::All || gave_bytes(change);
        let last = self.pending.unsaved_back(upto).find(|(_, change)| wanted(change));
        let Some((last, _)) = last else { return };
        self.pending.decide(standing, |number| number <= last);
        let mut forgotten = false;
        let saved = self.pending.take_saved(|standing, _| {
            forgotten |= standing != Standing::Saved;
            forgotten
        });
        saved.iter().for_each(|change| self.durable.apply(change));
    }

    /// The power goes: some of the pending changes were saved in time.
    pub(crate) fn cut(&mut self, fate: &Fate, rng: &mut Rng) {
        let mut lost = false;
        let durable = &mut self.durable;
        self.pending.cut(fate, rng, |lot, change| {
            lost |= lot == Lot::Lost;
            if lot == Lot::Saved || !lost {
                durable.apply(&change);
            }
        });
        self.live = self.durable.clone();
    }
}

impl State {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Placed { at, extent } => {
                let extents = Rc::make_mut(&mut self.extents);
                // Where the truncation that made room was lost, an older extent is in the way.
                extents.take(*at..*at + extent.count);
                extents.insert(*at, *extent);
            }
            Change::Written { blocks } => {
                Rc::make_mut(&mut self.extents).mark_written(blocks.clone());
            }
            Change::Grown { size } => self.size = self.size.max(*size),
            Change::Resized { size } => {
                if *size < self.size {
                    let first = size.div_ceil(BLOCK_BYTES as u64);
                    Rc::make_mut(&mut self.extents).take(first..u64::MAX);
                }
                self.size = *size;
            }
        }
    }
}

/// The blocks that a range of bytes touches.
pub(crate) fn blocks_of(range: &Range<u64>) -> Range<u64> {
    range.start / BLOCK_BYTES as u64..range.end.div_ceil(BLOCK_BYTES as u64)
}
