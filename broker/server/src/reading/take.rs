//! Makes a shard's reading, in steps, so that a shard with many partitions goes on meanwhile.

use std::rc::Rc;

use super::{BudgetReading, ShardReading, TOPICS_MAX, TopicReading, keep_busiest};
use crate::shard::Core;
use storage::LogTraffic;

/// Partitions that are looked at in one step: some 50 µs.
const STEP_PARTITIONS: usize = 256;

/// What there is to tell now. What is counted while it is made may be in it or not.
pub(crate) async fn take(core: &Rc<Core>) -> ShardReading {
    let topic_traffic = take_topics(core).await;
    let meters = &core.meters;
    let store = core.store.reading();
    ShardReading {
        apis: meters.api_readings(),
        queue: meters.queue.counts(),
        purgatory: meters.purgatory.counts(),
        response: meters.response.counts(),
        refused: meters.refused_readings(),
        connections: core.request_memory.connections(),
        connections_max: core.connections_max().0,
        connected: meters.connections(),
        turned_away: meters.turned_away_readings(),
        accept_pauses: meters.accept_pauses(),
        closed: meters.closed_readings(),
        parked_fetches: core.purgatory.len(),
        queued_batches: core.owner.queued_batches(),
        budgets: budgets(core, &store),
        partitions: core.owner.partition_count(),
        store,
        topics: core.view().image.topics().count(),
        topic_traffic,
    }
}

/// The topics here with the most traffic.
async fn take_topics(core: &Rc<Core>) -> Vec<TopicReading> {
    let view = core.view();
    let mut topics: Vec<TopicReading> = Vec::new();
    let mut looked_at = 0;
    for (topic, _, id) in view.owned_by(core.shard.id()) {
        looked_at += 1;
        if usize::is_multiple_of(looked_at, STEP_PARTITIONS) {
            core.shard.yield_now().await;
        }
        if topics.last().is_none_or(|last| last.topic != topic.name) {
            if topics.len() == 2 * TOPICS_MAX {
                keep_busiest(&mut topics);
            }
            let traffic = LogTraffic::default();
            topics.push(TopicReading { topic: topic.name.clone(), traffic });
        }
        if let Some(log) = core.store.log(&id) {
            let last = topics.last_mut().expect("pushed, if there was none");
            last.traffic = last.traffic.plus(log.traffic());
        }
    }
    keep_busiest(&mut topics);
    topics
}

fn budgets(core: &Core, store: &storage::StoreReading) -> Vec<BudgetReading> {
    let requests = core.request_memory.lanes().map(|lane| BudgetReading {
        budget: match lane.lane {
            "small" => "request_small",
            "bulk" => "request_bulk",
            "large" => "request_large",
            _ => "request_waiting",
        },
        used_bytes: lane.used_bytes,
        limit_bytes: lane.limit_bytes,
    });
    let tail = BudgetReading {
        budget: "tail",
        used_bytes: store.pressure.tail_used_bytes,
        limit_bytes: store.pressure.tail_bytes,
    };
    requests.into_iter().chain(core.answer_memory.budgets()).chain([tail]).collect()
}
