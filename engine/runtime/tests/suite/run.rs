//! Runs a case on a world, with a limit after which it counts as stuck.

use runtime::{DriverWanted, Lease, Mesh, MeshLimits, MeshPort, Shard, SharedFile, Snapshot};
use std::io::{self, Write};
use std::net::IpAddr;
use std::panic;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// No case takes a hundredth of it on a machine of its own. On one that is busy, those that go from
/// shard to shard a thousand times wait for a core as often.
const LIMIT: Duration = Duration::from_secs(120);

/// What one shard of a case starts with.
pub struct Seat {
    /// An empty directory, the same for all shards of the case.
    pub dir: PathBuf,
    /// Where to listen.
    pub ip: IpAddr,
    /// The way to the other shards.
    pub port: MeshPort<Ask, Answer>,
}

/// What shards of a case ask each other.
pub enum Ask {
    Number(u64),
    Bytes(Lease),
    File(SharedFile),
    Value(Snapshot<String>),
    Nothing,
}

/// What they answer.
#[derive(Debug)]
pub enum Answer {
    Number(u64),
    Nothing,
}

impl Answer {
    pub fn number(self) -> u64 {
        match self {
            Answer::Number(n) => n,
            other => panic!("a number, not {other:?}"),
        }
    }
}

pub const LIMITS: MeshLimits = MeshLimits { produce: 2, fetch: 2, control: 1 };

pub fn on_kernel<F, Fut>(driver: DriverWanted, shards: u16, case: F)
where
    F: Fn(Shard, Seat) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + 'static,
{
    static CASES: AtomicU64 = AtomicU64::new(0);
    say_why_a_shard_panics();
    let number = CASES.fetch_add(1, Ordering::Relaxed);
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("suite-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory for the case");
    let ip = IpAddr::from([127, 0, 0, 1]);
    let config = runtime::RuntimeConfig {
        shards: runtime::ShardsWanted::Exactly(shards),
        driver,
        chunk_memory_bytes: 4 << 20,
        ..runtime::RuntimeConfig::default()
    };
    let main = move |shard: Shard, seat: Seat| {
        let case = case.clone();
        async move {
            let limited = shard.timeout(LIMIT, case(shard.clone(), seat)).await;
            let waiting = || shard.tasks().iter().map(|t| (t.name, t.polls)).collect::<Vec<_>>();
            limited.unwrap_or_else(|_| panic!("{} is stuck: {:?}", shard.id(), waiting()));
        }
    };
    runtime::run_shards(config, runtime::Shutdown::new(), seats(shards, &dir, ip), main)
        .expect("shards start here");
    std::fs::remove_dir_all(&dir).expect("the case's directory");
}

/// A panic on a shard's thread ends this process, and with it what the test harness has kept of its
/// words for a report. So they are said past the harness.
pub fn say_why_a_shard_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            match thread::current().name() {
                Some(name) if name.starts_with("shard-") => {
                    // What the macros write is kept. If this fails there is nobody to tell.
                    let _ = writeln!(io::stderr(), "{name}: {panic}");
                }
                _ => usual(panic),
            }
        }));
    });
}

#[cfg(feature = "sim")]
pub fn on_sim<F, Fut>(shards: u16, case: F)
where
    F: Fn(Shard, Seat) -> Fut + Clone + 'static,
    Fut: Future<Output = ()> + 'static,
{
    use runtime::sim::{Ended, Options, World};
    for seed in 1..=20 {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        let seats = seats(shards, &PathBuf::from("/case"), node.ip());
        let case = case.clone();
        node.start(seats, move |shard, seat| {
            let case = case.clone();
            async move {
                // The first to come makes the directory.
                let _ = shard.disk().create_dir(&seat.dir).await;
                case(shard, seat).await;
            }
        });
        let ended = world.run_until(LIMIT * 4, || !node.is_running());
        assert_eq!(ended, Ended::Done, "seed {seed}: {:#?}", world.log_lines());
        assert_eq!(node.fatal_reason(), None, "seed {seed}");
    }
}

fn seats(shards: u16, dir: &std::path::Path, ip: IpAddr) -> Vec<Seat> {
    Mesh::ports(shards, LIMITS)
        .into_iter()
        .map(|port| Seat { dir: dir.to_path_buf(), ip, port })
        .collect()
}
