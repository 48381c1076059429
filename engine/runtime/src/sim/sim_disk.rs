//! A node's disk in the hands of a test: images, cuts, faults, rot.

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::world::Universe;
use super::{DiskImage, Fault, Rng, SimDisk, SyncPoint};

impl SimDisk {
    /// The disk at this instant.
    pub fn image(&self) -> DiskImage {
        DiskImage(self.universe().state.borrow().machines[self.node].files.disk.clone())
    }

    /// Makes the disk what the image is. The node must not run. Writes that were in flight when the
    /// image was taken have not happened.
    pub fn restore(&self, image: &DiskImage) {
        let universe = self.universe();
        let machine = &mut universe.state.borrow_mut().machines[self.node];
        assert!(!machine.running, "{} runs: end it before its disk is replaced", machine.name);
        assert!(machine.landing == 0, "writes to the disk of {} are in flight", machine.name);
        machine.files.disk = image.0.clone();
        machine.files.disk_mut().settle();
    }

    /// Calls `f` at every sync point from now on, with the disk as it is then. It may end nodes,
    /// but not run the world.
    pub fn at_every_sync(&self, f: impl FnMut(SyncPoint, DiskImage) + 'static) {
        let universe = self.universe();
        let files = &mut universe.state.borrow_mut().machines[self.node].files;
        files.hook = Some(Rc::new(RefCell::new(f)));
    }

    /// How many sync points there were.
    pub fn sync_points(&self) -> u64 {
        self.universe().state.borrow().machines[self.node].files.sync_points
    }

    /// The next operation of that kind fails.
    pub fn fail_next(&self, fault: Fault) {
        self.fail_nth(fault, 1);
    }

    /// The `n`-th operation of that kind from now (1 is the next) fails.
    pub fn fail_nth(&self, fault: Fault, n: u64) {
        assert!(n > 0, "the first operation is number 1");
        let universe = self.universe();
        universe.state.borrow_mut().machines[self.node].files.faults.push((fault, n));
    }

    /// From now on an operation takes that many nanoseconds: a limping disk, or a fast one.
    pub fn set_delay(&self, delay_ns: Range<u64>) {
        let universe = self.universe();
        universe.state.borrow_mut().machines[self.node].files.delay_ns = Some(delay_ns);
    }

    /// Bytes that the files of the disk may take in all, in blocks of 4096; beyond it ENOSPC.
    pub fn set_capacity(&self, bytes: u64) {
        let universe = self.universe();
        universe.state.borrow_mut().machines[self.node].files.disk_mut().set_capacity(bytes);
    }

    /// Bytes that the files of the disk take.
    pub fn used_bytes(&self) -> u64 {
        self.universe().state.borrow().machines[self.node].files.disk.used_bytes()
    }

    /// Rot: turns over a bit of the byte at that position of the file, saved or not.
    ///
    /// Panics if nothing is stored there, as the test would prove nothing.
    pub fn flip(&self, path: &Path, position: u64) {
        let universe = self.universe();
        let files = &mut universe.state.borrow_mut().machines[self.node].files;
        let flipped = files.disk_mut().flip(path, position);
        assert!(flipped, "{} has no byte {position} that was written", path.display());
    }

    /// Every file with its path and size, sorted.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        self.universe().state.borrow().machines[self.node].files.disk.files()
    }

    /// What a process would read in that file now; none if there is no such file, or it is
    /// unreadable.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        self.image().read(path)
    }

    fn universe(&self) -> Rc<Universe> {
        self.world.upgrade().expect("a disk is used while its world lives")
    }
}

impl DiskImage {
    /// What is left after a power cut at that instant: by lot, within the rules of the module.
    pub fn after_power_cut(&self, rng: &mut Rng) -> DiskImage {
        let mut disk = (*self.0).clone();
        disk.cut(rng);
        DiskImage(Rc::new(disk))
    }

    /// Every file with its path and size, sorted.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        self.0.files()
    }

    /// The bytes of that file; none if there is no such file, or it is unreadable.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        self.0.read_file(path).ok()
    }

    /// `len` bytes of that file; none if there are not so many, or they are unreadable.
    pub fn read_at(&self, path: &Path, position: u64, len: usize) -> Option<Vec<u8>> {
        let bytes = self.0.read_path(path, position, len).ok()?;
        (bytes.len() == len).then_some(bytes)
    }
}
