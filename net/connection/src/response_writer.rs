//! Sends the responses of one connection, small ones that are ready together in one go.

use std::fmt;
use std::io;

use runtime::{Lease, Permit, Socket};

use crate::response_queue::{Part, Response, ResponseQueue};

/// Responses are gathered up to this size before they are sent: what the socket takes in one step.
const GATHER_SIZE: usize = 256 * 1024;

/// Why no more responses can be sent.
#[derive(Debug)]
pub enum WriteError {
    /// The peer is gone, or a file that a response was being sent from no longer has its bytes.
    Io(io::Error),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Io(e) => write!(f, "{e}"),
        }
    }
}

/// Takes responses from a [`ResponseQueue`] and sends them.
pub struct ResponseWriter {
    socket: Socket,
    queue: ResponseQueue,
}

/// In-memory parts that will leave in one vectored send.
#[derive(Default)]
struct Gathered {
    parts: Vec<Lease>,
    size: usize,
    /// How many responses are complete once the parts are sent.
    responses: usize,
    charges: Vec<Permit>,
}

impl ResponseWriter {
    /// Sends to `socket`; nobody else may.
    pub fn new(socket: Socket, queue: ResponseQueue) -> ResponseWriter {
        ResponseWriter { socket, queue }
    }

    /// Sends until the queue is closed and empty, a response asks to close, or the peer is gone. The
    /// socket is shut down when it returns, so the reader ends too.
    pub async fn run(self) -> Result<(), WriteError> {
        let ended = self.send_all().await;
        self.queue.abandon();
        self.socket.shutdown();
        ended.map_err(WriteError::Io)
    }

    async fn send_all(&self) -> io::Result<()> {
        while let Some(first) = self.queue.front().await {
            let mut gathered = Gathered::default();
            let mut next = Some(first);
            while let Some(response) = next {
                match response {
                    Response::Close => return self.flush(&mut gathered).await,
                    Response::Nothing => {}
                    Response::Send { parts, charge } => {
                        gathered.charges.extend(charge);
                        self.gather(&mut gathered, parts).await?;
                    }
                }
                gathered.responses += 1;
                next = if gathered.size < GATHER_SIZE {
                    self.queue.ready_behind(gathered.responses)
                } else {
                    None
                };
            }
            self.flush(&mut gathered).await?;
        }
        Ok(())
    }

    /// Adds memory to what is gathered; a file's bytes go at once, behind what was gathered so far.
    async fn gather(&self, gathered: &mut Gathered, parts: Vec<Part>) -> io::Result<()> {
        for part in parts {
            match part {
                Part::Memory(bytes) => {
                    gathered.size += bytes.len();
                    gathered.parts.push(bytes);
                }
                Part::File { file, position, len } => {
                    self.send_memory(gathered).await?;
                    self.socket.send_file(&file, position, len).await?;
                }
            }
        }
        Ok(())
    }

    async fn send_memory(&self, gathered: &mut Gathered) -> io::Result<()> {
        let parts = std::mem::take(&mut gathered.parts);
        gathered.size = 0;
        match parts.len() {
            0 => Ok(()),
            _ => self.socket.send_vectored(&parts).await,
        }
    }

    async fn flush(&self, gathered: &mut Gathered) -> io::Result<()> {
        self.send_memory(gathered).await?;
        gathered.charges.clear();
        self.queue.sent(std::mem::take(&mut gathered.responses));
        Ok(())
    }
}
