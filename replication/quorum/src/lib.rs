//! The metadata log: `propose(record)` makes a change durable and answers what it did.
//!
//! One broker is a quorum of one: a record counts as soon as its fsync is done. What stands behind
//! [`Quorum::propose`] is all that changes when there are more voters.

mod load;

mod quorum;

pub use load::LoadError;
pub use quorum::{ProposeError, Quorum};
