//! Lets clients in: one listener a shard, and the table of the connections that it has.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use runtime::sync::Signal;
use runtime::{Instant, JoinHandle, Lane, Level, Listener, ShardId, Socket, TaskClass};

use crate::message::{Reply, Request};
use crate::router::ask;
use crate::session;
use crate::shard::{Core, Scarce};

/// How long the address may be in use by another process. The sockets of a killed broker live on in
/// its rings for milliseconds; one that is told to stop drains its connections first.
const PORT_PATIENCE: Duration = Duration::from_secs(10);
/// How often an address in use is tried.
const PORT_PAUSE: Duration = Duration::from_millis(20);
/// How long to wait after an accept that failed for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How far connections may be ahead of an even pace, the last one included: a client opens several
/// at once.
const PACE_AHEAD_MAX: Duration = Duration::from_secs(1);
/// How long responses may take to leave when the broker stops.
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// The connections of one shard.
#[derive(Default)]
pub(crate) struct Sessions {
    last_id: Cell<u64>,
    running: RefCell<BTreeMap<u64, Session>>,
    ended: Signal,
    /// A listener is open, or was.
    let_in: Cell<bool>,
}

struct Session {
    stop: Rc<Signal>,
    task: JoinHandle<()>,
}

impl Sessions {
    /// Whether clients are let in, or were.
    pub(crate) fn are_let_in(&self) -> bool {
        self.let_in.get()
    }
}

/// Listens, as the broker's first shard to do so and where nobody else does: another broker there
/// would silently take a part of the connections. Who listens there gets a while to end. None if
/// this broker is asked to stop meanwhile.
pub(crate) async fn claim(core: &Core, addr: SocketAddr) -> Option<Listener> {
    let began = core.shard.now();
    let patience = PORT_PATIENCE.as_secs();
    let mut has_waited = false;
    loop {
        match core.shard.net().listen(addr) {
            Ok(listener) => return Some(listener),
            Err(e) if e.kind() != ErrorKind::AddrInUse => refuse(core, addr, &e),
            Err(_) if core.shard.now().since(began) >= PORT_PATIENCE => {
                core.shard.fatal(&format_args!(
                    "listeners: {addr} was in use for all of {patience} s: stop the broker that \
                     listens there (`ss -tlnp` tells its process), or set listeners to a free \
                     address of this machine"
                ))
            }
            Err(_) if has_waited => {}
            Err(_) => core.log(
                Level::Warn,
                format_args!("{addr} is in use: waiting up to {patience} s for who listens there"),
            ),
        }
        has_waited = true;
        if core.shard.timeout(PORT_PAUSE, core.shard.shutdown_requested()).await.is_ok() {
            return None;
        }
    }
}

/// Listens beside the shard that was the first to do so, and serves whoever connects, until the
/// shard stops.
pub(crate) fn open(core: &Rc<Core>, addr: SocketAddr) {
    match core.shard.net().listen_beside(addr) {
        Ok(listener) => serve(core, listener),
        Err(e) => refuse(core, addr, &e),
    }
}

fn refuse(core: &Core, addr: SocketAddr, error: &io::Error) -> ! {
    core.shard.fatal(&format_args!(
        "can't listen at {addr}: {error}; set listeners to a free address of this machine"
    ))
}

/// Serves whoever connects to a listener, until the shard stops.
pub(crate) fn serve(core: &Rc<Core>, listener: Listener) {
    core.sessions.let_in.set(true);
    let accepting = core.clone();
    let accept = core.shard.spawn(TaskClass::Foreground, "accept", async move {
        let mut pace = Pace::of(&accepting);
        loop {
            match listener.accept().await {
                Ok((socket, peer)) => {
                    admit(&accepting, socket, peer);
                    pace.keep(&accepting).await;
                }
                Err(e) => {
                    accepting.warn_of_peer(format_args!("accept: {e}"));
                    accepting.shard.sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    });
    let core_for_stop = core.clone();
    core.spawn("listener", async move {
        core_for_stop.shard.shutdown_requested().await;
        accept.abort();
    });
}

/// How fast connections are let in: each shard has an even part of `max.connection.creation.rate`,
/// and may be ahead of it by what it lets in within a second. Those who wait do so in the kernel.
struct Pace {
    /// From one connection to the next; none if they may come as they like.
    step: Option<Duration>,
    /// When the next would come if all had come evenly.
    due: Instant,
}

impl Pace {
    fn of(core: &Core) -> Pace {
        // The shards share the rate: the connections of one are as many times further apart.
        let all = Duration::from_secs(u64::from(core.shard.count()));
        let step = core.config.connections.second_max.map(|max| all / max);
        Pace { step, due: core.shard.now() }
    }

    /// One has come; waits until the next may.
    async fn keep(&mut self, core: &Core) {
        let Some(step) = self.step else { return };
        let now = core.shard.now();
        self.due = self.due.max(now) + step;
        let (ahead, ahead_max) = (self.due.since(now), PACE_AHEAD_MAX.saturating_sub(step));
        if ahead > ahead_max {
            core.meters.accept_paused();
            core.shard.sleep(ahead - ahead_max).await;
        }
    }
}

fn admit(core: &Rc<Core>, socket: Socket, peer: SocketAddr) {
    let sessions = &core.sessions;
    let (max, scarce) = core.connections_max();
    if sessions.running.borrow().len() >= max {
        let raise = match scarce {
            Scarce::Files => "open files; raise `ulimit -n`",
            Scarce::Memory => "memory; raise ringmain.memory.bytes",
        };
        core.meters.turned_away(scarce.reason());
        return core.warn_of_peer(format_args!(
            "{peer} is turned away: shard {} of this broker has {max} connections open, its \
             share of {raise}, or close some",
            core.shard.id().0
        ));
    }
    let id = sessions.last_id.get() + 1;
    sessions.last_id.set(id);
    let stop = Rc::new(Signal::new());
    let (of_session, signal) = (core.clone(), stop.clone());
    let task = core.shard.spawn(TaskClass::Foreground, "connection", async move {
        serve_if_let_in(&of_session, socket, peer, &signal).await;
        of_session.sessions.running.borrow_mut().remove(&id);
        of_session.sessions.ended.wake_all();
    });
    sessions.running.borrow_mut().insert(id, Session { stop, task });
}

/// Serves a connection, unless the broker has as many as it may.
async fn serve_if_let_in(core: &Rc<Core>, socket: Socket, peer: SocketAddr, stop: &Signal) {
    if !core.config.connections.are_counted() {
        return serve_let_in(core, socket, peer, stop).await;
    }
    let address = peer.ip().to_canonical();
    let door = |request| ask(core.clone(), ShardId(0), Lane::Control, request);
    match door(Request::Enter(address)).await {
        Ok(Reply::Entered(Ok(()))) => {}
        Ok(Reply::Entered(Err(full))) => {
            core.meters.turned_away(full.reason());
            return core.warn_of_peer(format_args!("{peer} is turned away: {full}"));
        }
        // Shard 0 is ending, and the broker with it.
        _ => return,
    }
    serve_let_in(core, socket, peer, stop).await;
    let _shard_0_is_ending = door(Request::Leave(address)).await;
}

async fn serve_let_in(core: &Rc<Core>, socket: Socket, peer: SocketAddr, stop: &Signal) {
    core.meters.connected();
    session::serve(core, socket, peer, stop).await;
}

/// Lets every connection finish what it has begun, but not for ever.
pub(crate) async fn drain(core: &Core) {
    let sessions = &core.sessions;
    core.stopping.set(true);
    core.purgatory.release_all();
    for session in sessions.running.borrow().values() {
        session.stop.wake_all();
    }
    let empty = || sessions.running.borrow().is_empty().then_some(());
    let drained = core.shard.timeout(DRAIN_TIME, sessions.ended.wait_until(empty)).await;
    if drained.is_err() {
        for session in std::mem::take(&mut *sessions.running.borrow_mut()).values() {
            session.task.abort();
        }
    }
}
