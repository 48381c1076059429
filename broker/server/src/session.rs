//! One connection's loop: frames in, requests to their handlers, answers in the order of the
//! requests.
//!
//! Produce requests overlap: each takes its place in the logs before the next is read, and answers
//! when it is durable. Every other request is a barrier: it begins when everything before it has
//! been answered, and nothing is read meanwhile.

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use connection::{
    Charge, Frame, FrameLimits, FrameReader, Part, ReadError, Response, ResponseQueue,
    ResponseSlot, ResponseWriter,
};
use protocol::generated::request_body::RequestBody;
use protocol::response::Answered;
use protocol::{ApiKey, DecodeError, EncodeError, Request, decode_request};
use runtime::sync::{Signal, first};
use runtime::{Lease, Socket, TaskClass};

use crate::answer_memory::Reserved;
use crate::handlers;
use crate::handlers::answer_size::{NamesTooMuch, answer_size_max};
use crate::handlers::produce::{BegunProduce, Outcome};
use crate::shard::Core;

/// Requests of one connection that may wait for their answers at once. Kafka's clients have at most
/// five; what more there is waits in the socket.
pub(crate) const IN_FLIGHT_MAX: usize = 32;

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
            Closed::Quietly => write!(f, "closed"),
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
    let writer = ResponseWriter::new(core.shard.clone(), socket.clone(), queue.clone());
    let writer = core.shard.spawn(TaskClass::Foreground, "responses", writer.run());
    let closed = run(core, reader, &queue, &socket, stop).await;
    match &closed {
        Closed::Quietly | Closed::Read(ReadError::Closed | ReadError::Idle | ReadError::Io(_)) => {}
        _ => core.warn_of_peer(format_args!("{peer}: connection closed: {closed}")),
    }
    queue.close();
    let _peer_is_gone_too = writer.await;
}

async fn run(
    core: &Rc<Core>,
    mut reader: FrameReader,
    queue: &ResponseQueue,
    socket: &Socket,
    stop: &Signal,
) -> Closed {
    loop {
        let frame = match next_frame(core, &mut reader, stop).await {
            Some(Ok(frame)) => frame,
            Some(Err(e)) => return Closed::Read(e),
            None => return Closed::Quietly,
        };
        if let Err(closed) = handle(core, frame, queue, socket).await {
            return closed;
        }
    }
}

/// The next frame, none if the broker stops.
async fn next_frame(
    core: &Core,
    reader: &mut FrameReader,
    stop: &Signal,
) -> Option<Result<Frame, ReadError>> {
    let stopped = stop.wait_until(|| core.stopping.get().then_some(None));
    first(stopped, async { Some(reader.next().await) }).await
}

async fn handle(
    core: &Rc<Core>,
    frame: Frame,
    queue: &ResponseQueue,
    socket: &Socket,
) -> Result<(), Closed> {
    let Frame { bytes, charge } = frame;
    let bytes = match charge.is_of_block() && is_fetch(&bytes) {
        // It may wait for minutes, and blocks are for requests that don't.
        true => Lease::from(&bytes[..]),
        false => bytes,
    };
    let Request { header, body } = match decode_request(&bytes) {
        Ok(request) => request,
        Err(DecodeError::UnsupportedVersion {
            api_key: ApiKey::ApiVersions,
            correlation_id,
            ..
        }) => {
            queue.drained().await;
            let slot = queue.reserve().await.ok_or(Closed::Quietly)?;
            let body = handlers::api_versions::unsupported(correlation_id);
            respond(slot, body.map_err(Closed::Encode)?, None);
            return Ok(());
        }
        Err(e) => return Err(Closed::Decode(e)),
    };
    let size = answer_size_max(&core.view(), header.api_version, &body).map_err(Closed::Names)?;
    let body = match body {
        RequestBody::Produce(produce) => {
            let slot = queue.reserve().await.ok_or(Closed::Quietly)?;
            // It may wait for the disk: it does so beside the requests that never do.
            let charge = core.request_memory.move_to_bulk(charge).await;
            let reserved = core.answer_memory.reserve_produce(size).await;
            let begun = handlers::produce::begin(core, &bytes, header, produce).await;
            core.spawn("produce", finish_produce(begun, charge, slot, reserved));
            return Ok(());
        }
        body => body,
    };
    queue.drained().await;
    let slot = queue.reserve().await.ok_or(Closed::Quietly)?;
    let (parts, reserved) = match body {
        RequestBody::Fetch(fetch) => {
            let reserved = core.answer_memory.reserve_fetch(size + bytes.len()).await;
            // It may wait for minutes: its frame is charged for elsewhere.
            drop(charge);
            let fetch = (Answered::from(header), fetch);
            let answer = handlers::fetch::handle(core, &bytes, fetch, reserved, socket).await;
            answer.map_err(Closed::Encode)?
        }
        body => {
            let reserved = core.answer_memory.reserve(size).await;
            let parts = handlers::handle(core, header, body).await.map_err(Closed::Encode)?;
            drop(charge);
            (parts, reserved)
        }
    };
    respond(slot, parts, reserved);
    Ok(())
}

/// Whether a frame is a fetch, by its first field.
fn is_fetch(frame: &[u8]) -> bool {
    frame.starts_with(&ApiKey::Fetch.number().to_be_bytes())
}

async fn finish_produce(
    begun: BegunProduce,
    charge: Charge,
    slot: ResponseSlot,
    reserved: Option<Reserved>,
) {
    let outcome = begun.finish().await;
    drop(charge);
    match outcome {
        Outcome::Answer(parts) => respond(slot, parts, reserved),
        Outcome::Silence => slot.respond(Response::Nothing),
        Outcome::Close => slot.respond(Response::Close),
    }
}

/// Answers, and holds no more until it is sent than the answer's own memory.
fn respond(slot: ResponseSlot, parts: Vec<Part>, reserved: Option<Reserved>) {
    let own = parts.iter().map(|part| match part {
        Part::Memory(bytes) => bytes.len(),
        // The log's; and what is lent is let go while the peer is slow.
        Part::Kept(_) | Part::Lent(_) | Part::File { .. } => 0,
    });
    let size_bytes = own.sum();
    let charge = reserved.and_then(|reserved| reserved.settle(size_bytes));
    slot.respond(Response::Send { parts, charge });
}
