//! What one shard tells those who watch it: a value that is made when somebody asks.

mod take;

use connection::Connections;
use runtime::DurationCounts;
use storage::{LogTraffic, StoreReading};

pub(crate) use take::take;

/// A shard at one moment. What is counted begins at nothing with each start; durations are of this
/// shard's own part.
#[derive(Clone, Debug)]
pub struct ShardReading {
    /// The APIs that were asked for.
    pub apis: Vec<ApiReading>,
    /// What requests wait until their handler has them.
    pub queue: DurationCounts,
    /// What fetches wait for records.
    pub purgatory: DurationCounts,
    /// What answers take to leave.
    pub response: DurationCounts,
    /// Partitions of requests that got an error.
    pub refused: Vec<RefusedReading>,
    /// Connections by what they are doing.
    pub connections: Connections,
    /// How many there may be.
    pub connections_max: usize,
    /// How many have come.
    pub connected: u64,
    /// Why some were not let in.
    pub turned_away: Vec<ReasonReading>,
    /// How often the next one had to wait, as they came too fast.
    pub accept_pauses: u64,
    /// How they ended.
    pub closed: Vec<ReasonReading>,
    /// Fetches that wait for records now.
    pub parked_fetches: usize,
    /// Batches that wait for room in journal or tail now.
    pub queued_batches: usize,
    /// Memory, budget by budget.
    pub budgets: Vec<BudgetReading>,
    /// Partitions that are led here.
    pub partitions: usize,
    /// Journal, tail, settler.
    pub store: StoreReading,
    /// Topics that the cluster has.
    pub topics: usize,
    /// Those with partitions here and the most bytes, [`TOPICS_MAX`] at most, by name.
    pub topic_traffic: Vec<TopicReading>,
}

/// Topics that a shard tells one by one: a client may make any number of them, and each costs
/// whoever keeps the figures six series.
pub const TOPICS_MAX: usize = 1000;

/// Requests of one API.
#[derive(Clone, Debug)]
pub struct ApiReading {
    /// Kafka's name of it.
    pub api: &'static str,
    /// How many came.
    pub requests: u64,
    /// Their bytes, lengths included.
    pub request_bytes: u64,
    /// The bytes of the answers.
    pub response_bytes: u64,
    /// From a request's last byte until its answer was made.
    pub durations: DurationCounts,
}

/// Partitions of one API's requests that got one error.
#[derive(Clone, Copy, Debug)]
pub struct RefusedReading {
    /// Kafka's name of the API.
    pub api: &'static str,
    /// Kafka's name of the error.
    pub error: &'static str,
    /// How many.
    pub count: u64,
}

/// Connections that ended, or were turned away, for one reason.
#[derive(Clone, Copy, Debug)]
pub struct ReasonReading {
    /// One word.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
}

/// One budget of memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct BudgetReading {
    /// What it is for.
    pub budget: &'static str,
    /// What is held.
    pub used_bytes: u64,
    /// What there is.
    pub limit_bytes: u64,
}

/// One topic's partitions on this shard.
#[derive(Clone, Debug)]
pub struct TopicReading {
    /// Its name.
    pub topic: String,
    /// What its partitions took and gave.
    pub traffic: LogTraffic,
}

impl TopicReading {
    /// What it is told for: the bytes of both ways.
    fn bytes(&self) -> u64 {
        self.traffic.appended.bytes + self.traffic.read.bytes
    }
}

/// Keeps the topics with the most bytes, [`TOPICS_MAX`] at most, and orders them by name.
pub(crate) fn keep_busiest(topics: &mut Vec<TopicReading>) {
    if topics.len() > TOPICS_MAX {
        topics.select_nth_unstable_by(TOPICS_MAX, |a, b| {
            b.bytes().cmp(&a.bytes()).then_with(|| a.topic.cmp(&b.topic))
        });
        topics.truncate(TOPICS_MAX);
    }
    topics.sort_unstable_by(|a, b| a.topic.cmp(&b.topic));
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::Traffic;

    #[test]
    fn of_too_many_topics_those_with_the_most_bytes_are_told() {
        let topic = |index: usize| {
            let appended = Traffic { bytes: index as u64 % 1500, ..Traffic::default() };
            let traffic = LogTraffic { appended, ..LogTraffic::default() };
            TopicReading { topic: format!("t{index:04}"), traffic }
        };
        let mut topics: Vec<TopicReading> = (0..1500).rev().map(topic).collect();
        keep_busiest(&mut topics);
        assert_eq!(topics.len(), TOPICS_MAX);
        assert_eq!((&*topics[0].topic, &*topics[999].topic), ("t0500", "t1499"));
    }
}
