//! One shard's way to one other: the requests it has in flight there, and the answers it owes.

use super::ring::Producer;
use super::{LANES, Lane};
use crate::permit::{Budget, Permit};
use crate::shard::{Core, ShardId};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The other shard dropped the request without an answer, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other shard gave no answer: it is ending")
    }
}

/// A request on its way.
pub(super) struct Parcel<Q> {
    pub(super) lane: Lane,
    pub(super) id: u32,
    pub(super) request: Q,
}

/// An answer on its way; none if the request was dropped.
pub(super) struct Reply<R> {
    pub(super) id: u32,
    pub(super) answer: Option<R>,
}

/// The asking side.
pub(super) struct Line<Q, R> {
    core: Rc<Core>,
    to: ShardId,
    out: RefCell<Producer<Parcel<Q>>>,
    credits: [Budget; LANES],
    calls: RefCell<Vec<Call<R>>>,
    free: RefCell<Vec<u32>>,
    dead: Cell<bool>,
}

/// A place for a request in flight. It is used again only after its reply is here.
struct Call<R> {
    /// The credit; given back by the reply.
    permit: Option<Permit>,
    waker: Option<Waker>,
    answer: Option<Result<R, Unanswered>>,
    unwanted: bool,
}

impl<Q, R> Line<Q, R> {
    pub(super) fn new(
        core: &Rc<Core>,
        to: ShardId,
        out: Producer<Parcel<Q>>,
        credits: [Budget; LANES],
    ) -> Line<Q, R> {
        Line {
            core: core.clone(),
            to,
            out: RefCell::new(out),
            credits,
            calls: RefCell::default(),
            free: RefCell::default(),
            dead: Cell::new(false),
        }
    }

    pub(super) fn credits(&self, lane: Lane) -> &Budget {
        match lane {
            Lane::Produce => &self.credits[0],
            Lane::Fetch => &self.credits[1],
            Lane::Control => &self.credits[2],
        }
    }

    /// Sends; the permit is the place in both rings.
    pub(super) fn send(
        self: &Rc<Self>,
        lane: Lane,
        permit: Permit,
        request: Q,
    ) -> CallFuture<Q, R> {
        let mut call = Call { permit: Some(permit), waker: None, answer: None, unwanted: false };
        let dead = self.dead.get() || self.out.borrow().is_closed();
        if dead {
            (call.permit, call.answer) = (None, Some(Err(Unanswered)));
        }
        let mut calls = self.calls.borrow_mut();
        let id = self.free.borrow_mut().pop().unwrap_or(calls.len() as u32);
        match calls.get_mut(id as usize) {
            Some(place) => *place = call,
            None => calls.push(call),
        }
        drop(calls);
        if !dead {
            self.out.borrow_mut().push(Parcel { lane, id, request });
            self.core.ring_peer(self.to);
        }
        CallFuture { line: self.clone(), id }
    }

    /// Books a reply.
    pub(super) fn complete(&self, reply: Reply<R>) {
        if !self.dead.get() {
            self.answer(reply.id, reply.answer.ok_or(Unanswered));
        }
    }

    /// Whether the other shard has ended, and its callers are not told yet.
    pub(super) fn has_just_died(&self) -> bool {
        !self.dead.get() && self.out.borrow().is_closed()
    }

    /// Nobody will answer any more. Replies that come all the same are ignored, and what lies in
    /// the ring is dropped, with the leases that it holds.
    pub(super) fn die(&self) {
        self.dead.set(true);
        let unserved = self.out.borrow_mut().take_rest();
        drop(unserved); // may run anything
        let waiting: Vec<u32> = {
            let calls = self.calls.borrow();
            (0..calls.len() as u32).filter(|id| calls[*id as usize].permit.is_some()).collect()
        };
        waiting.into_iter().for_each(|id| self.answer(id, Err(Unanswered)));
    }

    fn answer(&self, id: u32, answer: Result<R, Unanswered>) {
        let mut calls = self.calls.borrow_mut();
        let call = &mut calls[id as usize];
        let permit = call.permit.take();
        assert!(permit.is_some(), "two replies to request {id}");
        let waker = call.waker.take();
        let unwanted = if call.unwanted {
            self.free.borrow_mut().push(id);
            Some(answer)
        } else {
            call.answer = Some(answer);
            None
        };
        drop(calls);
        drop((permit, unwanted)); // wakes who waits for the credit; runs the answer's destructor
        waker.inspect(Waker::wake_by_ref);
    }
}

/// An answer that is awaited. Dropping it gives up the answer, not the request.
pub(super) struct CallFuture<Q, R> {
    line: Rc<Line<Q, R>>,
    id: u32,
}

impl<Q, R> Future for CallFuture<Q, R> {
    type Output = Result<R, Unanswered>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let call = &mut self.line.calls.borrow_mut()[self.id as usize];
        match call.answer.take() {
            Some(answer) => {
                // The place is free when this future is dropped.
                call.unwanted = true;
                Poll::Ready(answer)
            }
            None => {
                assert!(!call.unwanted, "a call was polled after its answer");
                call.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<Q, R> Drop for CallFuture<Q, R> {
    fn drop(&mut self) {
        let mut calls = self.line.calls.borrow_mut();
        let call = &mut calls[self.id as usize];
        call.unwanted = true;
        call.waker = None;
        let unread = call.answer.take();
        if call.permit.is_none() {
            self.line.free.borrow_mut().push(self.id);
        }
        drop(calls);
        drop(unread);
    }
}

/// The answering side.
pub(super) struct ReplyLine<R> {
    core: Rc<Core>,
    to: ShardId,
    out: RefCell<Producer<Reply<R>>>,
}

impl<R> ReplyLine<R> {
    pub(super) fn new(core: &Rc<Core>, to: ShardId, out: Producer<Reply<R>>) -> ReplyLine<R> {
        ReplyLine { core: core.clone(), to, out: RefCell::new(out) }
    }

    fn send(&self, reply: Reply<R>) {
        if !self.out.borrow().is_closed() {
            self.out.borrow_mut().push(reply);
            self.core.ring_peer(self.to);
        }
    }

    /// Nobody reads the answers any more: those that lie in the ring are dropped.
    pub(super) fn die(&self) {
        let unread = self.out.borrow_mut().take_rest();
        drop(unread); // may run anything
    }
}

/// Where an answer goes. Dropped without one, the caller gets [`Unanswered`].
pub struct ReplyTo<R> {
    line: Option<Rc<ReplyLine<R>>>,
    id: u32,
}

impl<R> ReplyTo<R> {
    pub(super) fn new(line: Rc<ReplyLine<R>>, id: u32) -> ReplyTo<R> {
        ReplyTo { line: Some(line), id }
    }

    /// Answers. Never waits: the request has reserved the place.
    pub fn send(mut self, answer: R) {
        let line = self.line.take().expect("only `send` and the drop take it, and each ends it");
        line.send(Reply { id: self.id, answer: Some(answer) });
    }
}

impl<R> Drop for ReplyTo<R> {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.send(Reply { id: self.id, answer: None });
        }
    }
}
