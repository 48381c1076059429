//! What the tasks of one shard wait for besides the world: events, signals, results, queues.

use crate::waiters::{Place, Waiters};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What the first of two futures to be ready gives, `a` if both are; the other one is dropped.
pub async fn first<T>(a: impl Future<Output = T>, b: impl Future<Output = T>) -> T {
    let (mut a, mut b) = (pin!(a), pin!(b));
    poll_fn(|cx| match a.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(value),
        Poll::Pending => b.as_mut().poll(cx),
    })
    .await
}

/// "There is something to do." Setting it twice before anybody waits is setting it once.
#[derive(Default)]
pub struct Event {
    set: Cell<bool>,
    changed: Signal,
}

impl Event {
    /// An event that is not set.
    pub fn new() -> Event {
        Event::default()
    }

    /// Sets it; whoever waits is woken, and the first to look takes it.
    pub fn set(&self) {
        self.set.set(true);
        self.changed.wake_all();
    }

    /// Returns when it is set, and clears it.
    pub async fn wait(&self) {
        self.changed.wait_until(|| self.set.take().then_some(())).await;
    }
}

/// "Something changed: look again."
#[derive(Default)]
pub struct Signal {
    waiting: RefCell<Waiters>,
}

impl Signal {
    /// A signal that nobody waits for.
    pub fn new() -> Signal {
        Signal::default()
    }

    /// Everybody who waits looks again.
    pub fn wake_all(&self) {
        self.waiting.borrow().wake_all();
    }

    /// The first value that `look` gives: it is called at once and after every
    /// [`wake_all`](Signal::wake_all).
    pub async fn wait_until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        let mut place = Place::new(&self.waiting);
        poll_fn(|cx| match look() {
            Some(value) => Poll::Ready(value),
            None => {
                place.stay(cx.waker());
                Poll::Pending
            }
        })
        .await
    }
}

/// The other end is gone: no value will come, or nobody wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other end is gone")
    }
}

/// Gives the value.
pub struct Sender<T>(Rc<RefCell<State<T>>>);

/// Waits for the value.
pub struct Receiver<T>(Rc<RefCell<State<T>>>);

struct State<T> {
    value: Option<T>,
    waker: Option<Waker>,
    /// An end is gone.
    lost: bool,
}

/// A way for one value.
pub fn oneshot<T>() -> (Sender<T>, Receiver<T>) {
    let state = Rc::new(RefCell::new(State { value: None, waker: None, lost: false }));
    (Sender(state.clone()), Receiver(state))
}

impl<T> Sender<T> {
    /// Gives the value; it comes back if nobody waits for it any more.
    pub fn send(self, value: T) -> Result<(), T> {
        let mut state = self.0.borrow_mut();
        if state.lost {
            return Err(value);
        }
        state.value = Some(value);
        Ok(()) // dropping the sender wakes the receiver
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waker = {
            let mut state = self.0.borrow_mut();
            state.lost = true;
            state.waker.take()
        };
        waker.inspect(Waker::wake_by_ref);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.borrow_mut().lost = true;
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, Lost>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Lost>> {
        let mut state = self.0.borrow_mut();
        if let Some(value) = state.value.take() {
            return Poll::Ready(Ok(value));
        }
        if state.lost {
            return Poll::Ready(Err(Lost));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The queue takes nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is closed")
    }
}

/// Why a value was not taken; it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError<T> {
    /// The queue is full.
    Full(T),
    /// The queue is closed.
    Closed(T),
}

/// At most `limit` values wait. Pops come in the order of the pushes.
pub struct Queue<T> {
    items: RefCell<VecDeque<T>>,
    limit: usize,
    closed: Cell<bool>,
    room: Signal,
    filled: Signal,
}

impl<T> Queue<T> {
    /// An empty queue for `limit` values (at least 1).
    pub fn new(limit: usize) -> Queue<T> {
        assert!(limit > 0, "a queue has room for something");
        Queue {
            items: RefCell::default(),
            limit,
            closed: Cell::new(false),
            room: Signal::new(),
            filled: Signal::new(),
        }
    }

    /// Appends, if there is room.
    pub fn try_push(&self, item: T) -> Result<(), PushError<T>> {
        if self.closed.get() {
            return Err(PushError::Closed(item));
        }
        let mut items = self.items.borrow_mut();
        if items.len() >= self.limit {
            return Err(PushError::Full(item));
        }
        items.push_back(item);
        drop(items);
        self.filled.wake_all();
        Ok(())
    }

    /// Appends when there is room.
    pub async fn push(&self, item: T) -> Result<(), Closed> {
        let mut item = Some(item);
        let push = || {
            let value = item.take().expect("put back whenever it was not taken");
            match self.try_push(value) {
                Ok(()) => Some(Ok(())),
                Err(PushError::Closed(_)) => Some(Err(Closed)),
                Err(PushError::Full(value)) => {
                    item = Some(value);
                    None
                }
            }
        };
        self.room.wait_until(push).await
    }

    /// Takes the first value, if there is one.
    pub fn try_pop(&self) -> Option<T> {
        let item = self.items.borrow_mut().pop_front()?;
        self.room.wake_all();
        Some(item)
    }

    /// Takes the first value when there is one; none when the queue is closed and empty.
    pub async fn pop(&self) -> Option<T> {
        let pop = || match self.try_pop() {
            Some(item) => Some(Some(item)),
            None => self.closed.get().then_some(None),
        };
        self.filled.wait_until(pop).await
    }

    /// Nothing is taken any more; what waits can still be popped.
    pub fn close(&self) {
        self.closed.set(true);
        self.room.wake_all();
        self.filled.wake_all();
    }

    /// How many values wait.
    pub fn len(&self) -> usize {
        self.items.borrow().len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.items.borrow().is_empty()
    }
}

#[cfg(test)]
mod tests;
