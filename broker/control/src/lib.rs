//! The control thread: tells those who watch a broker, over HTTP, how it is and what it counts.
//!
//! It is one thread beside the shards, with tokio on it, pinned to no core. It meets a shard only
//! by asking: the question waits in a bounded queue, the answer is a value of the shard's own
//! making. Nothing that it does, or fails to do, is on the way of a record.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this thread is no shard: it has sockets and a clock of its own, and no simulator"
)]

mod control;

mod connections;
mod pages;
mod places;

mod gather;
mod metrics;

pub use control::{Control, Listening};
