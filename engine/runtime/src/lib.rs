//! The world: one pinned thread a core, one ring, one executor, and nothing else in the workspace
//! asks the operating system anything.
//!
//! # The contract
//!
//! * A **shard** is one thread (in the simulator: one of many actors on a thread) with one executor,
//!   one ring of operations and no lock. [`run_shards`] starts them; each gets its [`Shard`], from
//!   which everything else follows: tasks, time, entropy, [`Disk`], [`Net`].
//! * **The ring owns every buffer** from submission to the last completion. So operations take
//!   owned bytes ([`Buffer`], [`Lease`]) and give them back. A future that is dropped cancels its
//!   operation; the buffer stays with the ring until the kernel is done with it.
//! * **After a receive was cancelled, close the connection**: bytes may be lost. Handles close
//!   through the ring when their last clone and their last operation are gone.
//! * **A write that is short or fails is an error**, never retried here. After a failed sync nothing
//!   is known: [`Shard::fatal`].
//! * **Between shards** travel owned messages ([`Mesh`], bounded, with credits), counted read-only
//!   bytes ([`Lease`]) and read-only values ([`Snapshot`]); nothing else is shared.
//! * **Two classes of tasks**: foreground first, background at least one poll in eight. A task that
//!   holds its shard too long is named in the log.
//! * **An idle shard makes no system call**, and a shard never spins.
//! * **A panic on a shard's thread ends the process.**
//! * The same handles run on a simulated world under the feature `sim`: virtual clock, honest disk,
//!   seeded order. Which world it is, is a closed enum inside; code above cannot tell.

#![allow(unsafe_code, reason = "this crate is the workspace's only one that may")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this crate is the one seam to clocks, threads and atomics"
)]

mod buffer;
mod chunk;
mod cpu;
mod disk;
mod lease;
mod lock;
mod log;
mod mesh;
mod net;
mod permit;
mod probe;
mod shard;
mod shutdown;
mod snapshot;
mod start;
pub mod sync;
mod task;
mod time;

mod bell;
mod driver;
mod exec;
mod helper;
mod memory;
mod op;
mod pipe;
mod ring;
mod timer;
mod uring;

#[cfg(feature = "sim")]
pub mod sim;

pub use buffer::Buffer;
pub use chunk::{ChunkPool, ChunkWriter, Reserved};
pub use cpu::shard_count;
pub use disk::{
    DirEntry, Disk, EntryKind, File, FileSystem, FileSystemKind, Open, SharedFile, Space,
};
pub use lease::Lease;
pub use lock::DirLock;
pub use log::Level;
pub use memory::DIRECT_ALIGN;
pub use mesh::{
    CallFuture, Incoming, Lane, Mesh, MeshLimits, MeshPort, NoCredit, ReplyTo, Unanswered,
};
pub use net::{Listener, Net, Socket};
pub use permit::{Budget, OverLimit, Permit};
pub use probe::KernelOffer;
pub use shard::{Elapsed, Shard, ShardId};
pub use shutdown::Shutdown;
pub use snapshot::Snapshot;
pub use start::{RuntimeConfig, ShardsWanted, StartError, run_shards};
pub use task::{Aborted, JoinHandle, TaskClass, TaskUse};
pub use time::Instant;
