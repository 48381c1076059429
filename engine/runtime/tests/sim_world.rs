//! That the simulated world is what it says: one seed one run, honest ends, real streams.
#![cfg(feature = "sim")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use runtime::sim::{DurableWrite, Ended, Fault, Node, OpKind, Options, World};
use runtime::{Buffer, Level, Open, Shard, TaskClass};

const MINUTE: Duration = Duration::from_secs(60);

fn world(seed: u64) -> World {
    World::new(seed, Options::default())
}

/// Runs until every one of the nodes has ended by itself.
fn run_to_the_end(world: &World, nodes: &[&Node]) {
    let ended = world.run_until(MINUTE, || nodes.iter().all(|node| !node.is_running()));
    assert_eq!(ended, Ended::Done, "{:#?}", world.log_lines());
}

/// Serves every connection of one port: what comes in goes out.
async fn serve_echo(shard: Shard) {
    let (net, at) = (shard.net(), ([0, 0, 0, 0], 7).into());
    let listener = net.listen(at).or_else(|_| net.listen_beside(at)).expect("a free port");
    loop {
        let (socket, _) = listener.accept().await.expect("no fault was planned");
        shard
            .spawn(TaskClass::Foreground, "echo", async move {
                loop {
                    match socket.recv_pooled().await {
                        Ok(bytes) if bytes.is_empty() => return,
                        Ok(bytes) => {
                            if socket.send(bytes).await.is_err() {
                                return;
                            }
                        }
                        Err(_) => return,
                    }
                }
            })
            .detach();
    }
}

/// Sends and receives `rounds` messages and looks at every byte.
async fn ask_echo(shard: Shard, server: Node, rounds: usize) -> io::Result<()> {
    let socket = shard.net().connect(server.address(7)).await?;
    for round in 0..rounds {
        let message: Vec<u8> = (0..1000).map(|i| (i * 7 + round) as u8).collect();
        socket.send(message.clone().into()).await?;
        let mut got = Vec::new();
        while got.len() < message.len() {
            let (count, buf) = socket.recv(Buffer::with_capacity(message.len() - got.len())).await;
            got.extend_from_slice(&buf[..count?]);
        }
        assert_eq!(got, message);
        shard.sleep(Duration::from_millis(shard.random_u64() % 10)).await;
    }
    Ok(())
}

fn echo_run(seed: u64) -> u64 {
    let world = world(seed);
    let (server, client) = (world.node("server"), world.node("client"));
    server.start(vec![(); 2], |shard, ()| serve_echo(shard));
    let peer = server.clone();
    client.start(vec![(); 3], move |shard, ()| {
        let peer = peer.clone();
        async move {
            shard.sleep(Duration::from_millis(1)).await;
            let asked: Vec<_> = (0..3)
                .map(|_| {
                    let f = ask_echo(shard.clone(), peer.clone(), 10);
                    shard.spawn(TaskClass::Foreground, "asker", f)
                })
                .collect();
            for asker in asked {
                asker.await.expect("not aborted").expect("the server answers");
            }
        }
    });
    run_to_the_end(&world, &[&client]);
    world.trace()
}

#[test]
fn one_seed_is_one_run_and_another_seed_is_another() {
    let mut traces = BTreeSet::new();
    for seed in 0..40 {
        let trace = echo_run(seed);
        assert_eq!(trace, echo_run(seed), "seed {seed} went two ways");
        traces.insert(trace);
    }
    assert_eq!(traces.len(), 40);
}

#[test]
fn a_world_in_which_nothing_will_happen_names_who_waits() {
    let world = world(1);
    let node = world.node("a");
    node.start(vec![()], |shard, ()| async move {
        let listener = shard.net().listen(([0, 0, 0, 0], 9).into()).expect("a free port");
        let task = shard.spawn(TaskClass::Background, "waits for ever", async move {
            listener.accept().await.map(drop)
        });
        task.await.expect("not aborted").expect("nobody comes");
    });
    let Ended::Stuck(waiting) = world.run_until(MINUTE, || false) else {
        panic!("a wait without end was not seen");
    };
    assert_eq!(waiting, ["a, shard 0: main", "a, shard 0: waits for ever"]);
}

#[test]
fn a_task_that_never_waits_cannot_stop_the_clock() {
    let world = world(1);
    world.node("a").start(vec![()], |shard, ()| async move {
        let end = shard.now() + Duration::from_millis(1);
        while shard.now() < end {
            shard.yield_now().await;
        }
    });
    run_to_the_end(&world, &[&world.node("a")]);
}

#[test]
fn sleep_costs_no_real_time_and_ends_in_time() {
    let world = world(2);
    let slept = Rc::new(Cell::new(Duration::ZERO));
    let result = slept.clone();
    world.node("a").start(vec![()], move |shard, ()| {
        let result = result.clone();
        async move {
            let (began, wall) = (shard.now(), shard.wall_ms());
            shard.sleep(Duration::from_secs(3600)).await;
            result.set(shard.now() - began);
            assert!((3_600_000..3_600_010).contains(&(shard.wall_ms() - wall)));
        }
    });
    let ended = world.run_until(2 * 60 * MINUTE, || slept.get() > Duration::ZERO);
    assert_eq!(ended, Ended::Done);
    assert!((3600.0..3600.01).contains(&slept.get().as_secs_f64()));
}

#[test]
fn a_wall_clock_may_be_set_and_the_monotonic_one_goes_on() {
    let world = world(2);
    let node = world.node("a");
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    node.start(vec![()], move |shard, ()| {
        let log = log.clone();
        async move {
            loop {
                log.borrow_mut().push((shard.wall_ms(), shard.now()));
                shard.sleep(Duration::from_secs(1)).await;
            }
        }
    });
    world.run_for(Duration::from_secs(5));
    node.set_wall_offset(-3_600_000);
    world.run_for(Duration::from_secs(5));
    let seen = seen.borrow();
    assert!(seen.is_sorted_by_key(|(_, now)| *now));
    assert!(seen[seen.len() - 1].0 < seen[0].0);
}

#[test]
fn a_fatal_error_stops_the_node_and_keeps_the_reason() {
    let world = world(3);
    let (node, other) = (world.node("a"), world.node("b"));
    let dropped = Rc::new(Cell::new(0));
    let count = dropped.clone();
    node.start(vec![0, 1], move |shard, index| {
        let guard = Counted(count.clone());
        async move {
            let _guard = guard;
            shard.sleep(Duration::from_millis(5)).await;
            if index == 1 {
                shard.fatal(&"the disk is gone");
            }
            shard.sleep(MINUTE).await;
        }
    });
    other.start(vec![()], |shard, ()| async move { shard.sleep(Duration::from_secs(1)).await });
    run_to_the_end(&world, &[&node, &other]);
    assert_eq!(node.fatal_reason().as_deref(), Some("the disk is gone"));
    assert_eq!((other.fatal_reason(), dropped.get()), (None, 2));
}

struct Counted(Rc<Cell<u32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
fn a_world_that_goes_takes_its_tasks_with_it() {
    let dropped = Rc::new(Cell::new(0));
    {
        let world = world(3);
        let guard = dropped.clone();
        let (node, other) = (world.node("a"), world.node("b"));
        let peer = other.clone();
        node.start(vec![()], move |shard, ()| {
            let (guard, peer) = (Counted(guard.clone()), peer.clone());
            async move {
                let _guard = guard;
                let _ = shard.net().connect(peer.address(1)).await;
                shard.sleep(MINUTE).await;
            }
        });
        world.run_for(Duration::from_secs(1));
        assert!(node.is_running() && dropped.get() == 0);
    }
    assert_eq!(dropped.get(), 1);
}

#[test]
fn a_graceful_stop_lets_the_tasks_finish() {
    let world = world(4);
    let node = world.node("a");
    node.start(vec![(); 2], |shard, ()| async move {
        shard.shutdown_requested().await;
        let file = open_new(&shard, &format!("/{}", shard.id().0)).await;
        file.write_durably(block(1), 0).await.expect("no fault was planned");
        shard.disk().sync_dir(Path::new("/")).await.expect("no fault was planned");
        shard.log(Level::Info, format_args!("stopped"));
    });
    world.run_for(Duration::from_secs(1));
    assert!(node.is_running());
    node.request_shutdown();
    run_to_the_end(&world, &[&node]);
    let files: Vec<u64> = node.disk().files().iter().map(|(_, size)| *size).collect();
    assert_eq!(files, [4096, 4096]);
    let lines = world.log_lines();
    assert_eq!(lines.iter().filter(|l| l.ends_with("stopped")).count(), 2, "{lines:?}");
}

fn block(value: u8) -> runtime::Lease {
    let mut buf = Buffer::aligned(4096);
    buf.fill(value);
    buf.freeze()
}

async fn open_new(shard: &Shard, path: &str) -> runtime::File {
    let how = Open::read().write().create().direct();
    shard.disk().open(Path::new(path), how).await.expect("no fault was planned")
}

/// Writes rising numbers to `/log`, one block each, and tells which writes completed.
fn start_writer(node: &Node, completed: &Rc<Cell<u8>>) {
    let completed = completed.clone();
    node.start(vec![()], move |shard, ()| {
        let completed = completed.clone();
        async move {
            let file = open_new(&shard, "/log").await;
            for value in 1..=100 {
                file.write(block(value), u64::from(value - 1) * 4096).await.expect("no fault");
                completed.set(value);
            }
        }
    });
}

#[test]
fn after_a_kill_completed_writes_stay_and_one_in_flight_may_land() {
    let (mut landed, mut gone) = (0, 0);
    for seed in 0..200 {
        let world = world(seed);
        let (node, completed) = (world.node("a"), Rc::new(Cell::new(0)));
        start_writer(&node, &completed);
        world.run_until(MINUTE, || completed.get() == 10);
        world.run_for(Duration::from_micros(seed % 100));
        let at_kill = usize::from(completed.get());
        node.kill();
        world.run_for(Duration::from_secs(1));
        let bytes = node.disk().read(Path::new("/log")).expect("the file is there");
        let blocks: Vec<u8> = bytes.chunks(4096).map(|b| b[0]).collect();
        let want: Vec<u8> = (1..=blocks.len() as u8).collect();
        assert_eq!(blocks, want, "seed {seed}");
        match blocks.len() - at_kill {
            0 => gone += 1,
            1 => landed += 1,
            more => panic!("seed {seed}: {more} writes landed, one was in flight"),
        }
    }
    assert!(landed > 20 && gone > 20, "{landed} landed, {gone} did not");
}

#[test]
fn only_a_start_that_ignores_the_lock_meets_writes_of_the_killed_process() {
    let overwritten = |start| (0..300).filter(|seed| old_write_lands_on_new(*seed, start)).count();
    assert_eq!(overwritten(Start::WithLock), 0);
    assert!(overwritten(Start::WithoutLock) > 0);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    WithLock,
    WithoutLock,
}

/// Kills a process with a write in flight; the next one writes to the same place.
fn old_write_lands_on_new(seed: u64, start: Start) -> bool {
    let world = world(seed);
    let node = world.node("a");
    node.start(vec![()], |shard, ()| async move {
        let file = open_new(&shard, "/log").await;
        let _ = file.write(block(1), 0).await;
        shard.sleep(MINUTE).await;
    });
    world.run_for(Duration::from_micros(1_000));
    node.kill();
    let second = |shard: Shard, ()| async move {
        let file = open_new(&shard, "/log").await;
        file.write(block(2), 0).await.expect("no fault was planned");
    };
    if start == Start::WithLock {
        node.start(vec![()], second);
    } else {
        node.start_without_lock(vec![()], second);
    }
    run_to_the_end(&world, &[&node]);
    world.run_for(Duration::from_secs(1));
    node.disk().read(Path::new("/log")).expect("the file is there")[0] != 2
}

#[test]
fn a_killed_servers_clients_see_the_end_and_refusal_a_powerless_ones_see_nothing() {
    for seed in 0..20 {
        for power in ["on", "off"] {
            let world = world(seed);
            let (server, client) = (world.node("server"), world.node("client"));
            server.start(vec![()], |shard, ()| serve_echo(shard));
            let (seen, result) = (Rc::new(RefCell::new(None)), Rc::new(RefCell::new(None)));
            let (peer, first, second) = (server.clone(), seen.clone(), result.clone());
            client.start(vec![()], move |shard, ()| {
                let (peer, first, second) = (peer.clone(), first.clone(), second.clone());
                async move {
                    shard.sleep(Duration::from_millis(1)).await;
                    let socket = shard.net().connect(peer.address(7)).await.expect("it listens");
                    let wait = shard.timeout(Duration::from_secs(20), socket.recv_pooled());
                    *first.borrow_mut() = Some(wait.await.map(|r| r.map(|b| b.len())).ok());
                    let again = shard.net().connect(peer.address(7)).await;
                    *second.borrow_mut() = Some(again.map(drop).map_err(|e| e.kind()));
                }
            });
            world.run_for(Duration::from_millis(100));
            if power == "on" {
                server.kill()
            } else {
                server.cut_power()
            }
            run_to_the_end(&world, &[&client]);
            let (seen, result) = (seen.take().expect("set"), result.take().expect("set"));
            if power == "on" {
                assert!(matches!(seen, Some(Ok(0))), "{seen:?}");
                assert_eq!(result, Err(io::ErrorKind::ConnectionRefused));
            } else {
                assert!(seen.is_none(), "{seen:?}");
                assert_eq!(result, Err(io::ErrorKind::TimedOut));
            }
        }
    }
}

#[test]
fn a_machine_that_came_back_resets_connections_it_does_not_know() {
    let world = world(5);
    let (server, client) = (world.node("server"), world.node("client"));
    server.start(vec![()], |shard, ()| serve_echo(shard));
    let (peer, seen) = (server.clone(), Rc::new(RefCell::new(None)));
    let result = seen.clone();
    client.start(vec![()], move |shard, ()| {
        let (peer, result) = (peer.clone(), result.clone());
        async move {
            shard.sleep(Duration::from_millis(1)).await;
            let socket = shard.net().connect(peer.address(7)).await.expect("it listens");
            shard.sleep(Duration::from_secs(2)).await;
            socket.send(vec![1].into()).await.expect("nobody knows yet");
            let got = socket.recv_pooled().await;
            *result.borrow_mut() = Some(got.map(|b| b.len()).map_err(|e| e.kind()));
        }
    });
    world.run_for(Duration::from_secs(1));
    server.cut_power();
    server.start(vec![()], |shard, ()| serve_echo(shard));
    run_to_the_end(&world, &[&client]);
    assert_eq!(seen.take(), Some(Err(io::ErrorKind::ConnectionReset)));
}

#[test]
fn a_blocked_link_holds_bytes_back_and_loses_none() {
    let world = world(6);
    let (server, client) = (world.node("server"), world.node("client"));
    server.start(vec![()], |shard, ()| serve_echo(shard));
    let peer = server.clone();
    client.start(vec![()], move |shard, ()| {
        let peer = peer.clone();
        async move {
            shard.sleep(Duration::from_millis(1)).await;
            ask_echo(shard, peer, 200).await.expect("the server answers");
        }
    });
    world.run_for(Duration::from_millis(50));
    world.block(&server, &client);
    assert!(world.run_until(MINUTE, || !client.is_running()) != Ended::Done);
    world.unblock_all();
    run_to_the_end(&world, &[&client]);
}

#[test]
fn planned_faults_reach_the_operation_and_no_other() {
    let world = world(7);
    let node = world.node("a");
    node.disk().fail_nth(Fault::Sync, 2);
    node.disk().fail_nth(Fault::Write, 4);
    node.disk().fail_nth(Fault::ShortWrite, 5);
    node.disk().fail_next(Fault::Read);
    node.start(vec![()], |shard, ()| async move {
        let file = open_new(&shard, "/log").await;
        let mut results = Vec::new();
        for at in 0..6 {
            results.push(file.write_durably(block(1), at * 4096).await.is_ok());
        }
        assert_eq!(results, [true, false, true, false, false, true]);
        let (first, buf) = file.read(Buffer::aligned(4096), 0).await;
        let (second, _) = file.read(buf, 0).await;
        assert_eq!(first.map_err(|e| e.raw_os_error()), Err(Some(libc_eio())));
        assert_eq!(second.map_err(|e| e.kind()), Ok(4096));
    });
    run_to_the_end(&world, &[&node]);
}

/// Asks for everything that a disk can do besides reading and writing, once, in this order: the
/// error number of each.
async fn everything_once(shard: &Shard) -> Vec<Option<i32>> {
    let disk = shard.disk();
    let (one, two) = (Path::new("/dir/one"), Path::new("/dir/two"));
    let (dir, root) = (Path::new("/dir"), Path::new("/"));
    let file = open_new(shard, "/file").await;
    let made = disk.create_dir(dir).await;
    let opened = disk.open(one, Open::read().write().create()).await.map(drop);
    let results = [
        made,
        opened,
        file.allocate(0, 4096).await,
        file.truncate(8192).await,
        file.sync_all().await,
        disk.rename(one, two).await,
        disk.list(root).await.map(drop),
        disk.free_space(root).await.map(drop),
        disk.remove_file(two).await,
        disk.remove_dir(dir).await,
    ];
    results.into_iter().map(|result| result.err().and_then(|e| e.raw_os_error())).collect()
}

#[test]
fn a_planned_error_is_that_operations_result_and_its_effect_is_missing() {
    const ENOENT: i32 = 2;
    const ENFILE: i32 = 23;
    const ENOTEMPTY: i32 = 39;
    let (none, planned) = (None, Some(ENFILE));
    let gone = Some(ENOENT);
    let cases = [
        (OpKind::MakeDir, 1, [planned, gone, none, none, none, gone, none, none, gone, gone]),
        (OpKind::Open, 2, [none, planned, none, none, none, gone, none, none, gone, none]),
        (OpKind::Allocate, 1, [none, none, planned, none, none, none, none, none, none, none]),
        (OpKind::Truncate, 1, [none, none, none, planned, none, none, none, none, none, none]),
        (OpKind::Sync, 1, [none, none, none, none, planned, none, none, none, none, none]),
        (
            OpKind::Rename,
            1,
            [none, none, none, none, none, planned, none, none, gone, Some(ENOTEMPTY)],
        ),
        (OpKind::List, 1, [none, none, none, none, none, none, planned, none, none, none]),
        (OpKind::FreeSpace, 1, [none, none, none, none, none, none, none, planned, none, none]),
        (
            OpKind::RemoveFile,
            1,
            [none, none, none, none, none, none, none, none, planned, Some(ENOTEMPTY)],
        ),
        (OpKind::RemoveDir, 1, [none, none, none, none, none, none, none, none, none, planned]),
    ];
    for (kind, nth, want) in cases {
        let world = world(17);
        let node = world.node("a");
        node.disk().fail_nth(Fault::Op(kind, ENFILE), nth);
        node.start(vec![()], move |shard, ()| async move {
            assert_eq!(everything_once(&shard).await, want, "{kind:?}");
        });
        run_to_the_end(&world, &[&node]);
    }
}

#[test]
fn a_read_that_comes_in_parts_is_whole_and_each_part_may_fail() {
    const LEN: usize = 10 * 4096;
    let options = Options { short_transfers: 256, ..Options::default() };
    let mut parts = BTreeSet::new();
    for seed in 0..40 {
        let world = World::new(seed, options.clone());
        let node = world.node("a");
        let disk = node.disk();
        let failed = Rc::new(Cell::new(0));
        let count = failed.clone();
        node.start(vec![()], move |shard, ()| {
            let (disk, count) = (disk.clone(), count.clone());
            async move {
                let content: Vec<u8> = (0..LEN).map(|at| (at / 7) as u8).collect();
                let file = open_new(&shard, "/log").await;
                let mut buf = Buffer::aligned(LEN);
                buf.copy_from_slice(&content);
                file.write(buf.freeze(), 0).await.expect("no fault was planned");
                let how = Open::read();
                let cached = shard.disk().open(Path::new("/log"), how).await.expect("there");
                for position in [0, 100, 4095, 4096, 5000] {
                    let (got, buf) = cached.read(Buffer::plain(LEN), position as u64).await;
                    assert_eq!(got.expect("no fault"), LEN - position);
                    assert_eq!(buf[..LEN - position], content[position..]);
                }
                // The fault that finds a part counts how many there were before it.
                for nth in 1.. {
                    disk.fail_nth(Fault::Read, nth);
                    let (got, buf) = file.read(Buffer::aligned(LEN), 0).await;
                    if got.is_err() {
                        count.set(nth);
                        continue;
                    }
                    assert_eq!(buf[..], content);
                    break;
                }
            }
        });
        run_to_the_end(&world, &[&node]);
        parts.insert(failed.get());
    }
    assert!(parts.len() > 2, "reads came in {parts:?} parts");
}

#[test]
fn what_is_cancelled_happened_or_did_not_by_lot() {
    for what in ["open", "rename", "remove", "make"] {
        let (mut happened, mut did_not) = (0, 0);
        for seed in 0..60 {
            let world = world(seed);
            let node = world.node("a");
            let after = Rc::new(Cell::new(false));
            let result = after.clone();
            node.start(vec![()], move |shard, ()| {
                let result = result.clone();
                async move {
                    let (old, new) = (Path::new("/old"), Path::new("/new"));
                    open_new(&shard, "/old").await;
                    let disk = shard.disk();
                    let within = Duration::from_micros(1);
                    let late = match what {
                        "open" => {
                            let open = disk.open(new, Open::read().write().create());
                            shard.timeout(within, open).await.map(drop).is_err()
                        }
                        "rename" => shard.timeout(within, disk.rename(old, new)).await.is_err(),
                        "remove" => shard.timeout(within, disk.remove_file(old)).await.is_err(),
                        _ => shard.timeout(within, disk.create_dir(new)).await.is_err(),
                    };
                    assert!(late, "an operation takes longer than that");
                    shard.sleep(Duration::from_secs(1)).await;
                    let names = disk.list(Path::new("/")).await.expect("no fault was planned");
                    let names: Vec<&str> = names.iter().map(|e| e.name.as_str()).collect();
                    result.set(names != ["old"]);
                }
            });
            run_to_the_end(&world, &[&node]);
            happened += usize::from(after.get());
            did_not += usize::from(!after.get());
        }
        assert!(happened > 10 && did_not > 10, "{what}: {happened} did, {did_not} did not");
    }
}

#[test]
fn after_a_failed_sync_of_everything_each_sync_tells_what_was_lost_and_what_was_not() {
    let (mut lost, mut strangers) = (0, 0);
    for seed in 0..100 {
        let world = world(seed);
        let node = world.node("a");
        node.disk().fail_next(Fault::Sync);
        let said = Rc::new(Cell::new([true; 2]));
        let result = said.clone();
        node.start(vec![()], move |shard, ()| {
            let result = result.clone();
            async move {
                let file = open_new(&shard, "/log").await;
                file.write(block(1), 0).await.expect("no fault was planned");
                let everything = shard.disk().sync_fs(Path::new("/")).await;
                assert_eq!(everything.map_err(|e| e.raw_os_error()), Err(Some(libc_eio())));
                shard.disk().sync_fs(Path::new("/")).await.expect("it was said once");
                let (data, name) = (file.sync_all(), shard.disk().sync_dir(Path::new("/")));
                result.set([data.await.is_ok(), name.await.is_ok()]);
            }
        });
        run_to_the_end(&world, &[&node]);
        node.cut_power();
        let survived = node.disk().read(Path::new("/log")).is_some_and(|bytes| bytes.len() == 4096);
        assert!(survived || said.get() == [false; 2], "seed {seed}: {:?}", said.get());
        lost += usize::from(!survived);
        strangers += usize::from(said.get() == [true; 2]);
    }
    assert!(lost > 10 && strangers > 10, "{lost} lost, {strangers} met a stranger's error");
}

/// Whether a durable write left a write that had completed before it to the power cut.
fn leaves_a_neighbour_behind(seed: u64, durable_write: Option<DurableWrite>) -> bool {
    let world = World::new(seed, Options { durable_write, ..Options::default() });
    let node = world.node("a");
    node.start(vec![()], |shard, ()| async move {
        let file = open_new(&shard, "/log").await;
        file.write(block(1), 0).await.expect("no fault was planned");
        file.sync_all().await.expect("no fault was planned");
        shard.disk().sync_dir(Path::new("/")).await.expect("no fault was planned");
        file.write(block(2), 0).await.expect("no fault was planned");
        file.write_durably(block(3), 4096).await.expect("no fault was planned");
    });
    run_to_the_end(&world, &[&node]);
    let (image, mut rng) = (node.disk().image(), world.random());
    (0..40).any(|_| {
        let cut = image.after_power_cut(&mut rng);
        let bytes = cut.read(Path::new("/log")).expect("its name was synced");
        assert!(bytes[4096..].iter().all(|byte| *byte == 3), "seed {seed}: it is durable");
        bytes[..4096].contains(&1)
    })
}

#[test]
fn a_seed_draws_whether_a_durable_write_flushes_the_device() {
    for seed in 0..20 {
        assert!(!leaves_a_neighbour_behind(seed, Some(DurableWrite::Flush)), "seed {seed}");
        assert!(leaves_a_neighbour_behind(seed, Some(DurableWrite::Fua)), "seed {seed}");
    }
    let fua = (0..20).filter(|seed| leaves_a_neighbour_behind(*seed, None)).count();
    assert!((5..=15).contains(&fua), "{fua} of 20 worlds have FUA");
}

#[test]
fn a_lost_write_and_a_misdirected_one_claim_success() {
    let world = world(7);
    let node = world.node("a");
    node.disk().fail_nth(Fault::LostWrite, 3);
    node.disk().fail_nth(Fault::MisdirectedWrite, 5);
    node.start(vec![()], |shard, ()| async move {
        let file = open_new(&shard, "/log").await;
        for value in 1..=6 {
            let position = u64::from(value - 1) * 4096;
            file.write_durably(block(value), position).await.expect("that is what they claim");
        }
    });
    run_to_the_end(&world, &[&node]);
    let bytes = node.disk().read(Path::new("/log")).expect("the file is there");
    let blocks: Vec<u8> = bytes.chunks(4096).map(|b| b[0]).collect();
    assert_eq!(blocks, [1, 2, 0, 5, 0, 6]);
}

fn libc_eio() -> i32 {
    5
}

#[test]
fn a_misaligned_direct_write_is_named() {
    let world = world(8);
    world.node("a").start(vec![()], |shard, ()| async move {
        let file = open_new(&shard, "/log").await;
        let _ = file.write(block(1).slice(0..512), 0).await;
    });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        world.run_for(MINUTE);
    }));
    let panic = caught.expect_err("misaligned I/O went through");
    let text = panic.downcast_ref::<String>().expect("a formatted message");
    assert!(text.contains("/log") && text.contains("multiples of 4096"), "{text}");
}

#[test]
fn files_travel_through_pipes_whole_and_short_files_are_an_error() {
    let world = world(9);
    let (server, client) = (world.node("server"), world.node("client"));
    let content: Vec<u8> = (0..300_000u32).map(|i| (i / 7) as u8).collect();
    let sent = content.clone();
    server.start(vec![()], move |shard, ()| {
        let sent = sent.clone();
        async move {
            let how = Open::read().write().create();
            let file = shard.disk().open(Path::new("/segment"), how).await.expect("no fault");
            file.write(sent.into(), 0).await.expect("no fault");
            let listener = shard.net().listen(([0, 0, 0, 0], 7).into()).expect("a free port");
            let (socket, _) = listener.accept().await.expect("no fault");
            let shared = file.share();
            socket.send_file(&shared, 1_000, 299_000).await.expect("it is long enough");
            let short = socket.send_file(&shared, 0, 300_001).await;
            assert_eq!(short.map_err(|e| e.kind()), Err(io::ErrorKind::UnexpectedEof));
        }
    });
    let peer = server.clone();
    client.start(vec![()], move |shard, ()| {
        let (peer, content) = (peer.clone(), content.clone());
        async move {
            shard.sleep(Duration::from_secs(1)).await;
            let socket = shard.net().connect(peer.address(7)).await.expect("it listens");
            let mut got = Vec::new();
            loop {
                match socket.recv_pooled().await {
                    Ok(bytes) if bytes.is_empty() => break,
                    Ok(bytes) => got.extend_from_slice(&bytes),
                    Err(e) => panic!("{e}"),
                }
            }
            assert_eq!(got[..299_000], content[1_000..]);
            assert_eq!(got[299_000..], content);
        }
    });
    run_to_the_end(&world, &[&server, &client]);
}

#[test]
fn the_power_can_be_cut_at_every_sync_point_and_the_disk_starts_again() {
    let points = sync_points_of_a_run(None);
    assert!(points >= 9, "{points} points");
    for cut_at in 1..=points {
        assert_eq!(sync_points_of_a_run(Some(cut_at)), cut_at);
    }
}

/// Three synced writes; with the power cut at a sync point, from within the hook, if told so.
fn sync_points_of_a_run(cut_at: Option<u64>) -> u64 {
    let world = world(11);
    let node = world.node("a");
    let (acked, victim) = (Rc::new(Cell::new(0)), node.clone());
    node.disk().at_every_sync(move |point, _| {
        if Some(point.number) == cut_at {
            victim.cut_power();
        }
    });
    let count = acked.clone();
    node.start(vec![()], move |shard, ()| {
        let count = count.clone();
        async move {
            let file = open_new(&shard, "/log").await;
            shard.disk().sync_dir(Path::new("/")).await.expect("no fault");
            for value in 1..=3 {
                let position = u64::from(value - 1) * 4096;
                file.write_durably(block(value), position).await.expect("no fault");
                count.set(value);
            }
        }
    });
    run_to_the_end(&world, &[&node]);
    let points = node.disk().sync_points();
    let bytes = node.disk().read(Path::new("/log")).unwrap_or_default();
    for value in 1..=acked.get() {
        assert_eq!(bytes[usize::from(value - 1) * 4096], value, "cut at {cut_at:?}");
    }
    node.start(vec![()], |shard, ()| async move { drop(open_new(&shard, "/log").await) });
    run_to_the_end(&world, &[&node]);
    points
}

#[test]
fn an_image_of_one_world_starts_a_node_of_another() {
    let (first, second) = (world(1), world(2));
    let (old, new) = (first.node("a"), second.node("b"));
    start_writer(&old, &Rc::default());
    run_to_the_end(&first, &[&old]);
    new.disk().restore(&old.disk().image());
    new.start(vec![()], |shard, ()| async move {
        let file = open_new(&shard, "/log").await;
        let (got, bytes) = file.read(Buffer::aligned(4096), 99 * 4096).await;
        assert_eq!((got.expect("no fault"), bytes[0]), (4096, 100));
    });
    run_to_the_end(&second, &[&new]);
}

#[test]
fn a_full_disk_says_so_and_takes_what_fits_again_after_a_removal() {
    let world = world(12);
    let node = world.node("a");
    node.disk().set_capacity(10 * 4096);
    node.start(vec![()], |shard, ()| async move {
        let file = open_new(&shard, "/a").await;
        file.allocate(0, 8 * 4096).await.expect("it fits");
        let space = shard.disk().free_space(Path::new("/")).await.expect("no fault");
        assert_eq!((space.free_bytes, space.total_bytes), (2 * 4096, 10 * 4096));
        let other = open_new(&shard, "/b").await;
        let full = other.allocate(0, 4 * 4096).await;
        assert_eq!(full.map_err(|e| e.kind()), Err(io::ErrorKind::StorageFull));
        drop(file);
        shard.disk().remove_file(Path::new("/a")).await.expect("it is there");
        while other.allocate(0, 4 * 4096).await.is_err() {
            shard.sleep(Duration::from_millis(1)).await; // the file is still being closed
        }
    });
    run_to_the_end(&world, &[&node]);
}

#[test]
fn loopback_is_each_nodes_own() {
    let world = world(13);
    let (server, client) = (world.node("server"), world.node("client"));
    let local: std::net::SocketAddr = ([127, 0, 0, 1], 7).into();
    server.start(vec![()], move |shard, ()| async move {
        let listener = shard.net().listen(local).expect("a free port");
        let client = shard.net().connect(local).await.expect("it listens");
        let (_, peer) = listener.accept().await.expect("somebody came");
        assert!(peer.ip().is_loopback());
        shard.sleep(Duration::from_secs(1)).await;
        drop(client);
    });
    let address = server.address(7);
    client.start(vec![()], move |shard, ()| async move {
        shard.sleep(Duration::from_millis(10)).await;
        for target in [local, address] {
            let refused = shard.net().connect(target).await.map(drop).map_err(|e| e.kind());
            assert_eq!(refused, Err(io::ErrorKind::ConnectionRefused), "{target}");
        }
    });
    run_to_the_end(&world, &[&server, &client]);
}

#[test]
fn a_full_backlog_lets_nobody_in_and_a_late_accept_does() {
    for accepts_after_ms in [1_000_000, 2_000] {
        let options = Options { backlog: 2, ..Options::default() };
        let world = World::new(14, options);
        let (server, client) = (world.node("server"), world.node("client"));
        server.start(vec![()], move |shard, ()| async move {
            let listener = shard.net().listen(([0, 0, 0, 0], 7).into()).expect("a free port");
            shard.sleep(Duration::from_millis(accepts_after_ms)).await;
            let mut held = Vec::new();
            loop {
                held.push(listener.accept().await);
            }
        });
        let address = server.address(7);
        let connected = Rc::new(Cell::new(0));
        let count = connected.clone();
        client.start(vec![(); 3], move |shard, ()| {
            let count = count.clone();
            async move {
                shard.sleep(Duration::from_millis(1)).await;
                match shard.net().connect(address).await {
                    Ok(socket) => {
                        count.set(count.get() + 1);
                        let _ = socket.recv_pooled().await;
                    }
                    Err(e) => assert_eq!(e.kind(), io::ErrorKind::TimedOut),
                }
            }
        });
        world.run_for(Duration::from_secs(30));
        let want = if accepts_after_ms == 2_000 { 3 } else { 2 };
        assert_eq!(connected.get(), want, "accepts after {accepts_after_ms} ms");
    }
}

#[test]
fn a_reset_breaks_the_connections_of_two_nodes_and_no_others() {
    let world = world(15);
    let (server, victim, other) = (world.node("server"), world.node("victim"), world.node("other"));
    server.start(vec![()], |shard, ()| serve_echo(shard));
    let results = Rc::new(RefCell::new(Vec::new()));
    for node in [&victim, &other] {
        let (results, peer, name) = (results.clone(), server.clone(), node.name());
        node.start(vec![()], move |shard, ()| {
            let (results, peer, name) = (results.clone(), peer.clone(), name.clone());
            async move {
                shard.sleep(Duration::from_millis(1)).await;
                let result = ask_echo(shard, peer, 100).await;
                results.borrow_mut().push((name, result.map_err(|e| e.kind())));
            }
        });
    }
    world.run_for(Duration::from_millis(100));
    world.reset_connections(&victim, &server);
    run_to_the_end(&world, &[&victim, &other]);
    let mut results = results.take();
    results.sort_by(|a, b| a.0.cmp(&b.0));
    let broken = Err(io::ErrorKind::ConnectionReset);
    assert_eq!(results, [("other".into(), Ok(())), ("victim".into(), broken)]);
}

#[test]
fn a_limping_disk_takes_its_time() {
    let world = world(16);
    let node = world.node("a");
    node.disk().set_delay(1_000_000_000..1_000_000_001);
    node.start(vec![()], |shard, ()| async move {
        let began = shard.now();
        open_new(&shard, "/log").await;
        assert!(shard.now() - began >= Duration::from_secs(1));
    });
    run_to_the_end(&world, &[&node]);
}
