//! Ringmain beside its peers: the same clients against Ringmain and against Apache Kafka.
//!
//! What a test starts, it starts as a user would: the binary, real clients, a folder, a free port.
//! Functions here panic with what a reader of a test's output needs, because their callers are
//! tests.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests run outside of the broker: they start processes and wait for them"
)]

pub mod broker;

pub mod client;
pub mod http;
pub mod java;
pub mod prometheus;
pub mod reader;
pub mod samples;
pub mod wire;
pub mod writer;

pub mod cell;
pub mod equality;
pub mod flights;
pub mod look_up;

pub mod content;
pub mod dump;
pub mod footprint;
pub mod log_dump;
pub mod segments;
pub mod settled;

pub mod capture;
pub mod mutation;
pub mod tools;

pub mod wait;
pub mod workspace;

pub mod oracle;
