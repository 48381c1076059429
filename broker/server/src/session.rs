//! One connection's loop: frames in, requests to their handlers, answers in the order of the
//! requests.
//!
//! Produce requests overlap: each takes its place in the logs before the next is read, and answers
//! when it is durable. Every other request is a barrier: it begins when everything before it has
//! been answered, and nothing is read meanwhile.

use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use connection::{
    Charge, Frame, FrameLimits, FrameReader, Part, ReadError, RequestMemory, Response,
    ResponseQueue, ResponseSlot, ResponseWriter,
};
use protocol::generated::request_body::RequestBody;
use protocol::response::Answered;
use protocol::{ApiKey, DecodeError, EncodeError, Request, decode_request};
use runtime::sync::{Signal, first};
use runtime::{Instant, Lease, Socket, TaskClass};

use crate::answer_memory::{AnswerTo, OwnAnswers, Reserved};
use crate::handlers;
use crate::handlers::answer_size::{NamesTooMuch, answer_size_max};
use crate::handlers::fetch::{Asker, Fetched};
use crate::handlers::produce::{BegunProduce, Outcome};
use crate::meters::Passage;
use crate::shard::Core;

/// Requests of one connection that may wait for their answers at once. Kafka's clients have at most
/// five; what more there is waits in the socket.
pub(crate) const IN_FLIGHT_MAX: usize = 32;

/// How long a request waits for its peer to read what was asked before, if it is large, and for
/// room for its answer: until each who holds some has had the time to read it, twice.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Why a connection was closed by us.
enum Closed {
    /// No more frames.
    Read(ReadError),
    /// A frame that is no request of ours.
    Decode(DecodeError),
    /// A request that asks for more than one may.
    Names(NamesTooMuch),
    /// An answer that the wire can't carry.
    Encode(EncodeError),
    /// There was no room for a request of so many bytes to wait in.
    NoRoom { size: usize },
    /// The answers before a request of so many bytes are not read.
    Unread { size: usize },
    /// There was no memory for an answer.
    NoMemory,
    /// The broker stops, or the peer takes no answers any more.
    Quietly,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Closed::Read(e) => e.fmt(f),
            Closed::Decode(e) => e.fmt(f),
            Closed::Names(e) => e.fmt(f),
            Closed::Encode(e) => write!(f, "an answer could not be written: {e}"),
            Closed::NoRoom { size } => write!(
                f,
                "a request of {size} bytes would have to wait for peers that do not read their \
                 answers, and too many do so already: raise ringmain.request.bytes, or close them"
            ),
            Closed::Unread { size } => write!(
                f,
                "a request of {size} bytes behind answers that its peer has not read within {} s",
                WAIT_MAX.as_secs()
            ),
            Closed::NoMemory => write!(
                f,
                "a request waited {} s for memory for its answer, which others do not read: ask \
                 for fewer topics or partitions at once",
                WAIT_MAX.as_secs()
            ),
            Closed::Quietly => write!(f, "closed"),
        }
    }
}

impl Closed {
    /// The same in one word, for those who count.
    fn reason(&self) -> &'static str {
        match self {
            Closed::Read(ReadError::Closed) => "peer",
            Closed::Read(ReadError::Idle) => "idle",
            Closed::Read(ReadError::Slow { .. } | ReadError::SlowLength { .. }) => "slow",
            Closed::Read(ReadError::NoMemory { .. }) => "memory",
            Closed::Read(ReadError::Length { .. }) => "length",
            Closed::Read(ReadError::Truncated | ReadError::Io(_)) => "broken",
            Closed::Decode(_) | Closed::Names(_) => "request",
            Closed::Encode(_) => "answer",
            Closed::NoRoom { .. } | Closed::Unread { .. } | Closed::NoMemory => "unread",
            Closed::Quietly => "ended",
        }
    }
}

/// Serves a connection until it ends or `stop` tells that the broker does.
pub(crate) async fn serve(core: &Rc<Core>, socket: Socket, peer: SocketAddr, stop: &Signal) {
    let limits = FrameLimits {
        frame_size_max: core.config.request_size_max,
        memory: core.request_memory.clone(),
        idle_max: core.config.connection_idle_max,
    };
    let queue = ResponseQueue::new(IN_FLIGHT_MAX);
    let reader = FrameReader::new(socket.clone(), limits, &queue);
    let sent = core.meters.response.clone();
    let writer = ResponseWriter::new(core.shard.clone(), socket.clone(), queue.clone(), sent);
    let writer = core.shard.spawn(TaskClass::Foreground, "responses", writer.run());
    let answers = OwnAnswers::new();
    let (queue_of, read_from) = (&queue, None);
    let session = Session { core, reader, queue: queue_of, socket: &socket, answers, read_from };
    let closed = session.run(stop).await;
    core.meters.closed(closed.reason());
    match &closed {
        Closed::Quietly | Closed::Read(ReadError::Closed | ReadError::Idle | ReadError::Io(_)) => {}
        _ => core.warn_of_peer(format_args!("{peer}: connection closed: {closed}")),
    }
    queue.close();
    let _peer_is_gone_too = writer.await;
}

/// A connection and what is done for it.
struct Session<'a> {
    core: &'a Rc<Core>,
    reader: FrameReader,
    queue: &'a ResponseQueue,
    socket: &'a Socket,
    answers: OwnAnswers,
    /// Nothing is read before, if it is set.
    read_from: Option<Instant>,
}

impl Session<'_> {
    async fn run(mut self, stop: &Signal) -> Closed {
        loop {
            let frame = match self.next_frame(stop).await {
                Some(Ok(frame)) => frame,
                Some(Err(e)) => return Closed::Read(e),
                None => return Closed::Quietly,
            };
            if let Err(closed) = self.handle(frame).await {
                return closed;
            }
        }
    }

    /// The next frame, none if the broker stops. Nothing is read while the connection waits for as
    /// many answers as it may, its peer does not read them, or it makes a pause.
    async fn next_frame(&mut self, stop: &Signal) -> Option<Result<Frame, ReadError>> {
        let Session { core, reader, queue, answers, read_from, .. } = self;
        let stopped = stop.wait_until(|| core.stopping.get().then_some(None));
        let next = async {
            if let Some(at) = read_from.take() {
                core.shard.sleep_until(at).await;
            }
            queue.ready(|| answers.may_read_on()).await;
            Some(reader.next().await)
        };
        first(stopped, next).await
    }

    async fn handle(&mut self, frame: Frame) -> Result<(), Closed> {
        let core = self.core;
        let came_at = core.shard.now();
        let Frame { bytes, charge } = match is_of(ApiKey::Produce, &frame.bytes) {
            true => frame,
            false => self.alone(frame).await?,
        };
        let bytes = match charge.is_of_block() && is_of(ApiKey::Fetch, &bytes) {
            // It may wait for minutes, and blocks are for requests that don't.
            true => Lease::from(&bytes[..]),
            false => bytes,
        };
        let slot = self.queue.reserve().await.ok_or(Closed::Quietly)?;
        let request = match decode_request(&bytes) {
            Ok(request) => request,
            Err(DecodeError::UnsupportedVersion {
                api_key: ApiKey::ApiVersions,
                correlation_id,
                ..
            }) => {
                let passage = core.meters.came(ApiKey::ApiVersions, bytes.len(), came_at);
                let body = handlers::api_versions::unsupported(correlation_id);
                respond(core, Turn { slot, passage }, body.map_err(Closed::Encode)?, None);
                return Ok(());
            }
            Err(e) => return Err(Closed::Decode(e)),
        };
        let passage = core.meters.came(request.header.api_key, bytes.len(), came_at);
        self.answer(&bytes, request, charge, Turn { slot, passage }).await
    }

    /// Answers the request that lies in `bytes`, or sees to it that it will be.
    async fn answer(
        &mut self,
        bytes: &Lease,
        Request { header, body }: Request<'_>,
        charge: Charge,
        turn: Turn,
    ) -> Result<(), Closed> {
        let core = self.core;
        let size = answer_size_max(&core.view(), header.api_version, &body);
        let size = size.map_err(Closed::Names)?;
        let (to, size) = match &body {
            RequestBody::Produce(_) => (AnswerTo::Produce, size),
            RequestBody::Fetch(_) => (AnswerTo::Fetch, size + bytes.len()),
            _ => (AnswerTo::Other, size),
        };
        let room = core.answer_memory.reserve(to, size, &self.answers);
        let (reserved, charge) = apart(core, charge, bytes.len(), room).await?;
        let (parts, reserved) = match body {
            RequestBody::Produce(produce) => {
                // It may wait for the disk: it does so beside the requests that never do.
                let charge = core.request_memory.move_to_bulk(charge, bytes.len()).await;
                core.meters.begun(turn.passage, core.shard.now());
                let begun = handlers::produce::begin(core, bytes, header, produce).await;
                let finish = finish_produce(core.clone(), begun, charge, turn, reserved);
                core.spawn("produce", finish);
                return Ok(());
            }
            RequestBody::Fetch(fetch) => {
                // It may wait for minutes: its frame is charged for elsewhere.
                drop(charge);
                self.reader.set_apart();
                core.meters.begun(turn.passage, core.shard.now());
                let fetch = (Answered::from(header), fetch);
                let asker = Asker { peer: self.socket, answers: &self.answers };
                let answer = handlers::fetch::handle(core, bytes, fetch, reserved, asker).await;
                let Fetched { parts, reserved, pause } = answer.map_err(Closed::Encode)?;
                self.read_from = pause.map(|pause| core.shard.now() + pause);
                (parts, reserved)
            }
            body => {
                core.meters.begun(turn.passage, core.shard.now());
                let parts = handlers::handle(core, header, body).await.map_err(Closed::Encode)?;
                drop(charge);
                (parts, reserved)
            }
        };
        respond(core, turn, parts, Some(reserved));
        Ok(())
    }

    /// The frame when everything before it has been answered, and its peer has taken that.
    /// Meanwhile it holds nothing that others need; a small one may wait for as long as the peer
    /// likes to read.
    async fn alone(&mut self, frame: Frame) -> Result<Frame, Closed> {
        if self.queue.is_drained() {
            return Ok(frame);
        }
        let size = frame.bytes.len();
        let frame = frame.set_apart(&self.core.request_memory).ok_or(Closed::NoRoom { size })?;
        self.reader.set_apart();
        if RequestMemory::is_small(size) {
            self.queue.drained().await;
        } else {
            let drained = self.core.shard.timeout(WAIT_MAX, self.queue.drained()).await;
            drained.map_err(|_| Closed::Unread { size })?;
        }
        Ok(frame)
    }
}

/// What `room` gives, and what the frame of `size` bytes holds then: nothing that others need, if
/// that takes a while.
async fn apart(
    core: &Core,
    charge: Charge,
    size: usize,
    room: impl Future<Output = Reserved>,
) -> Result<(Reserved, Charge), Closed> {
    let mut room = pin!(room);
    if let Poll::Ready(reserved) = poll_fn(|cx| Poll::Ready(room.as_mut().poll(cx))).await {
        return Ok((reserved, charge));
    }
    let charge = core.request_memory.set_apart(charge, size).ok_or(Closed::NoRoom { size })?;
    let reserved = core.shard.timeout(WAIT_MAX, room).await;
    Ok((reserved.map_err(|_| Closed::NoMemory)?, charge))
}

/// Whether a frame is a request of this API, by its first field.
fn is_of(api: ApiKey, frame: &[u8]) -> bool {
    frame.starts_with(&api.number().to_be_bytes())
}

/// A request's place among those of its connection.
struct Turn {
    slot: ResponseSlot,
    passage: Passage,
}

async fn finish_produce(
    core: Rc<Core>,
    begun: BegunProduce,
    charge: Charge,
    turn: Turn,
    reserved: Reserved,
) {
    let outcome = begun.finish(&core).await;
    drop(charge);
    match outcome {
        Outcome::Answer(parts) => return respond(&core, turn, parts, Some(reserved)),
        Outcome::Silence => turn.slot.respond(Response::Nothing),
        Outcome::Close => turn.slot.respond(Response::Close),
    }
    core.meters.answered(turn.passage, 0, core.shard.now());
}

/// Answers, and holds no more until it is sent than the answer's own memory.
fn respond(core: &Core, turn: Turn, parts: Vec<Part>, reserved: Option<Reserved>) {
    let made_at = core.shard.now();
    core.meters.answered(turn.passage, parts.iter().map(Part::size_bytes).sum(), made_at);
    let own = parts.iter().map(|part| match part {
        Part::Memory(bytes) => bytes.len(),
        // The log's; and what is lent is let go while the peer is slow.
        Part::Kept(_) | Part::Lent(_) | Part::File { .. } => 0,
    });
    let held = reserved.map(|reserved| reserved.settle(own.sum()));
    let (charge, own) = held.map_or((None, None), |held| (held.lane, Some(held.own)));
    turn.slot.respond(Response::Send { parts, charge, own, made_at });
}
