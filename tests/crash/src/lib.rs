//! Proves that acknowledged records survive: a checker of client histories, and a harness that
//! kills a real broker under load and hands the checker what real clients saw.

// A harness measures real time and starts real processes: it is no part of the broker.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod checker;
pub mod history;

pub mod campaign;
pub mod environment;

mod broker;
mod client;
mod dice;
mod history_file;
pub mod kafka;

pub use broker::Subject;
pub use checker::floor::Floor;
pub use checker::violation::Violation;
