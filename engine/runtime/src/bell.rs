//! A shard's letter box and bell: how other threads, and other shards, reach it.
//!
//! A sender leaves something (a letter, or an entry in a mesh ring), then rings; the shard looks
//! whether it was rung once a turn and before it sleeps. Only a sleeping shard costs its sender a
//! system call. The order is Dekker's: the sender stores `rung` and then looks at `sleeping`, the
//! shard stores `sleeping` and then looks at `rung`, all sequentially consistent, so that one of
//! the two sees the other.
//!
//! `rung` is set by a swap, not by a store: of several senders the shard reads the last one's
//! value, and only a chain of swaps (a release sequence) makes it see what all of them left.

use crate::op::Completion;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// Cores are numbered process-wide (a simulation has many in one thread); a waker has 12 bits.
pub(crate) const CORES_MAX: usize = 4096;

/// What another thread may ask of a shard.
#[derive(Debug)]
pub(crate) enum Letter {
    /// Wake the task of that waker's word.
    Wake(u64),
    /// Close a descriptor whose last user was elsewhere.
    Close(RawFd),
    /// A helper thread has finished an operation.
    Done(Completion),
    /// The process shall end gracefully.
    Shutdown,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Bell {
    /// The core's number.
    pub(crate) core: u16,
    /// The ring that a peer's message goes to; -1 without one.
    pub(crate) ring: AtomicI32,
    rung: AtomicBool,
    sleeping: AtomicBool,
    /// None from the core's end on.
    letters: Mutex<Option<Vec<Letter>>>,
    wire: Option<OwnedFd>,
}

static BELLS: RwLock<Bells> = RwLock::new(Bells { by_core: Vec::new(), last: 0 });

struct Bells {
    by_core: Vec<Option<Arc<Bell>>>,
    last: usize,
}

impl Bell {
    /// The bell of a new core. `wire` is an eventfd that foreign threads write to; a simulated
    /// shard has none, as it never sleeps in the kernel.
    pub(crate) fn hang(wire: Option<OwnedFd>) -> Arc<Bell> {
        let mut bells = BELLS.write().unwrap_or_else(PoisonError::into_inner);
        if bells.by_core.is_empty() {
            bells.by_core.resize(CORES_MAX, None);
        }
        // Numbers are used in turn, so that a waker of a shard that ended meets nobody for long.
        let core = (1..=CORES_MAX)
            .map(|i| (bells.last + i) % CORES_MAX)
            .find(|c| bells.by_core[*c].is_none())
            .expect("fewer than 4096 shards live in one process");
        bells.last = core;
        let bell = Arc::new(Bell {
            core: core as u16,
            ring: AtomicI32::new(-1),
            rung: AtomicBool::new(false),
            sleeping: AtomicBool::new(false),
            letters: Mutex::new(Some(Vec::new())),
            wire,
        });
        bells.by_core[core] = Some(bell.clone());
        bell
    }

    /// The core has ended: letters are refused from now on. Taking it down again changes nothing.
    pub(crate) fn take_down(&self) {
        let mut bells = BELLS.write().unwrap_or_else(PoisonError::into_inner);
        let place = &mut bells.by_core[usize::from(self.core)];
        // Taken down before, it may hold another core's by now.
        place.take_if(|bell| ptr::eq(&raw const **bell, self));
        drop(bells);
        let unread = self.letters().take();
        drop(unread); // without the lock, as letters may own leases
    }

    /// The bell of a core, if it lives.
    pub(crate) fn of(core: u16) -> Option<Arc<Bell>> {
        let bells = BELLS.read().unwrap_or_else(PoisonError::into_inner);
        bells.by_core.get(usize::from(core))?.clone()
    }

    /// The descriptor that the ring listens to.
    pub(crate) fn wire(&self) -> Option<RawFd> {
        self.wire.as_ref().map(|w| w.as_raw_fd())
    }

    /// Leaves a letter and rings. The letter comes back if the shard has ended.
    pub(crate) fn post(&self, letter: Letter) -> Result<(), Letter> {
        match &mut *self.letters() {
            Some(letters) => letters.push(letter),
            None => return Err(letter),
        }
        if self.ring() {
            self.pull();
        }
        Ok(())
    }

    /// Says that something was left. True if the shard sleeps: then the caller has to wake it, by
    /// a message to its ring or by [`pull`](Bell::pull).
    #[must_use]
    pub(crate) fn ring(&self) -> bool {
        self.rung.swap(true, Ordering::SeqCst);
        self.sleeping.load(Ordering::SeqCst) && self.sleeping.swap(false, Ordering::SeqCst)
    }

    /// Wakes a sleeping shard from any thread.
    pub(crate) fn pull(&self) {
        let Some(wire) = self.wire() else { return };
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight bytes from our stack to a descriptor that we own. It can only fail when
        // the counter is about to overflow, and then the shard is being woken already.
        unsafe { libc::write(wire, one.as_ptr().cast(), one.len()) };
    }

    /// Whether somebody rang since the last [`answer`](Bell::answer).
    pub(crate) fn was_rung(&self) -> bool {
        self.rung.load(Ordering::SeqCst)
    }

    /// The shard answers: the letters, or none if nobody rang.
    pub(crate) fn answer(&self) -> Option<Vec<Letter>> {
        if !self.rung.load(Ordering::Relaxed) || !self.rung.swap(false, Ordering::SeqCst) {
            return None;
        }
        Some(self.letters().as_mut().map(std::mem::take).unwrap_or_default())
    }

    /// The shard is about to sleep. False if somebody rang: then it must not.
    #[must_use]
    pub(crate) fn lie_down(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        if self.rung.load(Ordering::SeqCst) {
            self.get_up();
            return false;
        }
        true
    }

    /// The shard is awake: nobody needs to wake it.
    pub(crate) fn get_up(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }

    fn letters(&self) -> MutexGuard<'_, Option<Vec<Letter>>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
