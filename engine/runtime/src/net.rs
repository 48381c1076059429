//! Sockets of one shard: listen, connect, and the way to the [`Socket`].

pub(crate) mod message;
mod send_file;
pub(crate) mod socket;

use crate::memory::Parked;
use crate::op::{Beside, CloseKind, Fd, Op, PeerAddr, check};
use crate::ring::{Holder, Keep};
use crate::shard::Core;
use socket::Socket;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

/// Listens and connects.
#[derive(Clone)]
pub struct Net {
    core: Rc<Core>,
}

impl Net {
    pub(crate) fn new(core: Rc<Core>) -> Net {
        Net { core }
    }

    /// Listens where nobody does yet: `AddrInUse` if somebody listens there, in this process or in
    /// another. Port 0 takes a free one.
    pub fn listen(&self, addr: SocketAddr) -> io::Result<Listener> {
        self.listen_as(addr, Beside::Nobody)
    }

    /// Listens where another shard of this process does, by [`Net::listen`]: every shard has a
    /// listener of its own at the same address, and the kernel spreads connections over them.
    pub fn listen_beside(&self, addr: SocketAddr) -> io::Result<Listener> {
        self.listen_as(addr, Beside::OurOwn)
    }

    fn listen_as(&self, addr: SocketAddr, beside: Beside) -> io::Result<Listener> {
        let (fd, local) = self.core.driver().listen(&addr, beside)?;
        Ok(Listener(Rc::new(Listening { core: self.core.clone(), fd, local })))
    }

    /// Connects.
    pub async fn connect(&self, addr: SocketAddr) -> io::Result<Socket> {
        let fd = self.core.driver().socket(&addr)?;
        let socket = Socket::new(&self.core, fd);
        let peer = Parked::new(PeerAddr::new(&addr));
        let op = Op::Connect { fd, peer: peer.as_ptr() };
        let keep = Keep::Peer(peer);
        let outcome = self.core.submit(op, keep, Holder::Socket(socket.clone())).await;
        check(outcome.result)?;
        Ok(socket)
    }
}

/// Takes connections. Closes on the last drop.
#[derive(Clone)]
pub struct Listener(Rc<Listening>);

struct Listening {
    core: Rc<Core>,
    fd: Fd,
    local: SocketAddr,
}

impl Listener {
    /// The next connection, and who it is. An error is that connection's, or the process's lack of
    /// descriptors or memory: wait a little and go on.
    pub async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let Listening { core, fd, .. } = &*self.0;
        let peer = Parked::new(PeerAddr::unknown());
        let op = Op::Accept { fd: *fd, peer: peer.as_ptr() };
        let outcome = core.submit(op, Keep::Peer(peer), Holder::Listener(self.clone())).await;
        let raw = check(outcome.result)?;
        let fd = core.driver().adopt(raw as i32);
        let socket = Socket::new(core, fd);
        match outcome.keep {
            Keep::Peer(peer) => Ok((socket, peer.get().get()?)),
            _ => unreachable!("the slot was given an address"),
        }
    }

    /// The address that it listens at.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.core.close(self.fd, CloseKind::Quick);
    }
}
