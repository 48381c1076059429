//! The cluster's metadata as a value, and the records that change it: pure, the same on every
//! broker that applies the same records in the same order.

mod types;

mod topic;

mod record;

mod image;

mod placement;

pub use image::{Applied, Broker, MetadataImage, Refused};
pub use placement::{spread_over_brokers, spread_over_shards};
pub use record::{DecodeError, LogPosition, MetadataEntry, MetadataRecord};
pub use topic::{NameError, Partition, Topic, check_topic_name, names_collide};
pub use types::{BrokerId, TopicId};
