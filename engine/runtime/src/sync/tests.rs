//! The primitives polled by hand.

use super::*;
use std::pin::pin;
use std::task::{Context, Poll};

/// Polls once with a waker that does nothing: these futures look at shared state each time.
fn poll<T>(f: std::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    f.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_event_that_was_set_early_is_not_lost_and_counts_once() {
    let event = Event::new();
    event.set();
    event.set();
    assert_eq!(poll(pin!(event.wait())), Poll::Ready(()));
    assert_eq!(poll(pin!(event.wait())), Poll::Pending);
}

#[test]
fn a_oneshot_tells_both_ends_when_the_other_is_gone() {
    let (sender, receiver) = oneshot();
    assert_eq!(sender.send(7), Ok(()));
    assert_eq!(poll(pin!(receiver)), Poll::Ready(Ok(7)));
    let (sender, receiver) = oneshot::<u8>();
    drop(sender);
    assert_eq!(poll(pin!(receiver)), Poll::Ready(Err(Lost)));
    let (sender, receiver) = oneshot();
    drop(receiver);
    assert!(sender.is_unwanted());
    assert_eq!(sender.send(7), Err(7));
}

#[test]
fn a_full_queue_makes_the_pusher_wait_and_keeps_the_order() {
    let queue = Queue::new(2);
    assert_eq!(queue.try_push(1), Ok(()));
    assert_eq!(queue.try_push(2), Ok(()));
    assert_eq!(queue.try_push(3), Err(PushError::Full(3)));
    let mut push = pin!(queue.push(3));
    assert_eq!(poll(push.as_mut()), Poll::Pending);
    assert_eq!(queue.try_pop(), Some(1));
    assert_eq!(poll(push.as_mut()), Poll::Ready(Ok(())));
    queue.close();
    assert_eq!(queue.try_push(4), Err(PushError::Closed(4)));
    assert_eq!(poll(pin!(queue.pop())), Poll::Ready(Some(2)));
    assert_eq!(poll(pin!(queue.pop())), Poll::Ready(Some(3)));
    assert_eq!(poll(pin!(queue.pop())), Poll::Ready(None));
}
