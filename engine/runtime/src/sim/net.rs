//! The state of the simulated network: sockets, listeners, pipes, and what travels between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::driver::{Address, Caller};
use crate::op::PeerAddr;

/// Bytes that a pipe holds.
pub(crate) const PIPE_BYTES: usize = 64 << 10;

/// All sockets and pipes of a world.
#[derive(Default)]
pub(crate) struct Net {
    pub(crate) sockets: BTreeMap<u64, Socket>,
    pub(crate) listeners: BTreeMap<u64, Listener>,
    pub(crate) pipes: BTreeMap<u64, Pipe>,
    made: u64,
    /// Pairs (from, to) of nodes between which nothing passes.
    pub(crate) blocked: BTreeSet<(usize, usize)>,
    /// What arrived at a block, in order.
    pub(crate) held: Vec<NetEvent>,
}

/// One end of a connection. What its peer sent is in transit, then in the inbox.
pub(crate) struct Socket {
    pub(crate) owner: Address,
    pub(crate) local: SocketAddr,
    pub(crate) peer: Option<u64>,
    pub(crate) peer_node: usize,
    pub(crate) inbox: VecDeque<u8>,
    pub(crate) in_transit: usize,
    /// A stream keeps its order: nothing arrives before this.
    pub(crate) last_arrival_ns: u64,
    /// The peer sends no more, and all it sent is in the inbox.
    pub(crate) ended: bool,
    /// The error number of everything from now on.
    pub(crate) broken: Option<i32>,
    /// Nothing is sent from this end any more.
    pub(crate) shut: bool,
    pub(crate) receiving: VecDeque<(Caller, Receive)>,
    pub(crate) sending: VecDeque<(Caller, Send)>,
    pub(crate) polling: Vec<Caller>,
    /// Who waits for the peer's end.
    pub(crate) awaiting_end: Vec<Caller>,
}

/// Where received bytes go.
#[derive(Clone, Copy)]
pub(crate) enum Receive {
    Into(*mut u8, usize),
    Pooled,
}

/// The pieces of memory that a send reads from.
pub(crate) struct Send(pub(crate) Vec<(*const u8, usize)>);

pub(crate) struct Listener {
    pub(crate) owner: Address,
    pub(crate) addr: SocketAddr,
    pub(crate) backlog: VecDeque<u64>,
    pub(crate) accepting: VecDeque<(Caller, *mut PeerAddr)>,
}

#[derive(Default)]
pub(crate) struct Pipe {
    pub(crate) held: VecDeque<u8>,
    pub(crate) ends_closed: u8,
}

/// What travels.
pub(crate) enum NetEvent {
    Connect {
        caller: Caller,
        socket: u64,
        to: SocketAddr,
        tries: u64,
    },
    Bytes {
        from: u64,
        socket: u64,
        bytes: Vec<u8>,
    },
    /// The peer sends no more.
    End {
        socket: u64,
    },
    Reset {
        socket: u64,
    },
}

impl Net {
    pub(crate) fn block(&mut self, from: usize, to: usize) {
        self.blocked.insert((from, to));
    }

    /// A number for something new.
    pub(crate) fn number(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    /// Puts bytes into a pipe; how many fit.
    pub(crate) fn fill_pipe(&mut self, pipe: u64, bytes: &[u8]) -> usize {
        let Some(pipe) = self.pipes.get_mut(&pipe) else { return 0 };
        let count = bytes.len().min(PIPE_BYTES - pipe.held.len());
        pipe.held.extend(&bytes[..count]);
        count
    }

    /// How many bytes a socket may send now; none at all if it is not connected.
    pub(crate) fn room(&self, socket: u64, window: usize) -> usize {
        let Some(peer) = self.sockets.get(&socket).and_then(|s| s.peer) else { return 0 };
        match self.sockets.get(&peer) {
            Some(peer) => window.saturating_sub(peer.inbox.len() + peer.in_transit),
            // It is gone, and this end does not know yet.
            None => window,
        }
    }

    /// Whether something on its way to that socket meets a block.
    pub(crate) fn is_blocked(&self, socket: u64) -> bool {
        let Some(socket) = self.sockets.get(&socket) else { return false };
        self.blocked.contains(&(socket.peer_node, socket.owner.node))
    }

    /// Who listens at an address of a node, or at one that is a part of it or the whole. Nobody
    /// is in the way of port 0.
    pub(crate) fn listeners_in_the_way(
        &self,
        node: usize,
        at: SocketAddr,
    ) -> impl Iterator<Item = &Address> {
        let overlaps =
            move |ip: IpAddr| ip == at.ip() || ip.is_unspecified() || at.ip().is_unspecified();
        let of_node = self.listeners.values().filter(move |l| l.owner.node == node);
        let there = of_node.filter(move |l| l.addr.port() == at.port() && overlaps(l.addr.ip()));
        there.map(|listener| &listener.owner)
    }

    /// The listeners at an address of a node.
    pub(crate) fn listening(&self, node: usize, to: SocketAddr) -> Vec<u64> {
        let hears = |listener: &Listener| {
            let ip = listener.addr.ip();
            listener.owner.node == node
                && listener.addr.port() == to.port()
                && (ip.is_unspecified() || ip == to.ip())
        };
        self.listeners.iter().filter(|(_, l)| hears(l)).map(|(id, _)| *id).collect()
    }
}

impl Socket {
    pub(crate) fn new(owner: Address, local: SocketAddr) -> Socket {
        Socket {
            owner,
            local,
            peer: None,
            peer_node: owner.node,
            inbox: VecDeque::new(),
            in_transit: 0,
            last_arrival_ns: 0,
            ended: false,
            broken: None,
            shut: false,
            receiving: VecDeque::new(),
            sending: VecDeque::new(),
            polling: Vec::new(),
            awaiting_end: Vec::new(),
        }
    }

    /// Everything that waits on this end.
    pub(crate) fn take_waiting(&mut self) -> Vec<Caller> {
        let receiving = self.receiving.drain(..).map(|(caller, _)| caller);
        let sending = self.sending.drain(..).map(|(caller, _)| caller);
        let polling = self.polling.drain(..).chain(self.awaiting_end.drain(..));
        receiving.chain(sending).chain(polling).collect()
    }

    /// Forgets one waiting operation. True if there was one.
    pub(crate) fn forget(&mut self, caller: Caller) -> bool {
        let before = self.waiting();
        self.receiving.retain(|(waiting, _)| *waiting != caller);
        self.sending.retain(|(waiting, _)| *waiting != caller);
        self.polling.retain(|waiting| *waiting != caller);
        self.awaiting_end.retain(|waiting| *waiting != caller);
        self.waiting() < before
    }

    fn waiting(&self) -> usize {
        let polling = self.polling.len() + self.awaiting_end.len();
        self.receiving.len() + self.sending.len() + polling
    }
}

/// The address of the node with that index.
pub(crate) fn ip_of(node: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, (node / 250) as u8, (node % 250 + 1) as u8))
}

/// Which node an address of the world's network belongs to, for somebody on `node`.
pub(crate) fn node_of(ip: IpAddr, node: usize) -> Option<usize> {
    match ip {
        _ if ip.is_loopback() => Some(node),
        IpAddr::V4(v4) => match v4.octets() {
            [10, 0, high, low @ 1..=250] => Some(usize::from(high) * 250 + usize::from(low) - 1),
            _ => None,
        },
        IpAddr::V6(_) => None,
    }
}
