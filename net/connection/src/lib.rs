//! Sockets to request frames, and responses back in the order of their requests. What a request
//! means is not known here.
//!
//! A connection stays on the shard that accepted it. It is two tasks: whoever pulls frames from the
//! [`FrameReader`], and the [`ResponseWriter`], which sends what the [`ResponseQueue`] holds. Not
//! reading is the back-pressure: a frame is charged to a budget before its bytes are taken from the
//! socket, and a request takes its place in the queue before it is handled.

mod frame_reader;

mod response_queue;

mod response_writer;

mod outgoing;
mod part;

pub use frame_reader::{Frame, FrameLimits, FrameReader, ReadError};
pub use part::{Again, Lender, Lent, Part, Place};
pub use response_queue::{Response, ResponseQueue, ResponseSlot};
pub use response_writer::{ResponseWriter, WriteError};
