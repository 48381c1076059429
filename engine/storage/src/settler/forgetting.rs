//! Forgets silent producers, in memory and in the manifest: those that wrote nothing for as long as
//! the settings say, and more of them if the logs of the shard remember too many.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use record::Timestamp;
use runtime::Instant;

use super::{oldest_needed, record};
use crate::log::{FORGOTTEN_PER_TURN, Log};
use crate::manifest::ManifestEntry;
use crate::store::StoreCore;

/// How often the memory of silent producers is freed; as often as Kafka looks by default
/// (`producer.id.expiration.check.interval.ms`).
const EXPIRE_INTERVAL: Duration = Duration::from_mins(10);
/// The same while there are nearly too many of them: those that are left may all have written a
/// moment ago, and nothing but time helps.
const CROWD_INTERVAL: Duration = Duration::from_secs(10);

/// When to look for silent producers again, after `forgot_at`.
pub(super) fn due_at(core: &StoreCore, forgot_at: Instant) -> Instant {
    let is_crowded = core.producers.is_crowded();
    forgot_at + if is_crowded { CROWD_INTERVAL } else { EXPIRE_INTERVAL }
}

/// Frees what producers take that are silent for too long: no round comes to a log that nobody
/// writes to.
pub(super) async fn forget_producers(core: &Rc<StoreCore>) {
    for log in core.logs() {
        while log.expire_producers() {
            core.shard.yield_now().await;
        }
        core.shard.yield_now().await;
    }
    if core.producers.is_crowded() {
        make_room(core).await;
    }
    let mut of_logs = Vec::new();
    for log in core.logs() {
        let Some(entry) = log.forgotten_entry() else { continue };
        if core.manifest.table().logs().contains_key(&log.id()) {
            of_logs.push((log, entry));
        }
    }
    if of_logs.is_empty() {
        return;
    }
    let replay = oldest_needed(core, &[], &[], core.settleable_sequence());
    let (logs, entries): (Vec<Log>, Vec<ManifestEntry>) = of_logs.into_iter().unzip();
    if record(core, replay, entries).await {
        logs.iter().for_each(Log::forgotten_recorded);
        core.release_before(replay);
    }
}

/// Forgets, over all logs, the producers that are silent for longest, until there is room for
/// others; but none that may still retry. The manifest does not hear of it yet.
pub(crate) async fn make_room(core: &Rc<StoreCore>) {
    let mut by_oldest = BTreeSet::new();
    for log in core.logs() {
        by_oldest.extend(log.oldest_producer().map(|written| (written, log.id())));
        core.shard.yield_now().await;
    }
    let mut in_turn = 0;
    while core.producers.excess() > 0
        && let Some((oldest, id)) = by_oldest.pop_first()
    {
        // It may have been deleted meanwhile.
        let Some(log) = core.log(&id) else { continue };
        let next = by_oldest.first().map_or(Timestamp(i64::MAX), |(written, _)| *written);
        let count_max = core.producers.excess().min(FORGOTTEN_PER_TURN);
        let count = log.forget_silent_producers(next, count_max);
        // One whose oldest may still retry has nobody else to forget; it may have written, though.
        let left = log.oldest_producer().filter(|written| count > 0 || *written > oldest);
        by_oldest.extend(left.map(|written| (written, id)));
        in_turn += count.max(1);
        if in_turn >= FORGOTTEN_PER_TURN {
            in_turn = 0;
            core.shard.yield_now().await;
        }
    }
}
