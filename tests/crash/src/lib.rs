//! Proves that acknowledged records survive: a checker of client histories, and a harness that
//! kills a real broker under load and hands the checker what real clients saw.
//!
//! `cargo test -p crash` tests the checker, kills Ringmain twenty-five times, and demands that a
//! Ringmain which forgets its producers is refused. `cargo run -p crash -- kafka` runs the same
//! campaign against Apache Kafka. `environment` lists the variables that both obey.

// A harness measures real time and starts real processes: it is no part of the broker.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod checker;
pub mod history;

pub mod campaign;
pub mod environment;

mod client;
mod dice;
mod history_file;
mod subject;

pub use checker::floor::Floor;
pub use checker::violation::Violation;
pub use subject::{ProducerMemory, Sizes, Subject};
