//! A blocking Kafka client for the commands: it talks to Ringmain and to Apache Kafka alike.
//!
//! ```text
//! Cluster     which broker leads what; asks one of them, and asks again where that may help
//!    │
//! Connection  one socket: versions agreed on, a request and its answer
//!    │
//! Producer    batches by partition, several requests in flight, each record once and in order
//! Fetcher     a thread for each leader, which reads ahead of whoever writes the records out
//! ```

mod api;
pub mod cluster;
mod connection;
pub mod error;
pub mod fetcher;
pub mod offsets;
pub mod producer;
