//! Fetches that wait for partitions of this shard, and the news that go to their home shards.
//!
//! A partition that changes marks who waits for it; once a turn of the loop the marked fetches are
//! added up anew and one message goes to each home shard.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use runtime::sync::Event;
use runtime::{Lane, ShardId};
use storage::LogId;

use super::Owner;
use crate::error_codes::Refusal;
use crate::message::{Available, Changed, FetchFrom, Request, Watch};
use crate::router::ask;
use crate::shard::Core;

/// Which fetch: its home shard, and its number there.
type FetchKey = (ShardId, u64);

/// Who waits for what. Bounded by the connections, each of which has one fetch that waits at most,
/// times the partitions of this shard: a fetch names each of them once.
#[derive(Default)]
pub(super) struct Watchers {
    table: RefCell<Table>,
    marked: Event,
}

#[derive(Default)]
struct Table {
    fetches: BTreeMap<FetchKey, Vec<FetchFrom>>,
    by_partition: BTreeMap<LogId, BTreeSet<FetchKey>>,
    marked: BTreeSet<FetchKey>,
}

impl Owner {
    /// As [`Owner::probe`], and tells the home shard of changes from here on.
    pub(crate) fn watch(&self, home: ShardId, watch: Watch) -> Vec<Result<u64, Refusal>> {
        let available = self.probe(&watch.from);
        let key = (home, watch.id);
        let mut table = self.watchers.table.borrow_mut();
        for from in &watch.from {
            table.by_partition.entry(from.partition).or_default().insert(key);
        }
        table.fetches.insert(key, watch.from);
        available
    }

    /// That fetch waits no more.
    pub(crate) fn forget(&self, home: ShardId, id: u64) {
        let key = (home, id);
        let mut table = self.watchers.table.borrow_mut();
        table.marked.remove(&key);
        for from in table.fetches.remove(&key).unwrap_or_default() {
            if let Some(waiting) = table.by_partition.get_mut(&from.partition) {
                waiting.remove(&key);
                if waiting.is_empty() {
                    table.by_partition.remove(&from.partition);
                }
            }
        }
    }

    /// What a fetch waits for has changed: high watermark, log start, epoch, or it was deleted.
    pub(super) fn mark(&self, partition: &LogId) {
        self.watchers.mark(partition);
    }

    /// What each marked fetch has now, by home shard.
    fn take_news(&self) -> BTreeMap<ShardId, Vec<Changed>> {
        let marked = std::mem::take(&mut self.watchers.table.borrow_mut().marked);
        let mut news: BTreeMap<ShardId, Vec<Changed>> = BTreeMap::new();
        for (home, id) in marked {
            let table = self.watchers.table.borrow();
            let Some(from) = table.fetches.get(&(home, id)) else { continue };
            let available = add_up(from.iter().map(|from| self.available(from)));
            news.entry(home).or_default().push(Changed { id, available });
        }
        news
    }
}

impl Watchers {
    pub(super) fn mark(&self, partition: &LogId) {
        let mut table = self.table.borrow_mut();
        let Table { by_partition, marked, .. } = &mut *table;
        if let Some(waiting) = by_partition.get(partition) {
            marked.extend(waiting);
            self.marked.set();
        }
    }
}

/// What several partitions have together.
pub(crate) fn add_up<E>(parts: impl IntoIterator<Item = Result<u64, E>>) -> Available {
    let mut total = 0u64;
    for part in parts {
        match part {
            Ok(bytes) => total = total.saturating_add(bytes),
            Err(_) => return Available::Refused,
        }
    }
    Available::Bytes(total)
}

/// Tells home shards, for as long as the shard lives.
pub(crate) fn start_news(core: &Rc<Core>) {
    let task_core = core.clone();
    core.spawn("fetch news", async move {
        loop {
            task_core.owner.watchers.marked.wait().await;
            // Whatever else changes in this turn of the loop goes into the same messages.
            task_core.shard.yield_now().await;
            for (home, changes) in task_core.owner.take_news() {
                if home == task_core.shard.id() {
                    task_core.purgatory.changed(home, &changes);
                    continue;
                }
                let news = ask(task_core.clone(), home, Lane::Fetch, Request::Changed(changes));
                task_core.spawn("fetch news to another shard", async move {
                    let _home_is_ending = news.await;
                });
            }
        }
    });
}
