//! A broker as its clients meet it: every shard's connections, handlers and partitions.
//!
//! Start reading at `shard.rs` (what one core owns) and `handlers/produce.rs` (one API from end to
//! end).

mod broker;

mod controller;
mod data_folder;

mod shard;

mod message;
mod router;
mod view;

mod owner;
mod purgatory;

mod listener;
mod session;

mod error_codes;
mod handlers;

pub mod config;

pub use broker::{BrokerError, ShardStart, run, run_shard, shard_starts};
pub use config::{Config, ConfigError};
pub use data_folder::{FolderError, LAYOUT_FILE_NAME, decode_layout};
