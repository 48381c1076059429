//! A bounded first-in-first-out queue between tasks.

use super::Signal;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;

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
