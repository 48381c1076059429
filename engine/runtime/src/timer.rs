//! The moments that a shard's tasks wait for, in order; the driver waits for the first of them.

use crate::shard::Core;
use crate::time::Instant;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Deadlines with their wakers. The idle point waits with the first one as its limit, so a timer
/// costs the kernel nothing and a shard without timers is never woken.
#[derive(Default)]
pub(crate) struct Timers {
    due: RefCell<BTreeMap<(Instant, u64), Waker>>,
    last: Cell<u64>,
}

impl Timers {
    /// The first moment somebody waits for.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.borrow().first_key_value().map(|((at, _), _)| *at)
    }

    /// Wakes everybody whose moment has come.
    pub(crate) fn fire(&self, now: impl FnOnce() -> Instant) {
        if self.due.borrow().is_empty() {
            return; // spares reading the clock
        }
        let now = now();
        loop {
            let mut due = self.due.borrow_mut();
            let Some(first) = due.first_entry().filter(|e| e.key().0 <= now) else { return };
            let waker = first.remove();
            drop(due);
            waker.wake();
        }
    }
}

/// Waits for a moment.
pub(crate) struct Sleep {
    core: Rc<Core>,
    at: Instant,
    id: Option<u64>,
}

impl Sleep {
    pub(crate) fn new(core: &Rc<Core>, at: Instant) -> Sleep {
        Sleep { core: core.clone(), at, id: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.core.now() >= self.at {
            return Poll::Ready(());
        }
        if self.at == Instant::NEVER {
            return Poll::Pending;
        }
        let timers = &self.core.timers;
        let id = self.id.unwrap_or_else(|| {
            timers.last.set(timers.last.get() + 1);
            timers.last.get()
        });
        timers.due.borrow_mut().insert((self.at, id), cx.waker().clone());
        self.id = Some(id);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.core.timers.due.borrow_mut().remove(&(self.at, id));
        }
    }
}
