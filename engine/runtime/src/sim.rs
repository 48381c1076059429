//! The simulated world of tests: whole nodes with their disks, clocks and network, from one seed.
//!
//! A [`World`] runs any number of [`Node`]s, each a process of one or more shards with one disk, on
//! the calling thread. The executor, the ring and everything above them are those of the product;
//! only the driver below differs. Time is virtual and jumps to the next event. What could happen in
//! one order or another happens in an order drawn from the seed, so the same seed gives the same
//! run, which [`World::trace`] proves.
//!
//! What the world does to a program that a lucky machine does not:
//!
//! * **Tasks**: any ready task of any shard may be the next; every operation takes its own time.
//! * **Reads and sends** are split, those of files between two pages; receive buffers run out;
//!   sockets have small windows.
//! * **Cancelled** operations of the disk have, by lot, not begun: then they never happen.
//! * **kill -9** ([`Node::kill`]): completed writes stay; those in flight land later, in part, or
//!   never, even while the next incarnation starts ([`Node::start_without_lock`]).
//! * **Power cuts** ([`Node::cut_power`], [`DiskImage::after_power_cut`]): what no sync saved is
//!   decided by lot, and a sector under write may be destroyed. The rules:
//!   * Data survives in sectors of 512 bytes, in any combination; of several un-flushed versions of
//!     a sector any one may.
//!   * A sync of a *file* flushes the device: every direct write of any file that had *completed*
//!     when the sync was *submitted* is saved. Of the inode it saves only its own: `sync_data` the
//!     size and map that reading needs, `sync_all` everything. It saves no name, its own neither.
//!   * A durable write saves itself, and of its inode what reading it back needs. On a device
//!     without FUA it is a write and `sync_data`; with it ([`DurableWrite::Fua`]) nothing else is
//!     saved. Each world draws one of the two. (Linux flushes a device with FUA too if the inode
//!     has changed; nobody may count on that.)
//!   * Blocks that were allocated and not written read as zeros; that they were written is a change
//!     of the inode like any other, lost without a sync of that file.
//!   * A name is saved by a sync of its directory, which flushes no data. The others survive in
//!     part: per directory the first few changes, a rename as a whole or not at all.
//!   * `sync_fs` saves all inodes and names, and sends cached pages to the device, but it does not
//!     flush: it is no barrier for data.
//!   * A failed sync has lost what it should have saved, data, inodes and names: a second sync
//!     succeeds and saves nothing of it. Readers see it still, and it may survive by lot.
//!   * A failed `sync_fs` has done so for everything, or, by lot, met a stranger's error and lost
//!     nothing. The next sync of each file and directory of which it lost something fails too, as
//!     Linux keeps an error for each; the next `sync_fs` succeeds.
//! * **Direct I/O** must be aligned to 4096 in position, length and memory: a panic if it is not.
//! * **Faults** ([`SimDisk::fail_next`], [`SimDisk::flip`], [`SimDisk::set_capacity`],
//!   [`SimDisk::set_delay`]).
//! * **The network** ([`World::block`], [`World::reset_connections`]): delays, resets, half-open
//!   connections after a power cut.
//!
//! Not simulated: memory, signals, descriptors that run out, other processes on the disk.

mod disk;
mod driver;
mod extents;
mod files;
mod inode;
mod jobs;
mod names;
mod net;
mod node;
mod pending;
mod platter;
mod rng;
mod sim_disk;
mod streams;
mod trace;
mod world;

use std::ops::Range;
use std::path::PathBuf;
use std::rc::{Rc, Weak};

use crate::disk::FileSystemKind;
use driver::Mailbox;
use world::Universe;

/// A simulated world: the handle that owns it. When the last clone goes, everything in it is
/// dropped; so tasks must not hold one (they may hold [`Node`]s and [`SimDisk`]s).
#[derive(Clone)]
pub struct World(Rc<Universe>);

/// How the world behaves. Ranges are drawn from evenly.
#[derive(Clone, Debug)]
pub struct Options {
    /// Unix time at the start.
    pub wall_start_ms: i64,
    /// Nanoseconds that a disk operation takes.
    pub disk_delay_ns: Range<u64>,
    /// Nanoseconds that bytes need from one socket to its peer.
    pub net_delay_ns: Range<u64>,
    /// Nanoseconds of virtual time that a poll of a task takes.
    pub poll_ns: Range<u64>,
    /// Of 256, how often a send, a receive or a read of a file moves less than it could.
    pub short_transfers: u64,
    /// Bytes that may be on their way to a socket or unread in it.
    pub window_bytes: usize,
    /// Connections that may wait to be accepted, per listener.
    pub backlog: usize,
    /// What [`Disk::identity`](crate::Disk::identity) answers.
    pub file_system: FileSystemKind,
    /// How disks make a direct durable write durable; none: the seed draws it.
    pub durable_write: Option<DurableWrite>,
}

/// How a device makes a direct durable write durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DurableWrite {
    /// By a flush of its cache, which saves every other write that has completed.
    Flush,
    /// By forced unit access: that write goes past the cache, and no other with it.
    Fua,
}

impl DurableWrite {
    /// What the worlds of that seed have.
    fn draw(seed: u64) -> DurableWrite {
        // A generator of its own: what else the seed draws does not depend on it.
        match Rng::new(!seed).chance(1, 2) {
            true => DurableWrite::Flush,
            false => DurableWrite::Fua,
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            wall_start_ms: 1_767_225_600_000, // the first of January 2026
            disk_delay_ns: 10_000..1_000_000,
            net_delay_ns: 10_000..500_000,
            poll_ns: 100..3_000,
            short_transfers: 64,
            window_bytes: 64 << 10,
            backlog: 64,
            file_system: FileSystemKind::Xfs,
            durable_write: None,
        }
    }
}

/// How [`World::run_until`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The condition holds.
    Done,
    /// The virtual time was over.
    TimedOut,
    /// Nothing will ever happen again. The names of the tasks that wait.
    Stuck(Vec<String>),
}

/// One machine: at most one process at a time, and one disk that outlives it.
#[derive(Clone)]
pub struct Node {
    world: Weak<Universe>,
    index: usize,
}

/// The disk of a node.
#[derive(Clone)]
pub struct SimDisk {
    world: Weak<Universe>,
    node: usize,
}

/// Everything on a disk at one instant, saved and not. Cloning copies nothing.
#[derive(Clone)]
pub struct DiskImage(Rc<disk::Disk>);

/// A moment at which a test may want to cut the power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPoint {
    /// Counts all sync points of the disk, from 1.
    pub number: u64,
    /// Before or after.
    pub moment: SyncMoment,
    /// What is synced: a file, a directory, or `/` for the whole file system. The path is the one
    /// that it was opened by.
    pub path: PathBuf,
}

/// Where a sync stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncMoment {
    /// A durable write was submitted: its bytes are in flight.
    WriteSubmitted,
    /// The sync was submitted (by a durable write: its bytes have arrived).
    Submitted,
    /// The sync has completed; the task that asked for it does not know yet.
    Completed,
}

/// What can go wrong with a disk operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A read ends with EIO.
    Read,
    /// A write ends with EIO; part of it may be on the disk.
    Write,
    /// A write ends after a part.
    ShortWrite,
    /// A direct write claims to have succeeded, and the disk is as before.
    LostWrite,
    /// A direct write claims to have succeeded, and went to another place of the same file.
    MisdirectedWrite,
    /// A sync ends with EIO, and what it should have saved is lost.
    Sync,
    /// An operation of that kind ends with that error number of Linux, and changed nothing. What a
    /// failed sync should have saved is lost.
    Op(OpKind, i32),
}

/// Kinds of disk operations that a [`Fault::Op`] tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// Opening a file, or a directory to sync it.
    Open,
    /// Listing a directory.
    List,
    /// Making a directory.
    MakeDir,
    /// Renaming a file.
    Rename,
    /// Removing a file's name.
    RemoveFile,
    /// Removing a directory.
    RemoveDir,
    /// Taking space for a range of a file.
    Allocate,
    /// Cutting or lengthening a file.
    Truncate,
    /// A sync of a file, a directory, or everything.
    Sync,
    /// Asking for the free space.
    FreeSpace,
}

/// A seeded generator. Equal seeds give equal sequences on every machine; it is no source of
/// secrets.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

/// One simulated shard's access to its world.
pub(crate) struct SimDriver {
    world: Weak<Universe>,
    shard: driver::Address,
    mailbox: Mailbox,
}
