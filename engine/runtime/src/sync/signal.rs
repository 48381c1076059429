//! Wakes all who wait for something that they look at themselves.

use super::remember;
use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// "Something changed: look again."
#[derive(Default)]
pub struct Signal {
    waiting: RefCell<Vec<Waker>>,
}

impl Signal {
    /// A signal that nobody waits for.
    pub fn new() -> Signal {
        Signal::default()
    }

    /// Everybody who waits looks again.
    pub fn wake_all(&self) {
        for waker in self.waiting.take() {
            waker.wake();
        }
    }

    /// The first value that `look` gives: it is called at once and after every
    /// [`wake_all`](Signal::wake_all).
    pub async fn wait_until<T>(&self, mut look: impl FnMut() -> Option<T>) -> T {
        poll_fn(|cx| match look() {
            Some(value) => Poll::Ready(value),
            None => {
                remember(&mut self.waiting.borrow_mut(), cx.waker());
                Poll::Pending
            }
        })
        .await
    }
}
