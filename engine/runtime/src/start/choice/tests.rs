//! Who gets which driver, also where a seccomp filter forbids what the runtime would like to call.
//!
//! A filter can't be taken off again, so its tests start this test binary once more, and there play
//! the child.

use super::*;
use crate::{Buffer, Lease, Open, Shard, ShardsWanted, Shutdown, StartError, run_shards};
use std::process::Command;
use std::time::Duration;

const CHILD: &str = "RINGMAIN_TEST_CHILD";

/// io_uring's three calls, on every architecture.
const RING_CALLS: [i64; 3] = [425, 426, 427];

/// The return values of a filter (`linux/seccomp.h`).
const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

const FILTER_MODE: libc::c_ulong = libc::SECCOMP_MODE_FILTER as libc::c_ulong;
const NONE: libc::c_ulong = 0;

/// Has these calls fail with `code`, for this thread and all that it will start.
fn forbid(calls: &[i64], code: i32) {
    have_answered(calls, ERRNO | code as u32);
}

/// Has these calls answered by a filter, for this thread and all that it will start.
fn have_answered(calls: &[i64], answer: u32) {
    let statement = |code: u32, jt: usize, k: u32| libc::sock_filter {
        code: code as u16,
        jt: u8::try_from(jt).expect("a short filter"),
        jf: 0,
        k,
    };
    let (load, ret) = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_RET | libc::BPF_K);
    let equals = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    // The number of the call is the first word of what a filter sees.
    let mut filter = vec![statement(load, 0, 0)];
    for (at, call) in calls.iter().enumerate() {
        // Over the other comparisons and the allowance.
        filter.push(statement(equals, calls.len() - at, *call as u32));
    }
    filter.push(statement(ret, 0, ALLOW));
    filter.push(statement(ret, 0, answer));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: takes numbers; the second call reads a program of ours, and how long it is.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as libc::c_ulong, NONE, NONE, NONE)
            | libc::prctl(libc::PR_SET_SECCOMP, FILTER_MODE, &raw const program)
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

/// Plays the test again in a process of its own; what that says on stderr.
fn in_child(test: &str) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this test's own file"));
    command.args(["--exact", &format!("start::choice::tests::{test}"), "--nocapture"]);
    let output = command.env(CHILD, "forbidden").output().expect("a child");
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{words}");
    words
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// A thread is listed for a moment after it was joined.
fn until_no_thread_is_called(beginning: &str) {
    let began = std::time::Instant::now();
    loop {
        let tasks = std::fs::read_dir("/proc/self/task").expect("Linux says").flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        let left: Vec<String> = names.filter(|name| name.starts_with(beginning)).collect();
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{left:?} outlive their shards");
        std::thread::yield_now();
    }
}

/// Two shards write a block durably and read it back.
fn run(driver: DriverWanted) -> Result<(), StartError> {
    let shards = ShardsWanted::Exactly(2);
    let config = RuntimeConfig { shards, driver, ..RuntimeConfig::default() };
    let main = |shard: Shard, ()| async move {
        let name = format!("runtime-forbidden-{}-{}", std::process::id(), shard.id().0);
        let path = std::env::temp_dir().join(name);
        let how = Open::read().write().create_new();
        let file = shard.disk().open(&path, how).await.expect("open");
        file.write_durably(Lease::from(vec![7; 5000]), 0).await.expect("a durable write");
        let (got, bytes) = file.read(Buffer::plain(5000), 0).await;
        assert_eq!(got.expect("read"), 5000);
        assert!(bytes.iter().all(|byte| *byte == 7));
        shard.sleep(Duration::from_micros(100)).await;
        shard.disk().remove_file(&path).await.expect("remove");
    };
    run_shards(config, Shutdown::new(), vec![(), ()], main)
}

#[test]
fn shards_start_without_io_uring_and_say_so_in_one_line() {
    if is_child() {
        forbid(&RING_CALLS, libc::EPERM);
        run(DriverWanted::Auto).expect("epoll is allowed");
        until_no_thread_is_called("shard-");
        return;
    }
    let words = in_child("shards_start_without_io_uring_and_say_so_in_one_line");
    let lines: Vec<&str> = words.lines().filter(|line| line.contains("io_uring")).collect();
    let [line] = lines[..] else { panic!("{words}") };
    for part in [" WARN  start Linux ", "no io_uring (Operation not permitted", "2 shards on epoll"]
    {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[test]
fn a_ring_that_may_be_made_but_not_used_is_no_ring() {
    if is_child() {
        forbid(&RING_CALLS[1..2], libc::EACCES);
        return run(DriverWanted::Auto).expect("epoll is allowed");
    }
    let words = in_child("a_ring_that_may_be_made_but_not_used_is_no_ring");
    assert!(words.contains("2 shards on epoll"), "{words}");
}

#[test]
fn who_wants_io_uring_alone_is_told_that_it_is_forbidden() {
    if is_child() {
        forbid(&RING_CALLS, libc::EPERM);
        let error = run(DriverWanted::Uring).expect_err("it is forbidden");
        assert!(matches!(error, StartError::Ring(_)));
        eprintln!("{error}");
        return;
    }
    let words = in_child("who_wants_io_uring_alone_is_told_that_it_is_forbidden");
    assert!(words.contains("the kernel gives no io_uring (Operation not permitted"), "{words}");
}

/// As systemd's `SystemCallFilter=` does where it is told no error.
#[test]
fn who_wants_epoll_alone_is_not_killed_by_who_kills_for_io_uring() {
    if is_child() {
        have_answered(&RING_CALLS, KILL_PROCESS);
        return run(DriverWanted::Posix).expect("epoll is allowed");
    }
    let words = in_child("who_wants_epoll_alone_is_not_killed_by_who_kills_for_io_uring");
    assert!(words.contains("2 shards on epoll as asked for"), "{words}");
}

/// Older profiles know neither of the calls that came last.
#[test]
fn older_calls_do_where_newer_ones_are_forbidden_too() {
    if is_child() {
        let newer = [RING_CALLS[0], libc::SYS_epoll_pwait2, libc::SYS_pwritev2];
        forbid(&newer, libc::ENOSYS);
        return run(DriverWanted::Auto).expect("epoll is allowed");
    }
    let words = in_child("older_calls_do_where_newer_ones_are_forbidden_too");
    assert!(words.contains("2 shards on epoll"), "{words}");
}

fn chosen(wanted: DriverWanted, ring: Result<(), i32>) -> &'static str {
    let config = RuntimeConfig { driver: wanted, ..RuntimeConfig::default() };
    match choose(&config, &KernelOffer::with_ring(ring)) {
        DriverConfig::Uring(_) => "uring",
        DriverConfig::Posix => "posix",
    }
}

#[test]
fn epoll_is_for_where_io_uring_is_forbidden_or_asked_not_to_be() {
    for denied in [libc::EPERM, libc::ENOSYS, libc::EACCES, libc::EINVAL] {
        assert_eq!(chosen(DriverWanted::Auto, Err(denied)), "posix");
        assert_eq!(chosen(DriverWanted::Uring, Err(denied)), "uring", "and fails there");
    }
    assert_eq!(chosen(DriverWanted::Auto, Ok(())), "uring");
    assert_eq!(chosen(DriverWanted::Posix, Ok(())), "posix");
}

#[test]
fn a_kernel_that_is_short_of_something_is_not_taken_for_one_that_forbids() {
    for short in [libc::ENOMEM, libc::EMFILE, libc::ENFILE] {
        assert_eq!(chosen(DriverWanted::Auto, Err(short)), "uring");
    }
}
