//! One partition as a member of its replica set: what a leader checks before it appends, who is in
//! sync, and how far consumers may read.

mod isr;

mod partition;

pub use isr::Isr;
pub use partition::{
    Acks, AppendOutcome, AppendRefused, LeaderAppend, Partition, PartitionConfig, Stamped,
    TimestampPolicy, Unacknowledged,
};
