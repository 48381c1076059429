//! Pure state machines of the coordinators: an event comes in, what is to be done goes out. Nothing
//! here knows a socket, a disk or a clock.

mod producer_ids;

pub use producer_ids::{PRODUCER_ID_BLOCK_SIZE, ProducerIds};
