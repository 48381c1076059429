//! The responses of one connection, in the order of their requests whatever order they are ready
//! in.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use runtime::sync::Signal;
use runtime::{Instant, Permit};

use crate::part::Part;

/// What becomes of a request's place in the order.
pub enum Response {
    /// These parts, which together are one frame with its length in front.
    Send {
        /// In order.
        parts: Vec<Part>,
        /// What the response holds of a budget until it is sent: others wait for it.
        charge: Option<Permit>,
        /// What it holds of the connection's own, for which nobody else waits.
        own: Option<Permit>,
        /// When it was made.
        made_at: Instant,
    },
    /// Nothing: a produce with acks=0.
    Nothing,
    /// The connection is to be closed once everything before is sent.
    Close,
}

struct Queue {
    /// The sequence number of the slot at the front.
    first: u64,
    slots: VecDeque<Option<Response>>,
}

struct Shared {
    queue: RefCell<Queue>,
    /// Something happened at the front, or a place came free, or the queue was closed.
    changed: Signal,
    closed: Cell<bool>,
    /// Nobody sends any more: the peer is gone.
    abandoned: Cell<bool>,
    depth_max: usize,
}

/// The places that responses will be sent from. Cheap to clone.
#[derive(Clone)]
pub struct ResponseQueue(Rc<Shared>);

impl ResponseQueue {
    /// A queue for at most `depth_max` requests that are not answered yet.
    pub fn new(depth_max: usize) -> ResponseQueue {
        let queue = RefCell::new(Queue { first: 0, slots: VecDeque::new() });
        let changed = Signal::new();
        let (closed, abandoned) = (Cell::new(false), Cell::new(false));
        ResponseQueue(Rc::new(Shared { queue, changed, closed, abandoned, depth_max }))
    }

    /// Takes the next place in the order; waits while `depth_max` are taken. None if nobody sends
    /// any more.
    pub async fn reserve(&self) -> Option<ResponseSlot> {
        let shared = &self.0;
        let place = || {
            if shared.abandoned.get() {
                return Some(None);
            }
            let mut queue = shared.queue.borrow_mut();
            (queue.slots.len() < shared.depth_max).then(|| {
                queue.slots.push_back(None);
                Some(queue.first + queue.slots.len() as u64 - 1)
            })
        };
        let sequence = shared.changed.wait_until(place).await?;
        Some(ResponseSlot { queue: self.clone(), sequence, filled: false })
    }

    /// Waits until there is a place to take, and `also` holds, or nobody sends any more. It is
    /// looked again whenever responses have left. Who reads the next request only then has nothing
    /// in hand that would wait for its peer.
    pub async fn ready(&self, also: impl Fn() -> bool) {
        let shared = &self.0;
        let free = || shared.queue.borrow().slots.len() < shared.depth_max && also();
        let ready = || (shared.abandoned.get() || free()).then_some(());
        shared.changed.wait_until(ready).await;
    }

    /// Whether [`drained`](ResponseQueue::drained) would not wait.
    pub fn is_drained(&self) -> bool {
        self.0.abandoned.get() || self.0.queue.borrow().slots.is_empty()
    }

    /// Waits until every place that was taken has been answered and handed to the socket, or nobody
    /// sends any more.
    pub async fn drained(&self) {
        self.0.changed.wait_until(|| self.is_drained().then_some(())).await;
    }

    /// The places that are done with so far, and those that are taken now.
    pub(crate) fn places(&self) -> (u64, usize) {
        let queue = self.0.queue.borrow();
        (queue.first, queue.slots.len())
    }

    /// Nothing will be sent any more, whatever is answered.
    pub(crate) fn abandon(&self) {
        self.0.abandoned.set(true);
        self.0.changed.wake_all();
    }

    /// No more requests will come: the writer ends when the queue is empty.
    pub fn close(&self) {
        self.0.closed.set(true);
        self.0.changed.wake_all();
    }

    /// Waits for the response at the front, and for nothing else: [`None`] when the queue is closed
    /// and empty. The place stays taken until [`ResponseQueue::sent`].
    pub(crate) async fn front(&self) -> Option<Response> {
        let ready = || {
            let mut queue = self.0.queue.borrow_mut();
            match queue.slots.front_mut() {
                Some(slot) => slot.take().map(Some),
                None => self.0.closed.get().then_some(None),
            }
        };
        self.0.changed.wait_until(ready).await
    }

    /// The response behind `sent_ahead` others, if it is ready.
    pub(crate) fn ready_behind(&self, sent_ahead: usize) -> Option<Response> {
        self.0.queue.borrow_mut().slots.get_mut(sent_ahead)?.take()
    }

    /// The first `count` places are done with.
    pub(crate) fn sent(&self, count: usize) {
        let mut queue = self.0.queue.borrow_mut();
        queue.slots.drain(..count);
        queue.first += count as u64;
        drop(queue);
        self.0.changed.wake_all();
    }

    fn fill(&self, sequence: u64, response: Response) {
        let mut queue = self.0.queue.borrow_mut();
        let index = (sequence - queue.first) as usize;
        queue.slots[index] = Some(response);
        drop(queue);
        if index == 0 {
            self.0.changed.wake_all();
        }
    }
}

/// A request's place in the order. Dropped without an answer, it closes the connection: the
/// responses behind it could never leave.
pub struct ResponseSlot {
    queue: ResponseQueue,
    sequence: u64,
    filled: bool,
}

impl ResponseSlot {
    /// Answers the request.
    pub fn respond(mut self, response: Response) {
        self.filled = true;
        self.queue.fill(self.sequence, response);
    }
}

impl Drop for ResponseSlot {
    fn drop(&mut self) {
        if !self.filled {
            self.queue.fill(self.sequence, Response::Close);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polled::poll;

    fn reserve(queue: &ResponseQueue) -> ResponseSlot {
        poll(queue.reserve()).flatten().expect("there is a place")
    }

    #[test]
    fn a_response_waits_for_those_before_it() {
        let queue = ResponseQueue::new(3);
        let (first, second) = (reserve(&queue), reserve(&queue));
        second.respond(Response::Nothing);
        assert!(poll(queue.front()).is_none());
        first.respond(Response::Nothing);
        assert!(matches!(poll(queue.front()), Some(Some(Response::Nothing))));
        assert!(matches!(queue.ready_behind(1), Some(Response::Nothing)));
        assert!(poll(queue.drained()).is_none(), "taken is not sent");
        queue.sent(2);
        assert!(poll(queue.drained()).is_some());
    }

    #[test]
    fn no_more_requests_are_taken_than_may_wait() {
        let queue = ResponseQueue::new(1);
        let slot = reserve(&queue);
        assert!(poll(queue.reserve()).is_none() && poll(queue.ready(|| true)).is_none());
        slot.respond(Response::Nothing);
        assert!(poll(queue.front()).is_some() && poll(queue.reserve()).is_none());
        queue.sent(1);
        assert!(poll(queue.ready(|| false)).is_none());
        assert!(poll(queue.ready(|| true)).is_some());
        assert!(poll(queue.reserve()).flatten().is_some());
    }

    #[test]
    fn a_place_that_is_dropped_closes_the_connection() {
        let queue = ResponseQueue::new(2);
        drop(reserve(&queue));
        assert!(matches!(poll(queue.front()), Some(Some(Response::Close))));
    }

    #[test]
    fn nobody_waits_for_a_peer_that_is_gone() {
        let queue = ResponseQueue::new(1);
        let _slot = reserve(&queue);
        queue.abandon();
        assert!(poll(queue.reserve()).expect("at once").is_none());
        assert!(poll(queue.drained()).is_some() && poll(queue.ready(|| false)).is_some());
    }
}
