//! The open files of one shard's segments, and where sequential readers stand: both bounded.

use record::Offset;
use runtime::{File, Lease, Open, Shard};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// How many sequential readers a shard remembers: 4 KiB of an index each, so 2 MiB.
pub const CURSORS_MAX: usize = 512;

/// Names a file for as long as the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId(u64);

/// What an open file is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    /// Direct writes of whole blocks.
    Write,
    /// Reads through the page cache, and splices.
    Read,
}

/// Where a sequential reader goes on: the first batch that reaches `next_offset` begins at
/// `position`.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    pub(crate) position: u64,
    /// The piece of the offset index that its last read needed; the next read ends in it or in the
    /// one behind it.
    pub(crate) index_piece: Option<IndexPiece>,
}

/// Whole entries of an index file, as they stand on the disk.
#[derive(Clone, Debug)]
pub(crate) struct IndexPiece {
    /// Where in the file it begins.
    pub(crate) position: u64,
    pub(crate) bytes: Lease,
}

/// Keeps files open and cursors known, the last used ones. Clones are the same cache.
///
/// It belongs to one shard; files that are evicted stay open as long as somebody uses them.
#[derive(Clone)]
pub struct FileCache(Rc<RefCell<Inner>>);

struct Inner {
    files: LastUsed<(FileId, Access), File>,
    cursors: LastUsed<(FileId, Offset), Cursor>,
    next_id: u64,
}

impl FileCache {
    /// A cache of so many open files.
    pub fn new(files_max: usize) -> FileCache {
        FileCache(Rc::new(RefCell::new(Inner {
            files: LastUsed::new(files_max),
            cursors: LastUsed::new(CURSORS_MAX),
            next_id: 0,
        })))
    }

    /// How many files it holds open at this moment.
    pub fn open_files(&self) -> usize {
        self.0.borrow().files.by_key.len()
    }

    /// A number that no other file has.
    pub(crate) fn new_id(&self) -> FileId {
        let mut inner = self.0.borrow_mut();
        inner.next_id += 1;
        FileId(inner.next_id)
    }

    /// The file, opened if it is not open.
    pub(crate) async fn open(
        &self,
        shard: &Shard,
        id: FileId,
        access: Access,
        path: &Path,
        how: Open,
    ) -> io::Result<File> {
        if let Some(file) = self.opened(id, access) {
            return Ok(file);
        }
        let file = shard.disk().open(path, how).await?;
        self.0.borrow_mut().files.insert((id, access), file.clone());
        Ok(file)
    }

    /// The file if it is open.
    pub(crate) fn opened(&self, id: FileId, access: Access) -> Option<File> {
        self.0.borrow_mut().files.get(&(id, access)).cloned()
    }

    /// The file will not be used that way again.
    pub(crate) fn forget(&self, id: FileId, access: Access) {
        self.0.borrow_mut().files.remove(&(id, access));
    }

    /// Takes the cursor of a reader that wants `offset` next.
    pub(crate) fn take_cursor(&self, id: FileId, offset: Offset) -> Option<Cursor> {
        self.0.borrow_mut().cursors.remove(&(id, offset))
    }

    /// Remembers where the reader that wants `offset` next goes on.
    pub(crate) fn put_cursor(&self, id: FileId, offset: Offset, cursor: Cursor) {
        self.0.borrow_mut().cursors.insert((id, offset), cursor);
    }
}

/// A map that forgets what was not used for longest when it is full.
struct LastUsed<K, V> {
    max: usize,
    by_key: BTreeMap<K, (u64, V)>,
    /// Invariant: each key of `by_key` once, under the number of its last use.
    by_use: BTreeMap<u64, K>,
    uses: u64,
}

impl<K: Copy + Ord, V> LastUsed<K, V> {
    fn new(max: usize) -> Self {
        LastUsed { max, by_key: BTreeMap::new(), by_use: BTreeMap::new(), uses: 0 }
    }

    fn get(&mut self, key: &K) -> Option<&V> {
        let (used, value) = self.by_key.get_mut(key)?;
        self.uses += 1;
        self.by_use.remove(used);
        self.by_use.insert(self.uses, *key);
        *used = self.uses;
        Some(value)
    }

    fn insert(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.by_key.len() >= self.max
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.by_key.remove(&oldest);
        }
        self.uses += 1;
        self.by_use.insert(self.uses, key);
        self.by_key.insert(key, (self.uses, value));
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        let (used, value) = self.by_key.remove(key)?;
        self.by_use.remove(&used);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cache_forgets_what_was_not_used_for_longest() {
        let mut cache = LastUsed::new(3);
        for key in 0..3 {
            cache.insert(key, key * 10);
        }
        assert_eq!(cache.get(&0), Some(&0));
        cache.insert(3, 30);
        assert_eq!(cache.get(&1), None);
        cache.insert(0, 1);
        cache.insert(4, 40);
        assert_eq!((cache.get(&2).copied(), cache.get(&0).copied()), (None, Some(1)));
        assert_eq!((cache.remove(&3), cache.remove(&3)), (Some(30), None));
        assert_eq!(cache.by_key.len(), cache.by_use.len());
    }
}
