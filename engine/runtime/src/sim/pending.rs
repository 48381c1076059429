//! Changes that readers see and a power cut may undo: which are saved, and which never will be.

use super::Rng;
use super::platter::Fate;

/// Changes of a file system's metadata in the order in which they were made.
///
/// Invariant: the durable state with every saved change, in order, is what a cut leaves at least.
#[derive(Clone)]
pub(crate) struct Pending<C>(Vec<Entry<C>>);

#[derive(Clone, Debug)]
struct Entry<C> {
    number: u64,
    standing: Standing,
    change: C,
}

/// What is known of a change that is not part of the durable state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The next sync saves it.
    Unsaved,
    /// Its sync failed: no later one saves it, though it may survive by luck.
    Forgotten,
    /// A sync saved it, but a forgotten one comes before it.
    Saved,
}

impl<C> Default for Pending<C> {
    fn default() -> Pending<C> {
        Pending(Vec::new())
    }
}

impl<C> Pending<C> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, number: u64, change: C) {
        self.0.push(Entry { number, standing: Standing::Unsaved, change });
    }

    pub(crate) fn changes(&self) -> impl Iterator<Item = &C> {
        self.0.iter().map(|entry| &entry.change)
    }

    /// The unsaved changes up to that number, the last first.
    pub(crate) fn unsaved_back(&self, upto: u64) -> impl Iterator<Item = (u64, &C)> {
        let unsaved =
            move |entry: &&Entry<C>| entry.number <= upto && entry.standing == Standing::Unsaved;
        self.0.iter().rev().filter(unsaved).map(|entry| (entry.number, &entry.change))
    }

    /// A sync decided about the unsaved changes that are picked by number.
    pub(crate) fn decide(&mut self, standing: Standing, picked: impl Fn(u64) -> bool) {
        let unsaved = |entry: &&mut Entry<C>| entry.standing == Standing::Unsaved;
        for entry in self.0.iter_mut().filter(unsaved).filter(|entry| picked(entry.number)) {
            entry.standing = standing;
        }
    }

    /// Takes out the saved changes behind no forgotten one that they depend on, in order.
    ///
    /// `stays` is asked about every change, in order, with its standing.
    pub(crate) fn take_saved(&mut self, mut stays: impl FnMut(Standing, &C) -> bool) -> Vec<C> {
        if self.0.iter().all(|entry| entry.standing == Standing::Unsaved) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        for entry in std::mem::take(&mut self.0) {
            let stays = stays(entry.standing, &entry.change);
            if stays || entry.standing != Standing::Saved {
                self.0.push(entry);
            } else {
                taken.push(entry.change);
            }
        }
        taken
    }

    /// The power goes. Calls `end` for every change in order: with the outcome of the lot for those
    /// that no sync saved.
    pub(crate) fn cut(&mut self, fate: &Fate, rng: &mut Rng, mut end: impl FnMut(Lot, C)) {
        for entry in std::mem::take(&mut self.0) {
            let lot = match entry.standing {
                Standing::Saved => Lot::Saved,
                _ if fate.keeps(rng) => Lot::Lucky,
                _ => Lot::Lost,
            };
            end(lot, entry.change);
        }
    }
}

/// What a power cut means for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lot {
    /// It survives whatever happens to those before it.
    Saved,
    /// It survives if those that it follows do.
    Lucky,
    /// It is gone.
    Lost,
}
