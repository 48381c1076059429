//! What only a real process can show: threads, signals, its end, and its silence.
//!
//! Tests that need a process of their own start this test binary again, for the one test on the one
//! driver, with `RINGMAIN_TEST_CHILD` set: there the test plays the child.

use super::run::say_why_a_shard_panics;
use super::sockets::drain;
use runtime::{
    Buffer, DirLock, DriverWanted, Lease, Level, LockError, Open, RuntimeConfig, Shard,
    ShardsWanted, Shutdown, Socket, TaskClass, run_shards,
};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

const CHILD: &str = "RINGMAIN_TEST_CHILD";

fn config(driver: DriverWanted, shards: u16) -> RuntimeConfig {
    say_why_a_shard_panics();
    RuntimeConfig { shards: ShardsWanted::Exactly(shards), driver, ..RuntimeConfig::default() }
}

/// Runs `main` on one shard.
fn run_one<F, Fut>(driver: DriverWanted, main: F)
where
    F: Fn(Shard) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    run_shards(config(driver, 1), Shutdown::new(), vec![()], move |shard, ()| main(shard))
        .expect("a shard starts here");
}

/// What the child is to know, if this is the child.
fn as_child() -> Option<String> {
    std::env::var(CHILD).ok()
}

fn start_child(driver: DriverWanted, test: &str, word: &str) -> Child {
    let module = match driver {
        DriverWanted::Posix => "real_posix",
        DriverWanted::Uring | DriverWanted::Auto => "real_uring",
    };
    let mut command = Command::new(std::env::current_exe().expect("this test's own file"));
    command.args(["--exact", &format!("{module}::{test}"), "--nocapture"]);
    command.env(CHILD, word).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("a child")
}

/// Its exit code (none if a signal ended it) and what it said on stderr.
fn end_of(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().expect("the child ends");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn scratch(name: &str) -> PathBuf {
    let name = format!("{name}-{}", std::process::id());
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// Waits for the child to say `ready` on its stdout.
fn until_ready(child: &mut Child) {
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("ready") {
        line.clear();
        let n = lines.read_line(&mut line).expect("the child speaks");
        assert!(n > 0, "the child ended early");
    }
    child.stdout = None;
    // What else it says must not block it.
    thread::spawn(move || lines.read_to_string(&mut String::new()));
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

pub fn a_panic_in_one_shard_ends_the_process(driver: DriverWanted) {
    if as_child().is_some() {
        let main = |shard: Shard, ()| async move {
            if shard.id().0 == 1 {
                panic!("this shard gives up");
            }
            std::future::pending::<()>().await;
        };
        run_shards(config(driver, 2), Shutdown::new(), vec![(), ()], main)
            .expect("shards start here");
        return;
    }
    let (code, words) =
        end_of(start_child(driver, "a_panic_in_one_shard_ends_the_process", "panic"));
    assert_ne!(code, Some(0), "{words}");
    assert!(words.contains("this shard gives up"), "{words}");
}

pub fn a_fatal_error_says_why_and_exits_with_70(driver: DriverWanted) {
    if as_child().is_some() {
        run_one(driver, |shard| async move { shard.fatal(&"the journal could not be synced") });
        return;
    }
    let (code, words) =
        end_of(start_child(driver, "a_fatal_error_says_why_and_exits_with_70", "fatal"));
    assert_eq!(code, Some(70), "{words}");
    assert!(words.contains("ERROR shard 0 fatal: the journal could not be synced"), "{words}");
}

/// More lines than a pipe and the queue before it hold.
fn say_much(shard: &Shard) {
    for number in 0..5_000 {
        shard.log(Level::Warn, format_args!("line {number} of a client that is turned away"));
    }
}

pub fn a_stderr_that_nobody_reads_stops_neither_a_shard_nor_its_end(driver: DriverWanted) {
    if as_child().is_some() {
        run_one(driver, |shard| async move {
            say_much(&shard);
            println!("ready");
            shard.fatal(&"the journal could not be synced");
        });
        return;
    }
    let test = "a_stderr_that_nobody_reads_stops_neither_a_shard_nor_its_end";
    let mut child = start_child(driver, test, "unread");
    until_ready(&mut child);
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("Linux says") {
            break status;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it still runs");
        thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(70));
}

pub fn the_last_words_find_a_place_behind_all_others(driver: DriverWanted) {
    if as_child().is_some() {
        run_one(driver, |shard| async move {
            say_much(&shard);
            println!("ready");
            shard.fatal(&"the journal could not be synced");
        });
        return;
    }
    let mut child = start_child(driver, "the_last_words_find_a_place_behind_all_others", "late");
    until_ready(&mut child);
    // So that the last line finds the queue full; any moment of the second that it waits will do.
    thread::sleep(Duration::from_millis(100));
    let (code, words) = end_of(child);
    assert_eq!(code, Some(70));
    let last = words.lines().next_back().expect("it spoke");
    assert!(last.ends_with("ERROR shard 0 fatal: the journal could not be synced"), "{last}");
    assert!(words.contains("lines are missing here"));
}

pub fn a_task_that_holds_its_shard_is_named(driver: DriverWanted) {
    if as_child().is_some() {
        run_one(driver, |shard| async move {
            let hog = shard.spawn(TaskClass::Background, "the-hog", async {
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(120) {}
            });
            hog.await.expect("not aborted");
        });
        return;
    }
    let (code, words) =
        end_of(start_child(driver, "a_task_that_holds_its_shard_is_named", "stall"));
    assert_eq!(code, Some(0), "{words}");
    let (_, held) =
        words.split_once("WARN  shard 0 task the-hog held the shard for ").expect(&words);
    let ms = held.split_once(" ms").and_then(|(ms, _)| ms.parse::<u64>().ok());
    assert!(ms.is_some_and(|ms| ms >= 120), "{words}");
}

pub fn a_second_sigterm_does_not_cut_a_graceful_end_short(driver: DriverWanted) {
    if let Some(signalled) = as_child() {
        run_one(driver, move |shard| {
            let signalled = PathBuf::from(&signalled);
            async move {
                println!("ready");
                shard.shutdown_requested().await;
                // A signal that comes after the shards' end ends the process as any other.
                while !signalled.exists() {
                    shard.sleep(Duration::from_millis(5)).await;
                }
                shard.log(Level::Info, format_args!("all is saved"));
            }
        });
        return;
    }
    let dir = scratch(&format!("term-{driver:?}"));
    let signalled = dir.join("signalled");
    let word = signalled.to_str().expect("a name in UTF-8");
    let test = "a_second_sigterm_does_not_cut_a_graceful_end_short";
    let mut child = start_child(driver, test, word);
    until_ready(&mut child);
    signal(&child, "-TERM");
    signal(&child, "-TERM");
    signal(&child, "-INT");
    fs::write(&signalled, "").expect("a file");
    let (code, words) = end_of(child);
    assert_eq!(code, Some(0), "{words}");
    assert!(
        words.contains("to end gracefully: ending") && words.contains("all is saved"),
        "{words}"
    );
    fs::remove_dir_all(&dir).expect("remove");
}

pub fn a_request_from_another_thread_reaches_all_who_wait_on_every_shard(driver: DriverWanted) {
    let shutdown = Shutdown::new();
    let (sender, ready) = channel();
    let asker = {
        let shutdown = shutdown.clone();
        thread::spawn(move || {
            (0..2).for_each(|_| ready.recv().expect("both shards start"));
            shutdown.request();
        })
    };
    let main = move |shard: Shard, sender: std::sync::mpsc::Sender<()>| async move {
        let wait = |_| {
            let waits = shard.clone();
            let wait = async move { waits.shutdown_requested().await };
            shard.spawn(TaskClass::Background, "waits", wait)
        };
        let waiting: Vec<_> = (0..50).map(wait).collect();
        let limit = Duration::from_millis(1);
        let early = shard.timeout(limit, shard.shutdown_requested()).await;
        assert!(early.is_err() && !shard.is_shutting_down(), "nobody asked yet");
        sender.send(()).expect("the asker listens");
        for task in waiting {
            task.await.expect("not aborted");
        }
        assert!(shard.is_shutting_down());
        shard.shutdown_requested().await; // one who comes late need not wait
    };
    run_shards(config(driver, 2), shutdown, vec![sender.clone(), sender], main)
        .expect("shards start");
    asker.join().expect("the asker does not panic");
}

pub fn every_shard_is_a_named_thread_on_a_core_of_its_own(driver: DriverWanted) {
    let (sender, seen) = channel();
    let main = |shard: Shard, sender: std::sync::mpsc::Sender<(u16, String, String)>| async move {
        let read = |file: &str| fs::read_to_string(format!("/proc/thread-self/{file}"));
        let status = read("status").expect("Linux says");
        let allowed = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:"));
        let allowed = allowed.expect("Linux says").trim().to_owned();
        let name = read("comm").expect("Linux says").trim().to_owned();
        sender.send((shard.id().0, name, allowed)).expect("the test listens");
    };
    let senders = vec![sender.clone(), sender];
    run_shards(config(driver, 2), Shutdown::new(), senders, main).expect("shards start here");
    let mut cores = BTreeSet::new();
    for (id, name, allowed) in seen.iter() {
        assert_eq!(name, format!("shard-{id}"));
        cores.insert(allowed.parse::<u32>().expect("one core"));
    }
    let most = usize::from(runtime::shard_count(ShardsWanted::Auto)).min(2);
    assert!(cores.len() >= most, "{cores:?}");
}

pub fn an_idle_shard_does_nothing_at_all(driver: DriverWanted) {
    let (sender, tid) = channel();
    let shutdown = Shutdown::new();
    let ending = shutdown.clone();
    let watcher = thread::spawn(move || {
        let tid: PathBuf = tid.recv().expect("the shard starts");
        // Nanoseconds on a CPU: any system call would add to them.
        let used = || {
            let text = fs::read_to_string(tid.join("schedstat")).expect("Linux says");
            text.split_whitespace().next().expect("three numbers").to_owned()
        };
        let mut last = used();
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(20));
            let now = used();
            if now == last {
                break; // it has come to rest
            }
            last = now;
        }
        let before = used();
        thread::sleep(Duration::from_millis(500));
        let after = used();
        ending.request();
        assert_eq!(before, after, "nanoseconds of an idle shard");
    });
    let main = |shard: Shard, sender: std::sync::mpsc::Sender<PathBuf>| async move {
        let listener = shard.net().listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("listen");
        let client = shard.net().connect(listener.local_addr()).await.expect("connect");
        let (server, _) = listener.accept().await.expect("accept");
        // A connection, a listener, a far timer and a finished helper job must not cost anything.
        shard.disk().free_space(Path::new("/")).await.expect("space");
        let (one, other) = (server.clone(), shard.clone());
        shard.spawn(TaskClass::Foreground, "idle", async move { one.recv_pooled().await }).detach();
        let sleep = async move { other.sleep(Duration::from_secs(3600)).await };
        shard.spawn(TaskClass::Background, "sleeps", sleep).detach();
        let me = fs::read_link("/proc/thread-self").expect("Linux says");
        sender.send(Path::new("/proc").join(me)).expect("the watcher listens");
        shard.shutdown_requested().await;
        drop((client, server));
    };
    run_shards(config(driver, 1), shutdown, vec![sender], main).expect("a shard starts here");
    watcher.join().expect("nothing was used");
}

/// Direct writes of the child, which never end: so many blocks at once.
const BLOCKS: u64 = 32;
const BLOCK: usize = 1 << 20;

/// Takes the directory's lock, gives it to the ring, and writes without end: at any moment nearly
/// all blocks are in flight.
fn write_for_ever(driver: DriverWanted, dir: PathBuf) {
    let lock = DirLock::acquire(&dir, Duration::ZERO, || {}).expect("nobody holds it");
    run_one(driver, move |shard| {
        let (lock, path) = (lock.clone(), dir.join("data"));
        async move {
            shard.hold(&lock).expect("the ring holds it");
            let how = Open::read().write().create().direct();
            let file = shard.disk().open(&path, how).await.expect("open");
            file.allocate(0, BLOCKS * BLOCK as u64).await.expect("allocate");
            for at in 0..BLOCKS {
                let file = file.clone();
                let write = async move {
                    for round in 0.. {
                        let mut block = Buffer::aligned(BLOCK);
                        block.fill(round as u8);
                        let position = at * BLOCK as u64;
                        file.write(block.freeze(), position).await.expect("write");
                        if (at, round) == (0, 3) {
                            println!("ready"); // whatever the disk's speed, it is busy now
                        }
                    }
                };
                shard.spawn(TaskClass::Foreground, "writer", write).detach();
            }
            std::future::pending::<()>().await;
        }
    });
}

/// The last byte of every block.
fn ends_of_blocks(dir: &Path) -> Vec<u8> {
    let file = fs::File::open(dir.join("data")).expect("the child made it");
    let end = |block: u64| {
        let mut byte = [0];
        file.read_exact_at(&mut byte, (block + 1) * BLOCK as u64 - 1).expect("it is allocated");
        byte[0]
    };
    (0..BLOCKS).map(end).collect()
}

pub fn the_lock_of_a_killed_process_is_free_when_its_writes_have_landed(driver: DriverWanted) {
    if let Some(dir) = as_child() {
        return write_for_ever(driver, PathBuf::from(dir));
    }
    let dir = scratch(&format!("lock-{driver:?}"));
    let word = dir.to_str().expect("a name in UTF-8");
    let test = "the_lock_of_a_killed_process_is_free_when_its_writes_have_landed";
    for _ in 0..3 {
        let mut child = start_child(driver, test, word);
        until_ready(&mut child);
        let mut waited = false;
        let killed = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            child.kill().expect("kill -9");
            child.wait().expect("it has ended");
        });
        let patience = Duration::from_secs(60);
        let lock = DirLock::acquire(&dir, patience, || waited = true);
        let lock = lock.expect("it is free in the end");
        assert!(waited, "the child held it");
        let first = ends_of_blocks(&dir);
        thread::sleep(Duration::from_millis(200));
        assert_eq!(first, ends_of_blocks(&dir), "a write landed after the lock was free");
        killed.join().expect("the child was killed");
        drop(lock);
    }
    fs::remove_dir_all(&dir).expect("remove");
}

/// Whoever came second used to wait without end.
#[test]
fn a_lock_that_stays_taken_is_not_waited_for_without_end() {
    let dir = scratch("lock-taken");
    let acquire = |patience_ms, waited: &mut bool| {
        DirLock::acquire(&dir, Duration::from_millis(patience_ms), || *waited = true)
    };
    let mut waited = false;
    let first = acquire(0, &mut waited).expect("nobody holds it");
    assert!(!waited);
    let second = acquire(30, &mut waited);
    assert!(waited && matches!(second, Err(LockError::InUse)), "{second:?}");
    drop(first);
    acquire(0, &mut waited).expect("it is free again");
    fs::remove_dir_all(&dir).expect("remove");
}

#[test]
fn more_shards_than_a_process_has_are_refused() {
    let main = |_: Shard, ()| async {};
    let many = run_shards(config(DriverWanted::Auto, 5000), Shutdown::new(), vec![(); 5000], main);
    let words = many.expect_err("too many").to_string();
    assert_eq!(words, "5000 shards are more than a process has: start at most 4096");
}

pub fn receives_that_find_no_pooled_memory_bring_their_own(driver: DriverWanted) {
    const CONNECTIONS: u8 = 50;
    let config = RuntimeConfig { receive_buffers: 2, ..config(driver, 1) };
    let main = |shard: Shard, ()| async move {
        let listener = shard.net().listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("listen");
        let (mut clients, mut received) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS {
            let client = shard.net().connect(listener.local_addr()).await.expect("connect");
            let (server, _) = listener.accept().await.expect("accept");
            clients.push(client);
            let drain = async move { drain(&server).await };
            received.push(shard.spawn(TaskClass::Foreground, "drain", drain));
        }
        // All at once: far more than two are there before the shard looks again.
        let send = |(client, number): (Socket, u8)| {
            let send = async move { client.send(Lease::from(vec![number; 9000])).await };
            shard.spawn(TaskClass::Foreground, "send", send)
        };
        let sends: Vec<_> = clients.into_iter().zip(0..).map(send).collect();
        for (number, (send, received)) in (0u8..).zip(sends.into_iter().zip(received)) {
            send.await.expect("not aborted").expect("send");
            assert_eq!(received.await.expect("not aborted"), vec![number; 9000]);
        }
    };
    run_shards(config, Shutdown::new(), vec![()], main).expect("a shard starts here");
}

#[test]
fn the_values_must_be_as_many_as_the_shards() {
    let main = |_: Shard, ()| async {};
    let error = run_shards(config(DriverWanted::Auto, 2), Shutdown::new(), vec![()], main)
        .expect_err("one is missing");
    assert_eq!(error.to_string(), "1 values to start 2 shards with: give one for each");
}
