//! What waits for whom: sockets in their order, files in lanes, and how what waits is taken back.

use super::*;
use crate::bell::Letter;
use crate::start::eventfd;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A driver with nobody but the test to drive it.
struct Rig {
    posix: Posix,
    bell: Arc<Bell>,
    ended: BTreeMap<Key, i32>,
}

impl Rig {
    fn new(shard: u16) -> Rig {
        let bell = Bell::hang(Some(eventfd().expect("a descriptor")));
        let posix = Posix::new(ShardId(shard), &bell).expect("an epoll and threads");
        Rig { posix, bell, ended: BTreeMap::new() }
    }

    fn turn(&mut self, wait: Wait) {
        let mut done = Vec::new();
        let waits = wait != Wait::No && self.bell.lie_down();
        self.posix.turn(if waits { wait } else { Wait::No }, &mut done);
        self.bell.get_up();
        for letter in self.bell.answer().unwrap_or_default() {
            let Letter::Done(completion) = letter else { panic!("{letter:?}") };
            done.push(completion);
        }
        for Completion { key, result, .. } in done {
            assert_eq!(self.ended.insert(key, result), None, "{key:?} ends twice");
        }
    }

    /// How the operation ends.
    fn end_of(&mut self, key: u64) -> i32 {
        loop {
            if let Some(result) = self.ended.remove(&Key(key)) {
                return result;
            }
            self.turn(Wait::Forever);
        }
    }

    fn has_ended(&mut self, key: u64) -> bool {
        self.turn(Wait::No);
        self.ended.contains_key(&Key(key))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.bell.take_down();
    }
}

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("runtime-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn file(&self, name: &str) -> File {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false);
        file.open(self.0.join(name)).expect("a file")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the test's own folder");
    }
}

fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("a path without a zero byte")
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    (client, listener.accept().expect("one waits").0)
}

/// A pipe with a name blocks whoever opens one end of it until somebody opens the other.
#[test]
fn durable_writes_do_not_wait_behind_files_that_block_and_what_waits_can_be_cancelled() {
    let folder = Folder::new("lanes");
    let fifo = folder.0.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let (path, file) = (c_string(&fifo), folder.file("journal"));
    let fd = Fd::plain(file.as_raw_fd());
    let mut rig = Rig::new(900);
    let blocked = 1..=THREADS as u64; // more than one lane has
    for key in blocked.clone() {
        rig.posix.push(Key(key), Op::Open { path: path.as_ptr(), flags: libc::O_RDONLY });
    }
    let bytes = [7u8; 512];
    let write = |key| Op::WriteDurable {
        fd,
        memory: bytes.as_ptr(),
        len: 512,
        position: key * 512,
        fixed: None,
    };
    for key in 20..30 {
        rig.posix.push(Key(key), write(key - 20));
    }
    (20..30).for_each(|key| assert_eq!(rig.end_of(key), 512));
    assert_eq!(file.metadata().expect("it is open").len(), 5120);
    let (last, first) = (*blocked.end(), *blocked.start());
    assert!(blocked.clone().all(|key| !rig.has_ended(key)));
    rig.posix.push(Key::NOBODY, Op::Cancel { key: Key(last) });
    assert_eq!(rig.end_of(last), -libc::ECANCELED);
    // A thread is in the middle of this one, or this one too waits: it ends, in whichever way.
    rig.posix.push(Key::NOBODY, Op::Cancel { key: Key(first) });
    let writer = OpenOptions::new().write(true).open(&fifo).expect("there are readers");
    for key in first..last {
        match rig.end_of(key) {
            code if code == -libc::ECANCELED => assert_eq!(key, first),
            raw => assert_eq!(file_calls::perform(close(raw)), 0),
        }
    }
    drop(writer);
}

fn close(raw: i32) -> Op {
    Op::Close { fd: Fd::plain(raw), kind: CloseKind::MayBlock }
}

#[test]
fn receives_on_one_socket_are_served_in_their_order_and_a_cancelled_one_takes_no_byte() {
    let (mut client, server) = pair();
    let fd = Fd::plain(server.as_raw_fd());
    let mut rig = Rig::new(901);
    let mut memory = [[0u8; 1]; 4];
    for (key, memory) in (0..).zip(&mut memory) {
        let memory = memory.as_mut_ptr();
        rig.posix.push(Key(key), Op::Recv { fd, memory, len: 1 });
    }
    assert!((0..4).all(|key| !rig.has_ended(key)));
    rig.posix.push(Key::NOBODY, Op::Cancel { key: Key(1) });
    assert_eq!(rig.end_of(1), -libc::ECANCELED);
    client.write_all(b"ab").expect("it is open");
    assert_eq!((rig.end_of(0), rig.end_of(2)), (1, 1));
    assert!(!rig.has_ended(3));
    // Cancelled twice, or when it has ended: nothing.
    rig.posix.push(Key::NOBODY, Op::Cancel { key: Key(1) });
    rig.posix.push(Key::NOBODY, Op::Cancel { key: Key(2) });
    drop(client);
    assert_eq!(rig.end_of(3), 0);
    assert!(rig.ended.is_empty());
    assert_eq!(memory.concat(), [b'a', 0, b'b', 0]);
}

#[test]
fn each_side_of_a_socket_waits_for_itself() {
    let (client, server) = pair();
    let fd = Fd::plain(server.as_raw_fd());
    let mut rig = Rig::new(902);
    rig.posix.push(Key(1), Op::PollEnd { fd });
    rig.posix.push(Key(2), Op::RecvPooled { fd });
    rig.posix.push(Key(3), Op::PollWritable { fd });
    assert!(rig.end_of(3) > 0);
    (&client).write_all(b"x").expect("it is open");
    assert_eq!(rig.end_of(2), 1);
    assert!(!rig.has_ended(1), "it goes on sending");
    rig.posix.push(Key(4), Op::RecvPooled { fd });
    drop(client);
    assert_eq!(rig.end_of(4), 0);
    assert!(rig.end_of(1) > 0);
}

#[test]
fn a_descriptor_that_is_closed_leaves_nothing_to_the_next_of_its_number() {
    let mut rig = Rig::new(903);
    for key in 0..20 {
        let (client, server) = pair();
        let fd = Fd::plain(server.into_raw_fd());
        rig.posix.push(Key(3 * key), Op::RecvPooled { fd });
        assert!(!rig.has_ended(3 * key));
        (&client).write_all(b"x").expect("it is open");
        assert_eq!(rig.end_of(3 * key), 1);
        // Its edge may be in epoll's queue while it is closed.
        (&client).write_all(b"y").expect("it is open");
        rig.posix.push(Key(3 * key + 1), Op::Close { fd, kind: CloseKind::Quick });
        assert_eq!(rig.end_of(3 * key + 1), 0);
    }
    assert!(rig.ended.is_empty());
}

/// The threads of this process of that name.
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux says");
    let names =
        tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|found| found.trim_end().starts_with(name)).count()
}

/// A thread takes its name when it begins to run, and is listed for a moment after it was joined.
fn until_threads(name: &str, count: usize) {
    let began = calls::monotonic();
    while threads(name) != count {
        let waited = calls::monotonic().since(began);
        assert!(waited < Duration::from_secs(20), "{} threads, not {count}", threads(name));
        std::thread::yield_now();
    }
}

#[test]
fn the_threads_of_a_shard_end_with_it() {
    let rig = Rig::new(904);
    until_threads("shard-904-", THREADS);
    drop(rig);
    until_threads("shard-904-", 0);
}
