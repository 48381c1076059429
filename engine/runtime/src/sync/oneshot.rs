//! One value from one task to another.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

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

    /// Whether the receiver is gone.
    pub fn is_unwanted(&self) -> bool {
        self.0.borrow().lost
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
