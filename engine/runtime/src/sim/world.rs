//! The loop of a simulated world: which task is next, which event, and what time it is.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use super::driver::{Address, Caller};
use super::jobs::Job;
use super::net::{Net, NetEvent};
use super::node::{Machine, NodeStopped};
use super::trace::Trace;
use super::{DurableWrite, Ended, Node, Options, Rng, World};
use crate::op::{Completion, Key, Payload};
use crate::shard::{Core, MayWait};
use crate::time::Instant;

/// What the handles point to. `state` is never borrowed while code of a node runs.
pub(crate) struct Universe {
    pub(crate) state: RefCell<State>,
    /// The running shards, by node. Not in `state`, as polling them reaches back into it.
    pub(crate) processes: RefCell<Vec<Option<Process>>>,
    /// The node whose code runs at this moment: it can't be ended before that returns.
    pub(crate) running: Cell<Option<usize>>,
    pub(crate) condemned: RefCell<Vec<(usize, End)>>,
}

/// The world without the code that runs in it.
pub(crate) struct State {
    pub(crate) options: Options,
    /// What the options say, or the lot.
    durable_write: DurableWrite,
    pub(crate) now_ns: u64,
    pub(crate) rng: Rng,
    pub(crate) trace: Trace,
    pub(crate) machines: Vec<Machine>,
    pub(crate) net: Net,
    events: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
}

/// A running process.
pub(crate) struct Process {
    pub(crate) incarnation: u64,
    pub(crate) shards: Vec<RunningShard>,
}

#[derive(Clone)]
pub(crate) struct RunningShard {
    pub(crate) core: Rc<Core>,
    /// Its main future has ended: what is in flight is waited for, nothing else.
    pub(crate) main_ended: Rc<Cell<bool>>,
    pub(crate) mailbox: super::Mailbox,
}

/// How a process ends from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Kill,
    PowerCut,
}

pub(crate) enum Event {
    Complete(Caller, Completion),
    Disk(Box<Job>),
    Net(NetEvent),
}

impl World {
    /// A world in which everything follows from `seed`.
    pub fn new(seed: u64, options: Options) -> World {
        let mut rng = Rng::new(seed);
        let state = State {
            durable_write: options.durable_write.unwrap_or_else(|| DurableWrite::draw(seed)),
            options,
            now_ns: 1_000_000_000,
            net: Net::default(),
            rng: rng.split(),
            trace: Trace::new(),
            machines: Vec::new(),
            events: BTreeMap::new(),
            scheduled: 0,
        };
        World(Rc::new(Universe {
            state: RefCell::new(state),
            processes: RefCell::default(),
            running: Cell::default(),
            condemned: RefCell::default(),
        }))
    }

    /// The node of that name, made if there is none: powered, with an empty disk, not started.
    pub fn node(&self, name: &str) -> Node {
        let mut state = self.0.state.borrow_mut();
        let found = state.machines.iter().position(|machine| machine.name == name);
        let index = found.unwrap_or_else(|| {
            let durable_write = state.durable_write;
            state.machines.push(Machine::new(name, durable_write));
            self.0.processes.borrow_mut().push(None);
            state.machines.len() - 1
        });
        Node { world: Rc::downgrade(&self.0), index }
    }

    /// Runs until `done` (asked after every step), for at most `limit` of virtual time.
    ///
    /// A panic of a task ends the run and goes on in the caller.
    pub fn run_until(&self, limit: Duration, mut done: impl FnMut() -> bool) -> Ended {
        let end = self.now() + limit;
        loop {
            if done() {
                return Ended::Done;
            }
            if self.now() >= end {
                return Ended::TimedOut;
            }
            // A node that was ended by the last step may have been what was waited for.
            if !self.0.step(end) && !done() {
                return Ended::Stuck(self.0.waiting());
            }
        }
    }

    /// Runs for that much virtual time, or until nothing will happen any more.
    pub fn run_for(&self, time: Duration) {
        self.run_until(time, || false);
    }

    /// Virtual time since the start of the world, plus a second.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.0.state.borrow().now_ns)
    }

    /// The hash of everything that happened so far: two runs that agree in it went the same way.
    pub fn trace(&self) -> u64 {
        self.0.state.borrow().trace.hash()
    }

    /// The last lines that nodes logged, each with its time, for a failing test to print.
    pub fn log_lines(&self) -> Vec<String> {
        self.0.state.borrow().trace.lines().map(String::from).collect()
    }

    /// A generator of the test's own, which follows from the seed and what happened so far.
    pub fn random(&self) -> Rng {
        self.0.state.borrow_mut().rng.split()
    }

    /// Holds back all bytes and connections from one node to another, one way, until
    /// [`unblock_all`](World::unblock_all).
    pub fn block(&self, from: &Node, to: &Node) {
        self.0.state.borrow_mut().net.block(from.index, to.index);
    }

    /// Breaks every connection between two nodes, in both directions.
    pub fn reset_connections(&self, one: &Node, other: &Node) {
        self.0.state.borrow_mut().reset_between(one.index, other.index);
    }

    /// The network is whole again: what was held back arrives.
    pub fn unblock_all(&self) {
        self.0.state.borrow_mut().unblock_all();
    }
}

impl Universe {
    /// One step: a poll of a task, or an event. False if there is neither, now or ever.
    fn step(&self, end: Instant) -> bool {
        if self.fire_due() {
            return true;
        }
        let ready = self.ready_shards();
        if ready.is_empty() {
            return self.jump(end);
        }
        let (address, shard) = {
            let mut state = self.state.borrow_mut();
            let at = state.rng.index(ready.len());
            let took = state.options.poll_ns.clone();
            state.now_ns += state.rng.within(&took);
            let (address, shard) = &ready[at];
            let now = state.now_ns;
            state.trace.event(&[now, address.node as u64, u64::from(address.shard)]);
            (*address, shard.clone())
        };
        self.run(address, &shard);
        self.execute_condemned();
        true
    }

    /// Lets one shard look at its ring and poll one task.
    fn run(&self, address: Address, shard: &RunningShard) {
        self.running.set(Some(address.node));
        let ran = catch_unwind(AssertUnwindSafe(|| {
            shard.core.turn(MayWait::No);
            shard.core.poll_one();
        }));
        self.running.set(None);
        match ran {
            Ok(()) => self.end_finished(address, shard),
            Err(panic) if is_stop(&panic, address) => self.end(address.node, End::Kill),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Every shard that has something to do at this moment.
    fn ready_shards(&self) -> Vec<(Address, RunningShard)> {
        let now = Instant::from_nanos(self.state.borrow().now_ns);
        let processes = self.processes.borrow();
        let mut ready = Vec::new();
        for (node, process) in processes.iter().enumerate() {
            let Some(Process { incarnation, shards }) = process else { continue };
            for (index, shard) in shards.iter().enumerate() {
                let due = shard.core.timers.next().is_some_and(|at| at <= now);
                if due || shard.core.has_work() || !shard.mailbox.borrow().is_empty() {
                    let shard_index = index as u16;
                    let address = Address { node, incarnation: *incarnation, shard: shard_index };
                    ready.push((address, shard.clone()));
                }
            }
        }
        ready
    }

    /// Nobody has anything to do: time moves to the next event or timer. False if there is none.
    fn jump(&self, end: Instant) -> bool {
        let processes = self.processes.borrow();
        let shards = processes.iter().flatten().flat_map(|process| &process.shards);
        let timer = shards.filter_map(|shard| shard.core.timers.next()).min();
        let mut state = self.state.borrow_mut();
        let event = state.events.first_key_value().map(|((at, _), _)| *at);
        let next = match (timer.map(Instant::nanos), event) {
            (Some(timer), Some(event)) => timer.min(event),
            (timer, event) => match timer.or(event) {
                Some(at) => at,
                None => return false,
            },
        };
        state.now_ns = state.now_ns.max(next.min(end.nanos()));
        true
    }

    /// Fires one event whose time has come; false if there is none. One at a time, so that a test
    /// can end a node between any two.
    fn fire_due(&self) -> bool {
        let event = {
            let mut state = self.state.borrow_mut();
            let now = state.now_ns;
            match state.events.first_entry() {
                Some(first) if first.key().0 <= now => first.remove(),
                _ => return false,
            }
        };
        match event {
            Event::Complete(caller, completion) => {
                self.state.borrow_mut().deliver(caller, completion);
            }
            Event::Disk(job) => self.finish_job(*job),
            Event::Net(event) => self.state.borrow_mut().net_event(event),
        }
        true
    }

    /// A shard whose main future has ended goes when nothing of it is in flight; the process goes
    /// with its last shard.
    fn end_finished(&self, address: Address, shard: &RunningShard) {
        if !shard.main_ended.get() {
            return;
        }
        shard.core.exec.clear();
        shard.core.pipes.clear();
        if shard.core.ring.in_flight() > 0 || shard.core.has_work() {
            return;
        }
        shard.core.abandon();
        let mut processes = self.processes.borrow_mut();
        let Some(process) = &mut processes[address.node] else { return };
        process.shards.retain(|other| !Rc::ptr_eq(&other.core, &shard.core));
        if process.shards.is_empty() {
            processes[address.node] = None;
            drop(processes);
            self.state.borrow_mut().machine_ended(address.node, None);
        }
    }

    /// Ends a node's process from outside, at once or as soon as its running task returns.
    pub(crate) fn end(&self, node: usize, end: End) {
        if self.running.get() == Some(node) {
            self.condemned.borrow_mut().push((node, end));
            return;
        }
        let process = self.processes.borrow_mut()[node].take();
        self.state.borrow_mut().machine_ended(node, Some(end));
        for shard in process.iter().flat_map(|process| &process.shards) {
            shard.core.abandon();
        }
    }

    fn execute_condemned(&self) {
        loop {
            let next = self.condemned.borrow_mut().pop();
            let Some((node, end)) = next else { return };
            self.end(node, end);
        }
    }

    /// The tasks of all nodes, for a report on why nothing happens.
    fn waiting(&self) -> Vec<String> {
        let state = self.state.borrow();
        let processes = self.processes.borrow();
        let mut waiting = Vec::new();
        for (machine, process) in state.machines.iter().zip(processes.iter()) {
            for shard in process.iter().flat_map(|process| &process.shards) {
                for task in shard.core.exec.uses() {
                    waiting.push(format!("{}, {}: {}", machine.name, shard.core.id, task.name));
                }
            }
        }
        waiting
    }
}

impl Drop for Universe {
    fn drop(&mut self) {
        // Tasks hold their shard, and a shard its tasks: only this breaks the circle.
        for process in std::mem::take(&mut *self.processes.borrow_mut()).into_iter().flatten() {
            process.shards.iter().for_each(|shard| shard.core.abandon());
        }
    }
}

impl State {
    /// Puts an event `delay_ns` into the future.
    pub(crate) fn schedule(&mut self, delay_ns: u64, event: Event) {
        self.schedule_at(self.now_ns + delay_ns, event);
    }

    pub(crate) fn schedule_at(&mut self, at_ns: u64, event: Event) {
        self.scheduled += 1;
        self.events.insert((at_ns.max(self.now_ns), self.scheduled), event);
    }

    /// Removes every event that `wanted` picks, in order.
    pub(crate) fn unschedule(&mut self, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        self.events.extract_if(.., |_, event| wanted(event)).map(|(_, event)| event).collect()
    }

    /// A delay of a node's disk; now and then a long one.
    pub(crate) fn disk_delay(&mut self, node: usize) -> u64 {
        let own = self.machines[node].files.delay_ns.clone();
        let range = own.unwrap_or_else(|| self.options.disk_delay_ns.clone());
        let delay = self.rng.within(&range);
        if self.rng.chance(1, 64) { delay * 16 } else { delay }
    }

    pub(crate) fn net_delay(&mut self) -> u64 {
        let range = self.options.net_delay_ns.clone();
        self.rng.within(&range)
    }

    /// An operation ends with that result, now.
    pub(crate) fn complete(&mut self, caller: Caller, result: i32) {
        self.deliver(caller, Completion::number(caller.key, result));
    }

    pub(crate) fn complete_with(&mut self, caller: Caller, result: i32, payload: Payload) {
        self.deliver(caller, Completion { key: caller.key, result, payload });
    }

    /// An operation ends with that result after a while.
    pub(crate) fn complete_later(&mut self, caller: Caller, result: i32, delay_ns: u64) {
        let completion = Completion::number(caller.key, result);
        self.schedule(delay_ns, Event::Complete(caller, completion));
    }

    pub(crate) fn deliver(&mut self, caller: Caller, completion: Completion) {
        let (now, result) = (self.now_ns, completion.result as u64);
        self.trace.event(&[now, caller.shard.node as u64, completion.key.0, result]);
        if completion.key == Key::NOBODY {
            return;
        }
        if let Some(mailbox) = self.mailbox(caller.shard) {
            mailbox.borrow_mut().push(completion);
        }
    }

    fn mailbox(&self, shard: Address) -> Option<&super::Mailbox> {
        let machine = &self.machines[shard.node];
        if machine.incarnation != shard.incarnation || !machine.running {
            return None;
        }
        machine.mailboxes.get(usize::from(shard.shard))
    }

    /// Whether the process that asked still runs.
    pub(crate) fn lives(&self, shard: Address) -> bool {
        self.mailbox(shard).is_some()
    }

    pub(crate) fn line(&mut self, node: usize, line: std::fmt::Arguments<'_>) {
        let (now, name) = (self.now_ns, self.machines[node].name.clone());
        self.trace.line(now, format_args!("{name} {line}"));
    }
}

impl Rng {
    /// A number in the range; its start if it is empty.
    fn within(&mut self, range: &Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start).max(1))
    }
}

fn is_stop(panic: &Box<dyn Any + Send>, address: Address) -> bool {
    panic.downcast_ref::<NodeStopped>().is_some_and(|stop| stop.0 == address)
}
