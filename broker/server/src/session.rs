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

use connection::{
    Frame, FrameLimits, FrameReader, ReadError, Response, ResponseQueue, ResponseSlot,
    ResponseWriter,
};
use protocol::generated::request_body::RequestBody;
use protocol::{ApiKey, DecodeError, EncodeError, decode_request};
use runtime::sync::Signal;
use runtime::{Level, Socket, TaskClass};

use crate::handlers;
use crate::shard::Core;

/// Requests of one connection that may wait for their answers at once. Kafka's clients have at most
/// five; what more there is waits in the socket.
const IN_FLIGHT_MAX: usize = 32;

/// Why a connection was closed by us.
enum Closed {
    /// No more frames.
    Read(ReadError),
    /// A frame that is no request of ours.
    Decode(DecodeError),
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
    };
    let reader = FrameReader::new(socket.clone(), limits);
    let queue = ResponseQueue::new(IN_FLIGHT_MAX);
    let writer = ResponseWriter::new(socket, queue.clone());
    let writer = core.shard.spawn(TaskClass::Foreground, "responses", writer.run());
    let closed = run(core, reader, &queue, stop).await;
    match &closed {
        Closed::Quietly | Closed::Read(ReadError::Closed | ReadError::Io(_)) => {}
        _ => core.log(Level::Warn, format_args!("{peer}: connection closed: {closed}")),
    }
    queue.close();
    let _peer_is_gone_too = writer.await;
}

async fn run(
    core: &Rc<Core>,
    mut reader: FrameReader,
    queue: &ResponseQueue,
    stop: &Signal,
) -> Closed {
    loop {
        let frame = match next_frame(core, &mut reader, stop).await {
            Some(Ok(frame)) => frame,
            Some(Err(e)) => return Closed::Read(e),
            None => return Closed::Quietly,
        };
        if let Err(closed) = handle(core, frame, queue).await {
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
    let mut next = pin!(reader.next());
    let mut stopped = pin!(stop.wait_until(|| core.stopping.get().then_some(())));
    poll_fn(|cx| {
        if stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        next.as_mut().poll(cx).map(Some)
    })
    .await
}

async fn handle(core: &Rc<Core>, frame: Frame, queue: &ResponseQueue) -> Result<(), Closed> {
    let request = match decode_request(&frame.bytes) {
        Ok(request) => request,
        Err(DecodeError::UnsupportedVersion {
            api_key: ApiKey::ApiVersions,
            correlation_id,
            ..
        }) => {
            queue.drained().await;
            let slot = queue.reserve().await.ok_or(Closed::Quietly)?;
            let body = handlers::api_versions::unsupported(correlation_id);
            return respond(slot, body.map_err(Closed::Encode)?);
        }
        Err(e) => return Err(Closed::Decode(e)),
    };
    let header = request.header;
    match request.body {
        RequestBody::Produce(produce) => {
            let slot = queue.reserve().await.ok_or(Closed::Quietly)?;
            let begun = handlers::produce::begin(core, &frame.bytes, header, produce).await;
            let charge = frame.charge;
            core.spawn("produce", async move {
                let response = begun.finish().await;
                drop(charge);
                slot.respond(response);
            });
            Ok(())
        }
        body => {
            queue.drained().await;
            let slot = queue.reserve().await.ok_or(Closed::Quietly)?;
            let parts = handlers::handle(core, header, body).await.map_err(Closed::Encode)?;
            respond(slot, parts)
        }
    }
}

fn respond(slot: ResponseSlot, parts: Vec<connection::Part>) -> Result<(), Closed> {
    slot.respond(Response::Send { parts, charge: None });
    Ok(())
}
