//! Runs brokers, Ringmain and Apache Kafka, as processes: for whatever tests or measures them.
//!
//! ```text
//! Program   what is run: Ringmain's binary or Kafka's jars      `environment` finds them
//!    │  with a Site (a folder, two ports) and settings
//!    ▼
//! Command   complete; a caller may wrap it in a limit or a session of its own
//!    │
//!    ▼
//! Process   runs, writes its log into the site, is stopped or killed, never outlives its owner
//! ```

// It starts real processes and waits for them in real time: it is no part of the broker.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod program;
mod site;

pub mod environment;
mod io_uring;
mod kafka;
mod ringmain;

mod process;
pub mod usage;

mod error;

pub use error::LaunchError;
pub use io_uring::IoUring;
pub use kafka::java;
pub use process::{Process, STOP_DEADLINE, wrapped};
pub use program::Program;
pub use site::Site;
