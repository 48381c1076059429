//! That the simulated disk catches a log that acknowledges too early, and lets a right one pass.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use runtime::sim::{DiskImage, Ended, Options, SyncMoment, World};
use runtime::{Buffer, File, Lease, Open, Shard, TaskClass};

const BLOCK: usize = 4096;
const BLOCKS: u64 = 64;
const RECORDS: u64 = 20;
const LOG: &str = "/log";

/// How a toy log appends. All but the first two lose acknowledged records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    Right,
    /// Four appends in flight, acknowledged in order.
    Pipelined,
    /// Acknowledges when the write completes.
    AckBeforeSync,
    /// Submits the sync while the write is in flight.
    SyncBesideWrite,
    /// Acknowledges after `syncfs`.
    SyncFs,
    /// Allocates the file, but does not write it beforehand, and lets another file's sync flush.
    BorrowedFlush,
    /// Never syncs the directory.
    NameNotSynced,
    /// Writes the block before the new one again, with the same bytes.
    RewritesInPlace,
}

/// Record `n` as its block: a number, and a sum over the rest, so that a torn one is seen.
fn encode(n: u64) -> Lease {
    let mut buf = Buffer::aligned(BLOCK);
    for (i, byte) in buf[16..].iter_mut().enumerate() {
        *byte = (n as usize * 31 + i / SECTOR) as u8;
    }
    buf[..8].copy_from_slice(&n.to_le_bytes());
    let sum = sum(&buf);
    buf[8..16].copy_from_slice(&sum.to_le_bytes());
    buf.freeze()
}

const SECTOR: usize = 512;

fn sum(block: &[u8]) -> u64 {
    let words = block[..8].chunks(8).chain(block[16..].chunks(8));
    let word = |w: &[u8]| u64::from_le_bytes(w.try_into().expect("8 bytes"));
    words.fold(1, |sum: u64, w| sum.rotate_left(9).wrapping_mul(0x100_0000_01b3) ^ word(w))
}

fn decode(block: &[u8]) -> Option<u64> {
    let number = |at: usize| u64::from_le_bytes(block[at..at + 8].try_into().expect("8 bytes"));
    (number(8) == sum(block)).then(|| number(0))
}

async fn create(shard: &Shard, log: Log) -> File {
    let how = Open::read().write().create().direct();
    let file = shard.disk().open(Path::new(LOG), how).await.expect("no fault was planned");
    file.allocate(0, BLOCKS * BLOCK as u64).await.expect("room");
    if log != Log::BorrowedFlush {
        let zeros = Buffer::aligned(BLOCK).freeze();
        for at in 0..BLOCKS {
            file.write(zeros.clone(), at * BLOCK as u64).await.expect("no fault was planned");
        }
    }
    file.sync_all().await.expect("no fault was planned");
    if log != Log::NameNotSynced {
        shard.disk().sync_dir(Path::new("/")).await.expect("no fault was planned");
    }
    file
}

async fn append(shard: &Shard, log: Log, file: &File, other: &File, n: u64) {
    let (bytes, position) = (encode(n), n * BLOCK as u64);
    match log {
        Log::Right | Log::Pipelined | Log::NameNotSynced => {
            file.write_durably(bytes, position).await
        }
        Log::RewritesInPlace if n == 0 => file.write_durably(bytes, position).await,
        Log::RewritesInPlace => {
            let mut both = Buffer::aligned(2 * BLOCK);
            both[..BLOCK].copy_from_slice(&encode(n - 1));
            both[BLOCK..].copy_from_slice(&bytes);
            file.write_durably(both.freeze(), position - BLOCK as u64).await
        }
        Log::AckBeforeSync => file.write(bytes, position).await,
        Log::SyncFs => match file.write(bytes, position).await {
            Ok(()) => shard.disk().sync_fs(Path::new("/")).await,
            failed => failed,
        },
        Log::BorrowedFlush => match file.write(bytes, position).await {
            Ok(()) => other.sync_data().await,
            failed => failed,
        },
        Log::SyncBesideWrite => {
            let (mut write, mut sync) =
                (Box::pin(file.write(bytes, position)), Box::pin(file.sync_data()));
            let (mut written, mut synced) = (None, None);
            std::future::poll_fn(|cx| {
                written = written.take().or_else(|| ready(write.as_mut().poll(cx)));
                synced = synced.take().or_else(|| ready(sync.as_mut().poll(cx)));
                match (&written, &synced) {
                    (Some(_), Some(_)) => std::task::Poll::Ready(()),
                    _ => std::task::Poll::Pending,
                }
            })
            .await;
            written.expect("both ended").and(synced.expect("both ended"))
        }
    }
    .expect("no fault was planned");
}

fn ready<T>(poll: std::task::Poll<T>) -> Option<T> {
    match poll {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

/// Runs the log under a seed with a power cut at every sync point: the numbers of acknowledged
/// records at each, and what was lost.
fn losses(log: Log, seed: u64) -> usize {
    let world = World::new(seed, Options::default());
    let node = world.node("a");
    let acked = Rc::new(Cell::new(0));
    let images: Rc<RefCell<Vec<(u64, DiskImage)>>> = Rc::default();
    let (seen, taken) = (acked.clone(), images.clone());
    node.disk().at_every_sync(move |point, image| {
        // The last image before an acknowledgement counts: what was acked is read when it is taken.
        assert!(point.number > 0 && point.moment <= SyncMoment::Completed);
        taken.borrow_mut().push((seen.get(), image));
    });
    let count = acked.clone();
    node.start(vec![()], move |shard, ()| {
        let count = count.clone();
        async move {
            let file = create(&shard, log).await;
            let how = Open::read().write().create();
            let other = shard.disk().open(Path::new("/other"), how).await.expect("no fault");
            let width = if log == Log::Pipelined { 4 } else { 1 };
            for first in (0..RECORDS).step_by(width) {
                let in_flight: Vec<_> = (first..first + width as u64)
                    .map(|n| {
                        let (s, file, other) = (shard.clone(), file.clone(), other.clone());
                        let append = async move { append(&s, log, &file, &other, n).await };
                        (n, shard.spawn(TaskClass::Foreground, "append", append))
                    })
                    .collect();
                for (n, append) in in_flight {
                    append.await.expect("not aborted");
                    count.set(n + 1);
                }
            }
        }
    });
    let ended = world.run_until(Duration::from_secs(60), || !node.is_running());
    assert_eq!((ended, acked.get()), (Ended::Done, RECORDS));
    images.borrow_mut().push((acked.get(), node.disk().image()));
    let mut rng = world.random();
    let mut lost = 0;
    for (acked, image) in images.borrow().iter() {
        let cut = image.after_power_cut(&mut rng);
        lost += usize::from(!holds(&cut, *acked));
    }
    lost
}

/// Whether every acknowledged record is there, and nothing that was never written.
fn holds(image: &DiskImage, acked: u64) -> bool {
    let files = image.files();
    if !files.iter().any(|(path, _)| path == Path::new(LOG)) {
        return acked == 0;
    }
    // A sector that was being written may be unreadable: read block by block, as recovery does.
    let record = |n: u64| {
        let block = image.read_at(Path::new(LOG), n * BLOCK as u64, BLOCK)?;
        decode(&block)
    };
    (0..acked).all(|n| record(n) == Some(n))
        && (acked..BLOCKS).all(|n| record(n).is_none_or(|found| found == n))
}

#[test]
fn a_right_log_passes_every_seed() {
    for seed in 0..200 {
        for log in [Log::Right, Log::Pipelined] {
            assert_eq!(losses(log, seed), 0, "{log:?}, seed {seed}");
        }
    }
}

#[test]
fn a_log_that_is_wrong_in_one_place_is_caught() {
    for log in [
        Log::AckBeforeSync,
        Log::SyncBesideWrite,
        Log::SyncFs,
        Log::BorrowedFlush,
        Log::NameNotSynced,
        Log::RewritesInPlace,
    ] {
        let caught = (0..50).find(|seed| losses(log, *seed) > 0);
        assert!(caught.is_some(), "{log:?} passed 50 seeds");
    }
}

#[test]
fn what_recovery_finds_is_the_same_when_the_power_goes_during_recovery() {
    for seed in 0..30 {
        let world = World::new(seed, Options::default());
        let node = world.node("a");
        let acked = Rc::new(Cell::new(0));
        let count = acked.clone();
        node.start(vec![()], move |shard, ()| {
            let count = count.clone();
            async move {
                let file = create(&shard, Log::Right).await;
                for n in 0..RECORDS {
                    append(&shard, Log::Right, &file, &file, n).await;
                    count.set(n + 1);
                }
            }
        });
        let wanted = 1 + seed % RECORDS;
        world.run_until(Duration::from_secs(60), || acked.get() == wanted);
        node.cut_power();
        for _ in 0..3 {
            let found = Rc::new(Cell::new(0));
            let result = found.clone();
            node.start(vec![()], move |shard, ()| {
                let result = result.clone();
                async move { result.set(recover(&shard).await) }
            });
            world.run_until(Duration::from_millis(seed * 2), || !node.is_running());
            node.cut_power();
            assert!(found.get() == 0 || found.get() >= wanted, "seed {seed}: {}", found.get());
        }
        assert!(holds(&node.disk().image(), wanted), "seed {seed}");
    }
}

/// Counts the records from the first on, and syncs what it found before it believes it.
async fn recover(shard: &Shard) -> u64 {
    let how = Open::read().write().direct();
    let file = shard.disk().open(Path::new(LOG), how).await.expect("its name was synced");
    let mut count = 0;
    loop {
        let (got, block) = file.read(Buffer::aligned(BLOCK), count * BLOCK as u64).await;
        if got.is_err() || decode(&block) != Some(count) {
            break;
        }
        count += 1;
    }
    file.sync_data().await.expect("no fault was planned");
    count
}
