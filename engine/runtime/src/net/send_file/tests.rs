//! Clients that ask for much and read nothing: they may hold up nobody but themselves.

use crate::{Lease, Open, RuntimeConfig, Shard, ShardsWanted, Shutdown, TaskClass, run_shards};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::FromRawFd;
use std::thread;
use std::time::Duration;

/// More than the shard has pipes.
const STALLED: usize = 80;
const FILE_BYTES: usize = 4 << 20;

/// A client whose window is far smaller than the sender's buffer, as of a slow and distant one.
fn client_with_a_small_window(to: SocketAddrV4) -> TcpStream {
    let set = |fd: i32, level: i32, option: i32, value: i32| {
        // SAFETY: reads one number of ours.
        let set = unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), 4) };
        assert_eq!(set, 0, "option {option}");
    };
    let addr = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.ip().octets()) },
        sin_zero: [0; 8],
    };
    // SAFETY: takes numbers.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0) };
    assert!(fd >= 0);
    set(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, 2048);
    set(fd, libc::IPPROTO_TCP, libc::TCP_MAXSEG, 536);
    // SAFETY: reads an address of ours, of the length that is said.
    let connected = unsafe { libc::connect(fd, (&raw const addr).cast(), size_of_val(&addr) as _) };
    assert_eq!(connected, 0);
    // SAFETY: the descriptor was just made, and nobody else has it.
    unsafe { TcpStream::from_raw_fd(fd) }
}

fn read_all(from: SocketAddr) -> usize {
    let mut stream = TcpStream::connect(from).expect("the shard listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
    let mut bytes = Vec::new();
    // An error means that nothing more came in time.
    let _ = stream.read_to_end(&mut bytes);
    bytes.len()
}

#[test]
fn clients_that_never_read_do_not_stop_a_file_on_its_way_to_another() {
    let path = std::env::temp_dir().join(format!("runtime-cold-{}", std::process::id()));
    let config = RuntimeConfig { shards: ShardsWanted::Exactly(1), ..RuntimeConfig::default() };
    let name = path.clone();
    let main = move |shard: Shard, ()| {
        let name = name.clone();
        async move {
            let how = Open::read().write().create();
            let file = shard.disk().open(&name, how).await.expect("open");
            file.write(Lease::from(vec![7; FILE_BYTES]), 0).await.expect("write");
            let file = file.share();
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let listener = shard.net().listen(at).expect("listen");
            let SocketAddr::V4(to) = listener.local_addr() else { panic!("of version 4") };
            let clients: Vec<_> = (0..STALLED).map(|_| client_with_a_small_window(to)).collect();
            let mut senders = Vec::new();
            for _ in &clients {
                let (socket, _) = listener.accept().await.expect("accept");
                let file = file.clone();
                senders.push(shard.spawn(TaskClass::Foreground, "stalled", async move {
                    socket.send_file(&file, 0, FILE_BYTES as u64).await
                }));
            }
            shard.sleep(Duration::from_millis(200)).await;
            let reader = thread::spawn(move || read_all(to.into()));
            let (socket, _) = listener.accept().await.expect("accept");
            let sent = socket.send_file(&file, 0, FILE_BYTES as u64);
            let sent = shard.timeout(Duration::from_secs(10), sent).await;
            drop(socket);
            while !reader.is_finished() {
                shard.sleep(Duration::from_millis(1)).await; // the end goes out through the ring
            }
            assert_eq!(reader.join().expect("it reads"), FILE_BYTES);
            sent.expect("in time").expect("all is sent");
            assert!(senders.iter().all(|sender| !sender.is_finished()), "they are stalled");
            drop(clients);
        }
    };
    run_shards(config, Shutdown::new(), vec![()], main).expect("a shard starts here");
    std::fs::remove_file(path).expect("remove");
}
