//! A level-triggered event: once set, the next wait returns, and clears it.

use super::remember;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// "There is something to do." Setting it twice before anybody waits is setting it once.
#[derive(Default)]
pub struct Event {
    set: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl Event {
    /// An event that is not set.
    pub fn new() -> Event {
        Event::default()
    }

    /// Sets it; whoever waits is woken, and the first to look takes it.
    pub fn set(&self) {
        self.set.set(true);
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.set.get()
    }

    /// Returns when it is set, and clears it.
    pub async fn wait(&self) {
        poll_fn(|cx| {
            if self.set.take() {
                return Poll::Ready(());
            }
            remember(&mut self.waiting.borrow_mut(), cx.waker());
            Poll::Pending
        })
        .await;
    }
}
