//! Futures that are dropped before their operation ends.

use super::run::Seat;
use super::sockets::{drain, pair};
use runtime::{Buffer, ChunkPool, Lease, Open, Shard, TaskClass};
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

/// Polls once, so that the operation is on its way.
pub async fn start<T>(mut f: Pin<&mut impl Future<Output = T>>) {
    poll_fn(|cx| {
        assert!(f.as_mut().poll(cx).is_pending(), "it cannot be done yet");
        Poll::Ready(())
    })
    .await;
}

/// Until only so many operations are in flight.
async fn settle(shard: &Shard, operations: usize) {
    let idle = async {
        while shard.operations_in_flight() > operations {
            shard.sleep(Duration::from_millis(1)).await;
        }
    };
    let settled = shard.timeout(Duration::from_secs(10), idle).await;
    settled.unwrap_or_else(|_| panic!("{} in flight", shard.operations_in_flight()));
}

pub async fn a_dropped_receive_gives_its_slot_back(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    settle(&shard, 0).await;
    for _ in 0..10 {
        start(pin!(server.recv(Buffer::with_capacity(65536)))).await;
        start(pin!(server.recv_pooled())).await;
        let limit = Duration::from_millis(1);
        assert!(shard.timeout(limit, server.recv(Buffer::with_capacity(10))).await.is_err());
        settle(&shard, 0).await;
    }
    // Nothing was sent meanwhile, so nothing is lost.
    client.send(Lease::from(&b"hello"[..])).await.expect("send");
    drop(client);
    assert_eq!(drain(&server).await, b"hello");
}

pub async fn a_dropped_accept_closes_the_connection(shard: Shard, seat: Seat) {
    let listener = shard.net().listen(SocketAddr::new(seat.ip, 0)).expect("listen");
    start(pin!(listener.accept())).await;
    let to = listener.local_addr();
    // Either the cancelled accept takes this connection and closes it, or the next accept does.
    let client = shard.net().connect(to).await.expect("connect");
    settle(&shard, 0).await;
    drop(listener);
    settle(&shard, 0).await;
    let mut ended = pin!(client.recv_pooled());
    let limit = Duration::from_secs(10);
    let end = shard.timeout(limit, ended.as_mut()).await.expect("the server's end is closed");
    assert!(end.is_err() || end.is_ok_and(|bytes| bytes.is_empty()));
}

pub async fn an_accept_dropped_with_its_connection_closes_it(shard: Shard, seat: Seat) {
    let listener = shard.net().listen(SocketAddr::new(seat.ip, 0)).expect("listen");
    let client = shard.net().connect(listener.local_addr()).await.expect("connect");
    {
        let mut accept = pin!(listener.accept());
        start(accept.as_mut()).await;
        // The connection waits already: the accept is done meanwhile, and nobody looks.
        shard.sleep(Duration::from_millis(20)).await;
    }
    let limit = Duration::from_secs(10);
    let end = shard.timeout(limit, client.recv_pooled()).await.expect("the other end is closed");
    assert!(end.is_err() || end.is_ok_and(|bytes| bytes.is_empty()));
    drop(listener);
}

pub async fn more_receives_end_at_once_than_the_ring_has_places_for(shard: Shard, seat: Seat) {
    const RECEIVES: usize = 3000; // the ring holds 512 submissions and 2048 completions
    let (client, server) = pair(&shard, &seat).await;
    settle(&shard, 0).await;
    let receives: Vec<_> = (0..RECEIVES)
        .map(|_| {
            let server = server.clone();
            shard.spawn(TaskClass::Foreground, "receive", async move {
                let (got, _) = server.recv(Buffer::with_capacity(16)).await;
                assert_eq!(got.expect("the end"), 0);
            })
        })
        .collect();
    while shard.operations_in_flight() < RECEIVES {
        shard.yield_now().await;
    }
    shard.sleep(Duration::from_millis(1)).await;
    client.shutdown();
    for receive in receives {
        receive.await.expect("not aborted");
    }
    settle(&shard, 0).await;
}

pub async fn a_dropped_synced_write_keeps_its_memory_to_the_end(shard: Shard, seat: Seat) {
    let pool = ChunkPool::new(&shard, 1 << 20, 1 << 20);
    let how = Open::read().write().create_new().direct();
    let file = shard.disk().open(&seat.dir.join("f"), how).await.expect("open");
    let mut chunk = pool.take(0).expect("room");
    let lease = chunk.append_with(1 << 20, |b| b.fill(0x5a));
    drop(chunk);
    start(pin!(file.write_durably(lease, 0))).await;
    assert_eq!(pool.used_bytes(), 1 << 20, "the ring has it");
    drop(file);
    settle(&shard, 0).await;
    assert_eq!(pool.used_bytes(), 0);
    let file = shard.disk().open(&seat.dir.join("f"), Open::read()).await.expect("open");
    let (got, buf) = file.read(Buffer::aligned(1 << 20), 0).await;
    let got = got.expect("read");
    assert!(buf[..got].iter().all(|b| *b == 0x5a || *b == 0), "whatever came is ours");
}

pub async fn tasks_left_at_the_end_are_dropped_with_their_operations(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    let path = seat.dir.join("left");
    let file = shard.disk().open(&path, Open::read().write().create()).await.expect("open");
    let other = shard.clone();
    for class in [TaskClass::Foreground, TaskClass::Background] {
        let (server, file, other) = (server.clone(), file.clone(), other.clone());
        let (client, shard2) = (client.clone(), shard.clone());
        shard
            .spawn(class, "left", async move {
                let nested = shard2.spawn(class, "nested", async move {
                    let _client = client;
                    let _never = server.recv(Buffer::with_capacity(100)).await;
                });
                file.write_durably(Lease::from(vec![1; 5000]), 0).await.expect("write");
                other.sleep(Duration::from_secs(3600)).await;
                drop(nested);
                pending::<()>().await;
            })
            .detach();
    }
    shard.sleep(Duration::from_millis(3)).await;
    // The case ends here, and the shard's end has to get rid of all this.
}
