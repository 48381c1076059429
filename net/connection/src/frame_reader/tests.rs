//! Frames come whole however the network cuts them, and no claim of a peer costs anything.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use runtime::Shard;
use runtime::sim::{Ended, Options, World};

use super::*;

const LIMIT: u32 = 300_000;
const MEMORY: u64 = 400_000;

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

async fn read_all(shard: Shard) -> (Vec<Vec<u8>>, ReadError) {
    let listener = shard.net().listen(([0, 0, 0, 0], 7).into()).expect("a free port");
    let (socket, _) = listener.accept().await.expect("a client");
    let memory = Budget::new("requests", MEMORY);
    let limits = FrameLimits { frame_size_max: LIMIT, memory: memory.clone() };
    let mut reader = FrameReader::new(socket, limits);
    let mut frames = Vec::new();
    loop {
        match reader.next().await {
            Ok(frame) => {
                assert_eq!(memory.used_bytes(), frame.bytes.len() as u64);
                frames.push(frame.bytes.to_vec());
            }
            Err(e) => {
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
