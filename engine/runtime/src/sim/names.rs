//! The simulated directory tree: names as processes see them, and names that survive a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::Rng;
use super::pending::{Lot, Pending, Standing};
use super::platter::Fate;

/// The directory that a node's disk begins at.
pub(crate) const ROOT: u64 = 0;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) inode: u64,
    pub(crate) is_dir: bool,
}

/// The names of one disk.
///
/// A change is durable once one of its directories was synced (or the whole file system). A cut
/// keeps, per directory, the first few of the others; a rename between two directories stands or
/// falls as one. The sync of a file saves none of its names. A failed sync's changes survive like
/// those that nobody synced, whatever is synced later.
#[derive(Clone)]
pub(crate) struct Names {
    live: Tree,
    durable: Tree,
    pending: Pending<Change>,
}

#[derive(Clone, Default)]
struct Tree(Rc<BTreeMap<u64, Rc<BTreeMap<OsString, Entry>>>>);

#[derive(Clone, Debug)]
enum Change {
    Link { at: Place, entry: Entry },
    Unlink { at: Place },
    Rename { from: Place, to: Place, entry: Entry },
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) dir: u64,
    pub(crate) name: OsString,
}

impl Names {
    pub(crate) fn new() -> Names {
        let mut tree = Tree::default();
        tree.dir_mut(ROOT);
        Names { live: tree.clone(), durable: tree, pending: Pending::default() }
    }

    /// What a path stands for. `Err` is a Linux error number.
    pub(crate) fn find(&self, path: &Path) -> Result<Entry, i32> {
        match self.place(path)? {
            None => Ok(Entry { inode: ROOT, is_dir: true }),
            Some(place) => self.live.get(&place).ok_or(libc::ENOENT),
        }
    }

    /// The directory and name that a path ends in; none for the root.
    pub(crate) fn place(&self, path: &Path) -> Result<Option<Place>, i32> {
        let mut dir = ROOT;
        let mut last: Option<OsString> = None;
        for part in path.components() {
            let name = match part {
                Component::RootDir | Component::CurDir => continue,
                Component::Normal(name) => name.to_os_string(),
                Component::ParentDir | Component::Prefix(_) => {
                    panic!("the simulated disk takes no path like {}", path.display())
                }
            };
            if let Some(name) = last.take() {
                let entry = self.live.get(&Place { dir, name }).ok_or(libc::ENOENT)?;
                if !entry.is_dir {
                    return Err(libc::ENOTDIR);
                }
                dir = entry.inode;
            }
            last = Some(name);
        }
        Ok(last.map(|name| Place { dir, name }))
    }

    /// The entry at a place, if there is one.
    pub(crate) fn get(&self, place: &Place) -> Option<Entry> {
        self.live.get(place)
    }

    /// The names in a directory, sorted.
    pub(crate) fn list(&self, dir: u64) -> impl Iterator<Item = (&OsString, &Entry)> {
        self.live.0.get(&dir).into_iter().flat_map(|names| names.iter())
    }

    /// Every file with its path, sorted.
    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        self.collect(ROOT, Path::new("/"), &mut found);
        found
    }

    fn collect(&self, dir: u64, path: &Path, found: &mut Vec<(PathBuf, u64)>) {
        for (name, entry) in self.list(dir) {
            let path = path.join(name);
            if entry.is_dir {
                self.collect(entry.inode, &path, found);
            } else {
                found.push((path, entry.inode));
            }
        }
    }

    /// Gives a new inode its first name.
    pub(crate) fn link(&mut self, number: u64, at: Place, entry: Entry) {
        self.change(number, Change::Link { at, entry });
    }

    pub(crate) fn unlink(&mut self, number: u64, at: Place) {
        self.change(number, Change::Unlink { at });
    }

    /// Moves a name, over another one if that exists.
    pub(crate) fn rename(&mut self, number: u64, from: Place, to: Place) {
        let entry = self.live.get(&from).expect("the caller looked it up");
        if from != to {
            self.change(number, Change::Rename { from, to, entry });
        }
    }

    fn change(&mut self, number: u64, change: Change) {
        self.live.apply(&change);
        self.pending.push(number, change);
    }

    /// A directory's sync decided about its changes up to that number, and what those depend on.
    pub(crate) fn sync_dir(&mut self, dir: u64, upto: u64, standing: Standing) {
        let mut dirs = BTreeSet::from([dir]);
        let mut picked = BTreeSet::new();
        for (number, change) in self.pending.unsaved_back(upto) {
            if change.dirs().any(|d| dirs.contains(&d)) {
                dirs.extend(change.dirs());
                picked.insert(number);
            }
        }
        self.pending.decide(standing, |number| picked.contains(&number));
        self.apply_saved();
    }

    /// A sync of everything decided about all changes up to that number.
    pub(crate) fn sync_all(&mut self, upto: u64, standing: Standing) {
        self.pending.decide(standing, |number| number <= upto);
        self.apply_saved();
    }

    /// The directories of which changes up to that number are not saved.
    pub(crate) fn unsaved_dirs(&self, upto: u64) -> BTreeSet<u64> {
        self.pending.unsaved_back(upto).flat_map(|(_, change)| change.dirs()).collect()
    }

    /// Moves what is saved into the durable tree, unless a forgotten change of the same directory
    /// comes first.
    fn apply_saved(&mut self) {
        let mut waiting = BTreeSet::new();
        let saved = self.pending.take_saved(|standing, change| {
            let stays = match standing {
                Standing::Unsaved => return true,
                Standing::Forgotten => true,
                Standing::Saved => change.dirs().any(|dir| waiting.contains(&dir)),
            };
            if stays {
                waiting.extend(change.dirs());
            }
            stays
        });
        saved.iter().for_each(|change| self.durable.apply(change));
    }

    /// The power goes: some of the pending changes were saved in time.
    pub(crate) fn cut(&mut self, fate: &Fate, rng: &mut Rng) {
        let mut lost: BTreeSet<u64> = BTreeSet::new();
        let durable = &mut self.durable;
        self.pending.cut(fate, rng, |lot, change| {
            let survives = match lot {
                Lot::Saved => true,
                Lot::Lucky => !change.dirs().any(|dir| lost.contains(&dir)),
                Lot::Lost => false,
            };
            if !survives {
                lost.extend(change.dirs());
                return;
            }
            if let (Change::Rename { entry, .. }, false) = (&change, lost.is_empty()) {
                // Its last name may be that of before a rename that was lost.
                durable.remove_names_of(entry.inode);
            }
            durable.apply(&change);
        });
        self.durable.drop_unreachable();
        self.live = self.durable.clone();
    }

    /// Every inode that a name, old or new, may still lead to.
    pub(crate) fn inodes(&self) -> BTreeSet<u64> {
        let mut inodes = BTreeSet::from([ROOT]);
        for tree in [&self.live, &self.durable] {
            inodes.extend(tree.0.values().flat_map(|names| names.values()).map(|e| e.inode));
        }
        for change in self.pending.changes() {
            if let Change::Link { entry, .. } | Change::Rename { entry, .. } = change {
                inodes.insert(entry.inode);
            }
        }
        inodes
    }
}

impl Change {
    fn dirs(&self) -> impl Iterator<Item = u64> + use<> {
        let (one, other) = match self {
            Change::Link { at, .. } | Change::Unlink { at } => (at.dir, None),
            Change::Rename { from, to, .. } => (from.dir, Some(to.dir)),
        };
        std::iter::once(one).chain(other)
    }
}

impl Tree {
    fn get(&self, place: &Place) -> Option<Entry> {
        self.0.get(&place.dir)?.get(&place.name).copied()
    }

    fn dir_mut(&mut self, dir: u64) -> &mut BTreeMap<OsString, Entry> {
        Rc::make_mut(Rc::make_mut(&mut self.0).entry(dir).or_default())
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Link { at, entry } => self.set(at, *entry),
            Change::Unlink { at } => {
                self.dir_mut(at.dir).remove(&at.name);
            }
            Change::Rename { from, to, entry } => {
                self.dir_mut(from.dir).remove(&from.name);
                self.set(to, *entry);
            }
        }
    }

    fn set(&mut self, at: &Place, entry: Entry) {
        self.dir_mut(at.dir).insert(at.name.clone(), entry);
        if entry.is_dir {
            self.dir_mut(entry.inode);
        }
    }

    fn remove_names_of(&mut self, inode: u64) {
        for names in Rc::make_mut(&mut self.0).values_mut() {
            if names.values().any(|entry| entry.inode == inode) {
                Rc::make_mut(names).retain(|_, entry| entry.inode != inode);
            }
        }
    }

    fn drop_unreachable(&mut self) {
        let mut reached = BTreeSet::from([ROOT]);
        let mut next = vec![ROOT];
        while let Some(dir) = next.pop() {
            for entry in self.0.get(&dir).into_iter().flat_map(|names| names.values()) {
                if entry.is_dir && reached.insert(entry.inode) {
                    next.push(entry.inode);
                }
            }
        }
        if self.0.len() > reached.len() {
            Rc::make_mut(&mut self.0).retain(|dir, _| reached.contains(dir));
        }
    }
}
