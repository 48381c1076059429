//! A connected stream: receives into pooled or own memory, sends leases.

use super::message::{Message, STEP_BYTES};
use crate::buffer::Buffer;
use crate::disk::file::SharedFile;
use crate::lease::Lease;
use crate::op::{CloseKind, Fd, Op, Payload, check};
use crate::ring::{Holder, Keep, Outcome, Ticket};
use crate::shard::Core;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

/// What is received when the driver's own memory has run out.
const FALLBACK_BYTES: usize = 4096;

/// A stream without Nagle's delay. Clones are the same socket; it closes, through the ring, when
/// the last clone and the last operation on it are gone.
#[derive(Clone)]
pub struct Socket(Rc<Stream>);

pub(super) struct Stream {
    pub(super) core: Rc<Core>,
    pub(super) fd: Fd,
}

impl Socket {
    pub(super) fn new(core: &Rc<Core>, fd: Fd) -> Socket {
        Socket(Rc::new(Stream { core: core.clone(), fd }))
    }

    /// Receives a little (at most a few KiB) once something is there. While nothing is, no memory
    /// is held. Empty at the end of the stream. If this future is dropped, close the connection:
    /// bytes may be lost.
    pub async fn recv_pooled(&self) -> io::Result<Lease> {
        let outcome = self.submit(Op::RecvPooled { fd: self.0.fd }, Keep::Nothing).await;
        match (check(outcome.result), outcome.payload) {
            (Ok(0), _) => Ok(Lease::empty()),
            (Ok(n), Payload::Bytes(bytes)) => {
                assert_eq!(n, bytes.len(), "the driver's count and its bytes");
                Ok(bytes)
            }
            (Ok(n), other) => unreachable!("{n} bytes received, but {other:?} came"),
            (Err(e), _) if e.raw_os_error() == Some(libc::ENOBUFS) => self.recv_fallback().await,
            (Err(e), _) => Err(e),
        }
    }

    /// Receives behind the bytes of `buf`, as much as is there and as it has room for; 0 at the end
    /// of the stream. If this future is dropped, close the connection: bytes may be lost.
    pub async fn recv(&self, buf: Buffer) -> (io::Result<usize>, Buffer) {
        received(self.submit_recv(buf).await)
    }

    /// As [`Socket::recv`], but gives up when `stop` is ready before anything came: none then, and
    /// no byte of the stream is lost.
    pub async fn recv_unless(
        &self,
        buf: Buffer,
        stop: impl Future<Output = ()>,
    ) -> (io::Result<Option<usize>>, Buffer) {
        let mut ticket = self.submit_recv(buf);
        let mut stop = pin!(stop);
        let mut stopped = false;
        let outcome = poll_fn(|cx| {
            if let Poll::Ready(outcome) = Pin::new(&mut ticket).poll(cx) {
                return Poll::Ready(outcome);
            }
            if !stopped && stop.as_mut().poll(cx).is_ready() {
                stopped = true;
                ticket.cancel();
            }
            Poll::Pending
        })
        .await;
        let (result, buf) = received(outcome);
        let result = match result {
            Err(e) if stopped && e.raw_os_error() == Some(libc::ECANCELED) => Ok(None),
            result => result.map(Some),
        };
        (result, buf)
    }

    fn submit_recv(&self, mut buf: Buffer) -> Ticket {
        let room = buf.room();
        assert!(room > 0, "a receive into no room would look like the stream's end");
        let len = room.min(1 << 30) as u32;
        let op = Op::Recv { fd: self.0.fd, memory: buf.end(), len };
        self.submit(op, Keep::Buffer(buf))
    }

    /// Sends all of `bytes`. After an error, or a dropped future, an unknown part of them is sent.
    pub async fn send(&self, bytes: Lease) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = rest.len().min(STEP_BYTES) as u32;
            let op = Op::Send { fd: self.0.fd, memory: rest.as_ptr(), len };
            let outcome = self.submit(op, Keep::Lease(rest)).await;
            rest = outcome.keep.lease();
            let n = sent(outcome.result)?;
            rest = rest.slice(n..rest.len());
        }
        Ok(())
    }

    /// Sends what the socket takes at once of the first 256 KiB of `parts`; 0 if it takes nothing
    /// now: wait with [`Socket::writable`]. So nobody's memory is held while a slow peer reads.
    pub async fn try_send_vectored(&self, parts: &[Lease]) -> io::Result<usize> {
        let message = Message::step(parts);
        let op = Op::TrySendMsg { fd: self.0.fd, message: Message::header(&message) };
        let outcome = self.submit(op, Keep::Message(message)).await;
        match sent(outcome.result) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    /// Returns when the socket takes bytes again, or is broken.
    pub async fn writable(&self) -> io::Result<()> {
        let op = Op::PollWritable { fd: self.0.fd };
        check(self.submit(op, Keep::Nothing).await.result).map(|_| ())
    }

    /// Returns when the peer sends no more, or the socket is broken: nobody may want any more what
    /// is done for it. What it sent before may not be received yet.
    pub async fn peer_ended(&self) {
        let _whichever = self.submit(Op::PollEnd { fd: self.0.fd }, Keep::Nothing).await;
    }

    /// Sends `len` bytes of a file from `position` on, without copying them through this process.
    /// An error if the file is shorter. After an error an unknown part of them is sent.
    pub async fn send_file(&self, file: &SharedFile, position: u64, len: u64) -> io::Result<()> {
        super::send_file::send_file(self, file, position, len).await
    }

    /// Stops both directions: whoever waits on the socket, here or at the other end, goes on.
    pub fn shutdown(&self) {
        let op = Op::Shutdown { fd: self.0.fd };
        self.0.core.ring.start_detached(op, Holder::Socket(self.clone()));
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.0
    }

    pub(super) fn submit(&self, op: Op, keep: Keep) -> Ticket {
        self.0.core.submit(op, keep, Holder::Socket(self.clone()))
    }

    async fn recv_fallback(&self) -> io::Result<Lease> {
        let (got, buf) = self.recv(Buffer::with_capacity(FALLBACK_BYTES)).await;
        got.map(|_| buf.freeze())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.core.close(self.fd, CloseKind::Quick);
    }
}

/// What a receive has brought, behind what the buffer held before.
fn received(outcome: Outcome) -> (io::Result<usize>, Buffer) {
    let mut buf = outcome.keep.buffer();
    let got = check(outcome.result);
    if let Ok(count) = got {
        // SAFETY: the driver was given the buffer's end, and wrote so many bytes there.
        unsafe { buf.filled(count) };
    }
    (got, buf)
}

fn sent(result: i32) -> io::Result<usize> {
    match check(result)? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        n => Ok(n),
    }
}
