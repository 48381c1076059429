//! A whole broker of two shards in the simulator, and clients that speak Kafka's protocol to it.

#[path = "simulated/client.rs"]
mod client;
#[path = "simulated/cluster.rs"]
mod cluster;

#[path = "simulated/admin.rs"]
mod admin;
#[path = "simulated/append_time.rs"]
mod append_time;
#[path = "simulated/connections.rs"]
mod connections;
#[path = "simulated/consume.rs"]
mod consume;
#[path = "simulated/full_disk.rs"]
mod full_disk;
#[path = "simulated/hostile.rs"]
mod hostile;
#[path = "simulated/leader_epochs.rs"]
mod leader_epochs;
#[path = "simulated/long_polls.rs"]
mod long_polls;
#[path = "simulated/lost.rs"]
mod lost;
#[path = "simulated/produce.rs"]
mod produce;
#[path = "simulated/producers.rs"]
mod producers;
#[path = "simulated/quarantine.rs"]
mod quarantine;
#[path = "simulated/restart.rs"]
mod restart;
#[path = "simulated/sizes.rs"]
mod sizes;
#[path = "simulated/topic_ids.rs"]
mod topic_ids;
#[path = "simulated/topic_parts.rs"]
mod topic_parts;
#[path = "simulated/topic_settings.rs"]
mod topic_settings;
#[path = "simulated/unread.rs"]
mod unread;
