//! A bounded queue between two threads, one that pushes and one that pops, without a lock.
//!
//! `head` counts what was popped, `tail` what was pushed; both only grow. The producer owns the
//! places from `tail` to `head + capacity`, the consumer those from `head` to `tail`; each end
//! remembers the other's counter as it last saw it, and looks again only when that is not enough.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Keeps the two counters on cache lines of their own (prefetchers take them in pairs).
#[repr(align(128))]
struct Padded(AtomicUsize);

struct Shared<T> {
    head: Padded,
    tail: Padded,
    closed: AtomicBool,
    places: Box<[UnsafeCell<MaybeUninit<T>>]>,
}

// SAFETY: a place is touched by one end at a time (see the module), and handed over by a release
// store of a counter that the other end reads with acquire.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above; the values may change threads.
unsafe impl<T: Send> Send for Shared<T> {}

/// The end that pushes.
pub(super) struct Producer<T> {
    shared: Arc<Shared<T>>,
    tail: usize,
    head_seen: usize,
}

/// The end that pops.
pub(super) struct Consumer<T> {
    shared: Arc<Shared<T>>,
    head: usize,
}

/// A ring for at least `capacity` values.
pub(super) fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let places =
        (0..capacity.next_power_of_two()).map(|_| UnsafeCell::new(MaybeUninit::uninit())).collect();
    let shared = Arc::new(Shared {
        head: Padded(AtomicUsize::new(0)),
        tail: Padded(AtomicUsize::new(0)),
        closed: AtomicBool::new(false),
        places,
    });
    let producer = Producer { shared: shared.clone(), tail: 0, head_seen: 0 };
    (producer, Consumer { shared, head: 0 })
}

impl<T> Shared<T> {
    fn place(&self, at: usize) -> *mut MaybeUninit<T> {
        self.places[at & (self.places.len() - 1)].get()
    }
}

impl<T> Producer<T> {
    /// Appends. Panics if the ring is full: credits exclude it.
    pub(super) fn push(&mut self, value: T) {
        let capacity = self.shared.places.len();
        if self.tail - self.head_seen == capacity {
            self.head_seen = self.shared.head.0.load(Ordering::Acquire);
        }
        assert!(self.tail - self.head_seen < capacity, "more than {capacity} without a credit");
        // SAFETY: the place is the producer's until `tail` passes it, and holds no value.
        unsafe { (*self.shared.place(self.tail)).write(value) };
        self.tail += 1;
        self.shared.tail.0.store(self.tail, Ordering::Release);
    }

    /// Whether the other end is gone, and takes nothing any more.
    pub(super) fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::Acquire)
    }

    /// What the other end, which is gone, did not take.
    pub(super) fn take_rest(&mut self) -> Vec<T> {
        assert!(self.is_closed(), "the other end may be taking these very values");
        let head = self.shared.head.0.load(Ordering::Acquire);
        let mut rest = Consumer { shared: self.shared.clone(), head };
        std::iter::from_fn(|| rest.pop()).collect()
    }
}

impl<T> Consumer<T> {
    /// Takes the first value, if there is one.
    pub(super) fn pop(&mut self) -> Option<T> {
        if self.is_empty() {
            return None;
        }
        // SAFETY: `tail` has passed the place, so it holds a value that is the consumer's.
        let value = unsafe { (*self.shared.place(self.head)).assume_init_read() };
        self.head += 1;
        self.shared.head.0.store(self.head, Ordering::Release);
        Some(value)
    }

    /// Whether there is none now.
    pub(super) fn is_empty(&self) -> bool {
        self.shared.tail.0.load(Ordering::Acquire) == self.head
    }

    /// How many values fit.
    pub(super) fn capacity(&self) -> usize {
        self.shared.places.len()
    }
}

impl<T> Drop for Consumer<T> {
    /// Says that nothing is taken any more.
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        let (head, tail) = (*self.head.0.get_mut(), *self.tail.0.get_mut());
        for at in head..tail {
            // SAFETY: both ends are gone; what lies between the counters was pushed, not popped.
            unsafe { (*self.place(at)).assume_init_drop() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use std::thread;

    #[test]
    fn values_cross_threads_in_order_and_whole() {
        const VALUES: u64 = 300_000;
        let (mut to, mut inbox) = ring::<Box<[u64; 3]>>(8);
        let (mut back, mut credits) = ring::<()>(8);
        let producer = thread::spawn(move || {
            let mut credit = 8;
            for i in 0..VALUES {
                while credit == 0 {
                    credit += std::iter::from_fn(|| credits.pop()).count();
                    thread::yield_now();
                }
                credit -= 1;
                to.push(Box::new([i, i * 3, !i]));
            }
        });
        let mut next = 0;
        while next < VALUES {
            let Some(value) = inbox.pop() else {
                thread::yield_now();
                continue;
            };
            assert_eq!(*value, [next, next * 3, !next]);
            next += 1;
            back.push(());
        }
        producer.join().expect("the producer does not panic");
        assert!(inbox.is_empty());
    }

    #[test]
    fn what_was_not_popped_is_dropped_once() {
        let value = Rc::new(());
        let (mut producer, mut consumer) = ring(4);
        for _ in 0..6 {
            producer.push(value.clone());
            drop(consumer.pop());
        }
        producer.push(value.clone());
        producer.push(value.clone());
        assert_eq!(Rc::strong_count(&value), 3);
        drop((producer, consumer));
        assert_eq!(Rc::strong_count(&value), 1);
    }

    #[test]
    fn what_one_who_is_gone_did_not_take_the_other_takes_back() {
        let value = Rc::new(());
        let (mut producer, mut consumer) = ring(4);
        (0..3).for_each(|_| producer.push(value.clone()));
        drop(consumer.pop());
        assert!(!producer.is_closed());
        drop(consumer);
        assert!(producer.is_closed());
        assert_eq!(Rc::strong_count(&value), 3);
        assert_eq!(producer.take_rest().len(), 2);
        assert_eq!(producer.take_rest().len(), 0);
        drop(producer);
        assert_eq!(Rc::strong_count(&value), 1);
    }

    #[test]
    fn a_push_into_a_full_ring_is_a_programmers_error() {
        let (mut producer, _consumer) = ring(2);
        producer.push(1);
        producer.push(2);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| producer.push(3)));
        assert!(caught.is_err());
    }
}
