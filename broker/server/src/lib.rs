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

mod doorkeeper;
mod listener;
mod peer_warnings;
mod session;

mod answer_memory;
mod descriptors;
mod memory_plan;

mod error_codes;
mod handlers;

mod meters;
mod observe;
mod reading;

mod config;

pub use broker::{BrokerError, ShardStart, run, run_shard, shard_starts};
pub use config::connections::{ConnectionLimits, OverridesError};
pub use config::keys::{BROKER_KEYS, Key, Kind, OtherWay, Scope, TOPIC_KEYS, other_ways};
pub use config::listener::{ListenAddress, Listener, ListenerError, ListenerNames};
pub use config::settings::{Given, Place, Settings, SettingsError, edit_distance};
pub use config::topic::{
    Source, Synonym, TopicConfig, TopicConfigError, TopicDefaults, TopicSetting,
};
pub use config::without_effect::{Standing, WITHOUT_EFFECT, WithoutEffect};
pub use config::{AdminListener, BrokerSetting, Config, ConfigError, Shards};
pub use data_folder::{FolderError, LAYOUT_FILE_NAME, decode_layout};
pub use memory_plan::TooLittleMemory;
pub use observe::{Ask, Observer, ShardState, Told};
pub use reading::{
    ApiReading, BudgetReading, ReasonReading, RefusedReading, ShardReading, TOPICS_MAX,
    TopicReading,
};
