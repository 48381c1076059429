//! Frames come whole however the network cuts them, and no claim of a peer costs anything.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use runtime::sim::{Ended, Options, World};
use runtime::{Shard, TaskClass};

use super::*;

const LIMIT: u32 = 300_000;
const MEMORY: u64 = 400_000;
/// The limits of a broker that is told nothing, a tenth of them.
const LARGE_LIMIT: u32 = 10_000_000;
const LARGE_MEMORY: u64 = 13_000_000;
/// Longer than any other wait of these tests.
const IDLE_MAX: Duration = Duration::from_secs(200);

fn frame(size: usize, salt: usize) -> Vec<u8> {
    let mut bytes = (size as u32).to_be_bytes().to_vec();
    bytes.extend((0..size).map(|i| (i * 7 + salt) as u8));
    bytes
}

/// What the reader made of bytes that a peer sent before it closed: the frames, and the error.
fn read(seed: u64, sent: Vec<u8>) -> (Vec<Vec<u8>>, ReadError) {
    let world = World::new(seed, Options::default());
    let (server, client) = (world.node("server"), world.node("client"));
    let result = Rc::new(RefCell::new(None));
    let given = result.clone();
    server.start(vec![()], move |shard, ()| {
        let given = given.clone();
        async move {
            let got = read_all(shard).await;
            *given.borrow_mut() = Some(got);
        }
    });
    let sent = Lease::from(sent);
    client.start(vec![()], move |shard, ()| {
        let (server, sent) = (server.clone(), sent.clone());
        async move {
            shard.sleep(Duration::from_millis(5)).await;
            let socket = shard.net().connect(server.address(7)).await.expect("the server listens");
            // The reader may have closed the connection already.
            let _sent = socket.send(sent).await;
            socket.shutdown();
        }
    });
    let ended = world.run_until(Duration::from_secs(60), || result.borrow().is_some());
    assert_eq!(ended, Ended::Done, "{:#?}", world.log_lines());
    result.take().expect("the run is done")
}

/// What came of one connection among many: its frames, and why there are no more.
type Came = Rc<RefCell<Vec<(usize, Result<Vec<u8>, ReadError>)>>>;

/// Serves every connection that comes, and tells what each brought; `memory` is theirs together.
async fn serve_all(shard: Shard, memory: RequestMemory, came: Came) {
    let listener = shard.net().listen(([0, 0, 0, 0], 7).into()).expect("a free port");
    let (watching, clock) = (memory.clone(), shard.clone());
    let watch = async move { watching.watch(&clock).await };
    shard.spawn(TaskClass::Background, "watch", watch).detach();
    for number in 0.. {
        let (socket, _) = listener.accept().await.expect("a client");
        let limits = FrameLimits {
            frame_size_max: LARGE_LIMIT,
            memory: memory.clone(),
            idle_max: Some(IDLE_MAX),
        };
        let (mut reader, came) =
            (FrameReader::new(socket, limits, &ResponseQueue::new(1)), came.clone());
        let serve = async move {
            loop {
                let next = reader.next().await.map(|frame| frame.bytes.to_vec());
                let ends = next.is_err();
                came.borrow_mut().push((number, next));
                if ends {
                    return;
                }
            }
        };
        shard.spawn(TaskClass::Foreground, "reader", serve).detach();
    }
}

/// Runs `script` against a server with these budgets until it is done.
fn against_server<F>(
    seed: u64,
    memory_bytes: u64,
    script: impl Fn(Shard, SocketAddr, RequestMemory, Came) -> F + 'static,
) where
    F: Future<Output = ()> + 'static,
{
    let world = World::new(seed, Options::default());
    let (server, client) = (world.node("server"), world.node("client"));
    let (memory, came) = (RequestMemory::new(memory_bytes, LARGE_LIMIT), Came::default());
    let (serving, noting) = (memory.clone(), came.clone());
    server.start(vec![()], move |shard, ()| serve_all(shard, serving.clone(), noting.clone()));
    let done = Rc::new(Cell::new(false));
    let (ended, address) = (done.clone(), server.address(7));
    let script = Rc::new(script);
    client.start(vec![()], move |shard, ()| {
        let script = script(shard.clone(), address, memory.clone(), came.clone());
        let ended = ended.clone();
        async move {
            shard.sleep(Duration::from_millis(5)).await;
            script.await;
            ended.set(true);
        }
    });
    let ended = world.run_until(Duration::from_secs(600), || done.get());
    assert_eq!(ended, Ended::Done, "{:#?}", world.log_lines());
}

async fn connect(shard: &Shard, server: SocketAddr) -> Socket {
    shard.net().connect(server).await.expect("the server listens")
}

/// Waits until `seen` holds, and says how long that took.
async fn until(shard: &Shard, seen: impl Fn() -> bool) -> Duration {
    let began = shard.now();
    while !seen() {
        shard.sleep(Duration::from_millis(1)).await;
        assert!(shard.now().since(began) < Duration::from_secs(300), "it never comes");
    }
    shard.now().since(began)
}

#[test]
fn claims_hold_nothing_that_others_need_and_end_after_a_while() {
    for (seed, claims) in [(1, 12), (2, 200)] {
        against_server(seed, LARGE_MEMORY, move |shard, server, memory, came| async move {
            let mut liars = Vec::new();
            for i in 0..claims {
                let liar = connect(&shard, server).await;
                let mut bytes = LARGE_LIMIT.to_be_bytes().to_vec();
                bytes.resize(4 + i % 2, 0);
                liar.send(Lease::from(bytes)).await.expect("the server reads");
                liars.push(liar);
            }
            shard.sleep(Duration::from_millis(100)).await;
            assert!(memory.used_bytes() <= 4096 * claims as u64, "{}", memory.used_bytes());
            let honest = connect(&shard, server).await;
            for size in [10, 1_000_000, 20_000] {
                honest.send(Lease::from(frame(size, 0))).await.expect("the server reads");
                let whole = |(_, came): &(usize, Result<Vec<u8>, ReadError>)| {
                    came.as_ref().is_ok_and(|bytes| bytes.len() == size)
                };
                let took = until(&shard, || came.borrow().iter().any(whole)).await;
                assert!(took < Duration::from_secs(1), "{size} bytes took {took:?}");
            }
            let slow = |(_, came): &&(usize, Result<Vec<u8>, ReadError>)| {
                matches!(came, Err(ReadError::Slow { claimed, received: 0 | 1 })
                    if *claimed == LARGE_LIMIT as usize)
            };
            let closed = || came.borrow().iter().filter(slow).count() == claims;
            let took = until(&shard, closed).await;
            assert!(took < Duration::from_secs(40), "after {took:?}");
            assert_eq!(memory.used_bytes(), 0, "the honest one's buffer went back too");
        });
    }
}

#[test]
fn a_length_that_does_not_come_whole_ends_after_a_while_and_silence_does_not() {
    against_server(7, LARGE_MEMORY, |shard, server, _, came| async move {
        let silent = connect(&shard, server).await;
        let mut slow = Vec::new();
        for sent in 1..4 {
            let socket = connect(&shard, server).await;
            socket.send(Lease::from(vec![0; sent])).await.expect("the server reads");
            slow.push(socket);
        }
        let took = until(&shard, || came.borrow().len() == 3).await;
        assert!((29..40).contains(&took.as_secs()), "{took:?}");
        let told = |(_, came): &(usize, Result<Vec<u8>, ReadError>)| match came {
            Err(ReadError::SlowLength { received }) => *received,
            other => panic!("{other:?}"),
        };
        let mut received: Vec<usize> = came.borrow().iter().map(told).collect();
        received.sort();
        assert_eq!(received, [1, 2, 3]);
        silent.send(Lease::from(frame(10, 0))).await.expect("the server reads");
        until(&shard, || came.borrow().last().is_some_and(|(_, came)| came.is_ok())).await;
    });
}

#[test]
fn a_connection_that_is_idle_for_long_ends_and_one_that_sends_now_and_then_does_not() {
    against_server(9, LARGE_MEMORY, |shard, server, _, came| async move {
        let _silent = connect(&shard, server).await;
        let sender = connect(&shard, server).await;
        let began = shard.now();
        for size in [10, 50_000, 50_000] {
            sender.send(Lease::from(frame(size, 0))).await.expect("the server reads");
            shard.sleep(Duration::from_secs(90)).await;
        }
        let ended = came.borrow().iter().filter(|(_, came)| came.is_err()).count();
        assert_eq!((came.borrow().len(), ended), (4, 1), "three frames, and one end");
        until(&shard, || came.borrow().len() == 5).await;
        let took = shard.now().since(began).as_secs();
        assert!((380..390).contains(&took), "{took} s");
        let idle = came.borrow().iter().filter(|(_, c)| matches!(c, Err(ReadError::Idle))).count();
        assert_eq!(idle, 2);
    });
}

#[test]
fn a_frame_that_waits_for_room_is_not_waited_for_for_ever() {
    against_server(8, LARGE_MEMORY, |shard, server, memory, came| async move {
        let mut taken = Vec::new();
        // An eighth each.
        for _ in 0..8 {
            taken.push(memory.begin(LARGE_LIMIT as usize, memory.bulk_frame_max()).await);
        }
        let socket = connect(&shard, server).await;
        socket.send(Lease::from(&frame(20_000, 0)[..6])).await.expect("the server reads");
        let took = until(&shard, || !came.borrow().is_empty()).await;
        assert!((29..40).contains(&took.as_secs()), "{took:?}");
        // The network used to be blamed, which had no chance to be slow.
        let no_memory =
            matches!(came.borrow()[0].1, Err(ReadError::NoMemory { claimed: 20_000, received: 2 }));
        assert!(no_memory, "{:?}", came.borrow()[0]);
    });
}

#[test]
fn large_frames_that_come_together_do_not_block_each_other_for_ever() {
    // The memory has room for one of them as a whole.
    against_server(3, u64::from(LARGE_LIMIT), |shard, server, _, came| async move {
        for i in 0..6 {
            let socket = connect(&shard, server).await;
            let bytes = Lease::from(frame(LARGE_LIMIT as usize - i, i));
            let send = async move {
                socket.send(bytes).await.expect("the server reads");
                socket.peer_ended().await;
            };
            shard.spawn(TaskClass::Foreground, "sender", send).detach();
        }
        let took = until(&shard, || came.borrow().len() == 6).await;
        assert!(took < Duration::from_secs(30), "{took:?}");
        assert!(came.borrow().iter().all(|(_, came)| came.is_ok()));
    });
}

#[test]
fn a_frame_that_trickles_in_takes_no_memory_from_whole_ones() {
    against_server(4, LARGE_MEMORY, |shard, server, memory, came| async move {
        let mut trickling = Vec::new();
        for _ in 0..50 {
            let socket = connect(&shard, server).await;
            socket.send(Lease::from(&frame(16_000, 0)[..5])).await.expect("the server reads");
            trickling.push(socket);
        }
        let honest = connect(&shard, server).await;
        for _ in 0..20 {
            for socket in &trickling {
                // Those that took too long are closed by and by.
                let _closed = socket.send(Lease::from(&[1][..])).await;
            }
            shard.sleep(Duration::from_secs(1)).await;
            assert!(memory.used_bytes() <= 50 * 4096, "{}", memory.used_bytes());
        }
        honest.send(Lease::from(frame(10, 0))).await.expect("the server reads");
        until(&shard, || came.borrow().iter().any(|(_, came)| came.is_ok())).await;
        let took = until(&shard, || came.borrow().len() == 51).await;
        assert!(took < Duration::from_secs(15), "{took:?}");
        assert_eq!(memory.used_bytes(), 0);
    });
}

#[test]
fn a_silent_connection_gives_its_buffer_back_and_loses_no_byte() {
    for seed in 0..10 {
        against_server(seed, LARGE_MEMORY, |shard, server, memory, came| async move {
            let socket = connect(&shard, server).await;
            for round in 1..6 {
                // Longer and longer silences: the buffer goes in the middle of one of them.
                let pause = Duration::from_millis(600 * round as u64);
                for salt in 0..3 {
                    let bytes = Lease::from(frame(50_000, round + salt));
                    socket.send(bytes).await.expect("the server reads");
                }
                until(&shard, || came.borrow().len() == 3 * round).await;
                shard.sleep(pause).await;
            }
            assert_eq!(memory.used_bytes(), 0, "after three seconds");
            for (index, (_, came)) in came.borrow().iter().enumerate() {
                let expect = frame(50_000, index / 3 + 1 + index % 3);
                assert!(came.as_ref().expect("a frame")[..] == expect[4..], "frame {index}");
            }
        });
    }
}

async fn read_all(shard: Shard) -> (Vec<Vec<u8>>, ReadError) {
    let listener = shard.net().listen(([0, 0, 0, 0], 7).into()).expect("a free port");
    let (socket, _) = listener.accept().await.expect("a client");
    let memory = RequestMemory::new(MEMORY, LIMIT);
    let limits =
        FrameLimits { frame_size_max: LIMIT, memory: memory.clone(), idle_max: Some(IDLE_MAX) };
    let mut reader = FrameReader::new(socket, limits, &ResponseQueue::new(1));
    let mut frames = Vec::new();
    loop {
        match reader.next().await {
            Ok(frame) => {
                assert!(memory.used_bytes() >= frame.bytes.len() as u64);
                frames.push(frame.bytes.to_vec());
            }
            Err(e) => {
                drop(reader);
                assert_eq!(memory.used_bytes(), 0, "nothing stays charged");
                return (frames, e);
            }
        }
    }
}

#[test]
fn frames_of_every_size_come_whole_and_in_order() {
    let sizes = [0, 1, 3, 100, 4096, 4097, 16_400, 16_400, 16_400, 200_000, 5, 70_000, 300_000, 0];
    for seed in 0..20 {
        let frames: Vec<Vec<u8>> = sizes.iter().zip(0..).map(|(n, i)| frame(*n, i)).collect();
        let (read, error) = read(seed, frames.concat());
        assert!(matches!(error, ReadError::Closed), "{error}");
        assert_eq!(read.len(), frames.len());
        for (read, sent) in read.iter().zip(&frames) {
            assert!(read[..] == sent[4..], "seed {seed}: a frame of {} bytes", sent.len() - 4);
        }
    }
}

#[test]
fn a_length_that_no_frame_may_have_ends_the_connection() {
    for (prefix, claim) in [
        ([0xff, 0xff, 0xff, 0xff], -1),
        ([0x80, 0, 0, 0], i32::MIN),
        ([0x7f, 0xff, 0xff, 0xff], i32::MAX),
        ([0, 4, 0x93, 0xe1], LIMIT as i32 + 1),
    ] {
        let sent = [frame(10, 0), prefix.to_vec(), vec![1; 100]].concat();
        let (read, error) = read(1, sent);
        assert_eq!(read.len(), 1, "what came before is good");
        let refused =
            matches!(error, ReadError::Length { claimed, max: LIMIT } if claimed == claim);
        assert!(refused, "{error}");
    }
}

#[test]
fn an_end_inside_a_frame_is_told_from_an_end_between_two() {
    let whole = frame(5000, 0);
    for cut in [1, 3, 4, 5, 4999, 5003] {
        let (read, error) = read(cut as u64, whole[..cut].to_vec());
        assert!(read.is_empty() && matches!(error, ReadError::Truncated), "{cut}: {error}");
    }
}
