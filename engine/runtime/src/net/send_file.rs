//! From a file to a socket through a pipe, in the kernel, without blocking the shard or a worker.

use super::socket::Socket;
use crate::disk::file::SharedFile;
use crate::op::{Fd, Op, check};
use crate::pipe::{PIPE_BYTES, Pipe};
use crate::ring::Keep;
use std::io;
use std::rc::Rc;

/// The shortest step: a page, as the kernel's account of a socket's room is only an estimate.
const STEP_MIN_BYTES: u64 = 4096;

/// See [`Socket::send_file`].
///
/// The socket is non-blocking, so the kernel's worker never waits in it; we poll instead, and hold
/// no pipe meanwhile. Each step is as long as the socket says it has room. If it takes less all the
/// same, the pipe is thrown away with what is left in it: that is in the page cache, and the next
/// step reads it there again.
pub(super) async fn send_file(
    socket: &Socket,
    file: &SharedFile,
    position: u64,
    len: u64,
) -> io::Result<()> {
    let core = &socket.stream().core;
    let mut done = 0;
    while done < len {
        socket.writable().await?;
        let pipe = core.pipes.take(core).await?;
        let room = core.driver().send_room(socket.stream().fd);
        let step = (len - done).min(room.clamp(STEP_MIN_BYTES, PIPE_BYTES)) as u32;
        let op = Op::Splice {
            from: file.fd(),
            position: Some(position + done),
            to: pipe.write,
            len: step,
        };
        let keep = Keep::Splice(pipe.clone(), Some(file.clone()));
        let held = check(socket.submit(op, keep).await.result)?;
        if held == 0 {
            core.pipes.give_back(pipe);
            let text = format!("the file ends {} bytes before what was to be sent", len - done);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        // An error leaves here, and drops the pipe with what is in it.
        let moved = empty_into(socket, &pipe, held).await?;
        if moved == held {
            core.pipes.give_back(pipe);
        }
        done += moved as u64;
    }
    Ok(())
}

/// Moves what the pipe holds, until the socket is full. How much it took.
async fn empty_into(socket: &Socket, pipe: &Rc<Pipe>, held: usize) -> io::Result<usize> {
    let mut left = held;
    while left > 0 {
        // Splice takes plain descriptors: the pipe belongs to no ring's table.
        let to = Fd::plain(socket.stream().fd.raw);
        let op = Op::Splice { from: pipe.read, position: None, to, len: left as u32 };
        let outcome = socket.submit(op, Keep::Splice(pipe.clone(), None)).await;
        match check(outcome.result) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => left -= n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) => return Err(e),
        }
    }
    Ok(held - left)
}

#[cfg(test)]
mod tests;
