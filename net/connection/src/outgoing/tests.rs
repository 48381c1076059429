//! A slow peer gets every byte, and holds none of the lender's memory while it is slow.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use runtime::sim::{Ended, Options, World};
use runtime::{Buffer, Open, Shard, TaskClass};

use super::*;
use crate::part::Again;

const BATCH_SIZE: usize = 10_000;
const BATCHES: usize = 100;

fn batch(index: usize) -> Vec<u8> {
    (0..BATCH_SIZE).map(|i| (i * 31 + index) as u8).collect()
}

/// Lends batches by their number; counts how often it was asked again.
struct Library {
    asked: Cell<u32>,
}

fn lend(library: &Rc<Library>, index: usize) -> Lent {
    let bytes = Lease::from(batch(index));
    let place = Place { from: index as i64, to: index as i64 + 1, size_bytes: BATCH_SIZE as u64 };
    Lent { bytes, place, lender: lender(library) }
}

fn lender(library: &Rc<Library>) -> Lender {
    let library = library.clone();
    Lender::new(move |place| {
        let library = library.clone();
        let again: Again = Box::pin(async move {
            library.asked.set(library.asked.get() + 1);
            let range = place.from as usize..place.to as usize;
            Some(range.map(|index| Part::Lent(lend(&library, index))).collect())
        });
        again
    })
}

async fn receive_slowly(shard: Shard, server: runtime::sim::Node) -> Vec<u8> {
    let socket = shard.net().connect(server.address(7)).await.expect("the server listens");
    let mut all = Vec::new();
    loop {
        shard.sleep(Duration::from_millis(20)).await;
        let (got, bytes) = socket.recv(Buffer::with_capacity(50_000)).await;
        match got.expect("the server sends") {
            0 => return all,
            n => all.extend_from_slice(&bytes[..n]),
        }
    }
}

fn run(seed: u64) -> (Vec<u8>, u32) {
    let world = World::new(seed, Options::default());
    let (server, client) = (world.node("server"), world.node("client"));
    let library = Rc::new(Library { asked: Cell::new(0) });
    let lending = library.clone();
    server.start(vec![()], move |shard, ()| {
        let library = lending.clone();
        async move {
            let listener = shard.net().listen(([0, 0, 0, 0], 7).into()).expect("a free port");
            let (socket, _) = listener.accept().await.expect("a client");
            let mut outgoing = Outgoing::default();
            outgoing.push(vec![Part::Memory(Lease::from(b"head".to_vec()))]);
            let first = lender(&library);
            let parts = (0..BATCHES).map(|i| Lent { lender: first.clone(), ..lend(&library, i) });
            outgoing.push(parts.map(Part::Lent).collect());
            outgoing.push(vec![Part::Memory(Lease::from(b"tail".to_vec()))]);
            let patience = Patience::Silence(Duration::from_secs(1));
            let way = Way::new(&shard, &socket, patience);
            outgoing.send(&way).await.expect("a slow client is no error");
        }
    });
    let received = Rc::new(RefCell::new(None));
    let result = received.clone();
    client.start(vec![()], move |shard, ()| {
        let (result, server) = (result.clone(), server.clone());
        async move {
            shard.sleep(Duration::from_millis(5)).await;
            let reading = receive_slowly(shard.clone(), server);
            let all = shard.spawn(TaskClass::Foreground, "reader", reading).await;
            *result.borrow_mut() = Some(all.expect("not aborted"));
        }
    });
    let ended = world.run_until(Duration::from_secs(60), || received.borrow().is_some());
    assert_eq!(ended, Ended::Done, "{:#?}", world.log_lines());
    (received.take().expect("the run is done"), library.asked.get())
}

#[test]
fn a_peer_that_takes_a_large_file_slowly_is_not_called_silent() {
    const FILE_BYTES: usize = 8 * 1024 * 1024;
    let world = World::new(1, Options::default());
    let (server, client) = (world.node("server"), world.node("client"));
    let sent_after = Rc::new(Cell::new(None));
    let sent = sent_after.clone();
    server.start(vec![()], move |shard, ()| {
        let sent = sent.clone();
        async move {
            let how = Open::read().write().create();
            let file = shard.disk().open(Path::new("/segment"), how).await.expect("a new file");
            file.write(Lease::from(vec![7; FILE_BYTES]), 0).await.expect("there is room");
            let listener = shard.net().listen(([0, 0, 0, 0], 7).into()).expect("a free port");
            let (socket, _) = listener.accept().await.expect("a client");
            let mut outgoing = Outgoing::default();
            let (position, len) = (0, FILE_BYTES as u64);
            outgoing.push(vec![Part::File { file: file.share(), position, len }]);
            let patience = Patience::Silence(Duration::from_secs(1));
            let way = Way::new(&shard, &socket, patience);
            let began = shard.now();
            outgoing.send(&way).await.expect("a slow client is no error");
            sent.set(Some(shard.now().since(began)));
        }
    });
    let received = Rc::new(Cell::new(0));
    let result = received.clone();
    client.start(vec![()], move |shard, ()| {
        let (result, server) = (result.clone(), server.clone());
        async move {
            shard.sleep(Duration::from_millis(200)).await;
            result.set(receive_slowly(shard.clone(), server).await.len());
        }
    });
    let ended = world.run_until(Duration::from_secs(60), || received.get() > 0);
    assert_eq!(ended, Ended::Done, "{:#?}", world.log_lines());
    assert_eq!(received.get(), FILE_BYTES);
    let took = sent_after.get().expect("it was sent");
    assert!(took > Duration::from_secs(2), "{took:?}: the peer was not slow");
}

#[test]
fn every_byte_arrives_once_and_in_order_however_often_it_was_let_go() {
    let mut expect = b"head".to_vec();
    expect.extend((0..BATCHES).flat_map(batch));
    expect.extend_from_slice(b"tail");
    for seed in 0..10 {
        let (received, asked) = run(seed);
        assert_eq!(received.len(), expect.len(), "seed {seed}");
        assert!(received == expect, "seed {seed}: other bytes");
        assert!(asked > 3, "seed {seed}: asked again {asked} times; the peer was not slow");
    }
}

/// Each byte that it took used to give it all of its time again.
#[test]
fn a_peer_that_takes_a_little_now_and_then_is_behind_the_pace_and_one_that_keeps_up_is_not() {
    const ANSWER_BYTES: usize = 4 * 1024 * 1024;
    for (read_at_once, keeps_up) in [(1_000, false), (64_000, true)] {
        let world = World::new(1, Options::default());
        let (server, client) = (world.node("server"), world.node("client"));
        let sent = Rc::new(RefCell::new(None));
        let result = sent.clone();
        server.start(vec![()], move |shard, ()| {
            let result = result.clone();
            async move {
                let listener = shard.net().listen(([0, 0, 0, 0], 7).into()).expect("a free port");
                let (socket, _) = listener.accept().await.expect("a client");
                let mut outgoing = Outgoing::default();
                outgoing.push(vec![Part::Memory(Lease::from(vec![7; ANSWER_BYTES]))]);
                let (behind_max, bytes_a_second) = (Duration::from_secs(5), 32 * 1024);
                let pace = Patience::Pace { behind_max, bytes_a_second };
                let began = shard.now();
                let ended = outgoing.send(&Way::new(&shard, &socket, pace)).await;
                *result.borrow_mut() = Some((ended, shard.now().since(began).as_secs()));
            }
        });
        client.start(vec![()], move |shard, ()| {
            let server = server.clone();
            async move {
                shard.sleep(Duration::from_millis(5)).await;
                let socket = shard.net().connect(server.address(7)).await.expect("it listens");
                loop {
                    let (got, _) = socket.recv(Buffer::with_capacity(read_at_once)).await;
                    if got.is_ok_and(|n| n == 0) {
                        return;
                    }
                    shard.sleep(Duration::from_secs(1)).await;
                }
            }
        });
        let ended = world.run_until(Duration::from_secs(300), || sent.borrow().is_some());
        assert_eq!(ended, Ended::Done, "{:#?}", world.log_lines());
        let (ended, seconds) = sent.take().expect("the run is done");
        assert_eq!(ended.is_ok(), keeps_up, "{ended:?} after {seconds} s");
        // What the socket took at first gives it some time ahead.
        assert!(keeps_up || (5..60).contains(&seconds), "{seconds} s");
    }
}
