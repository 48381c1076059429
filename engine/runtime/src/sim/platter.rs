//! The simulated device: blocks of eight sectors, what of them is saved, and what is not yet.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use super::Rng;

/// Bytes of a block: what a file's extents are counted in, and what direct I/O must be aligned to.
pub(crate) const BLOCK_BYTES: usize = 4096;
/// Bytes of a sector: the piece that a power cut keeps or loses as one.
pub(crate) const SECTOR_BYTES: usize = 512;
pub(crate) const SECTORS_PER_BLOCK: usize = BLOCK_BYTES / SECTOR_BYTES;
const REGION_BLOCKS: u64 = 256;

type Block = [u8; BLOCK_BYTES];

/// One device. A value: a clone shares all memory until one of the two changes.
///
/// Invariant: the live content of a sector is that of its last visible version, else what is
/// durable.
#[derive(Clone, Default)]
pub(crate) struct Platter {
    durable: Vec<Option<Rc<Region>>>,
    /// Versions that no flush has covered, per block in the order in which they became visible.
    unflushed: BTreeMap<u64, Vec<Version>>,
    /// Sectors (block, sector) that a cut left unreadable.
    unreadable: BTreeSet<(u64, u8)>,
    blocks: u64,
    completions: u64,
}

#[derive(Clone)]
struct Region {
    blocks: Vec<Option<Rc<Block>>>,
}

/// What one write makes of one block.
#[derive(Clone)]
struct Version {
    write: WriteId,
    /// The inode that was written, for what only a sync of that file saves.
    inode: u64,
    bytes: Rc<[u8]>,
    /// Where in `bytes` the content of sector 0 of the block would be (it may lie before them).
    base: isize,
    /// A bit per sector that this version covers.
    sectors: u8,
    stage: Stage,
    /// A read sees it.
    visible: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// In the kernel's page cache: only a sync of that file (or, by lot, writeback) takes it on.
    PageCache,
    /// A direct write on its way into the device: after a cut old, new or destroyed.
    UnderWrite,
    /// Cached pages on their way into the device, for the sync of that number: likewise.
    Writeback(u64),
    /// Completed with this number, in the device's volatile cache.
    DeviceCache(u64),
    /// Its sync failed: readable, but no later sync saves it, though it may survive by luck.
    Forgotten,
}

/// Names a write from its submission to its completion.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct WriteId(pub(crate) u64);

impl WriteId {
    /// Of a write that the disk never saw: the others count from 1.
    pub(crate) const NONE: WriteId = WriteId(0);
}

/// A piece of a write that falls into one block.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) block: u64,
    pub(crate) sectors: Range<usize>,
    /// Position in the write's bytes of the piece's first byte.
    pub(crate) at: usize,
}

/// How kind fate is at a power cut.
pub(crate) struct Fate {
    /// Of 256, how often an un-flushed version survives.
    pub(crate) survives: u64,
    /// Of 256, how often a sector under write is destroyed.
    pub(crate) destroys: u64,
}

impl Fate {
    /// Draws one: the two extremes are as likely as everything between them.
    pub(crate) fn draw(rng: &mut Rng) -> Fate {
        let survives = match rng.below(4) {
            0 => 0,
            1 => 256,
            _ => 1 + rng.below(255),
        };
        let destroys = if rng.chance(1, 2) { 0 } else { 1 + rng.below(128) };
        Fate { survives, destroys }
    }

    pub(crate) fn keeps(&self, rng: &mut Rng) -> bool {
        rng.chance(self.survives, 256)
    }
}

impl Platter {
    /// Takes `count` fresh blocks in a row and returns the first; they read as zeros.
    pub(crate) fn allocate(&mut self, count: u64) -> u64 {
        let first = self.blocks;
        self.blocks += count;
        first
    }

    /// Forgets the content of blocks that no file has any more.
    pub(crate) fn release(&mut self, blocks: Range<u64>) {
        for block in blocks {
            self.unflushed.remove(&block);
            let (region, index) = place(block);
            if let Some(Some(region)) = self.durable.get_mut(region)
                && region.blocks[index].is_some()
            {
                Rc::make_mut(region).blocks[index] = None;
            }
        }
    }

    /// A direct write is submitted: from now on its sectors are under write.
    pub(crate) fn begin_write(
        &mut self,
        write: WriteId,
        inode: u64,
        bytes: &Rc<[u8]>,
        pieces: &[Piece],
    ) {
        self.add(write, inode, bytes, pieces, Stage::UnderWrite);
    }

    /// The direct write completed: readers see it, and the next flush saves it.
    pub(crate) fn complete_write(&mut self, write: WriteId, pieces: &[Piece]) {
        self.completions += 1;
        let stage = Stage::DeviceCache(self.completions);
        for piece in pieces {
            const BEGUN: &str = "neither flush nor truncation takes a piece that is under write";
            let versions = self.unflushed.get_mut(&piece.block).expect(BEGUN);
            let index = versions.iter().position(|v| v.write == write).expect(BEGUN);
            let mut version = versions.remove(index);
            (version.stage, version.visible) = (stage, true);
            version.sectors &= piece.mask();
            self.unreadable.retain(|(b, s)| *b != piece.block || version.sectors & (1 << s) == 0);
            versions.push(version);
        }
    }

    /// The write never reached the device.
    pub(crate) fn abandon_write(&mut self, write: WriteId, pieces: &[Piece]) {
        for piece in pieces {
            if let Some(versions) = self.unflushed.get_mut(&piece.block) {
                versions.retain(|v| v.write != write);
                if versions.is_empty() {
                    self.unflushed.remove(&piece.block);
                }
            }
        }
    }

    /// A write under way brings zeros to the block from that byte on.
    pub(crate) fn clear_write(&mut self, write: WriteId, block: u64, from: usize) {
        let versions = self.unflushed.get_mut(&block).into_iter().flatten();
        for version in versions.filter(|v| v.write == write) {
            let mut bytes = version.bytes.to_vec();
            let start = (version.base + from as isize).clamp(0, bytes.len() as isize) as usize;
            let end = (version.base + BLOCK_BYTES as isize).clamp(0, bytes.len() as isize) as usize;
            bytes[start..end].fill(0);
            version.bytes = bytes.into();
        }
    }

    /// A buffered write: visible at once, in the page cache alone.
    pub(crate) fn write_cached(
        &mut self,
        write: WriteId,
        inode: u64,
        bytes: &Rc<[u8]>,
        pieces: &[Piece],
    ) {
        self.add(write, inode, bytes, pieces, Stage::PageCache);
        for piece in pieces {
            self.unreadable
                .retain(|(b, s)| *b != piece.block || !piece.sectors.contains(&usize::from(*s)));
        }
    }

    fn add(
        &mut self,
        write: WriteId,
        inode: u64,
        bytes: &Rc<[u8]>,
        pieces: &[Piece],
        stage: Stage,
    ) {
        for piece in pieces {
            let sectors = piece.mask();
            let base = piece.at as isize - (piece.sectors.start * SECTOR_BYTES) as isize;
            let bytes = Rc::clone(bytes);
            let visible = stage == Stage::PageCache;
            let version = Version { write, inode, bytes, base, sectors, stage, visible };
            self.unflushed.entry(piece.block).or_default().push(version);
        }
    }

    /// A sync begins to write one file's cached pages back.
    pub(crate) fn begin_writeback(&mut self, inode: u64, sync: u64) {
        let cached = |v: &Version| v.inode == inode && v.stage == Stage::PageCache;
        self.restage(cached, Stage::Writeback(sync));
    }

    /// That sync never began to: they are where they were.
    pub(crate) fn cancel_writeback(&mut self, inode: u64, sync: u64) {
        let begun = |v: &Version| v.inode == inode && v.stage == Stage::Writeback(sync);
        self.restage(begun, Stage::PageCache);
    }

    /// That sync has written them; they count as completed before the flush of `number`.
    pub(crate) fn end_writeback(&mut self, inode: u64, sync: u64, number: u64) {
        let written =
            |v: &Version| v.inode == inode && matches!(v.stage, Stage::Writeback(s) if s <= sync);
        self.restage(written, Stage::DeviceCache(number));
    }

    /// Cached pages of all files, from writes up to that one, went to the device: no flush.
    pub(crate) fn write_back_all(&mut self, upto: WriteId) {
        self.completions += 1;
        let stage = Stage::DeviceCache(self.completions);
        self.restage(|v| v.stage == Stage::PageCache && v.write <= upto, stage);
    }

    /// A sync failed: what it should have saved is clean in the kernel's eyes and never written
    /// again (the behaviour that made PostgreSQL panic on a failed fsync in 2018).
    pub(crate) fn forget(&mut self, inode: u64, sync: u64, number: u64) {
        self.end_writeback(inode, sync, number);
        let covered = |v: &Version| matches!(v.stage, Stage::DeviceCache(n) if n <= number);
        self.restage(covered, Stage::Forgotten);
    }

    /// That write, completed, should have gone past the cache and failed: it is not tried again.
    pub(crate) fn forget_write(&mut self, write: WriteId) {
        let arrived = |v: &Version| v.write == write && matches!(v.stage, Stage::DeviceCache(_));
        self.restage(arrived, Stage::Forgotten);
    }

    /// A sync of everything failed: the cached pages of all files, from writes up to that one, are
    /// clean in the kernel's eyes and never written again. Returns whose they are.
    pub(crate) fn forget_cached(&mut self, upto: WriteId) -> BTreeSet<u64> {
        let cached = |v: &Version| v.stage == Stage::PageCache && v.write <= upto;
        let lost = self.unflushed.values().flatten().filter(|v| cached(v));
        let inodes = lost.map(|v| v.inode).collect();
        self.restage(cached, Stage::Forgotten);
        inodes
    }

    fn restage(&mut self, which: impl Fn(&Version) -> bool, stage: Stage) {
        for version in self.unflushed.values_mut().flatten().filter(|v| which(v)) {
            version.stage = stage;
        }
    }

    /// The number of the last completed write: a flush submitted now saves everything up to it.
    pub(crate) fn completed(&self) -> u64 {
        self.completions
    }

    /// A flush completed that was submitted when `completed()` was `upto`.
    pub(crate) fn flush(&mut self, upto: u64) {
        self.save(|v| matches!(v.stage, Stage::DeviceCache(number) if number <= upto));
    }

    /// That write, completed, went past the cache, and nothing else did.
    pub(crate) fn flush_write(&mut self, write: WriteId) {
        self.save(|v| v.write == write && matches!(v.stage, Stage::DeviceCache(_)));
    }

    fn save(&mut self, which: impl Fn(&Version) -> bool) {
        let mut unflushed = std::mem::take(&mut self.unflushed);
        unflushed.retain(|block, versions| {
            let mut kept: Vec<Version> = Vec::new();
            for version in versions.drain(..) {
                if !which(&version) {
                    kept.push(version);
                    continue;
                }
                // What this one overwrote can't come back, nor hide it.
                let covered = version.sectors;
                for older in kept.iter_mut().filter(|v| v.visible) {
                    older.sectors &= !covered;
                }
                kept.retain(|v| v.sectors != 0);
                self.write_durable(*block, &version, covered);
            }
            *versions = kept;
            !versions.is_empty()
        });
        self.unflushed = unflushed;
    }

    fn write_durable(&mut self, block: u64, version: &Version, sectors: u8) {
        for sector in (0..SECTORS_PER_BLOCK).filter(|s| sectors & (1 << s) != 0) {
            let content = version.sector(sector);
            let zero = content.iter().all(|b| *b == 0);
            if zero && self.durable_block(block).is_none() {
                continue; // zeros on a block that reads as zeros need no memory
            }
            self.durable_block_mut(block)[sector_range(sector)].copy_from_slice(content);
        }
    }

    /// Copies the live content of a block; sectors under a direct write are old or new by lot.
    /// False: one of the wanted sectors can't be read.
    pub(crate) fn read(
        &self,
        block: u64,
        sectors: Range<usize>,
        into: &mut [u8; BLOCK_BYTES],
        rng: &mut Rng,
    ) -> bool {
        match self.durable_block(block) {
            Some(bytes) => into.copy_from_slice(&bytes[..]),
            None => into.fill(0),
        }
        for version in self.unflushed.get(&block).into_iter().flatten() {
            for sector in sectors.clone().filter(|s| version.sectors & (1 << s) != 0) {
                if version.visible || rng.chance(1, 2) {
                    into[sector_range(sector)].copy_from_slice(version.sector(sector));
                }
            }
        }
        !sectors.into_iter().any(|s| self.unreadable.contains(&(block, s as u8)))
    }

    /// Rot: turns one bit over, in what is durable and in every version of it.
    pub(crate) fn flip(&mut self, block: u64, byte: usize) {
        self.durable_block_mut(block)[byte] ^= 0x10;
        for version in self.unflushed.get_mut(&block).into_iter().flatten() {
            if version.sectors & (1 << (byte / SECTOR_BYTES)) != 0 {
                let mut bytes = version.bytes.to_vec();
                bytes[(version.base + byte as isize) as usize] ^= 0x10;
                version.bytes = bytes.into();
            }
        }
    }

    /// The power goes: every un-flushed sector is decided, and nothing is pending any more.
    pub(crate) fn cut(&mut self, fate: &Fate, rng: &mut Rng) {
        for (block, versions) in std::mem::take(&mut self.unflushed) {
            for sector in 0..SECTORS_PER_BLOCK {
                let covers = |v: &&Version| v.sectors & (1 << sector) != 0;
                let under_write = versions.iter().filter(covers).any(|v| v.is_under_write());
                if under_write && rng.chance(fate.destroys, 256) {
                    self.destroy(block, sector, rng);
                    continue;
                }
                // The device may have saved any one of them on its own, or none.
                let survivors: Vec<&Version> =
                    versions.iter().filter(covers).filter(|_| fate.keeps(rng)).collect();
                if !survivors.is_empty() {
                    let version = survivors[rng.index(survivors.len())];
                    self.write_durable(block, version, 1 << sector);
                    self.unreadable.remove(&(block, sector as u8));
                }
            }
        }
    }

    fn destroy(&mut self, block: u64, sector: usize, rng: &mut Rng) {
        let unreadable = rng.chance(1, 2);
        rng.fill(&mut self.durable_block_mut(block)[sector_range(sector)]);
        if unreadable {
            self.unreadable.insert((block, sector as u8));
        }
    }

    fn durable_block(&self, block: u64) -> Option<&Rc<Block>> {
        let (region, index) = place(block);
        self.durable.get(region)?.as_ref()?.blocks[index].as_ref()
    }

    fn durable_block_mut(&mut self, block: u64) -> &mut Block {
        let (region, index) = place(block);
        if self.durable.len() <= region {
            self.durable.resize(region + 1, None);
        }
        let empty = || Rc::new(Region { blocks: vec![None; REGION_BLOCKS as usize] });
        let region = Rc::make_mut(self.durable[region].get_or_insert_with(empty));
        Rc::make_mut(region.blocks[index].get_or_insert_with(|| Rc::new([0; BLOCK_BYTES])))
    }
}

impl Piece {
    /// The part of it that lies in the first `len` bytes of the write, some at least.
    pub(crate) fn up_to(mut self, len: u64) -> Piece {
        let sectors = (len as usize - self.at) / SECTOR_BYTES;
        self.sectors.end = self.sectors.end.min(self.sectors.start + sectors);
        self
    }

    /// A bit per sector.
    fn mask(&self) -> u8 {
        self.sectors.clone().fold(0, |mask, sector| mask | 1 << sector)
    }
}

impl Version {
    fn is_under_write(&self) -> bool {
        matches!(self.stage, Stage::UnderWrite | Stage::Writeback(_))
    }

    fn sector(&self, sector: usize) -> &[u8] {
        let at = self.base + (sector * SECTOR_BYTES) as isize;
        let at = usize::try_from(at).expect("a covered sector lies within the write's bytes");
        &self.bytes[at..at + SECTOR_BYTES]
    }
}

fn place(block: u64) -> (usize, usize) {
    ((block / REGION_BLOCKS) as usize, (block % REGION_BLOCKS) as usize)
}

fn sector_range(sector: usize) -> Range<usize> {
    sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES
}
