//! The primitives polled by hand.

use super::*;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake};

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

#[test]
fn one_who_stops_waiting_leaves_nothing_behind() {
    let signal = Signal::new();
    let mut stays = pin!(signal.wait_until(|| None::<()>));
    for _ in 0..10 {
        assert_eq!(poll(stays.as_mut()), Poll::Pending);
        assert_eq!(poll(pin!(signal.wait_until(|| None::<()>))), Poll::Pending);
        signal.wake_all();
    }
    assert_eq!(signal.waiting.borrow().len(), 1);
}

/// Writes its number down when it is woken.
struct Note(usize, Arc<Mutex<Vec<usize>>>);

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        self.1.lock().expect("nobody panicked with it").push(self.0);
    }
}

#[test]
fn those_who_wait_are_woken_in_the_order_of_coming() {
    let woken = Arc::default();
    let signal = Signal::new();
    let wait = |_| Box::pin(signal.wait_until(|| None::<()>));
    let mut waits: Vec<_> = (0..3).map(wait).collect();
    for at in [2, 0, 1, 2] {
        let waker = Waker::from(Arc::new(Note(at, Arc::clone(&woken))));
        assert!(waits[at].as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(waits.remove(0));
    signal.wake_all();
    assert_eq!(*woken.lock().expect("nobody panicked with it"), [2, 1]);
}
