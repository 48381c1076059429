//! A simulated machine: starting its process, and the ways in which that ends.

use std::cell::Cell;
use std::fmt::Display;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::driver::{Address, Mailbox};
use super::files::Files;
use super::net::ip_of;
use super::world::{End, Event, Process, RunningShard, State, Universe};
use super::{DurableWrite, Node, SimDisk, SimDriver};
use crate::bell::Bell;
use crate::driver::Driver;
use crate::shard::{Core, Shard, ShardId};
use crate::task::TaskClass;

/// What the world knows of a machine.
pub(crate) struct Machine {
    pub(crate) name: String,
    /// Counts its processes; what an older one still had in flight is told apart by it.
    pub(crate) incarnation: u64,
    pub(crate) running: bool,
    /// Without power a machine answers nothing, not even with a refusal.
    pub(crate) powered: bool,
    pub(crate) mailboxes: Vec<Mailbox>,
    pub(crate) files: Files,
    pub(crate) fatal_reason: Option<String>,
    pub(crate) wall_offset_ms: i64,
    /// Writes of killed processes that have not landed yet.
    pub(crate) landing: u64,
    pub(crate) waiting_for_lock: Vec<Waker>,
    pub(crate) last_port: u16,
}

/// What a shard unwinds with when its node stops itself.
pub(crate) struct NodeStopped(pub(crate) Address);

impl Machine {
    pub(crate) fn new(name: &str, durable_write: DurableWrite) -> Machine {
        Machine {
            name: name.into(),
            incarnation: 0,
            running: false,
            powered: true,
            mailboxes: Vec::new(),
            files: Files::new(durable_write),
            fatal_reason: None,
            wall_offset_ms: 0,
            landing: 0,
            waiting_for_lock: Vec::new(),
            last_port: 32_768,
        }
    }
}

impl Node {
    /// Starts the process: as many shards as `init` has elements, each running `main` with its
    /// element. The process ends when every `main` has. Like a broker it first takes its folder's
    /// lock, so it begins when the writes of a killed process have landed.
    pub fn start<T, F, Fut>(&self, init: Vec<T>, main: F)
    where
        T: 'static,
        F: Fn(Shard, T) -> Fut + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let (world, node) = (self.world.clone(), self.index);
        self.launch(init, move |shard, value| {
            let running = main(shard, value);
            let world = world.clone();
            async move {
                lock_is_free(world, node).await;
                running.await;
            }
        });
    }

    /// As [`start`](Node::start), without waiting for the lock: what a killed process had in flight
    /// may land in the middle of the new one's work.
    pub fn start_without_lock<T, F, Fut>(&self, init: Vec<T>, main: F)
    where
        T: 'static,
        F: Fn(Shard, T) -> Fut + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        self.launch(init, main);
    }

    fn launch<T, F, Fut>(&self, init: Vec<T>, main: F)
    where
        T: 'static,
        F: Fn(Shard, T) -> Fut + 'static,
        Fut: Future<Output = ()> + 'static,
    {
        let universe = self.universe();
        assert!(!self.is_running(), "{} runs already: end it first", self.name());
        assert!(!init.is_empty(), "a process has at least one shard");
        let mailboxes: Vec<Mailbox> = init.iter().map(|_| Mailbox::default()).collect();
        let incarnation = universe.state.borrow_mut().machine_started(self.index, &mailboxes);
        let peers: Arc<[Arc<Bell>]> = init.iter().map(|_| Bell::hang(None)).collect();
        let mut shards = Vec::new();
        for ((index, value), mailbox) in (0u16..).zip(init).zip(mailboxes) {
            let address = Address { node: self.index, incarnation, shard: index };
            let world = self.world.clone();
            let driver = SimDriver { world, shard: address, mailbox: mailbox.clone() };
            let core = Core::new(ShardId(index), peers.clone(), Driver::Sim(driver), Duration::MAX);
            let main_ended = Rc::new(Cell::new(false));
            let (running, ended) = (main(Shard::new(core.clone()), value), main_ended.clone());
            core.exec.spawn(TaskClass::Foreground, "main", async move {
                running.await;
                ended.set(true);
            });
            shards.push(RunningShard { core, main_ended, mailbox });
        }
        universe.processes.borrow_mut()[self.index] = Some(Process { incarnation, shards });
    }

    /// Asks the process to end gracefully, as SIGTERM does.
    pub fn request_shutdown(&self) {
        let universe = self.universe();
        let processes = universe.processes.borrow();
        let shards = processes[self.index].iter().flat_map(|process| &process.shards);
        shards.for_each(|shard| shard.core.request_shutdown());
    }

    /// kill -9. Completed writes stay; those in flight may land later. Its peers see connections
    /// close. A process that does not run stays ended.
    pub fn kill(&self) {
        self.universe().end(self.index, End::Kill);
    }

    /// The power goes: kill -9, and the disk falls back, by lot, to what was saved. Its peers see
    /// nothing at all. It comes back with the next start.
    pub fn cut_power(&self) {
        self.universe().end(self.index, End::PowerCut);
    }

    /// Whether the process runs.
    pub fn is_running(&self) -> bool {
        self.universe().state.borrow().machines[self.index].running
    }

    /// Why the process ended itself, if it was by [`Shard::fatal`] and it was not started again.
    pub fn fatal_reason(&self) -> Option<String> {
        self.universe().state.borrow().machines[self.index].fatal_reason.clone()
    }

    /// Its disk.
    pub fn disk(&self) -> SimDisk {
        SimDisk { world: self.world.clone(), node: self.index }
    }

    /// Its address in the world's network. Loopback addresses are each node's own.
    pub fn ip(&self) -> IpAddr {
        ip_of(self.index)
    }

    /// Its address with a port.
    pub fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(), port)
    }

    /// Sets its wall clock off by that much from the world's; the monotonic clock goes on.
    pub fn set_wall_offset(&self, ms: i64) {
        self.universe().state.borrow_mut().machines[self.index].wall_offset_ms = ms;
    }

    /// Its name.
    pub fn name(&self) -> String {
        self.universe().state.borrow().machines[self.index].name.clone()
    }

    fn universe(&self) -> Rc<Universe> {
        self.world.upgrade().expect("a node is used while its world lives")
    }
}

async fn lock_is_free(world: Weak<Universe>, node: usize) {
    poll_fn(move |cx| {
        let universe = world.upgrade().expect("tasks run while the world lives");
        let machine = &mut universe.state.borrow_mut().machines[node];
        if machine.landing == 0 {
            return Poll::Ready(());
        }
        machine.waiting_for_lock.push(cx.waker().clone());
        Poll::Pending
    })
    .await;
}

impl State {
    fn machine_started(&mut self, node: usize, mailboxes: &[Mailbox]) -> u64 {
        let machine = &mut self.machines[node];
        machine.incarnation += 1;
        (machine.running, machine.powered) = (true, true);
        machine.fatal_reason = None;
        machine.mailboxes = mailboxes.to_vec();
        let (incarnation, now) = (machine.incarnation, self.now_ns);
        self.trace.event(&[now, node as u64, 1, incarnation]);
        incarnation
    }

    /// The process has ended: by itself, or as told.
    pub(crate) fn machine_ended(&mut self, node: usize, end: Option<End>) {
        let (now, was_running) = (self.now_ns, self.machines[node].running);
        self.trace.event(&[now, node as u64, 2, end.map_or(0, |end| end as u64 + 1)]);
        let machine = &mut self.machines[node];
        machine.running = false;
        machine.mailboxes.clear();
        machine.waiting_for_lock.clear();
        if end == Some(End::PowerCut) {
            machine.powered = false;
        }
        self.close_sockets_of(node, end);
        match end {
            Some(End::PowerCut) => {
                self.machines[node].landing = 0;
                self.unschedule(|event| matches!(event, Event::Disk(job) if job.node() == node));
                let mut rng = self.rng.split();
                self.machines[node].files.cut_power(&mut rng);
            }
            Some(End::Kill) if was_running => self.leave_writes_in_flight(node),
            _ => {}
        }
        self.machines[node].files.close_all();
    }

    /// A process stops itself.
    pub(crate) fn set_fatal_reason(&mut self, node: usize, reason: &dyn Display) {
        self.line(node, format_args!("fatal: {reason}"));
        self.machines[node].fatal_reason = Some(reason.to_string());
    }
}
