//! Chunks and their leases on one shard.

use super::run::Seat;
use runtime::{ChunkPool, Shard, TaskClass};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

const CHUNK: usize = 64 * 1024;

pub async fn chunks_come_back_when_the_last_lease_is_gone(shard: Shard, _seat: Seat) {
    let pool = ChunkPool::new(&shard, CHUNK, 2 * CHUNK as u64);
    let mut a = pool.take(1).expect("room");
    assert_eq!((a.capacity(), a.position(), a.remaining()), (CHUNK, 0, CHUNK));
    let lease = a.append_with(10, |b| b.fill(1));
    let b = pool.take(CHUNK).expect("room");
    assert_eq!(pool.used_bytes(), 2 * CHUNK as u64);
    assert!(pool.take(1).is_none());
    drop(a);
    assert!(pool.take(1).is_none(), "a lease is out");
    let part = lease.slice(3..5);
    drop(lease);
    assert!(pool.take(1).is_none(), "a part of it is out");
    assert_eq!(&*part, [1, 1]);
    drop(part);
    drop(b);
    assert_eq!(pool.used_bytes(), 0);
    let again = pool.take(1).expect("room");
    assert_eq!(again.position(), 0);
    drop(pool);
    drop(again);
}

pub async fn waiting_for_room_ends_when_room_is_there(shard: Shard, _seat: Seat) {
    let pool = ChunkPool::new(&shard, CHUNK, CHUNK as u64);
    let chunk = pool.take(1).expect("room");
    let other = shard.clone();
    let freer = shard.spawn(TaskClass::Background, "freer", async move {
        other.sleep(Duration::from_millis(2)).await;
        drop(chunk);
    });
    pool.wait_for_room(CHUNK as u64).await;
    assert!(pool.take(1).is_some());
    freer.await.expect("not aborted");
}

pub async fn one_who_waits_for_room_is_woken_once_for_each_time_there_is_some(
    shard: Shard,
    _seat: Seat,
) {
    let pool = ChunkPool::new(&shard, CHUNK, CHUNK as u64);
    let chunk = pool.take(1).expect("room");
    let wakes = Arc::new(Wakes::default());
    {
        let mut wait = pin!(pool.wait_for_room(CHUNK as u64));
        let waker = Waker::from(wakes.clone());
        for _ in 0..10 {
            assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(chunk);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    }
    drop(pool.take(1).expect("room"));
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1, "it waits no more");
}

/// Counts.
#[derive(Default)]
struct Wakes(AtomicU64);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub async fn a_jumbo_takes_its_own_size_only(shard: Shard, _seat: Seat) {
    let pool = ChunkPool::new(&shard, CHUNK, 4 * CHUNK as u64);
    drop(pool.take(1));
    drop(pool.take(1));
    let jumbo = pool.take(3 * CHUNK + 1).expect("room");
    assert_eq!(jumbo.capacity(), 3 * CHUNK + 4096);
    assert_eq!(pool.used_bytes(), 3 * CHUNK as u64 + 4096);
    assert!(pool.take(1).is_none());
    drop(jumbo);
    assert!(pool.take(4 * CHUNK + 1).is_none(), "more than the limit");
    assert!(pool.take(1).is_some());
}
