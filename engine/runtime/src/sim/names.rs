//! The simulated directory tree: names as processes see them, and names that survive a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::Rng;
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
/// falls as one. The sync of a file saves none of its names.
#[derive(Clone)]
pub(crate) struct Names {
    live: Tree,
    durable: Tree,
    pending: Vec<(u64, Change)>,
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
        Names { live: tree.clone(), durable: tree, pending: Vec::new() }
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
        self.pending.push((number, change));
    }

    /// A directory's sync saved its changes up to that number, and what those depend on.
    pub(crate) fn save_dir(&mut self, dir: u64, upto: u64) {
        let mut dirs = BTreeSet::from([dir]);
        let mut saved = vec![false; self.pending.len()];
        for (index, (number, change)) in self.pending.iter().enumerate().rev() {
            if *number <= upto && change.dirs().any(|d| dirs.contains(&d)) {
                dirs.extend(change.dirs());
                saved[index] = true;
            }
        }
        let pending = std::mem::take(&mut self.pending);
        for ((number, change), saved) in pending.into_iter().zip(saved) {
            if saved {
                self.durable.apply(&change);
            } else {
                self.pending.push((number, change));
            }
        }
    }

    /// Everything up to that number is saved.
    pub(crate) fn save_all(&mut self, upto: u64) {
        let count = self.pending.iter().take_while(|(number, _)| *number <= upto).count();
        for (_, change) in self.pending.drain(..count) {
            self.durable.apply(&change);
        }
    }

    /// The power goes: some of the pending changes were saved in time.
    pub(crate) fn cut(&mut self, fate: &Fate, rng: &mut Rng) {
        let mut lost: BTreeSet<u64> = BTreeSet::new();
        for (_, change) in std::mem::take(&mut self.pending) {
            let follows_a_lost_one = change.dirs().any(|dir| lost.contains(&dir));
            if follows_a_lost_one || !fate.keeps(rng) {
                lost.extend(change.dirs());
            } else {
                self.durable.apply(&change);
            }
        }
        self.durable.drop_unreachable();
        self.live = self.durable.clone();
    }

    /// Every inode that a name, old or new, may still lead to.
    pub(crate) fn inodes(&self) -> BTreeSet<u64> {
        let mut inodes = BTreeSet::from([ROOT]);
        for tree in [&self.live, &self.durable] {
            inodes.extend(tree.0.values().flat_map(|names| names.values()).map(|e| e.inode));
        }
        for (_, change) in &self.pending {
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
