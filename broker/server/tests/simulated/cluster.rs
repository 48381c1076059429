//! A simulated machine with a broker, and machines on which clients run.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use runtime::Shard;
use runtime::sim::{Ended, Node, Options, SimDisk, World};
use server::{Config, Settings};

use crate::client::Client;
use crate::restart::End;

const PORT: u16 = 9092;
const SHARDS: u16 = 2;
/// Memory of the broker's machine: so much that nothing is scarce.
const MACHINE_BYTES: u64 = 16 << 30;
/// Virtual time: more than any test needs, and a stuck broker is found at once anyway.
const LIMIT: Duration = Duration::from_secs(600);

/// One broker and its world.
pub struct Cluster {
    world: World,
    broker: Node,
    machine_bytes: u64,
    settings: Vec<String>,
    clients: RefCell<u32>,
}

impl Cluster {
    /// A broker on an empty disk, in a world that follows from the seed.
    pub fn start(seed: u64, settings: &[&str]) -> Cluster {
        let cluster = Cluster::new(seed, settings);
        cluster.start_again();
        cluster
    }

    /// The same on a machine with so much memory.
    pub fn start_on(seed: u64, machine_bytes: u64, settings: &[&str]) -> Cluster {
        let cluster = Cluster { machine_bytes, ..Cluster::new(seed, settings) };
        cluster.start_again();
        cluster
    }

    /// A broker whose first start is cut at that sync, by kill -9 or with the power, and that is
    /// started again.
    pub fn cut_first_start(seed: u64, at_sync: u64, end: End) -> Cluster {
        let cluster = Cluster::new(seed, &[]);
        cluster.start_again();
        let disk = cluster.disk();
        // The last ones come with the first client: then it is cut where it waits for one.
        let _cut_or_waiting = cluster.world.run_until(LIMIT, || disk.sync_points() >= at_sync);
        match end {
            End::Stop => {
                cluster.stop();
            }
            End::Kill => cluster.broker.kill(),
            End::PowerCut => cluster.broker.cut_power(),
        }
        cluster.start_again();
        cluster
    }

    fn new(seed: u64, settings: &[&str]) -> Cluster {
        let world = World::new(seed, Options::default());
        let broker = world.node("broker");
        let own = ["listeners=PLAINTEXT://0.0.0.0:9092", "advertised.listeners=broker:9092"];
        let small =
            ["log.dirs=/data", "ringmain.journal.file.bytes=1048576", "message.max.bytes=65536"];
        let all = own.iter().chain(&small).chain(settings).map(|text| (*text).into());
        let (settings, clients) = (all.collect(), RefCell::new(0));
        Cluster { world, broker, machine_bytes: MACHINE_BYTES, settings, clients }
    }

    /// Starts the broker on the disk as it is.
    pub fn start_again(&self) {
        let mut settings = Settings::new();
        for setting in &self.settings {
            settings.set_argument(setting).expect("a setting of the table");
        }
        let config = Config::check(&settings, None).expect("settings that fit together");
        let starts = server::shard_starts(&config, SHARDS, Some(self.machine_bytes), None);
        let starts = starts.expect("there is enough memory");
        self.broker.start(starts, server::run_shard);
    }

    /// Runs a client on a machine of its own until it is done, and returns what it returns.
    pub fn run<T, F>(&self, script: impl Fn(Peer) -> F + 'static) -> T
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let result = self.begin(script);
        let ended = self.world.run_until(LIMIT, || result.borrow().is_some());
        assert_eq!(ended, Ended::Done, "{:#?}", self.world.log_lines());
        result.borrow_mut().take().expect("the run was done")
    }

    /// Starts a client on a machine of its own, which runs while others do. What it returns is
    /// there when it is done.
    pub fn begin<T, F>(&self, script: impl Fn(Peer) -> F + 'static) -> Rc<RefCell<Option<T>>>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        *self.clients.borrow_mut() += 1;
        let node = self.world.node(&format!("client {}", self.clients.borrow()));
        let result = Rc::new(RefCell::new(None));
        let (given, broker) = (result.clone(), self.broker.clone());
        let script = Rc::new(script);
        node.start(vec![()], move |shard, ()| {
            let (given, broker, script) = (given.clone(), broker.clone(), script.clone());
            async move {
                let returned = script(Peer { shard, broker }).await;
                *given.borrow_mut() = Some(returned);
            }
        });
        result
    }

    /// Runs a script on the machine of a broker that is stopped, over its disk.
    pub fn on_broker<F: Future<Output = ()> + 'static>(
        &self,
        script: impl Fn(Shard) -> F + 'static,
    ) {
        self.broker.start(vec![()], move |shard, ()| script(shard));
        let ended = self.world.run_until(LIMIT, || !self.broker.is_running());
        assert_eq!((ended, self.broker.fatal_reason()), (Ended::Done, None));
    }

    /// The broker's disk.
    pub fn disk(&self) -> SimDisk {
        self.broker.disk()
    }

    /// Waits for the broker to end itself, and says why it did.
    pub fn fatal_reason(&self) -> String {
        let ended = self.world.run_until(LIMIT, || !self.broker.is_running());
        assert_eq!(ended, Ended::Done, "{:#?}", self.world.log_lines());
        self.broker.fatal_reason().expect("it ended by a fatal error")
    }

    /// What the machines have said so far.
    pub fn log_lines(&self) -> Vec<String> {
        self.world.log_lines()
    }

    /// kill -9.
    pub fn kill(&self) {
        self.broker.kill();
    }

    /// kill -9, and a start on what is left.
    pub fn kill_and_start(&self) {
        self.broker.kill();
        self.start_again();
    }

    /// The power goes and comes back.
    pub fn cut_power_and_start(&self) {
        self.broker.cut_power();
        self.start_again();
    }

    /// SIGTERM, and waits for the end. Says how long that took.
    pub fn stop(&self) -> Duration {
        let began = self.world.now();
        self.broker.request_shutdown();
        let ended = self.world.run_until(LIMIT, || !self.broker.is_running());
        assert_eq!(ended, Ended::Done, "{:#?}", self.world.log_lines());
        assert_eq!(self.broker.fatal_reason(), None);
        self.world.now().since(began)
    }
}

/// Where a client runs, and whom it can reach.
#[derive(Clone)]
pub struct Peer {
    pub shard: Shard,
    broker: Node,
}

impl Peer {
    /// The broker's disk.
    pub fn disk(&self) -> SimDisk {
        self.broker.disk()
    }

    /// Connects, as soon as the broker listens.
    pub async fn connect(&self) -> Client {
        loop {
            match self.shard.net().connect(self.broker.address(PORT)).await {
                Ok(socket) => return Client::new(socket),
                Err(_) => self.shard.sleep(Duration::from_millis(10)).await,
            }
        }
    }
}
