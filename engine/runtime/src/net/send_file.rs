//! From a file to a socket through a pipe, in the kernel, without blocking the shard or a worker.

use super::socket::Socket;
use crate::disk::file::SharedFile;
use crate::op::{Fd, Op, check};
use crate::pipe::{PIPE_BYTES, Pipe};
use crate::ring::Keep;
use std::io;
use std::rc::Rc;

/// See [`Socket::send_file`].
///
/// A pipe is taken only when the socket has room, and given back when it is empty: a receiver that
/// reads nothing holds a pipe at most for what it took half of. The socket is non-blocking, so the
/// kernel's worker never waits in it; we poll instead.
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
        let step = (len - done).min(PIPE_BYTES) as u32;
        let op = Op::Splice {
            from: file.fd(),
            position: Some(position + done),
            to: pipe.write,
            len: step,
        };
        let keep = Keep::Splice(pipe.clone(), Some(file.clone()));
        let moved = check(socket.submit(op, keep).await.results[0])?;
        if moved == 0 {
            core.pipes.give_back(pipe);
            let text = format!("the file ends {} bytes before what was to be sent", len - done);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        // An error leaves here, and drops the pipe with what is in it.
        empty_into(socket, &pipe, moved).await?;
        core.pipes.give_back(pipe);
        done += moved as u64;
    }
    Ok(())
}

async fn empty_into(socket: &Socket, pipe: &Rc<Pipe>, held: usize) -> io::Result<()> {
    let mut held = held;
    while held > 0 {
        // Splice takes plain descriptors: the pipe belongs to no ring's table.
        let to = Fd::plain(socket.stream().fd.raw);
        let op = Op::Splice { from: pipe.read, position: None, to, len: held as u32 };
        let outcome = socket.submit(op, Keep::Splice(pipe.clone(), None)).await;
        match check(outcome.results[0]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => held -= n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => socket.writable().await?,
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
