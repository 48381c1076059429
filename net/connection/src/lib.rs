//! Sockets to request frames, and responses back in the order of their requests. What a request
//! means is not known here.
//!
//! A connection stays on the shard that accepted it. It is two tasks: whoever pulls frames from the
//! [`FrameReader`], and the [`ResponseWriter`], which sends what the [`ResponseQueue`] holds. Not
//! reading is the back-pressure: room for bytes is charged to the shard's [`RequestMemory`] before
//! they are taken from the socket, and a request takes its place in the queue before it is handled.
//! A peer that is slow is waited for, but not for ever: neither with half a frame nor with an
//! answer that it does not take.

mod frame_reader;

mod request_memory;
mod watch;

mod response_queue;

mod response_writer;

mod outgoing;
mod part;

#[cfg(test)]
mod polled;

pub use frame_reader::{Frame, FrameLimits, FrameReader, ReadError};
pub use part::{Again, Lender, Lent, Part, Place};
pub use request_memory::{Charge, LaneUse, RequestMemory};
pub use response_queue::{Response, ResponseQueue, ResponseSlot};
pub use response_writer::{ResponseWriter, WriteError};
pub use watch::Connections;
