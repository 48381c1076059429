//! The wish that the process shall end gracefully, from wherever it comes.

use crate::bell::{Bell, Letter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Asks every shard to end. Clones are the same wish; it may go to any thread.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<Wish>);

#[derive(Debug, Default)]
struct Wish {
    requested: AtomicBool,
    shards: Mutex<Vec<Arc<Bell>>>,
}

impl Shutdown {
    /// Nobody asked yet.
    pub fn new() -> Shutdown {
        Shutdown::default()
    }

    /// Asks. Asking again changes nothing.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::SeqCst);
        for bell in self.shards().iter() {
            // A shard that has ended needs no asking.
            let _ = bell.post(Letter::Shutdown);
        }
    }

    /// Whether somebody asked.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::SeqCst)
    }

    /// The shards of these bells shall be told, now if somebody asked already.
    pub(crate) fn tell(&self, bells: &[Arc<Bell>]) {
        self.shards().extend_from_slice(bells);
        if self.is_requested() {
            self.request();
        }
    }

    /// These shards have ended.
    pub(crate) fn forget(&self, bells: &[Arc<Bell>]) {
        self.shards().retain(|b| !bells.iter().any(|gone| Arc::ptr_eq(gone, b)));
    }

    fn shards(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Bell>>> {
        self.0.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
