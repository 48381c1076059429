//! Streams: what arrives, how they end, and who waits for whom.

use super::run::Seat;
use runtime::{Buffer, JoinHandle, Lease, Open, Shard, SharedFile, Socket, TaskClass};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Two ends of one connection.
pub async fn pair(shard: &Shard, seat: &Seat) -> (Socket, Socket) {
    let listener = shard.net().listen(SocketAddr::new(seat.ip, 0)).expect("listen");
    let to = listener.local_addr();
    let (connecting, net) = (shard.net().clone(), to);
    let client =
        shard.spawn(TaskClass::Foreground, "connect", async move { connecting.connect(net).await });
    let (server, peer) = listener.accept().await.expect("accept");
    assert_eq!(peer.ip(), seat.ip);
    let client = client.await.expect("not aborted").expect("connect");
    (client, server)
}

/// A second process once took half of a broker's connections without a word.
pub async fn where_somebody_listens_nobody_else_can(shard: Shard, seat: Seat) {
    let listen = |ip, port| shard.net().listen(SocketAddr::new(ip, port));
    let first = listen(seat.ip, 0).expect("there is a free port");
    let at = first.local_addr();
    let net = shard.net().clone();
    let connect = async move { net.connect(at).await };
    let client = shard.spawn(TaskClass::Foreground, "connect", connect);
    let server = first.accept().await.expect("accept");
    let beside = shard.net().listen_beside(at).expect("it is of this process");
    assert_eq!(beside.local_addr(), at);
    for ip in [seat.ip, Ipv4Addr::UNSPECIFIED.into()] {
        let refused = listen(ip, at.port()).map(|second| second.local_addr());
        assert_eq!(refused.map_err(|e| e.kind()), Err(io::ErrorKind::AddrInUse), "{ip}");
    }
    let other = listen(seat.ip, 0).expect("there is another free port");
    assert_ne!(other.local_addr(), at);
    drop((first, beside));
    // They close a moment later. The connection stays, and is in nobody's way.
    while let Err(e) = listen(seat.ip, at.port()) {
        assert_eq!(e.kind(), io::ErrorKind::AddrInUse);
        shard.sleep(Duration::from_millis(1)).await;
    }
    drop((client.await.expect("not aborted").expect("connect"), server));
}

/// Everything until the stream ends.
pub async fn drain(socket: &Socket) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let some = socket.recv_pooled().await.expect("receive");
        if some.is_empty() {
            return all;
        }
        all.extend_from_slice(&some);
    }
}

pub fn spawn_drain(shard: &Shard, socket: Socket) -> JoinHandle<Vec<u8>> {
    shard.spawn(TaskClass::Foreground, "drain", async move { drain(&socket).await })
}

pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

pub async fn bytes_arrive_in_order_and_end_with_the_stream(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    let got = spawn_drain(&shard, server);
    let sent = pattern(300_000);
    for part in sent.chunks(7777) {
        client.send(Lease::from(part)).await.expect("send");
    }
    drop(client);
    assert_eq!(got.await.expect("not aborted"), sent);
}

pub async fn a_bulk_receive_fills_our_own_memory(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    let sent = Lease::from(pattern(200_000));
    let bytes = sent.clone();
    let sender =
        shard.spawn(TaskClass::Foreground, "send", async move { client.send(bytes).await });
    let mut buf = Buffer::with_capacity(200_000);
    while buf.room() > 0 {
        let (got, back) = server.recv(buf).await;
        got.expect("receive");
        buf = back;
    }
    assert_eq!(&buf[..], &sent[..]);
    sender.await.expect("not aborted").expect("send");
    let (got, _) = server.recv(Buffer::with_capacity(1)).await;
    assert_eq!(got.expect("the end"), 0);
}

pub async fn a_receive_that_gives_up_loses_no_byte(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    let sent = Lease::from(pattern(200_000));
    let bytes = sent.clone();
    let sleeper = shard.clone();
    let sender = shard.spawn(TaskClass::Foreground, "send", async move {
        for start in (0..bytes.len()).step_by(5_000) {
            client.send(bytes.slice(start..start + 5_000)).await.expect("send");
            sleeper.sleep(Duration::from_micros(300)).await;
        }
    });
    let (mut all, mut gave_up) = (Vec::new(), 0);
    while all.len() < sent.len() {
        let patience = shard.sleep(Duration::from_micros(200));
        let (got, buf) = server.recv_unless(Buffer::with_capacity(3_000), patience).await;
        match got.expect("receive") {
            Some(n) => all.extend_from_slice(&buf[..n]),
            None => gave_up += 1,
        }
    }
    assert_eq!(all, &sent[..]);
    assert!(gave_up > 0, "nothing was given up");
    sender.await.expect("not aborted");
}

pub async fn a_peers_end_is_seen_while_its_bytes_are_unread(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    client.send(Lease::from(&b"last words"[..])).await.expect("send");
    let soon = Duration::from_millis(20);
    assert!(shard.timeout(soon, server.peer_ended()).await.is_err(), "it has not ended");
    drop(client);
    server.peer_ended().await;
    assert_eq!(drain(&server).await, b"last words");
}

pub async fn a_vectored_send_arrives_whole(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    let got = spawn_drain(&shard, server);
    let all = Lease::from(pattern(900_000));
    let mut taken = 0;
    while taken < all.len() {
        let mut parts = vec![Lease::empty()];
        let mut at = taken;
        for len in [1, 100, 4096, 255_000, 300_000, 0, 17].into_iter().cycle() {
            let end = all.len().min(at + len);
            parts.push(all.slice(at..end));
            at = end;
            if at == all.len() {
                break;
            }
        }
        taken += client.try_send_vectored(&parts).await.expect("an open socket");
        client.writable().await.expect("an open socket");
    }
    client.shutdown();
    assert_eq!(got.await.expect("not aborted"), &all[..]);
}

async fn shared(shard: &Shard, seat: &Seat, len: usize) -> SharedFile {
    let path = seat.dir.join("splice");
    let file = shard.disk().open(&path, Open::read().write().create()).await.expect("open");
    file.write(Lease::from(pattern(len)), 0).await.expect("write");
    file.share()
}

pub async fn a_file_is_sent_without_passing_through_us(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    let got = spawn_drain(&shard, server);
    let file = shared(&shard, &seat, 700_000).await;
    client.send(Lease::from(&b"head"[..])).await.expect("send");
    client.send_file(&file, 1234, 600_000).await.expect("send file");
    client.send_file(&file, 0, 0).await.expect("nothing");
    client.send(Lease::from(&b"tail"[..])).await.expect("send");
    drop(client);
    let got = got.await.expect("not aborted");
    assert_eq!(&got[..4], b"head");
    assert_eq!(&got[4..600_004], &pattern(700_000)[1234..601_234]);
    assert_eq!(&got[600_004..], b"tail");
}

pub async fn sending_more_than_the_file_has_is_an_error(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    let got = spawn_drain(&shard, server);
    let file = shared(&shard, &seat, 10_000).await;
    let error = client.send_file(&file, 9_000, 2_000).await.expect_err("too short");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    drop(client);
    assert_eq!(got.await.expect("not aborted"), &pattern(10_000)[9_000..]);
}

pub async fn a_slow_receiver_stops_only_its_own_sender(shard: Shard, seat: Seat) {
    let file = shared(&shard, &seat, 4 << 20).await;
    let mut stuck = Vec::new();
    // More of them than the kernel has workers for one ring, and than a shard has pipes.
    for _ in 0..80 {
        let (client, server) = pair(&shard, &seat).await;
        let file = file.clone();
        let sender = shard.spawn(TaskClass::Foreground, "slow", async move {
            client.send_file(&file, 0, 4 << 20).await
        });
        stuck.push((sender, server));
    }
    shard.sleep(Duration::from_millis(20)).await;
    let (client, server) = pair(&shard, &seat).await;
    let got = spawn_drain(&shard, server);
    client.send_file(&file, 0, 4 << 20).await.expect("send file");
    drop(client);
    assert_eq!(got.await.expect("not aborted").len(), 4 << 20);
    for (sender, server) in stuck {
        assert!(!sender.is_finished(), "the socket's buffers do not hold it all");
        server.shutdown();
        drop(server);
        assert!(sender.await.expect("not aborted").is_err());
    }
}

pub async fn many_connections_wait_without_memory(shard: Shard, seat: Seat) {
    let mut waiting = Vec::new();
    // More of them than the driver has buffers.
    for _ in 0..200 {
        let (client, server) = pair(&shard, &seat).await;
        waiting.push((client, spawn_drain(&shard, server)));
    }
    let mut ends = Vec::new();
    for (i, (client, got)) in waiting.into_iter().enumerate() {
        let bytes = Lease::from(vec![i as u8; 5000]);
        let send = shard.spawn(TaskClass::Foreground, "send", async move {
            client.send(bytes).await.expect("send");
        });
        ends.push((send, got));
    }
    for (i, (send, got)) in ends.into_iter().enumerate() {
        send.await.expect("not aborted");
        assert_eq!(got.await.expect("not aborted"), vec![i as u8; 5000]);
    }
}

pub async fn connecting_to_nobody_is_refused(shard: Shard, seat: Seat) {
    let listener = shard.net().listen(SocketAddr::new(seat.ip, 0)).expect("listen");
    let to = listener.local_addr();
    drop(listener);
    while shard.operations_in_flight() > 0 {
        shard.yield_now().await;
        shard.sleep(Duration::from_millis(1)).await;
    }
    let error = shard.net().connect(to).await.err().expect("nobody listens");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

pub async fn shutdown_ends_a_waiting_receive(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    let (near, far) = (spawn_drain(&shard, client.clone()), spawn_drain(&shard, server));
    shard.sleep(Duration::from_millis(5)).await;
    assert!(!near.is_finished() && !far.is_finished());
    client.shutdown();
    assert!(near.await.expect("not aborted").is_empty());
    assert!(far.await.expect("not aborted").is_empty());
}

pub async fn a_try_sends_what_fits_and_never_waits(shard: Shard, seat: Seat) {
    let (client, server) = pair(&shard, &seat).await;
    let sent = pattern(8 << 20);
    let parts: Vec<Lease> = sent.chunks(50_000).map(Lease::from).collect();
    let mut rest = parts.clone();
    let mut taken = 0;
    // Nobody reads: the socket is full before everything is sent.
    loop {
        let n = client.try_send_vectored(&rest).await.expect("an open socket");
        if n == 0 {
            break;
        }
        taken += n;
        assert!(taken < sent.len(), "a socket that takes everything");
        rest = vec![Lease::from(&sent[taken..])];
    }
    let got = spawn_drain(&shard, server);
    client.writable().await.expect("an open socket");
    client.send(Lease::from(&sent[taken..])).await.expect("send");
    drop((client, rest, parts));
    assert!(got.await.expect("not aborted") == sent);
}
