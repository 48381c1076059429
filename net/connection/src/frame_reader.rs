//! Cuts a socket's bytes into frames: a big-endian length of four bytes, then that many bytes.
//!
//! ```text
//! small requests    recv_pooled ─► the driver's bytes are the frame
//! bulk              recv ────────► a block of 64 KiB or more, which several frames may share
//! larger than that  recv ────────► a buffer of the frame's own, what came already copied in
//! ```
//!
//! A frame's own buffer is as large as the frame if the connection has sent such frames before, or
//! if most of it is there. Otherwise it grows with what comes, four times each step, so that a
//! claim costs the peer as much as us; the bytes of a frame are copied at most once on the whole
//! for that.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use protocol::frame::{PREFIX_SIZE, frame_size};
use runtime::{Buffer, Lease, Permit, Socket};

use crate::request_memory::{Charge, RequestMemory};
use crate::response_queue::ResponseQueue;
use crate::watch::{Late, Watched};

/// A connection whose frames are larger reads into memory of its own, to spare a copy.
const SMALL_FRAME_SIZE: usize = 4 * 1024;
/// What such a connection reads at once: two or more frames of the size that clients batch to by
/// default (16 KiB).
const BULK_SIZE: usize = 64 * 1024;
/// The first step of a buffer for a frame of which nothing has come.
const FIRST_STEP_SIZE: usize = 4 * 1024;
/// A step is so many times what has come.
const STEP_GROWTH: usize = 4;

/// What a peer may ask of us.
#[derive(Clone)]
pub struct FrameLimits {
    /// The longest frame, `socket.request.max.bytes`.
    pub frame_size_max: u32,
    /// What frames that are being read or handled on this shard may hold together.
    pub memory: RequestMemory,
    /// How long nothing may come and no answer be under way, `connections.max.idle.ms`, to the
    /// second; for ever if it is none.
    pub idle_max: Option<Duration>,
}

/// One request as it came, without its length, and what it holds of the budget until it is dropped.
pub struct Frame {
    /// The bytes behind the length.
    pub bytes: Lease,
    /// Given back when the request has been dealt with.
    pub charge: Charge,
}

impl Frame {
    /// The frame in memory of its own, as one that waits for some peer, so that it holds nothing
    /// that others need. None if there is no room to wait in.
    pub fn set_apart(self, memory: &RequestMemory) -> Option<Frame> {
        let Frame { bytes, charge } = self;
        if !charge.is_of_block() {
            let charge = memory.set_apart(charge, bytes.len())?;
            return Some(Frame { bytes, charge });
        }
        let charge = memory.waiting(bytes.len())?;
        Some(Frame { bytes: Lease::from(&bytes[..]), charge })
    }
}

/// Why there is no next frame.
#[derive(Debug)]
pub enum ReadError {
    /// The peer closed the connection, between two frames.
    Closed,
    /// Nothing came and nothing was answered for longer than it may.
    Idle,
    /// The peer closed the connection inside a frame.
    Truncated,
    /// A negative length, or one above `socket.request.max.bytes`.
    Length {
        /// What the peer claimed.
        claimed: i32,
        /// What is allowed.
        max: u32,
    },
    /// The frame took too long to come.
    Slow {
        /// What the peer claimed.
        claimed: usize,
        /// What came.
        received: usize,
    },
    /// The frame took too long because there was no memory for it.
    NoMemory {
        /// What the peer claimed.
        claimed: usize,
        /// What came.
        received: usize,
    },
    /// The length in front of a frame took too long to come.
    SlowLength {
        /// What came of it.
        received: usize,
    },
    /// The socket failed.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Closed => write!(f, "closed by the peer"),
            ReadError::Idle => write!(f, "idle for connections.max.idle.ms"),
            ReadError::Truncated => write!(f, "closed by the peer inside a request"),
            ReadError::Length { claimed, max } => write!(
                f,
                "a request of {claimed} bytes (socket.request.max.bytes is {max}): is this a Kafka \
                 client, and does it speak without TLS?"
            ),
            ReadError::Slow { claimed, received } => write!(
                f,
                "a request of {claimed} bytes of which {received} came in time: is the network \
                 slow, or the peer no Kafka client?"
            ),
            ReadError::NoMemory { claimed, received } => write!(
                f,
                "a request of {claimed} bytes of which {received} came waited too long for memory \
                 that other requests have: raise ringmain.request.bytes, or let clients send less \
                 at once"
            ),
            ReadError::SlowLength { received } => write!(
                f,
                "{received} of the {PREFIX_SIZE} bytes of a request's length came in time: is the \
                 network slow, or the peer no Kafka client?"
            ),
            ReadError::Io(e) => write!(f, "{e}"),
        }
    }
}

/// Reads the frames of one connection. Holds no memory while the connection is silent, but for the
/// few seconds in which one with large requests is likely to send the next.
pub struct FrameReader {
    socket: Socket,
    limits: FrameLimits,
    watched: Watched,
    /// Received, and not yet part of a frame.
    pending: Lease,
    /// What the block holds that `pending` lies in, if it is one.
    block: Option<Rc<Permit>>,
    /// The last frame's size: the best guess for the next.
    last_size: usize,
    /// What this connection is known to send: the largest frame, less an eighth for each since.
    proven_size: usize,
}

impl FrameReader {
    /// Reads from `socket`; nobody else may. The connection is not idle while a place in `answers`
    /// is taken.
    pub fn new(socket: Socket, limits: FrameLimits, answers: &ResponseQueue) -> FrameReader {
        let watched = limits.memory.watch_list().enter(answers);
        let (pending, block) = (Lease::empty(), None);
        FrameReader { socket, limits, watched, pending, block, last_size: 0, proven_size: 0 }
    }

    /// The next frame. Waits for room in the memory before it takes more of the socket's bytes.
    /// After an error, or when the future is dropped, the connection must be closed.
    pub async fn next(&mut self) -> Result<Frame, ReadError> {
        while self.pending.is_empty() {
            self.receive().await?;
        }
        if self.pending.len() < PREFIX_SIZE {
            self.receive_length().await?;
        }
        let size = self.claimed_size()?;
        let frame = if self.pending.len() >= PREFIX_SIZE + size {
            self.cut(size).await
        } else {
            self.receive_rest(size).await?
        };
        self.last_size = size;
        self.proven_size = size.max(self.proven_size - self.proven_size / 8);
        Ok(frame)
    }

    /// The next frame will not be asked for in a while: what has come of it gives back its block,
    /// if there is room for it elsewhere.
    pub fn set_apart(&mut self) {
        if self.block.is_some()
            && let Some(charge) = self.limits.memory.waiting(self.pending.len())
        {
            self.pending = Lease::from(&self.pending[..]);
            self.block = charge.into_block();
        }
    }

    /// A frame that is pending as a whole.
    async fn cut(&mut self, size: usize) -> Frame {
        let charge = match &self.block {
            Some(block) => Charge::of_block(block),
            None => self.limits.memory.whole(size).await,
        };
        let end = PREFIX_SIZE + size;
        let bytes = self.pending.slice(PREFIX_SIZE..end);
        self.pending = self.pending.slice(end..self.pending.len());
        if self.pending.is_empty() {
            self.forget_pending();
        }
        Frame { bytes, charge }
    }

    fn forget_pending(&mut self) {
        (self.pending, self.block) = (Lease::empty(), None);
    }

    fn claimed_size(&self) -> Result<usize, ReadError> {
        let mut prefix = [0; PREFIX_SIZE];
        prefix.copy_from_slice(&self.pending[..PREFIX_SIZE]);
        let max = self.limits.frame_size_max;
        frame_size(prefix, max as usize)
            .map_err(|_| ReadError::Length { claimed: i32::from_be_bytes(prefix), max })
    }

    /// Waits for the first bytes of the next frame.
    async fn receive(&mut self) -> Result<(), ReadError> {
        if self.last_size > SMALL_FRAME_SIZE && self.receive_block().await? {
            return Ok(());
        }
        let watching = self.watched.idles(self.limits.idle_max);
        let received = watching.unless_late(self.socket.recv_pooled()).await;
        let got = received.map_err(|Late| ReadError::Idle)?.map_err(ReadError::Io)?;
        if got.is_empty() {
            return Err(ReadError::Closed);
        }
        (self.pending, self.block) = (got, None);
        Ok(())
    }

    /// Receives what is missing of a length that has begun.
    async fn receive_length(&mut self) -> Result<(), ReadError> {
        let watching = self.watched.begins();
        while self.pending.len() < PREFIX_SIZE {
            let received = watching.unless_late(self.socket.recv_pooled()).await;
            let slow = |Late| ReadError::SlowLength { received: self.pending.len() };
            let got = received.map_err(slow)?.map_err(ReadError::Io)?;
            if got.is_empty() {
                return Err(ReadError::Truncated);
            }
            self.pending = Lease::from([&self.pending[..], &got[..]].concat());
            self.block = None;
        }
        Ok(())
    }

    /// Waits for bytes with a block at hand; not, if there is no room for one, or nothing comes for
    /// a while.
    async fn receive_block(&mut self) -> Result<bool, ReadError> {
        let two_frames = 2 * (PREFIX_SIZE + self.last_size);
        let size = two_frames.clamp(BULK_SIZE, 4 * BULK_SIZE);
        let Some(charge) = self.limits.memory.try_block(size) else { return Ok(false) };
        let buffer = Buffer::with_capacity(size);
        let watching = self.watched.waits();
        let (got, buffer) = self.socket.recv_unless(buffer, watching.late()).await;
        drop(watching);
        match got.map_err(ReadError::Io)? {
            None => {
                self.last_size = 0;
                return Ok(false);
            }
            Some(0) => return Err(ReadError::Closed),
            Some(_) => {}
        }
        (self.pending, self.block) = (buffer.freeze(), Some(charge));
        Ok(true)
    }

    /// Receives a frame whose beginning is pending into memory of its own.
    async fn receive_rest(&mut self, size: usize) -> Result<Frame, ReadError> {
        let memory = self.limits.memory.clone();
        let begun = &self.pending[PREFIX_SIZE..];
        let first = self.step(begun.len(), size).min(memory.bulk_frame_max()).max(begun.len());
        let watching = self.watched.begins();
        let no_memory = |Late, received| ReadError::NoMemory { claimed: size, received };
        let charged = watching.unless_late(memory.begin(size, first)).await;
        let mut charge = charged.map_err(|late| no_memory(late, begun.len()))?;
        let mut buffer = Buffer::with_capacity(first);
        buffer.extend_from_slice(begun);
        (self.pending, self.block) = (Lease::empty(), None);
        while buffer.len() < size {
            let filled = buffer.len();
            if buffer.room() == 0 {
                let wanted = self.step(filled, size);
                let grown = watching.unless_late(memory.grow(&mut charge, size, wanted)).await;
                let grown = grown.map_err(|late| no_memory(late, filled))?;
                let smaller = std::mem::replace(&mut buffer, Buffer::with_capacity(grown));
                buffer.extend_from_slice(&smaller);
            }
            let received = watching.unless_late(self.socket.recv(buffer)).await;
            let slow = |Late| ReadError::Slow { claimed: size, received: filled };
            let (got, back) = received.map_err(slow)?;
            buffer = back;
            match got.map_err(ReadError::Io)? {
                0 => return Err(ReadError::Truncated),
                n => watching.received(n),
            }
        }
        Ok(Frame { bytes: buffer.freeze(), charge })
    }

    /// How large the buffer of a frame of `size` is to be when `filled` bytes of it have come.
    fn step(&self, filled: usize, size: usize) -> usize {
        let step = FIRST_STEP_SIZE.max(STEP_GROWTH * filled).max(self.proven_size);
        if step >= size / 2 { size } else { step }
    }
}

#[cfg(test)]
mod tests;
