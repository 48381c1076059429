//! The honest disk as a value: files, names and the device below, before and after a power cut.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::extents::Extent;
use super::inode::{Inode, blocks_of};
use super::names::{Entry, Names, Place, ROOT};
use super::pending::Standing;
use super::platter::{BLOCK_BYTES, Fate, Piece, Platter, SECTOR_BYTES, WriteId};
use super::{DurableWrite, Rng};
use crate::op::{SyncKind, UnlinkKind};

/// Unlinked inodes that may pile up before their memory is looked for.
const UNLINKED_MAX: u32 = 64;
const BLOCK: u64 = BLOCK_BYTES as u64;
const SECTOR: u64 = SECTOR_BYTES as u64;

/// Everything on one disk at one moment. Errors are Linux's error numbers.
#[derive(Clone)]
pub(crate) struct Disk {
    platter: Platter,
    inodes: BTreeMap<u64, Rc<Inode>>,
    names: Names,
    /// Direct writes between submission and completion.
    in_flight: BTreeMap<WriteId, InFlight>,
    /// How often each inode is open.
    open: BTreeMap<u64, u32>,
    capacity_bytes: u64,
    durable_write: DurableWrite,
    inodes_made: u64,
    writes: u64,
    syncs: u64,
    /// Numbers the changes of inodes and names, over all of them.
    changes: u64,
    unlinked: u32,
    /// Files and directories of which a failed `sync_fs` lost something, and whose own sync has not
    /// said so yet.
    unreported: BTreeSet<u64>,
}

/// A direct write between submission and completion.
///
/// Invariant: its pieces lie where the file has them. A truncation takes away those beyond the new
/// end: it is as if the write had ended just before, which is what the kernel's truncation waits
/// for.
#[derive(Clone)]
struct InFlight {
    inode: u64,
    position: u64,
    len: u64,
    pieces: Vec<Piece>,
    /// Where the file ends for this write: it makes the file no longer than that.
    file_end: u64,
}

/// How a file is opened; `open(2)`'s words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenHow {
    pub(crate) create: bool,
    pub(crate) create_new: bool,
    pub(crate) truncate: bool,
}

/// What a sync, submitted, will have saved when it completes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sync {
    what: Synced,
    sync: u64,
    completed: u64,
    write: WriteId,
    change: u64,
}

#[derive(Clone, Copy, Debug)]
enum Synced {
    File(u64, SyncKind),
    /// One write, with FUA, and what reading it back needs of its inode.
    Write(u64, WriteId),
    Dir(u64),
    All,
}

impl Sync {
    /// Whether it is of the whole file system, which strangers use too.
    pub(crate) fn is_of_everything(&self) -> bool {
        matches!(self.what, Synced::All)
    }
}

impl Disk {
    pub(crate) fn new(durable_write: DurableWrite) -> Disk {
        Disk {
            platter: Platter::default(),
            inodes: BTreeMap::new(),
            names: Names::new(),
            in_flight: BTreeMap::new(),
            open: BTreeMap::new(),
            capacity_bytes: u64::MAX,
            durable_write,
            inodes_made: ROOT,
            writes: 0,
            syncs: 0,
            changes: 0,
            unlinked: 0,
            unreported: BTreeSet::new(),
        }
    }

    // Names.

    /// Opens what is at `path`, perhaps after creating it, and returns its inode.
    pub(crate) fn open(&mut self, path: &Path, how: OpenHow) -> Result<Entry, i32> {
        let place = self.names.place(path)?;
        let found = self.names.find(path);
        let entry = match (found, place) {
            (Ok(_), _) if how.create_new => return Err(libc::EEXIST),
            (Ok(entry), _) => entry,
            (Err(libc::ENOENT), Some(place)) if how.create || how.create_new => {
                self.create(place, Entry { inode: self.inodes_made + 1, is_dir: false })
            }
            (Err(error), _) => return Err(error),
        };
        if how.truncate && !entry.is_dir {
            self.truncate(entry.inode, 0)?;
        }
        *self.open.entry(entry.inode).or_default() += 1;
        Ok(entry)
    }

    /// One handle of that inode is closed.
    pub(crate) fn close(&mut self, inode: u64) {
        if let Some(count) = self.open.get_mut(&inode) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&inode);
            }
        }
    }

    /// The process that held every handle is gone.
    pub(crate) fn close_all(&mut self) {
        self.open.clear();
    }

    fn create(&mut self, place: Place, entry: Entry) -> Entry {
        self.inodes_made = entry.inode;
        if !entry.is_dir {
            self.inodes.insert(entry.inode, Rc::default());
        }
        self.changes += 1;
        self.names.link(self.changes, place, entry);
        entry
    }

    pub(crate) fn make_dir(&mut self, path: &Path) -> Result<(), i32> {
        let place = self.names.place(path)?.ok_or(libc::EEXIST)?;
        if self.names.get(&place).is_some() {
            return Err(libc::EEXIST);
        }
        self.create(place, Entry { inode: self.inodes_made + 1, is_dir: true });
        Ok(())
    }

    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> Result<(), i32> {
        let old = self.names.place(from)?.ok_or(libc::EBUSY)?;
        let new = self.names.place(to)?.ok_or(libc::EBUSY)?;
        let moved = self.names.get(&old).ok_or(libc::ENOENT)?;
        if let Some(target) = self.names.get(&new) {
            match (moved.is_dir, target.is_dir) {
                (false, true) => return Err(libc::EISDIR),
                (true, false) => return Err(libc::ENOTDIR),
                (true, true) if self.names.list(target.inode).next().is_some() => {
                    return Err(libc::ENOTEMPTY);
                }
                _ => self.unlinked += 1,
            }
        }
        if moved.is_dir && to != from && to.starts_with(from) {
            return Err(libc::EINVAL);
        }
        self.changes += 1;
        self.names.rename(self.changes, old, new);
        Ok(())
    }

    pub(crate) fn unlink(&mut self, path: &Path, kind: UnlinkKind) -> Result<(), i32> {
        let place = self.names.place(path)?.ok_or(libc::EBUSY)?;
        let entry = self.names.get(&place).ok_or(libc::ENOENT)?;
        match (kind, entry.is_dir) {
            (UnlinkKind::File, true) => return Err(libc::EISDIR),
            (UnlinkKind::Directory, false) => return Err(libc::ENOTDIR),
            (UnlinkKind::Directory, true) if self.names.list(entry.inode).next().is_some() => {
                return Err(libc::ENOTEMPTY);
            }
            _ => {}
        }
        self.changes += 1;
        self.unlinked += 1;
        self.names.unlink(self.changes, place);
        Ok(())
    }

    /// Name, entry and size of everything in a directory, sorted by name.
    pub(crate) fn list(&self, path: &Path) -> Result<Vec<(OsString, Entry, u64)>, i32> {
        let dir = self.names.find(path)?;
        if !dir.is_dir {
            return Err(libc::ENOTDIR);
        }
        let listed = self.names.list(dir.inode);
        Ok(listed.map(|(name, e)| (name.clone(), *e, self.size(e.inode))).collect())
    }

    pub(crate) fn exists(&self, path: &Path) -> Result<(), i32> {
        self.names.find(path).map(drop)
    }

    /// Every file with its path and size, sorted by path.
    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        let files = self.names.files();
        files.into_iter().map(|(path, inode)| (path, self.size(inode))).collect()
    }

    // Files.

    pub(crate) fn size(&self, inode: u64) -> u64 {
        self.inodes.get(&inode).map_or(0, |i| i.size())
    }

    /// A direct write is submitted: its blocks get a place, its sectors are under write.
    pub(crate) fn begin_write(
        &mut self,
        inode: u64,
        position: u64,
        bytes: Rc<[u8]>,
    ) -> Result<WriteId, i32> {
        let range = position..position + bytes.len() as u64;
        self.place(inode, &range)?;
        self.writes += 1;
        let write = WriteId(self.writes);
        let pieces = self.pieces(inode, &range);
        self.platter.begin_write(write, inode, &bytes, &pieces);
        let len = bytes.len() as u64;
        self.in_flight
            .insert(write, InFlight { inode, position, len, pieces, file_end: range.end });
        Ok(write)
    }

    /// The direct write ended with its first `landed` bytes (whole sectors) on the device.
    pub(crate) fn end_write(&mut self, write: WriteId, landed: u64) {
        let Some(flight) = self.in_flight.remove(&write) else { return };
        let InFlight { inode, position, len, pieces, file_end } = flight;
        let landed = (landed / SECTOR * SECTOR).min(len);
        let (there, gone): (Vec<Piece>, Vec<Piece>) =
            pieces.into_iter().partition(|piece| (piece.at as u64) < landed);
        self.platter.abandon_write(write, &gone);
        let there: Vec<Piece> = there.into_iter().map(|piece| piece.up_to(landed)).collect();
        if landed > 0 {
            self.platter.complete_write(write, &there);
            let end = (position + landed).min(file_end);
            if position < end {
                self.written(inode, position..end);
            }
        }
    }

    /// How long a direct write in flight is.
    pub(crate) fn write_len(&self, write: WriteId) -> u64 {
        self.in_flight.get(&write).map_or(0, |flight| flight.len)
    }

    /// What the writes in flight bring beyond the file's new end is gone with the rest of it.
    fn cut_in_flight(&mut self, inode: u64, size: u64) {
        for (write, flight) in self.in_flight.iter_mut().filter(|(_, f)| f.inode == inode) {
            flight.file_end = flight.file_end.min(size);
            let start = |piece: &Piece| flight.position + piece.at as u64;
            let (kept, gone): (Vec<Piece>, Vec<Piece>) =
                flight.pieces.drain(..).partition(|piece| start(piece) < size);
            self.platter.abandon_write(*write, &gone);
            // Direct writes begin at a block, so only the last kept one may hold the end.
            if let Some(last) = kept.last().filter(|piece| size - start(piece) < BLOCK) {
                self.platter.clear_write(*write, last.block, (size - start(last)) as usize);
            }
            flight.pieces = kept;
        }
    }

    /// A write into the page cache: readers see it at once.
    pub(crate) fn write_cached(
        &mut self,
        inode: u64,
        position: u64,
        bytes: &[u8],
        rng: &mut Rng,
    ) -> Result<(), i32> {
        let range = position..position + bytes.len() as u64;
        self.place(inode, &range)?;
        // Whole sectors: what the ends of the write leave alone is read first.
        let whole = range.start / SECTOR * SECTOR..range.end.next_multiple_of(SECTOR);
        let mut sectors = vec![0; (whole.end - whole.start) as usize];
        self.read_placed(inode, whole.start, &mut sectors, rng)?;
        let at = (position - whole.start) as usize;
        sectors[at..at + bytes.len()].copy_from_slice(bytes);
        self.writes += 1;
        let pieces = self.pieces(inode, &whole);
        self.platter.write_cached(WriteId(self.writes), inode, &sectors.into(), &pieces);
        self.written(inode, range);
        Ok(())
    }

    fn written(&mut self, inode: u64, range: Range<u64>) {
        self.changes += 1;
        if let Some(file) = self.inodes.get_mut(&inode)
            && (range.end > file.size() || !file.extents().all_written(blocks_of(&range)))
        {
            Rc::make_mut(file).written(self.changes, range);
        }
    }

    /// Finds a place for every block of the range that has none.
    fn place(&mut self, inode: u64, range: &Range<u64>) -> Result<(), i32> {
        let file = self.inodes.get(&inode).ok_or(libc::EISDIR)?;
        let holes = file.extents().holes(blocks_of(range));
        let wanted: u64 = holes.iter().map(|hole| hole.end - hole.start).sum();
        if wanted == 0 {
            return Ok(());
        }
        if self.capacity_bytes < u64::MAX
            && self.used_bytes() + wanted * BLOCK > self.capacity_bytes
        {
            return Err(libc::ENOSPC);
        }
        for hole in holes {
            let count = hole.end - hole.start;
            let extent = Extent { block: self.platter.allocate(count), count, written: false };
            self.changes += 1;
            let number = self.changes;
            self.change(inode, |file| file.place(number, hole.start, extent));
        }
        Ok(())
    }

    fn change(&mut self, inode: u64, how: impl FnOnce(&mut Inode)) {
        if let Some(file) = self.inodes.get_mut(&inode) {
            how(Rc::make_mut(file));
        }
    }

    /// The placed blocks of a range, piece by piece; the range is in whole sectors.
    fn pieces(&self, inode: u64, range: &Range<u64>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let Some(file) = self.inodes.get(&inode) else { return pieces };
        let mut at = range.start;
        while at < range.end {
            let start = at % BLOCK;
            let end = BLOCK.min(start + range.end - at);
            if let Some(extent) = file.extents().find(at / BLOCK) {
                pieces.push(Piece {
                    block: extent.block,
                    sectors: (start / SECTOR) as usize..(end / SECTOR) as usize,
                    at: (at - range.start) as usize,
                });
            }
            at += end - start;
        }
        pieces
    }

    /// Reads what is there: short at the end of the file. `EIO` if a sector is unreadable.
    pub(crate) fn read(
        &self,
        inode: u64,
        position: u64,
        into: &mut [u8],
        rng: &mut Rng,
    ) -> Result<usize, i32> {
        let file = self.inodes.get(&inode).ok_or(libc::EISDIR)?;
        let count = into.len().min(file.size().saturating_sub(position) as usize);
        self.read_placed(inode, position, &mut into[..count], rng)?;
        Ok(count)
    }

    /// Reads without looking at the size.
    fn read_placed(
        &self,
        inode: u64,
        position: u64,
        into: &mut [u8],
        rng: &mut Rng,
    ) -> Result<(), i32> {
        let file = self.inodes.get(&inode).ok_or(libc::EISDIR)?;
        let mut block = [0; BLOCK_BYTES];
        let mut done = 0;
        while done < into.len() {
            let at = position + done as u64;
            let start = (at % BLOCK) as usize;
            let count = (BLOCK_BYTES - start).min(into.len() - done);
            match file.extents().find(at / BLOCK) {
                Some(extent) if extent.written => {
                    let sectors = start / SECTOR_BYTES..(start + count).div_ceil(SECTOR_BYTES);
                    if !self.platter.read(extent.block, sectors, &mut block, rng) {
                        return Err(libc::EIO);
                    }
                }
                _ => block.fill(0),
            }
            into[done..done + count].copy_from_slice(&block[start..start + count]);
            done += count;
        }
        Ok(())
    }

    pub(crate) fn truncate(&mut self, inode: u64, size: u64) -> Result<(), i32> {
        let old = self.inodes.get(&inode).ok_or(libc::EISDIR)?.size();
        // What the last block holds beyond the new end must not come back when the file grows.
        let tail = size..old.min(size.next_multiple_of(BLOCK));
        if !tail.is_empty() {
            let zeros = vec![0; (tail.end - tail.start) as usize];
            self.write_cached(inode, tail.start, &zeros, &mut Rng::new(0))?;
        }
        self.cut_in_flight(inode, size);
        self.changes += 1;
        let number = self.changes;
        self.change(inode, |file| file.resize(number, size));
        Ok(())
    }

    /// `fallocate`: places every block of the range, and the file is at least that long.
    pub(crate) fn allocate(&mut self, inode: u64, range: Range<u64>) -> Result<(), i32> {
        self.place(inode, &range)?;
        self.changes += 1;
        let number = self.changes;
        self.change(inode, |file| file.grow(number, range.end));
        Ok(())
    }

    pub(crate) fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    pub(crate) fn set_capacity(&mut self, bytes: u64) {
        self.capacity_bytes = bytes;
    }

    /// Bytes of blocks that have a place in some file that has a name or is open.
    pub(crate) fn used_bytes(&self) -> u64 {
        let named = self.names.files().into_iter().map(|(_, inode)| inode);
        let used: BTreeSet<u64> = named.chain(self.open.keys().copied()).collect();
        let files = used.iter().filter_map(|inode| self.inodes.get(inode));
        files.map(|file| file.extents().blocks() * BLOCK).sum()
    }

    /// All bytes of the file at a path.
    pub(crate) fn read_file(&self, path: &Path) -> Result<Vec<u8>, i32> {
        let inode = self.names.find(path)?.inode;
        self.read_path(path, 0, self.size(inode) as usize)
    }

    /// Bytes of the file at a path, fewer at its end.
    pub(crate) fn read_path(&self, path: &Path, position: u64, len: usize) -> Result<Vec<u8>, i32> {
        let inode = self.names.find(path)?.inode;
        let mut bytes = vec![0; len];
        // Only sectors that are being written are read by lot; the seed does not matter much.
        let count = self.read(inode, position, &mut bytes, &mut Rng::new(0))?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// No process has anything open or in flight any more; what was in flight did not happen.
    pub(crate) fn settle(&mut self) {
        self.open.clear();
        let in_flight: Vec<WriteId> = self.in_flight.keys().copied().collect();
        in_flight.into_iter().for_each(|write| self.end_write(write, 0));
    }

    /// Rot: turns over one bit of the byte at that position. False: nothing is stored there.
    pub(crate) fn flip(&mut self, path: &Path, position: u64) -> bool {
        let Ok(entry) = self.names.find(path) else { return false };
        let Some(file) = self.inodes.get(&entry.inode) else { return false };
        match file.extents().find(position / BLOCK) {
            Some(extent) if extent.written && position < file.size() => {
                self.platter.flip(extent.block, (position % BLOCK) as usize);
                true
            }
            _ => false,
        }
    }

    // Syncs.

    /// The sync of an open file or directory is submitted.
    pub(crate) fn begin_sync(&mut self, inode: u64, kind: SyncKind) -> Sync {
        let is_file = self.inodes.contains_key(&inode);
        let what = if is_file { Synced::File(inode, kind) } else { Synced::Dir(inode) };
        let sync = self.begin(what);
        if is_file {
            self.platter.begin_writeback(inode, sync.sync);
        }
        sync
    }

    /// The second half of a durable direct write: its bytes have arrived.
    pub(crate) fn begin_sync_of_write(&mut self, inode: u64, write: WriteId) -> Sync {
        match self.durable_write {
            DurableWrite::Flush => self.begin_sync(inode, SyncKind::Data),
            DurableWrite::Fua => self.begin(Synced::Write(inode, write)),
        }
    }

    /// `syncfs` is submitted.
    pub(crate) fn begin_sync_fs(&mut self) -> Sync {
        self.begin(Synced::All)
    }

    fn begin(&mut self, what: Synced) -> Sync {
        self.syncs += 1;
        Sync {
            what,
            sync: self.syncs,
            completed: self.platter.completed(),
            write: WriteId(self.writes),
            change: self.changes,
        }
    }

    /// The sync completed: what it promised is on stable storage.
    pub(crate) fn end_sync(&mut self, sync: Sync) {
        match sync.what {
            Synced::File(inode, _) => {
                self.platter.end_writeback(inode, sync.sync, sync.completed);
                self.platter.flush(sync.completed);
            }
            Synced::Write(_, write) => self.platter.flush_write(write),
            Synced::All => self.platter.write_back_all(sync.write),
            Synced::Dir(_) => {}
        }
        self.decide(sync, Standing::Saved);
        if self.unlinked > UNLINKED_MAX {
            self.unlinked = 0;
            self.drop_unreachable();
        }
    }

    /// The sync failed: what it should have saved, none will.
    pub(crate) fn fail_sync(&mut self, sync: Sync) {
        match sync.what {
            Synced::File(inode, _) => self.platter.forget(inode, sync.sync, sync.completed),
            Synced::Write(_, write) => self.platter.forget_write(write),
            Synced::Dir(_) => {}
            Synced::All => {
                self.unreported.extend(self.platter.forget_cached(sync.write));
                self.unreported.extend(self.names.unsaved_dirs(sync.change));
                let unsaved = self.inodes.iter().filter(|(_, file)| file.is_unsaved(sync.change));
                self.unreported.extend(unsaved.map(|(inode, _)| *inode));
            }
        }
        self.decide(sync, Standing::Forgotten);
    }

    /// The sync was taken back before it began.
    pub(crate) fn cancel_sync(&mut self, sync: Sync) {
        if let Synced::File(inode, _) = sync.what {
            self.platter.cancel_writeback(inode, sync.sync);
        }
    }

    /// Whether this sync must fail, because an earlier `sync_fs` lost something of what it is
    /// about: each file has its own mark of that, which its next sync reports and takes down.
    pub(crate) fn take_error(&mut self, sync: &Sync) -> bool {
        match sync.what {
            Synced::File(inode, _) | Synced::Dir(inode) => self.unreported.remove(&inode),
            // Linux looks at the mark when it flushes, and here it does not.
            Synced::Write(..) | Synced::All => false,
        }
    }

    /// What a sync means for inodes and names.
    fn decide(&mut self, sync: Sync, standing: Standing) {
        match sync.what {
            Synced::File(inode, kind) => {
                self.change(inode, |file| file.sync(kind, sync.change, standing));
            }
            Synced::Write(inode, _) => {
                self.change(inode, |file| file.sync(SyncKind::Data, sync.change, standing));
            }
            Synced::Dir(dir) => self.names.sync_dir(dir, sync.change, standing),
            Synced::All => {
                self.names.sync_all(sync.change, standing);
                for file in self.inodes.values_mut().filter(|file| file.is_dirty()) {
                    Rc::make_mut(file).sync(SyncKind::All, sync.change, standing);
                }
            }
        }
    }

    fn drop_unreachable(&mut self) {
        let mut wanted = self.names.inodes();
        wanted.extend(self.open.keys());
        wanted.extend(self.in_flight.values().map(|flight| flight.inode));
        let (kept, dropped) =
            std::mem::take(&mut self.inodes).into_iter().partition(|(i, _)| wanted.contains(i));
        self.inodes = kept;
        let dropped: BTreeMap<u64, Rc<Inode>> = dropped;
        for run in dropped.values().flat_map(|file| file.runs()) {
            self.platter.release(run);
        }
    }

    /// The power goes: everything that was pending is decided, by lot.
    pub(crate) fn cut(&mut self, rng: &mut Rng) {
        self.open.clear();
        self.in_flight.clear();
        self.unreported.clear();
        self.platter.cut(&Fate::draw(rng), rng);
        self.names.cut(&Fate::draw(rng), rng);
        let fate = Fate::draw(rng);
        for file in self.inodes.values_mut().filter(|file| file.is_dirty()) {
            Rc::make_mut(file).cut(&fate, rng);
        }
        self.unlinked = 0;
        self.drop_unreachable();
    }
}

#[cfg(test)]
mod tests;
