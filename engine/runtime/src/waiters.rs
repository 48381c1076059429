//! Those who wait for one thing: each has one place, renewed by every poll and left on drop.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::task::Waker;

/// See the module. The places are in the order of coming, and that is the order of waking.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    last: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiters {
    /// Wakes everybody. Who then waits on keeps the place.
    pub(crate) fn wake_all(&self) {
        self.wakers.values().for_each(Waker::wake_by_ref);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.wakers.len()
    }
}

/// What waiters are kept in: for one thread, or for several.
pub(crate) trait Kept {
    fn with<T>(&self, f: impl FnOnce(&mut Waiters) -> T) -> T;
}

impl Kept for RefCell<Waiters> {
    fn with<T>(&self, f: impl FnOnce(&mut Waiters) -> T) -> T {
        f(&mut self.borrow_mut())
    }
}

impl Kept for Mutex<Waiters> {
    fn with<T>(&self, f: impl FnOnce(&mut Waiters) -> T) -> T {
        f(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A future's place, left on drop: also when the future is dropped before what it waits for.
pub(crate) struct Place<'a, K: Kept> {
    waiters: &'a K,
    number: Option<u64>,
}

impl<'a, K: Kept> Place<'a, K> {
    /// No place yet: who need not wait never takes one.
    pub(crate) fn new(waiters: &'a K) -> Place<'a, K> {
        Place { waiters, number: None }
    }

    /// Waits, or waits on: from now on this waker is the one to be woken.
    pub(crate) fn stay(&mut self, waker: &Waker) {
        self.number = Some(self.waiters.with(|waiters| {
            let number = self.number.unwrap_or_else(|| {
                waiters.last += 1;
                waiters.last
            });
            waiters.wakers.insert(number, waker.clone());
            number
        }));
    }
}

impl<K: Kept> Drop for Place<'_, K> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.waiters.with(|waiters| waiters.wakers.remove(&number));
        }
    }
}
