//! A simulated machine's disk and the descriptors of its process.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use super::disk::Disk;
use super::{DiskImage, DurableWrite, Fault, OpKind, Rng, SyncPoint};
use crate::op::Fd;

/// A machine's disk, and the descriptors of its process.
pub(crate) struct Files {
    pub(crate) disk: Rc<Disk>,
    handles: BTreeMap<i32, Handle>,
    pub(crate) faults: Vec<(Fault, u64)>,
    /// How long an operation takes, if not as in the world's options.
    pub(crate) delay_ns: Option<Range<u64>>,
    pub(crate) sync_points: u64,
    pub(crate) hook: Option<Hook>,
}

/// Whom the test wants to be told of sync points.
pub(crate) type Hook = Rc<RefCell<dyn FnMut(SyncPoint, DiskImage)>>;

/// What a descriptor stands for.
#[derive(Clone, Debug)]
pub(crate) enum Handle {
    File { inode: u64, direct: bool, path: PathBuf },
    Socket(u64),
    Listener(u64),
    PipeEnd(u64),
}

impl Files {
    pub(crate) fn new(durable_write: DurableWrite) -> Files {
        Files {
            disk: Rc::new(Disk::new(durable_write)),
            handles: BTreeMap::new(),
            faults: Vec::new(),
            delay_ns: None,
            sync_points: 0,
            hook: None,
        }
    }

    /// The disk, to be changed: images that were taken keep what they had.
    pub(crate) fn disk_mut(&mut self) -> &mut Disk {
        Rc::make_mut(&mut self.disk)
    }

    /// Gives a handle the lowest free number, as Linux does: a closed one is soon a stranger's.
    pub(crate) fn open_handle(&mut self, handle: Handle) -> i32 {
        let taken = self.handles.keys().zip(3..).take_while(|(raw, free)| **raw == *free).count();
        let raw = 3 + taken as i32;
        self.handles.insert(raw, handle);
        raw
    }

    pub(crate) fn handle(&self, fd: Fd) -> Option<&Handle> {
        self.handles.get(&fd.raw)
    }

    pub(crate) fn remove_handle(&mut self, fd: Fd) -> Option<Handle> {
        self.handles.remove(&fd.raw)
    }

    /// The pipes of the process.
    pub(crate) fn pipes(&self) -> Vec<u64> {
        let pipe = |handle: &Handle| match handle {
            Handle::PipeEnd(id) => Some(*id),
            _ => None,
        };
        self.handles.values().filter_map(pipe).collect()
    }

    /// The process is gone.
    pub(crate) fn close_all(&mut self) {
        self.handles.clear();
        self.disk_mut().close_all();
    }

    pub(crate) fn cut_power(&mut self, rng: &mut Rng) {
        self.disk_mut().cut(rng);
    }

    /// Inode, whether I/O is direct, and path of an open file or directory.
    pub(crate) fn file(&self, fd: Fd) -> (u64, bool, PathBuf) {
        match self.handles.get(&fd.raw) {
            Some(Handle::File { inode, direct, path }) => (*inode, *direct, path.clone()),
            other => panic!("descriptor {} is no open file but {other:?}", fd.raw),
        }
    }

    /// Whether an operation of that kind fails now.
    pub(crate) fn fails(&mut self, fault: Fault) -> bool {
        self.count(|planned| planned == fault).is_some()
    }

    /// The error that an operation of that kind ends with now, if one was planned.
    pub(crate) fn planned_error(&mut self, kind: OpKind) -> Option<i32> {
        match self.count(|planned| matches!(planned, Fault::Op(of, _) if of == kind))? {
            Fault::Op(_, error) => Some(error),
            _ => None,
        }
    }

    /// Counts an operation that the first such fault is about; the fault, if its time has come.
    fn count(&mut self, is_it: impl Fn(Fault) -> bool) -> Option<Fault> {
        let index = self.faults.iter().position(|(planned, _)| is_it(*planned))?;
        let left = &mut self.faults[index].1;
        *left -= 1;
        (*left == 0).then(|| self.faults.remove(index).0)
    }
}
