//! A look at what a future does at once, for the tests.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What a future gives when it is asked once.
pub(crate) fn poll<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
