//! The world: one pinned thread a core, one ring, one executor. Nothing else on a shard asks the
//! operating system anything; the command line's own reading of settings is not on a shard.
//!
//! # The contract
//!
//! * A **shard** is one thread (in the simulator: one of many actors on a thread) with one
//!   executor, one ring of operations and no lock. [`run_shards`] starts them; each gets its
//!   [`Shard`], from which everything else follows: tasks, time, entropy, [`Disk`], [`Net`].
//! * **The ring owns every buffer** from submission to completion. So operations take
//!   owned bytes ([`Buffer`], [`Lease`]) and give them back. A future that is dropped cancels its
//!   operation; the buffer stays with the ring until the kernel is done with it.
//! * **After a receive was cancelled, close the connection**: bytes may be lost. Handles close
//!   through the ring when their last clone and their last operation are gone.
//! * **A write that is short or fails is an error**, never retried here. After a failed sync
//!   nothing is known: [`Shard::fatal`].
//! * **Between shards** travel owned messages ([`Mesh`], bounded, with credits), counted read-only
//!   bytes ([`Lease`]) and read-only values ([`Snapshot`]); nothing else is shared.
//! * **Two classes of tasks**: foreground first, background at least one poll in eight. A task that
//!   held its shard too long is named in the log once its poll returns.
//! * **An idle shard makes no system call**, and a shard never spins.
//! * **A panic on a shard's thread ends the process.**
//! * **Where io_uring is forbidden** the same handles run on epoll and threads ([`DriverWanted`]);
//!   and under the feature `sim` on a simulated world: virtual clock, honest disk, seeded order.
//!   Which it is, is a closed enum inside; code above cannot tell.

#![allow(unsafe_code, reason = "this crate is the workspace's only one that may")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this crate is the one seam to clocks, threads and atomics"
)]

// The shard: what runs, and when.
mod shard;
mod task;

// The world as a shard sees it.
mod disk;
mod log;
mod net;
mod time;

// Bytes, and who may hold how many of them.
mod buffer;
mod lease;

mod chunk;
mod permit;

// Between tasks, and between shards.
pub mod sync;
mod waiters;

mod mesh;
mod snapshot;

// For the threads of the process that are no shards, and watch these.
mod desk;
mod durations;

// The process: from its start to its end.
mod start;

mod control_group;
mod cpu;
mod descriptors;
mod lock;
mod machine;
mod probe;
mod shutdown;

// Inside: the executor.
mod exec;
mod timer;

mod bell;

// Inside: operations, and who performs them.
mod op;
mod ring;

mod driver;
mod posix;
mod uring;

mod calls;
mod helper;
mod host;
mod memory;
mod pipe;

#[cfg(feature = "sim")]
pub mod sim;

pub use buffer::Buffer;
pub use chunk::ChunkPool;
pub use chunk::writer::{ChunkWriter, Reserved};
pub use cpu::shard_count;
pub use desk::{AnswerTo, Asked, Asker, Desk, NoAnswer, Question, desk};
pub use disk::file::{File, SharedFile};
pub use disk::open::Open;
pub use disk::{DirEntry, Disk, EntryKind, FileSystem, FileSystemKind, SYNC_FS_LATE_AFTER, Space};
pub use durations::{DurationCounts, Durations};
pub use lease::Lease;
pub use lock::{DirLock, LockError};
pub use log::{Level, say};
pub use machine::{host_name, memory_bytes};
pub use memory::DIRECT_ALIGN;
pub use mesh::line::{ReplyTo, Unanswered};
pub use mesh::{Incoming, Lane, Mesh, MeshLimits, MeshPort};
pub use net::socket::Socket;
pub use net::{Listener, Net};
pub use permit::{Budget, OverLimit, Permit};
pub use probe::KernelOffer;
pub use shard::{Elapsed, Shard, ShardId};
pub use shutdown::Shutdown;
pub use snapshot::Snapshot;
pub use start::choice::DriverWanted;
pub use start::{Interrupts, RuntimeConfig, ShardsWanted, StartError, run_shards};
pub use task::{Aborted, JoinHandle, TaskClass, TaskUse};
pub use time::Instant;
