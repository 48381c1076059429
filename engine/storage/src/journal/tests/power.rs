//! Many seeds: random appends, recycling, kill -9 and power cuts, compared with what was promised.

use super::*;
use runtime::TaskClass;
use runtime::sim::Rng;
use std::cell::RefCell;
use std::rc::Rc;

/// What the outside knows: it outlives every process.
#[derive(Default)]
struct Promises {
    /// Everything that was appended and not yet shown to be lost, in order.
    appended: Vec<(EntryPlace, i64)>,
    /// All commits up to this one survive.
    acknowledged: u64,
    /// What a durable manifest would say.
    from: Option<ReplayFrom>,
    next_id: i64,
    /// The last commit that a scan saw, and its generation, until its opening is synced.
    opening: Option<(u64, u64)>,
    starts: u64,
}

type Shared = Rc<RefCell<Promises>>;

/// One life of the process: recovers, compares, appends until it is killed.
async fn live(shard: Shard, promises: Shared) {
    let config = tiny();
    let from = promises.borrow().from;
    let facts = |s: &Scanned| (s.last_sequence(), s.last_crc(), s.generation());
    let first = facts(&scan(&shard, &config, from).await);
    let second = scan(&shard, &config, from).await;
    assert_eq!(first, facts(&second), "scanning twice");
    promises.borrow_mut().scanned(&second);
    let (last, start) = (second.last_sequence(), from.map_or(1, |f| f.sequence));
    let (journal, entries) = open_and_replay(&shard, &config, from).await;
    promises.borrow_mut().opened(last, start);
    assert_eq!(entries, promises.borrow().appended);
    let hook = promises.clone();
    journal.on_synced(move |synced| hook.borrow_mut().acknowledged = synced);
    for _ in 0..6 {
        let task = appends(shard.clone(), journal.clone(), promises.clone());
        shard.spawn(TaskClass::Foreground, "appends", task).detach();
    }
    loop {
        shard.sleep(Duration::from_micros(shard.random_u64() % 20_000)).await;
        settle(&shard, &journal, &promises);
    }
}

impl Promises {
    /// What was acknowledged is there. What comes after the last commit is lost for good only when
    /// an opening has landed in its place: a half-written one may even heal a torn commit, by
    /// making readable what a cut left unreadable behind its entries.
    fn scanned(&mut self, scanned: &Scanned) {
        let (last, generation) = (scanned.last_sequence(), scanned.generation());
        if let Some((cut, before)) = self.opening.take()
            && generation > before
        {
            self.appended.retain(|(place, _)| place.sequence <= cut);
        }
        let acknowledged = self.acknowledged;
        assert!(last >= acknowledged, "{acknowledged} was acknowledged, {last} is the last");
        self.opening = Some((last, generation));
    }

    /// The opening behind the last commit is synced, and what was found has been served: that is a
    /// promise too.
    fn opened(&mut self, last: u64, start: u64) {
        self.opening = None;
        self.appended.retain(|(place, _)| (start..=last).contains(&place.sequence));
        self.acknowledged = last;
        self.starts += 1;
    }
}

async fn appends(shard: Shard, journal: Journal, promises: Shared) {
    shard.sleep(Duration::from_micros(shard.random_u64() % 3000)).await;
    loop {
        let len = match shard.random_u64() % 10 {
            0 => shard.random_u64() % 40_000,
            1..4 => shard.random_u64() % 5000,
            _ => shard.random_u64() % 300,
        } as usize;
        journal.room(len, Purpose::Records).await;
        let id = promises.borrow().next_id;
        promises.borrow_mut().next_id += 1;
        let Ok(appended) = append(&journal, id, len) else { continue };
        promises.borrow_mut().appended.push((appended.place, id));
        match shard.random_u64() % 8 {
            0 => shard.sleep(Duration::from_micros(shard.random_u64() % 8000)).await,
            1..6 => {
                journal.wait_synced(appended.place.sequence).await;
                let promised = promises.borrow().acknowledged;
                assert!(promised >= appended.place.sequence, "the hook is called first");
            }
            _ => {}
        }
    }
}

/// Stands for the settler and its manifest, whose records are durable at once here.
fn settle(shard: &Shard, journal: &Journal, promises: &Shared) {
    let synced = journal.synced();
    let oldest = journal.0.commits.borrow().ring.first_sequence();
    let sequence = oldest + shard.random_u64() % (synced + 2 - oldest);
    promises.borrow_mut().from = Some(journal.replay_place(sequence));
    journal.recycle_before(sequence);
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_invented() {
    let mut starts = 0;
    for seed in 0..300 {
        let bed = Bed::new(seed);
        let promises = Shared::default();
        let mut rng = Rng::new(seed);
        for _ in 0..6 {
            let shared = promises.clone();
            bed.node.start(vec![()], move |shard, ()| live(shard, shared.clone()));
            let micros = match rng.below(3) {
                // Often too short for a start: cuts fall into recovery too.
                0 => rng.below(15_000),
                1 => rng.below(150_000),
                // Just when recovery has served what it found.
                _ => {
                    let before = promises.borrow().starts;
                    let served = || promises.borrow().starts > before;
                    bed.world.run_until(Duration::from_secs(1), served);
                    rng.below(1500)
                }
            };
            bed.world.run_for(Duration::from_micros(micros));
            assert_eq!(bed.node.fatal_reason(), None, "seed {seed}");
            if rng.chance(1, 3) { bed.node.kill() } else { bed.node.cut_power() }
        }
        starts += promises.borrow().starts;
    }
    assert!(starts > 600, "only {starts} starts came to appending");
}
