//! What the tasks of one shard wait for besides the world: events, signals, results, queues.

mod event;
mod oneshot;
mod queue;
mod signal;

pub use event::Event;
pub use oneshot::{Lost, Receiver, Sender, oneshot};
pub use queue::{Closed, PushError, Queue};
pub use signal::Signal;

use std::task::Waker;

/// Remembers a waker once, though a future may be polled often.
fn remember(list: &mut Vec<Waker>, waker: &Waker) {
    if !list.iter().any(|w| w.will_wake(waker)) {
        list.push(waker.clone());
    }
}

#[cfg(test)]
mod tests;
