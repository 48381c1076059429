//! What crosses from one shard to another besides plain messages.

use super::run::{Answer, Ask, Seat};
use super::sockets::{pair, pattern, spawn_drain};
use runtime::sync::Event;
use runtime::{
    ChunkPool, Incoming, Lane, Lease, Open, Shard, ShardId, Snapshot, Socket, TaskClass,
};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

const CHUNK: usize = 64 * 1024;

pub async fn leases_are_returned_from_the_other_shard(shard: Shard, seat: Seat) {
    let ended = Rc::new(Event::new());
    let (end, holder) = (ended.clone(), shard.clone());
    let mesh = seat.port.attach(&shard, move |incoming: Incoming<Ask, Answer>| {
        match incoming.request {
            Ask::Bytes(lease) => {
                // Answers at once, and lets go of the bytes some time later.
                let sum = lease.iter().map(|b| u64::from(*b)).sum();
                let shard = holder.clone();
                let hold = async move {
                    shard.sleep(Duration::from_micros(sum % 500)).await;
                    drop(lease);
                };
                holder.spawn(TaskClass::Background, "hold", hold).detach();
                incoming.reply.send(Answer::Number(sum));
            }
            _ => {
                end.set();
                incoming.reply.send(Answer::Nothing);
            }
        }
    });
    if shard.id() == ShardId(1) {
        ended.wait().await;
        return;
    }
    let pool = ChunkPool::new(&shard, CHUNK, 3 * CHUNK as u64);
    for round in 0..100u64 {
        let mut chunk = loop {
            match pool.take(CHUNK) {
                Some(chunk) => break chunk,
                None => pool.wait_for_room(CHUNK as u64).await,
            }
        };
        let a = chunk.append_with(100, |b| b.fill(round as u8));
        let b = chunk.append_with(CHUNK - 100, |b| b.fill(1));
        for (lease, sum) in [(a.slice(10..20), 10 * (round % 256)), (b, CHUNK as u64 - 100)] {
            let answer = mesh.call(ShardId(1), Lane::Produce, Ask::Bytes(lease)).await;
            assert_eq!(answer.expect("it serves").number(), sum);
        }
    }
    pool.wait_for_room(3 * CHUNK as u64).await;
    assert_eq!(pool.used_bytes(), 0);
    mesh.call(ShardId(1), Lane::Control, Ask::Nothing).await.expect("it waits for us");
}

pub async fn a_file_is_sent_from_the_other_shard(shard: Shard, seat: Seat) {
    let file = Rc::new(RefCell::new(None));
    let (came, sent) = (Rc::new(Event::new()), Rc::new(Event::new()));
    let (slot, arrived, done) = (file.clone(), came.clone(), sent.clone());
    let (dir, ip) = (seat.dir.clone(), seat.ip);
    let mesh = seat.port.attach(&shard, move |incoming: Incoming<Ask, Answer>| {
        match incoming.request {
            Ask::File(file) => {
                *slot.borrow_mut() = Some(file);
                arrived.set();
            }
            _ => done.set(),
        }
        incoming.reply.send(Answer::Nothing);
    });
    if shard.id() == ShardId(0) {
        let how = Open::read().write().create();
        let file = shard.disk().open(&dir.join("cold"), how).await.expect("open");
        file.write(Lease::from(pattern(500_000)), 0).await.expect("write");
        let shared = file.share();
        drop(file); // the shared one keeps it open
        mesh.call(ShardId(1), Lane::Fetch, Ask::File(shared)).await.expect("it serves");
        sent.wait().await;
        return;
    }
    came.wait().await;
    let (client, server) = pair_at(&shard, ip).await;
    let got = spawn_drain(&shard, server);
    let file = file.borrow_mut().take().expect("it came");
    client.send_file(&file, 100, 499_900).await.expect("send file");
    drop((client, file));
    assert_eq!(got.await.expect("not aborted"), &pattern(500_000)[100..]);
    mesh.call(ShardId(0), Lane::Control, Ask::Nothing).await.expect("it waits for us");
}

async fn pair_at(shard: &Shard, ip: std::net::IpAddr) -> (Socket, Socket) {
    let ports = runtime::Mesh::ports(1, super::run::LIMITS);
    let port = ports.into_iter().next().expect("one");
    pair(shard, &Seat { dir: "/".into(), ip, port }).await
}

pub async fn every_shard_accepts_at_the_same_address(shard: Shard, seat: Seat) {
    let (told, done) = (Rc::new(Event::new()), Rc::new(Event::new()));
    let port = Rc::new(RefCell::new(0));
    let (tell, end, listening) = (told.clone(), done.clone(), port.clone());
    let mesh = seat.port.attach(&shard, move |incoming: Incoming<Ask, Answer>| {
        match incoming.request {
            Ask::Number(n) => {
                *listening.borrow_mut() = n as u16;
                tell.set();
            }
            _ => end.set(),
        }
        incoming.reply.send(Answer::Nothing);
    });
    let other = ShardId(1 - shard.id().0);
    if shard.id() == ShardId(0) {
        let listener = shard.net().listen(SocketAddr::new(seat.ip, 0)).expect("listen");
        let at = listener.local_addr();
        let number = Ask::Number(at.port().into());
        mesh.call(other, Lane::Control, number).await.expect("it serves");
        drop(serve_greetings(&shard, listener));
    } else {
        told.wait().await;
        let at = SocketAddr::new(seat.ip, *port.borrow());
        let listener = shard.net().listen_beside(at).expect("the same address again");
        drop(serve_greetings(&shard, listener));
        for _ in 0..50 {
            let client = shard.net().connect(at).await.expect("connect");
            let greeting = client.recv_pooled().await.expect("receive");
            assert!(matches!(greeting[..], [0] | [1]), "{greeting:?} is no shard");
        }
        mesh.call(other, Lane::Control, Ask::Nothing).await.expect("it waits for us");
        return;
    }
    done.wait().await;
}

fn serve_greetings(shard: &Shard, listener: runtime::Listener) -> runtime::JoinHandle<()> {
    let id = shard.id().0 as u8;
    shard.spawn(TaskClass::Foreground, "greet", async move {
        loop {
            let (socket, _) = listener.accept().await.expect("accept");
            socket.send(Lease::from(vec![id])).await.expect("send");
        }
    })
}

pub async fn a_snapshot_is_the_same_value_everywhere(shard: Shard, seat: Seat) {
    let came = Rc::new(Event::new());
    let arrived = came.clone();
    let mesh = seat.port.attach(&shard, move |incoming: Incoming<Ask, Answer>| {
        let Ask::Value(value) = incoming.request else { panic!("a value") };
        assert_eq!(&**value, "image 7");
        let address = value.as_ptr() as u64;
        incoming.reply.send(Answer::Number(address));
        arrived.set();
    });
    if shard.id() == ShardId(0) {
        let value = Snapshot::new("image 7".to_owned());
        let call = mesh.call(ShardId(1), Lane::Control, Ask::Value(value.clone())).await;
        assert_eq!(call.expect("it serves").number(), value.as_ptr() as u64);
    } else {
        came.wait().await;
        shard.sleep(Duration::from_millis(1)).await;
    }
}
