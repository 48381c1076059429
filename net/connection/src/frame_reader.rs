//! Cuts a socket's bytes into frames: a big-endian length of four bytes, then that many bytes.
//!
//! ```text
//! small requests    recv_pooled ─► a slice of the driver's buffer is the frame
//! bulk              recv ────────► 64 KiB or more of our own, several frames may share it
//! larger than that  recv ────────► a buffer of the frame's exact size, what came already copied in
//! ```

use std::fmt;
use std::io;

use runtime::{Budget, Buffer, Lease, Permit, Socket};

/// The bytes of the length in front of every frame.
const PREFIX_SIZE: usize = 4;
/// A connection whose frames are larger reads into memory of its own, to spare a copy.
const SMALL_FRAME_SIZE: usize = 4 * 1024;
/// What such a connection reads at once: two or more frames of the size that clients batch to by
/// default (16 KiB).
const BULK_SIZE: usize = 64 * 1024;

/// What a peer may ask of us.
#[derive(Clone)]
pub struct FrameLimits {
    /// The longest frame, `socket.request.max.bytes`.
    pub frame_size_max: u32,
    /// What frames that are being read or handled on this shard may hold together.
    pub memory: Budget,
}

/// One request as it came, without its length, and what it holds of the budget until it is dropped.
pub struct Frame {
    /// The bytes behind the length.
    pub bytes: Lease,
    /// Given back when the request has been dealt with.
    pub charge: Permit,
}

/// Why there is no next frame.
#[derive(Debug)]
pub enum ReadError {
    /// The peer closed the connection, between two frames.
    Closed,
    /// The peer closed the connection inside a frame.
    Truncated,
    /// A negative length, or one above `socket.request.max.bytes`.
    Length {
        /// What the peer claimed.
        claimed: i32,
        /// What is allowed.
        max: u32,
    },
    /// The frame alone is larger than all that the shard may hold.
    Budget(u32),
    /// The socket failed.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Closed => write!(f, "closed by the peer"),
            ReadError::Truncated => write!(f, "closed by the peer inside a request"),
            ReadError::Length { claimed, max } => write!(
                f,
                "a request of {claimed} bytes (socket.request.max.bytes is {max}): is this a Kafka \
                 client, and does it speak without TLS?"
            ),
            ReadError::Budget(size) => {
                write!(f, "a request of {size} bytes, more than this shard may hold at all")
            }
            ReadError::Io(e) => write!(f, "{e}"),
        }
    }
}

/// Reads the frames of one connection. Holds no memory while the connection is idle and its
/// requests are small.
pub struct FrameReader {
    socket: Socket,
    limits: FrameLimits,
    /// Received, and not yet part of a frame.
    pending: Lease,
    /// The last frame's size: the best guess for the next.
    last_size: usize,
}

impl FrameReader {
    /// Reads from `socket`; nobody else may.
    pub fn new(socket: Socket, limits: FrameLimits) -> FrameReader {
        FrameReader { socket, limits, pending: Lease::from(Vec::new()), last_size: 0 }
    }

    /// The next frame. Waits for the budget before it takes more of the socket's bytes. After an
    /// error, or when the future is dropped, the connection must be closed.
    pub async fn next(&mut self) -> Result<Frame, ReadError> {
        while self.pending.len() < PREFIX_SIZE {
            self.receive().await?;
        }
        let size = self.claimed_size()?;
        let charge = self.limits.memory.acquire(size as u64).await;
        let charge = charge.map_err(|_| ReadError::Budget(size as u32))?;
        self.last_size = size;
        let end = PREFIX_SIZE + size;
        let bytes = if self.pending.len() >= end {
            let bytes = self.pending.slice(PREFIX_SIZE..end);
            self.pending = self.pending.slice(end..self.pending.len());
            bytes
        } else {
            self.receive_rest(size).await?
        };
        Ok(Frame { bytes, charge })
    }

    fn claimed_size(&self) -> Result<usize, ReadError> {
        let mut prefix = [0; PREFIX_SIZE];
        prefix.copy_from_slice(&self.pending[..PREFIX_SIZE]);
        let claimed = i32::from_be_bytes(prefix);
        let max = self.limits.frame_size_max;
        match u32::try_from(claimed) {
            Ok(size) if size <= max => Ok(size as usize),
            _ => Err(ReadError::Length { claimed, max }),
        }
    }

    /// Waits for bytes where the next frame's length is not known yet.
    async fn receive(&mut self) -> Result<(), ReadError> {
        let bulk = self.last_size > SMALL_FRAME_SIZE;
        let got = if bulk {
            let two_frames = 2 * (PREFIX_SIZE + self.last_size);
            let buffer = Buffer::plain(two_frames.clamp(BULK_SIZE, 4 * BULK_SIZE));
            let (got, mut buffer) = self.socket.recv(buffer, 0).await;
            buffer.truncate(got.map_err(ReadError::Io)?);
            buffer.freeze()
        } else {
            self.socket.recv_pooled().await.map_err(ReadError::Io)?
        };
        if got.is_empty() {
            let inside = !self.pending.is_empty();
            return Err(if inside { ReadError::Truncated } else { ReadError::Closed });
        }
        self.pending = match self.pending.len() {
            0 => got,
            _ => Lease::from([&self.pending[..], &got[..]].concat()),
        };
        Ok(())
    }

    /// Receives a frame whose beginning is pending into memory of its own.
    async fn receive_rest(&mut self, size: usize) -> Result<Lease, ReadError> {
        let mut buffer = Buffer::plain(size);
        let mut filled = self.pending.len() - PREFIX_SIZE;
        buffer[..filled].copy_from_slice(&self.pending[PREFIX_SIZE..]);
        self.pending = Lease::from(Vec::new());
        while filled < size {
            let (got, back) = self.socket.recv(buffer, filled).await;
            buffer = back;
            match got.map_err(ReadError::Io)? {
                0 => return Err(ReadError::Truncated),
                n => filled += n,
            }
        }
        Ok(buffer.freeze())
    }
}

#[cfg(test)]
mod tests;
