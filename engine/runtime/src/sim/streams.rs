//! Socket operations of simulated processes, and what happens when bytes arrive.

use std::io;
use std::net::SocketAddr;

use super::driver::{Address, Caller};
use super::files::Handle;
use super::net::{Listener, NetEvent, Pipe, Receive, Send, Socket, ip_of, node_of};
use super::world::{End, Event, State};
use crate::lease::Lease;
use crate::op::{Beside, Completion, Fd, Op, Payload, PeerAddr};

/// How long a connect waits before it tries again, and how often it does.
const CONNECT_AGAIN_NS: u64 = 500_000_000;
const CONNECT_TRIES: u64 = 10;
/// The most that a receive into pooled memory brings, as from a ring of small buffers.
const POOLED_BYTES: usize = 4096;
/// The longest that an operation takes which needs no peer.
const LOCAL_NS: u64 = 5_000;

impl State {
    /// Takes an operation of the network; others come back.
    pub(crate) fn net_op(&mut self, caller: Caller, op: Op) -> Option<Op> {
        match op {
            Op::Accept { fd, peer } => {
                let listener = self.listener(caller, fd);
                let waiting = &mut self.net.listeners.get_mut(&listener)?.accepting;
                waiting.push_back((caller, peer));
                self.match_accepts(listener);
            }
            Op::Connect { fd, peer } => self.connect(caller, fd, peer),
            Op::Recv { fd, memory, len } => {
                self.receive(caller, fd, Receive::Into(memory, len as usize));
            }
            Op::RecvPooled { fd } => self.receive(caller, fd, Receive::Pooled),
            Op::Send { fd, memory, len } => {
                self.send(caller, fd, Send(vec![(memory, len as usize)]));
            }
            Op::TrySendMsg { fd, message } => self.try_send(caller, fd, &pieces_of(message)),
            Op::PollWritable { fd } => {
                let id = self.socket(caller.shard, fd);
                if let Some(socket) = self.net.sockets.get_mut(&id) {
                    socket.polling.push(caller);
                }
                self.pump_polls(id);
            }
            Op::PollEnd { fd } => {
                let id = self.socket(caller.shard, fd);
                if let Some(socket) = self.net.sockets.get_mut(&id) {
                    socket.awaiting_end.push(caller);
                }
                self.pump_ends(id);
            }
            Op::Splice { from, position: Some(position), to, len } => {
                let pipe = self.pipe(caller, to);
                self.splice_from_file(caller, from, position, pipe, len as usize);
            }
            Op::Splice { from, position: None, to, len } => {
                let (pipe, id) = (self.pipe(caller, from), self.socket(caller.shard, to));
                self.splice_to_socket(caller, pipe, id, len as usize);
            }
            Op::Shutdown { fd } => {
                let id = self.socket(caller.shard, fd);
                self.shut_down(id);
                self.complete_locally(caller, 0);
            }
            Op::Close { fd, .. } if self.is_file(caller, fd) => return Some(op),
            Op::Close { fd, .. } => self.close(caller, fd),
            Op::Cancel { key } => return self.cancel(Caller { key, ..caller }),
            other => return Some(other),
        }
        None
    }

    // Descriptors.

    pub(crate) fn new_socket(&mut self, owner: Address) -> i32 {
        let machine = &mut self.machines[owner.node];
        machine.last_port = machine.last_port.checked_add(1).unwrap_or(32_768);
        let local = SocketAddr::new(ip_of(owner.node), machine.last_port);
        let id = self.net.number();
        self.net.sockets.insert(id, Socket::new(owner, local));
        self.machines[owner.node].files.open_handle(Handle::Socket(id))
    }

    pub(crate) fn listen(
        &mut self,
        owner: Address,
        at: SocketAddr,
        beside: Beside,
    ) -> io::Result<(i32, SocketAddr)> {
        let others_are_let_in =
            |other: &Address| beside == Beside::OurOwn && other.incarnation == owner.incarnation;
        if !self.net.listeners_in_the_way(owner.node, at).all(others_are_let_in) {
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        let machine = &mut self.machines[owner.node];
        let mut addr = at;
        if addr.port() == 0 {
            machine.last_port = machine.last_port.checked_add(1).unwrap_or(32_768);
            addr.set_port(machine.last_port);
        }
        let id = self.net.number();
        let (backlog, accepting) = Default::default();
        self.net.listeners.insert(id, Listener { owner, addr, backlog, accepting });
        Ok((self.machines[owner.node].files.open_handle(Handle::Listener(id)), addr))
    }

    pub(crate) fn new_pipe(&mut self, node: usize) -> (i32, i32) {
        let id = self.net.number();
        self.net.pipes.insert(id, Pipe::default());
        let files = &mut self.machines[node].files;
        (files.open_handle(Handle::PipeEnd(id)), files.open_handle(Handle::PipeEnd(id)))
    }

    fn socket(&self, shard: Address, fd: Fd) -> u64 {
        match self.machines[shard.node].files.handle(fd) {
            Some(Handle::Socket(id)) => *id,
            other => panic!("descriptor {} is no socket but {other:?}", fd.raw),
        }
    }

    fn listener(&self, caller: Caller, fd: Fd) -> u64 {
        match self.machines[caller.shard.node].files.handle(fd) {
            Some(Handle::Listener(id)) => *id,
            other => panic!("descriptor {} is no listener but {other:?}", fd.raw),
        }
    }

    fn pipe(&self, caller: Caller, fd: Fd) -> u64 {
        match self.machines[caller.shard.node].files.handle(fd) {
            Some(Handle::PipeEnd(id)) => *id,
            other => panic!("descriptor {} is no end of a pipe but {other:?}", fd.raw),
        }
    }

    fn is_file(&self, caller: Caller, fd: Fd) -> bool {
        let handle = self.machines[caller.shard.node].files.handle(fd);
        matches!(handle, Some(Handle::File { .. }))
    }

    fn close(&mut self, caller: Caller, fd: Fd) {
        let files = &mut self.machines[caller.shard.node].files;
        match files.remove_handle(fd) {
            Some(Handle::Socket(id)) => self.close_socket(id),
            Some(Handle::Listener(id)) => self.close_listener(id),
            Some(Handle::PipeEnd(id)) => {
                if let Some(pipe) = self.net.pipes.get_mut(&id) {
                    pipe.ends_closed += 1;
                    if pipe.ends_closed == 2 {
                        self.net.pipes.remove(&id);
                    }
                }
            }
            _ => panic!("descriptor {} is closed, and it is not open", fd.raw),
        }
        self.complete_locally(caller, 0);
    }

    /// Ends an operation that waits for the network; any other cancellation comes back.
    fn cancel(&mut self, caller: Caller) -> Option<Op> {
        let mut found = self.net.sockets.values_mut().any(|socket| socket.forget(caller));
        for listener in self.net.listeners.values_mut() {
            let before = listener.accepting.len();
            listener.accepting.retain(|(waiting, _)| *waiting != caller);
            found |= listener.accepting.len() < before;
        }
        let connects = self.unschedule(|event| {
            matches!(event, Event::Net(NetEvent::Connect { caller: c, .. }) if *c == caller)
        });
        if !found && connects.is_empty() {
            return Some(Op::Cancel { key: caller.key });
        }
        self.complete_locally(caller, -libc::ECANCELED);
        None
    }

    // Connecting.

    fn connect(&mut self, caller: Caller, fd: Fd, peer: *const PeerAddr) {
        let socket = self.socket(caller.shard, fd);
        // SAFETY: the contract of `Op`: the slot keeps the address until the completion.
        let to = unsafe { &*peer }.get();
        let Ok(to) = to else { return self.complete_locally(caller, -libc::EAFNOSUPPORT) };
        let delay = self.net_delay();
        self.schedule(delay, Event::Net(NetEvent::Connect { caller, socket, to, tries: 0 }));
    }

    /// A request for a connection arrives, or would.
    fn arrive(&mut self, caller: Caller, socket: u64, to: SocketAddr, tries: u64) {
        let from = caller.shard.node;
        let node = node_of(to.ip(), from).filter(|node| *node < self.machines.len());
        let passes = node.is_some_and(|node| {
            self.machines[node].powered
                && !self.net.blocked.contains(&(from, node))
                && !self.net.blocked.contains(&(node, from))
        });
        let heard = node.map_or(Vec::new(), |node| self.net.listening(node, to));
        if passes && heard.is_empty() {
            let delay = self.net_delay();
            return self.complete_later(caller, -libc::ECONNREFUSED, delay);
        }
        let backlog = self.options.backlog;
        let room: Vec<u64> =
            heard.into_iter().filter(|id| self.net.listeners[id].backlog.len() < backlog).collect();
        if !passes || room.is_empty() {
            if tries == CONNECT_TRIES {
                return self.complete_locally(caller, -libc::ETIMEDOUT);
            }
            let again = NetEvent::Connect { caller, socket, to, tries: tries + 1 };
            return self.schedule(CONNECT_AGAIN_NS, Event::Net(again));
        }
        let listener = room[self.rng.index(room.len())];
        self.establish(caller, socket, listener, to);
    }

    fn establish(&mut self, caller: Caller, client: u64, listener: u64, to: SocketAddr) {
        let server = self.net.number();
        let owner = self.net.listeners[&listener].owner;
        let Some(end) = self.net.sockets.get_mut(&client) else { return };
        if to.ip().is_loopback() {
            end.local.set_ip(to.ip());
        }
        (end.peer, end.peer_node) = (Some(server), owner.node);
        let mut other = Socket::new(owner, to);
        (other.peer, other.peer_node) = (Some(client), end.owner.node);
        self.net.sockets.insert(server, other);
        let listening = self.net.listeners.get_mut(&listener).expect("looked up just before");
        listening.backlog.push_back(server);
        self.match_accepts(listener);
        let delay = self.net_delay();
        self.complete_later(caller, 0, delay);
    }

    fn match_accepts(&mut self, listener: u64) {
        loop {
            let Some(listening) = self.net.listeners.get_mut(&listener) else { return };
            if listening.backlog.is_empty() || listening.accepting.is_empty() {
                return;
            }
            let server = listening.backlog.pop_front().expect("not empty");
            let (caller, peer) = listening.accepting.pop_front().expect("not empty");
            let client = self.net.sockets.get(&server).and_then(|socket| socket.peer);
            let from = client.and_then(|client| self.net.sockets.get(&client));
            // The client may be gone by now: its address does not matter any more.
            let addr = from.map_or(SocketAddr::new(ip_of(0), 0), |socket| socket.local);
            // SAFETY: the contract of `Op`: the slot keeps the place until the completion, and a
            // process that ends takes its accepts with it.
            unsafe { &mut *peer }.set(&addr);
            let owner = caller.shard;
            if let Some(socket) = self.net.sockets.get_mut(&server) {
                socket.owner = owner;
            }
            let raw = self.machines[owner.node].files.open_handle(Handle::Socket(server));
            self.complete_locally(caller, raw);
        }
    }

    // Streams.

    fn receive(&mut self, caller: Caller, fd: Fd, into: Receive) {
        let id = self.socket(caller.shard, fd);
        if let Some(socket) = self.net.sockets.get_mut(&id) {
            socket.receiving.push_back((caller, into));
        }
        self.pump_receives(id);
    }

    fn pump_receives(&mut self, id: u64) {
        while let Some(socket) = self.net.sockets.get_mut(&id) {
            let Some((caller, into)) = socket.receiving.front().copied() else { return };
            let result = match (socket.inbox.len(), socket.broken, socket.ended) {
                (0, Some(error), _) => -error,
                (0, None, true) => 0,
                (0, None, false) => return,
                _ if matches!(into, Receive::Pooled) && self.rng.chance(1, 64) => -libc::ENOBUFS,
                _ => {
                    socket.receiving.pop_front();
                    self.hand_over(id, caller, into);
                    continue;
                }
            };
            socket.receiving.pop_front();
            self.complete_locally(caller, result);
        }
    }

    /// Moves bytes from the inbox to who waits for them; the window opens again.
    fn hand_over(&mut self, id: u64, caller: Caller, into: Receive) {
        let held = self.net.sockets[&id].inbox.len();
        let count = match into {
            Receive::Into(_, len) => self.part_of(held.min(len)),
            Receive::Pooled => self.part_of(held.min(POOLED_BYTES)),
        };
        let Some(socket) = self.net.sockets.get_mut(&id) else { return };
        let bytes: Vec<u8> = socket.inbox.drain(..count).collect();
        let peer = socket.peer;
        let payload = match into {
            Receive::Into(memory, _) => {
                // SAFETY: the contract of `Op`: at least `len` bytes, the ring's until the
                // completion; a process that ends takes its receives with it.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory, count) };
                Payload::None
            }
            Receive::Pooled => Payload::Bytes(Lease::from(bytes)),
        };
        let completion = Completion { key: caller.key, result: count as i32, payload };
        let delay = self.rng.below(LOCAL_NS);
        self.schedule(delay, Event::Complete(caller, completion));
        if let Some(peer) = peer {
            self.pump_sends(peer);
            self.pump_polls(peer);
        }
    }

    fn send(&mut self, caller: Caller, fd: Fd, send: Send) {
        let id = self.socket(caller.shard, fd);
        if let Some(socket) = self.net.sockets.get_mut(&id) {
            socket.sending.push_back((caller, send));
        }
        self.pump_sends(id);
    }

    fn try_send(&mut self, caller: Caller, fd: Fd, send: &Send) {
        let id = self.socket(caller.shard, fd);
        let room = self.net.room(id, self.options.window_bytes);
        let error = self.net.sockets.get(&id).map_or(Some(libc::EPIPE), Socket::send_error);
        match error {
            Some(error) => self.complete_locally(caller, -error),
            None if room == 0 => self.complete_locally(caller, -libc::EAGAIN),
            None => {
                let count = self.part_of(send.len().min(room));
                self.transmit(id, send.first(count));
                self.complete_locally(caller, count as i32);
            }
        }
    }

    fn pump_sends(&mut self, id: u64) {
        while let Some(socket) = self.net.sockets.get_mut(&id) {
            if socket.sending.is_empty() {
                return;
            }
            let error = socket.send_error();
            let room = self.net.room(id, self.options.window_bytes);
            if error.is_none() && room == 0 {
                return;
            }
            let socket = self.net.sockets.get_mut(&id).expect("it was there above");
            let (caller, send) = socket.sending.pop_front().expect("not empty");
            if let Some(error) = error {
                self.complete_locally(caller, -error);
                continue;
            }
            let count = self.part_of(send.len().min(room));
            self.transmit(id, send.first(count));
            self.complete_locally(caller, count as i32);
        }
    }

    fn pump_polls(&mut self, id: u64) {
        let room = self.net.room(id, self.options.window_bytes);
        let Some(socket) = self.net.sockets.get_mut(&id) else { return };
        if room == 0 && socket.send_error().is_none() {
            return;
        }
        for caller in std::mem::take(&mut socket.polling) {
            self.complete_locally(caller, i32::from(libc::POLLOUT));
        }
    }

    fn pump_ends(&mut self, id: u64) {
        let Some(socket) = self.net.sockets.get_mut(&id) else { return };
        if !socket.ended && socket.broken.is_none() {
            return;
        }
        for caller in std::mem::take(&mut socket.awaiting_end) {
            self.complete_locally(caller, i32::from(libc::POLLRDHUP));
        }
    }

    /// What a socket is said to take now: sometimes more than it will.
    pub(crate) fn send_room(&mut self, shard: Address, fd: Fd) -> u64 {
        let id = self.socket(shard, fd);
        let window = self.options.window_bytes;
        let room = if self.rng.chance(1, 4) { window } else { self.net.room(id, window) };
        room as u64
    }

    fn splice_to_socket(&mut self, caller: Caller, pipe: u64, id: u64, len: usize) {
        let room = self.net.room(id, self.options.window_bytes);
        let error = self.net.sockets.get(&id).map_or(Some(libc::EPIPE), Socket::send_error);
        let held = self.net.pipes.get(&pipe).map_or(0, |pipe| pipe.held.len());
        if let Some(error) = error {
            return self.complete_locally(caller, -error);
        }
        if room == 0 {
            return self.complete_locally(caller, -libc::EAGAIN);
        }
        let count = self.part_of(len.min(room).min(held));
        if let Some(pipe) = self.net.pipes.get_mut(&pipe) {
            let bytes = pipe.held.drain(..count).collect();
            self.transmit(id, bytes);
        }
        self.complete_locally(caller, count as i32);
    }

    /// Sends bytes on their way, in one piece or several.
    fn transmit(&mut self, id: u64, bytes: Vec<u8>) {
        let Some(peer) = self.net.sockets.get(&id).and_then(|socket| socket.peer) else { return };
        let mut rest = bytes;
        while !rest.is_empty() {
            let tail = rest.split_off(self.part_of(rest.len()));
            let piece = std::mem::replace(&mut rest, tail);
            if let Some(socket) = self.net.sockets.get_mut(&peer) {
                socket.in_transit += piece.len();
            }
            self.travel(peer, NetEvent::Bytes { from: id, socket: peer, bytes: piece });
        }
    }

    /// An event reaches a socket after everything that was sent to it before.
    fn travel(&mut self, to: u64, event: NetEvent) {
        let at = self.now_ns + self.net_delay();
        let at = match self.net.sockets.get_mut(&to) {
            Some(socket) => {
                socket.last_arrival_ns = socket.last_arrival_ns.max(at);
                socket.last_arrival_ns
            }
            None => at,
        };
        self.schedule_at(at, Event::Net(event));
    }

    fn shut_down(&mut self, id: u64) {
        let Some(socket) = self.net.sockets.get_mut(&id) else { return };
        let was_shut = std::mem::replace(&mut socket.shut, true);
        socket.ended = true;
        let peer = socket.peer;
        if let Some(peer) = peer.filter(|_| !was_shut) {
            self.travel(peer, NetEvent::End { socket: peer });
        }
        self.pump_all(id);
    }

    fn pump_all(&mut self, id: u64) {
        self.pump_receives(id);
        self.pump_sends(id);
        self.pump_polls(id);
        self.pump_ends(id);
    }

    /// The last handle of a socket is closed: the peer reads the end, or a reset if bytes that it
    /// sent were never read.
    fn close_socket(&mut self, id: u64) {
        let Some(mut socket) = self.net.sockets.remove(&id) else { return };
        for caller in socket.take_waiting() {
            self.complete_locally(caller, -libc::ECANCELED);
        }
        let Some(peer) = socket.peer else { return };
        if !socket.inbox.is_empty() || socket.in_transit > 0 {
            let delay = self.net_delay();
            self.schedule(delay, Event::Net(NetEvent::Reset { socket: peer }));
        } else if !socket.shut {
            self.travel(peer, NetEvent::End { socket: peer });
        }
    }

    fn close_listener(&mut self, id: u64) {
        let Some(listener) = self.net.listeners.remove(&id) else { return };
        for (caller, _) in listener.accepting {
            self.complete_locally(caller, -libc::ECANCELED);
        }
        for server in listener.backlog {
            let peer = self.net.sockets.remove(&server).and_then(|socket| socket.peer);
            if let Some(socket) = peer {
                let delay = self.net_delay();
                self.schedule(delay, Event::Net(NetEvent::Reset { socket }));
            }
        }
    }

    /// A process ended. After a power cut its peers hear nothing, until they send something and the
    /// machine, on again, knows nothing of it.
    pub(crate) fn close_sockets_of(&mut self, node: usize, end: Option<End>) {
        self.unschedule(|event| {
            matches!(event, Event::Net(NetEvent::Connect { caller, .. })
                if caller.shard.node == node)
        });
        let of_node =
            |(id, listener): (&u64, &Listener)| (listener.owner.node == node).then_some(*id);
        let listeners: Vec<u64> = self.net.listeners.iter().filter_map(of_node).collect();
        let of_node = |(id, s): (&u64, &Socket)| (s.owner.node == node).then_some(*id);
        if end == Some(End::PowerCut) {
            self.net.listeners.retain(|_, listener| listener.owner.node != node);
            let sockets = self.net.sockets.values_mut();
            sockets.filter(|socket| socket.owner.node == node).for_each(|socket| {
                socket.take_waiting();
            });
        } else {
            listeners.into_iter().for_each(|id| self.close_listener(id));
            let sockets: Vec<u64> = self.net.sockets.iter().filter_map(of_node).collect();
            sockets.into_iter().for_each(|id| self.close_socket(id));
        }
        for pipe in self.machines[node].files.pipes() {
            self.net.pipes.remove(&pipe);
        }
    }

    // What arrives.

    pub(crate) fn net_event(&mut self, event: NetEvent) {
        match event {
            NetEvent::Connect { caller, socket, to, tries } => {
                if self.lives(caller.shard) {
                    self.arrive(caller, socket, to, tries);
                }
            }
            NetEvent::Bytes { socket, .. }
            | NetEvent::End { socket }
            | NetEvent::Reset { socket }
                if self.net.is_blocked(socket) =>
            {
                self.net.held.push(event);
            }
            NetEvent::Bytes { from, socket, bytes } => self.take_bytes(from, socket, bytes),
            NetEvent::End { socket } => {
                if let Some(end) = self.net.sockets.get_mut(&socket) {
                    end.ended = true;
                    self.pump_all(socket);
                }
            }
            NetEvent::Reset { socket } => {
                if let Some(end) = self.net.sockets.get_mut(&socket) {
                    end.broken = Some(libc::ECONNRESET);
                    // What arrived before and was not read may or may not be there still.
                    if self.rng.chance(1, 2) {
                        end.inbox.clear();
                    }
                    self.pump_all(socket);
                }
            }
        }
    }

    fn take_bytes(&mut self, from: u64, to: u64, bytes: Vec<u8>) {
        let owner = self.net.sockets.get(&to).map(|socket| socket.owner);
        match owner {
            Some(owner) if self.lives(owner) => {}
            // Without power nobody answers, and the sender's window fills.
            Some(owner) if !self.machines[owner.node].powered => return,
            _ => {
                self.net.sockets.remove(&to);
                let delay = self.net_delay();
                return self.schedule(delay, Event::Net(NetEvent::Reset { socket: from }));
            }
        }
        let Some(socket) = self.net.sockets.get_mut(&to) else { return };
        socket.in_transit = socket.in_transit.saturating_sub(bytes.len());
        if socket.broken.is_none() && !socket.shut {
            socket.inbox.extend(bytes);
        }
        self.pump_receives(to);
    }

    pub(crate) fn reset_between(&mut self, one: usize, other: usize) {
        let between = |socket: &Socket| {
            let (owner, peer) = (socket.owner.node, socket.peer_node);
            socket.peer.is_some()
                && ((owner, peer) == (one, other) || (peer, owner) == (one, other))
        };
        let broken = self.net.sockets.iter().filter(|(_, socket)| between(socket));
        let broken: Vec<u64> = broken.map(|(id, _)| *id).collect();
        for socket in broken {
            self.schedule(0, Event::Net(NetEvent::Reset { socket }));
        }
    }

    pub(crate) fn unblock_all(&mut self) {
        self.net.blocked.clear();
        for event in std::mem::take(&mut self.net.held) {
            self.net_event(event);
        }
    }

    fn complete_locally(&mut self, caller: Caller, result: i32) {
        let delay = self.rng.below(LOCAL_NS);
        self.complete_later(caller, result, delay);
    }

    /// All of `most`, or by lot a part of it, at least one byte.
    pub(crate) fn part_of(&mut self, most: usize) -> usize {
        if most <= 1 || !self.rng.chance(self.options.short_transfers, 256) {
            return most;
        }
        1 + self.rng.index(most)
    }
}

impl Socket {
    /// Why nothing can be sent, if so.
    fn send_error(&self) -> Option<i32> {
        if self.shut { Some(libc::EPIPE) } else { self.broken }
    }
}

impl Send {
    fn len(&self) -> usize {
        self.0.iter().map(|(_, len)| len).sum()
    }

    /// A copy of the first bytes.
    fn first(&self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count);
        for (memory, len) in &self.0 {
            let part = (count - bytes.len()).min(*len);
            // SAFETY: the contract of `Op`: the pieces are valid until the completion, which has
            // not come; a process that ends takes its sends with it.
            bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(*memory, part) });
        }
        bytes
    }
}

fn pieces_of(message: *const libc::msghdr) -> Send {
    // SAFETY: the contract of `Op`: header and vector live until the completion.
    let vector = unsafe {
        let header = &*message;
        std::slice::from_raw_parts(header.msg_iov, header.msg_iovlen)
    };
    Send(vector.iter().map(|part| (part.iov_base.cast_const().cast(), part.iov_len)).collect())
}
