//! A fetch that waits until there is enough for it: what it is charged for, and its end.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use runtime::sync::first;
use runtime::{Instant, Lane, Lease, ShardId, Socket};

use super::{Asked, Looked, probed, records_size_max};
use crate::answer_memory::{Place, Reserved};
use crate::error_codes::Refusal;
use crate::message::{FetchFrom, Request, Watch};
use crate::owner::watch::add_up;
use crate::router::{ask, ask_owners};
use crate::shard::Core;

/// The longest wait, whatever the client asks for: a peer whose machine went away unseen costs no
/// more.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// How long a fetch waits before it is looked whether the peer is still there.
const PEER_UNSEEN_MAX: Duration = Duration::from_secs(1);
/// What the owner keeps of a partition that is watched: where it would be read, 40 bytes, and who
/// waits for it, 16 bytes in a tree that is two thirds full.
const WATCHED_BYTES: usize = 64;

/// How long a connection is not read whose fetch found no place to wait in: it would ask again at
/// once, without end, and just when memory is short.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A place for the fetch to wait in; none if there is none left, and what there is is told at once.
pub(super) fn place(
    core: &Core,
    frame: &Lease,
    reserved: &Reserved,
    asked: &[Asked],
) -> Option<Place> {
    // What does not exist is not watched.
    let watched = asked.iter().flatten().count();
    core.answer_memory.park(reserved, frame.len() + watched * WATCHED_BYTES)
}

/// What a fetch waits for.
pub(super) struct Wait {
    wanted_bytes: u64,
    deadline: Instant,
}

impl Wait {
    /// The wait for what there is too little of; none if there is enough, an error to tell, or no
    /// time. A broker that stops has none: who waits has been released, and nobody would be again.
    pub(super) fn of(core: &Core, looked: &Looked<'_>) -> Option<Wait> {
        let Looked { request, asked, available } = looked;
        // As in Kafka no more is waited for than one response may have.
        let size_max = u64::from(records_size_max(core, request));
        let wanted_bytes = u64::try_from(request.min_bytes).unwrap_or(0).min(size_max);
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        if wait.is_zero() || core.stopping.get() || total_of(asked, available)? >= wanted_bytes {
            return None;
        }
        Some(Wait { wanted_bytes, deadline: core.shard.now() + wait.min(WAIT_MAX) })
    }

    /// What the connection does instead where there is no place to wait in. Its answer has been
    /// sent then, and nothing is held.
    pub(super) fn pause(&self, core: &Core) -> Duration {
        self.deadline.since(core.shard.now()).min(PAUSE_MAX)
    }

    /// Returns when there is enough, an error to tell, no time left, or nobody who waits.
    pub(super) async fn run(
        self,
        core: &Rc<Core>,
        watched: Vec<(ShardId, FetchFrom)>,
        peer: &Socket,
    ) {
        let parked = core.purgatory.park(self.wanted_bytes);
        let id = parked.id();
        let owners: BTreeSet<ShardId> = watched.iter().map(|(owner, _)| *owner).collect();
        for (owner, found) in watch(core, id, watched).await {
            parked.begin(owner, add_up(found));
        }
        until(core, self.deadline, parked.enough(), peer).await;
        for owner in owners {
            let forget = ask(core.clone(), owner, Lane::Fetch, Request::Forget(id));
            if owner == core.shard.id() {
                let _forgotten = forget.await;
            } else {
                core.spawn("fetch forgotten", async move {
                    let _owner_is_ending = forget.await;
                });
            }
        }
    }
}

/// Begins to watch; what each owner had then.
async fn watch(
    core: &Rc<Core>,
    id: u64,
    watched: Vec<(ShardId, FetchFrom)>,
) -> BTreeMap<ShardId, Vec<Result<u64, Refusal>>> {
    let owners: Vec<ShardId> = watched.iter().map(|(owner, _)| *owner).collect();
    let watch = |from| Request::Watch(Watch { id, from });
    let had = ask_owners(core, Lane::Fetch, watched.into_iter().map(Ok), watch, probed).await;
    let mut by_owner: BTreeMap<ShardId, Vec<Result<u64, Refusal>>> = BTreeMap::new();
    for (owner, had) in owners.into_iter().zip(had) {
        by_owner.entry(owner).or_default().push(had);
    }
    by_owner
}

/// Waits for `enough`, but not longer than to `deadline`, nor for a peer that has left. That is
/// looked for only once the wait is long: most fetches end before, and it costs an operation.
async fn until(core: &Core, deadline: Instant, enough: impl Future<Output = ()>, peer: &Socket) {
    let mut enough = pin!(enough);
    let left = deadline.since(core.shard.now());
    let soon = core.shard.timeout(left.min(PEER_UNSEEN_MAX), enough.as_mut()).await;
    if soon.is_ok() || left <= PEER_UNSEEN_MAX {
        return;
    }
    let left = deadline.since(core.shard.now());
    let enough_or_ended = first(enough, peer.peer_ended());
    let _enough_or_late = core.shard.timeout(left, enough_or_ended).await;
}

/// The bytes of all partitions, none if waiting is of no use: an owner has an error to tell, or
/// nobody was asked. As in Kafka, what does not exist leaves the others their wait: a client that
/// has not heard yet that a topic is gone would else ask again and again.
fn total_of(asked: &[Asked], available: &[Result<u64, Refusal>]) -> Option<u64> {
    let of_owners = asked.iter().zip(available).filter(|(asked, _)| asked.is_ok());
    let mut total = None;
    for (_, one) in of_owners {
        total = Some(total.unwrap_or(0u64).saturating_add(*one.as_ref().ok()?));
    }
    total
}
