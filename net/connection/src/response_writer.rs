//! Sends the responses of one connection, small ones that are ready together in one go.

use std::fmt;
use std::io;
use std::time::Duration;

use runtime::{Durations, Instant, Permit, Shard, Socket};

use crate::outgoing::{Outgoing, Patience, Way};
use crate::part::Part;
use crate::response_queue::{Response, ResponseQueue};

/// Responses are gathered up to this size before they are sent: what the socket takes in one step.
const GATHER_SIZE: u64 = 256 * 1024;

/// How long a peer may take nothing of its responses: a consumer that is busy with what it has does
/// not read, and nothing of ours waits for it. This is Kafka's `connections.max.idle.ms`.
const SILENCE_MAX: Duration = Duration::from_secs(600);
/// When the responses hold a part of a budget, which others wait for, a peer takes so much of them,
/// or it is behind.
const BYTES_A_SECOND: u64 = 32 * 1024;
/// How far behind it may be: all the time that one has which takes nothing.
const BEHIND_MAX: Duration = Duration::from_secs(30);

/// Why no more responses can be sent.
#[derive(Debug)]
pub enum WriteError {
    /// The peer is gone or takes nothing, or a file that a response was being sent from no longer
    /// has its bytes.
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
    shard: Shard,
    socket: Socket,
    queue: ResponseQueue,
    sent: Durations,
}

/// Responses that will leave together.
#[derive(Default)]
struct Gathered {
    outgoing: Outgoing,
    size: u64,
    /// How many responses are complete once it is sent.
    responses: usize,
    /// What others wait for.
    charges: Vec<Permit>,
    /// What nobody else waits for.
    own: Vec<Permit>,
}

impl ResponseWriter {
    /// Sends to `socket`; nobody else may. `sent` counts how long responses take from when they
    /// are made until the socket has taken them.
    pub fn new(
        shard: Shard,
        socket: Socket,
        queue: ResponseQueue,
        sent: Durations,
    ) -> ResponseWriter {
        ResponseWriter { shard, socket, queue, sent }
    }

    /// Sends until the queue is closed and empty, a response asks to close, or the peer is gone.
    /// The socket is shut down when it returns, so the reader ends too.
    pub async fn run(self) -> Result<(), WriteError> {
        let ended = self.send_all().await;
        self.queue.abandon();
        self.socket.shutdown();
        ended.map_err(WriteError::Io)
    }

    async fn send_all(&self) -> io::Result<()> {
        // At most as many as the queue has places.
        let mut made_at = Vec::new();
        while let Some(first) = self.queue.front().await {
            let mut gathered = Gathered::default();
            let mut next = Some(first);
            while let Some(response) = next {
                match response {
                    Response::Close => return self.flush(&mut gathered, &mut made_at).await,
                    Response::Nothing => {}
                    Response::Send { parts, charge, own, made_at: at } => {
                        gathered.charges.extend(charge);
                        gathered.own.extend(own);
                        made_at.push(at);
                        gathered.size += parts.iter().map(Part::size_bytes).sum::<u64>();
                        gathered.outgoing.push(parts);
                    }
                }
                gathered.responses += 1;
                next = if gathered.size < GATHER_SIZE {
                    self.queue.ready_behind(gathered.responses)
                } else {
                    None
                };
            }
            self.flush(&mut gathered, &mut made_at).await?;
        }
        Ok(())
    }

    async fn flush(&self, gathered: &mut Gathered, made_at: &mut Vec<Instant>) -> io::Result<()> {
        let patience = match gathered.charges.is_empty() {
            true => Patience::Silence(SILENCE_MAX),
            false => Patience::Pace { behind_max: BEHIND_MAX, bytes_a_second: BYTES_A_SECOND },
        };
        gathered.outgoing.send(&Way::new(&self.shard, &self.socket, patience)).await?;
        gathered.charges.clear();
        gathered.own.clear();
        let now = self.shard.now();
        made_at.drain(..).for_each(|made_at| self.sent.record(now.since(made_at)));
        self.queue.sent(std::mem::take(&mut gathered.responses));
        Ok(())
    }
}
