//! A shard's budgets of bytes: nothing is read, and no memory taken, without a permit.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// So many bytes for one purpose, given out in the order of asking: a large request waits for its
/// room, and small ones that come later do not pass it by for ever.
///
/// Clones are the same budget.
#[derive(Clone)]
pub struct Budget(Rc<Ledger>);

struct Ledger {
    name: &'static str,
    limit: u64,
    used: Cell<u64>,
    /// Those who wait, first come first; only the first is ever woken.
    queue: RefCell<VecDeque<(u64, Waker)>>,
    last: Cell<u64>,
}

/// More was asked for than the budget has in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverLimit {
    /// The budget.
    pub name: &'static str,
    /// What was asked for.
    pub wanted_bytes: u64,
    /// What there is.
    pub limit_bytes: u64,
}

impl fmt::Display for OverLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OverLimit { name, wanted_bytes, limit_bytes } = self;
        write!(f, "{wanted_bytes} bytes of {name} are more than its limit of {limit_bytes}")
    }
}

/// Bytes of a budget, given back on drop.
pub struct Permit {
    ledger: Rc<Ledger>,
    bytes: u64,
}

impl Budget {
    /// A budget; `name` says what for.
    pub fn new(name: &'static str, limit_bytes: u64) -> Budget {
        Budget(Rc::new(Ledger {
            name,
            limit: limit_bytes,
            used: Cell::new(0),
            queue: RefCell::default(),
            last: Cell::new(0),
        }))
    }

    /// `bytes` of the budget, when it has them and everybody before has got theirs.
    pub async fn acquire(&self, bytes: u64) -> Result<Permit, OverLimit> {
        self.check(bytes)?;
        if let Some(permit) = self.try_acquire(bytes) {
            return Ok(permit);
        }
        let ledger = &self.0;
        let place = Place::new(ledger);
        let permit = poll_fn(|cx| {
            if place.is_first(cx.waker()) && ledger.has(bytes) {
                Poll::Ready(Permit::new(ledger, bytes))
            } else {
                Poll::Pending
            }
        })
        .await;
        drop(place); // the next one looks
        Ok(permit)
    }

    /// `bytes` of the budget, if it has them now and nobody waits.
    pub fn try_acquire(&self, bytes: u64) -> Option<Permit> {
        let free = self.0.queue.borrow().is_empty() && self.0.has(bytes);
        free.then(|| Permit::new(&self.0, bytes))
    }

    /// Bytes given out.
    pub fn used_bytes(&self) -> u64 {
        self.0.used.get()
    }

    /// Bytes in all.
    pub fn limit_bytes(&self) -> u64 {
        self.0.limit
    }

    fn check(&self, bytes: u64) -> Result<(), OverLimit> {
        let Ledger { name, limit, .. } = *self.0;
        if bytes > limit {
            return Err(OverLimit { name, wanted_bytes: bytes, limit_bytes: limit });
        }
        Ok(())
    }
}

impl Ledger {
    fn has(&self, bytes: u64) -> bool {
        bytes <= self.limit - self.used.get()
    }

    fn wake_first(&self) {
        if let Some((_, waker)) = self.queue.borrow().front() {
            waker.wake_by_ref();
        }
    }
}

impl Permit {
    fn new(ledger: &Rc<Ledger>, bytes: u64) -> Permit {
        ledger.used.set(ledger.used.get() + bytes);
        assert!(ledger.used.get() <= ledger.limit, "{} is overdrawn", ledger.name);
        Permit { ledger: ledger.clone(), bytes }
    }

    /// What it is worth.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is given out of its budget in all.
    pub fn budget_used_bytes(&self) -> u64 {
        self.ledger.used.get()
    }

    /// Takes in what another permit of the same budget is worth.
    pub fn join(&mut self, other: Permit) {
        assert!(Rc::ptr_eq(&self.ledger, &other.ledger), "{} is not its budget", self.ledger.name);
        let mut other = other;
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Gives a part back early, until `bytes` are left. By itself it never grows.
    pub fn shrink_to(&mut self, bytes: u64) {
        let back = self.bytes.saturating_sub(bytes);
        self.bytes -= back;
        self.ledger.used.set(self.ledger.used.get() - back);
        self.ledger.wake_first();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

/// A place in the queue, left on drop: also when the waiting future is dropped.
struct Place {
    ledger: Rc<Ledger>,
    ticket: u64,
}

impl Place {
    fn new(ledger: &Rc<Ledger>) -> Place {
        let ticket = ledger.last.get() + 1;
        ledger.last.set(ticket);
        ledger.queue.borrow_mut().push_back((ticket, Waker::noop().clone()));
        Place { ledger: ledger.clone(), ticket }
    }

    /// Whether everybody before has gone. If not, `waker` is told when that changes.
    fn is_first(&self, waker: &Waker) -> bool {
        let mut queue = self.ledger.queue.borrow_mut();
        let at = queue.binary_search_by_key(&self.ticket, |(ticket, _)| *ticket);
        let at = at.expect("tickets grow, and a place stays in the queue until it is dropped");
        queue[at].1.clone_from(waker);
        at == 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut queue = self.ledger.queue.borrow_mut();
        if let Ok(at) = queue.binary_search_by_key(&self.ticket, |(ticket, _)| *ticket) {
            queue.remove(at);
        }
        drop(queue);
        self.ledger.wake_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::{Pin, pin};
    use std::task::Context;

    fn poll<T>(f: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        f.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn permits_are_given_in_the_order_of_asking() {
        let budget = Budget::new("test bytes", 10);
        let held = budget.try_acquire(8).expect("nobody asked before");
        let mut large = pin!(budget.acquire(9));
        let mut small = pin!(budget.acquire(1));
        assert!(poll(large.as_mut()).is_pending());
        assert!(poll(small.as_mut()).is_pending(), "it fits, but somebody was first");
        assert!(budget.try_acquire(1).is_none());
        drop(held);
        assert!(poll(small.as_mut()).is_pending());
        let Poll::Ready(Ok(large)) = poll(large.as_mut()) else { panic!("there is room") };
        let Poll::Ready(Ok(small)) = poll(small.as_mut()) else { panic!("there is room") };
        assert_eq!(budget.used_bytes(), 10);
        drop((large, small));
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn one_who_stops_waiting_leaves_the_queue() {
        let budget = Budget::new("test bytes", 10);
        let held = budget.try_acquire(5);
        {
            let mut large = pin!(budget.acquire(10));
            assert!(poll(large.as_mut()).is_pending());
        }
        assert!(budget.try_acquire(5).is_some());
        drop(held);
    }

    #[test]
    fn more_than_the_limit_is_refused_at_once() {
        let budget = Budget::new("test bytes", 10);
        let Poll::Ready(Err(error)) = poll(pin!(budget.acquire(11))) else { panic!("refused") };
        assert_eq!(error.to_string(), "11 bytes of test bytes are more than its limit of 10");
    }

    #[test]
    fn joined_permits_are_given_back_together() {
        let budget = Budget::new("test bytes", 10);
        let mut permit = budget.try_acquire(4).expect("all is free");
        permit.join(budget.try_acquire(5).expect("six are left"));
        assert_eq!((permit.bytes(), budget.used_bytes()), (9, 9));
        drop(permit);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_shrunk_permit_gives_back_only_the_difference() {
        let budget = Budget::new("test bytes", 10);
        let mut permit = budget.try_acquire(10).expect("all is free");
        permit.shrink_to(4);
        permit.shrink_to(6);
        assert_eq!((permit.bytes(), budget.used_bytes()), (4, 4));
    }
}
