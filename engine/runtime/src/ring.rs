//! A shard's operations in slots: the ring owns what the kernel may touch, futures hold tickets.
//!
//! Everything unsafe above the drivers rests on one argument, made here: an operation's pointers go
//! into what its slot's [`Keep`] owns, the slot is released only after the operation's
//! completion, and nothing in a `Keep` moves its memory when it moves itself. A future that is
//! dropped early leaves its slot an orphan and asks for cancellation; the slot is then released by
//! the completion, whatever its result. The [`Holder`] keeps the handle alive just as long, so
//! that a descriptor is never closed, nor its place in the ring's table used again, under an
//! operation that names it.

use crate::buffer::Buffer;
use crate::disk::file::{File, SharedFile};
use crate::driver::Driver;
use crate::lease::Lease;
use crate::memory::Parked;
use crate::net::Listener;
use crate::net::message::Message;
use crate::net::socket::Socket;
use crate::op::{Completion, Key, Op, Payload, PeerAddr, Wait};
use crate::pipe::Pipe;
use crate::shard::Core;
use std::cell::{Cell, RefCell};
use std::ffi::CString;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What a slot keeps alive until the completion, and gives back then.
#[expect(dead_code, reason = "many are only kept, never looked at")]
pub(crate) enum Keep {
    Nothing,
    Buffer(Buffer),
    Lease(Lease),
    Message(Parked<Message>),
    Peer(Parked<PeerAddr>),
    Path(Parked<CString>),
    Paths(Parked<CString>, Parked<CString>),
    Stat(Parked<libc::statx>),
    Splice(Rc<Pipe>, Option<SharedFile>),
}

/// Whose descriptor the operation uses.
#[expect(dead_code, reason = "kept alive, never looked at")]
pub(crate) enum Holder {
    Nobody,
    File(File),
    Shared(SharedFile),
    Socket(Socket),
    Listener(Listener),
}

/// How an operation ended.
pub(crate) struct Outcome {
    /// The completion's number: a count, a descriptor, or a negative error.
    pub(crate) result: i32,
    pub(crate) payload: Payload,
    pub(crate) keep: Keep,
}

struct Slot {
    generation: u32,
    /// Whether its completion is still to come. A free slot has none and no operation.
    is_pending: bool,
    orphan: bool,
    /// Whether a result that is not negative is a descriptor, which an orphan must close.
    brings_fd: bool,
    result: i32,
    payload: Payload,
    waker: Option<Waker>,
    keep: Keep,
    holder: Holder,
}

/// See the module.
pub(crate) struct Ring {
    slots: RefCell<Vec<Slot>>,
    free: RefCell<Vec<u32>>,
    done: Cell<Vec<Completion>>,
    pub(crate) driver: RefCell<Driver>,
}

/// What became of an orphan, to be dropped outside of every borrow.
type Remains = (Option<i32>, Keep, Holder, Payload);

impl Ring {
    pub(crate) fn new(driver: Driver) -> Ring {
        Ring {
            slots: RefCell::default(),
            free: RefCell::default(),
            done: Cell::default(),
            driver: RefCell::new(driver),
        }
    }

    /// Operations that the world still owns, or whose result nobody took yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.slots.borrow().len() - self.free.borrow().len()
    }

    /// Hands an operation to the driver.
    pub(crate) fn start(&self, op: Op, keep: Keep, holder: Holder) -> Key {
        let brings_fd = matches!(op, Op::Accept { .. } | Op::Open { .. });
        let mut slots = self.slots.borrow_mut();
        let index = self.free.borrow_mut().pop().unwrap_or_else(|| {
            slots.push(Slot::vacant());
            u32::try_from(slots.len() - 1).expect("fewer than 2^32 operations in flight")
        });
        let slot = &mut slots[index as usize];
        *slot = Slot {
            is_pending: true,
            brings_fd,
            keep,
            holder,
            generation: slot.generation,
            ..Slot::vacant()
        };
        let key = Key(u64::from(slot.generation) << 32 | u64::from(index));
        drop(slots);
        self.driver.borrow_mut().push(key, op);
        key
    }

    /// Starts an operation whose end interests nobody.
    pub(crate) fn start_detached(&self, op: Op, holder: Holder) {
        let key = self.start(op, Keep::Nothing, holder);
        self.slots.borrow_mut()[key.0 as u32 as usize].orphan = true;
    }

    /// One turn of the driver. Returns descriptors that came for nobody: the caller closes them.
    pub(crate) fn turn(&self, wait: Wait) -> Vec<i32> {
        let mut done = self.done.take();
        self.driver.borrow_mut().turn(wait, &mut done);
        let mut stray = Vec::new();
        for completion in done.drain(..) {
            stray.extend(self.complete(completion));
        }
        self.done.set(done);
        stray
    }

    /// Books one completion. Returns a descriptor that came for nobody.
    pub(crate) fn complete(&self, completion: Completion) -> Option<i32> {
        let Completion { key, result, payload } = completion;
        if key == Key::NOBODY {
            return None;
        }
        let (index, generation) = (key.0 as u32, (key.0 >> 32) as u32);
        let mut slots = self.slots.borrow_mut();
        let slot = &mut slots[index as usize];
        assert!(
            slot.generation == generation && slot.is_pending,
            "a completion for {generation}:{index}, but the slot is at {} and waits: {}",
            slot.generation,
            slot.is_pending
        );
        slot.is_pending = false;
        slot.result = result;
        slot.payload = payload;
        if !slot.orphan {
            let waker = slot.waker.take();
            drop(slots);
            waker.inspect(Waker::wake_by_ref);
            return None;
        }
        let remains = self.release(&mut slots, index);
        drop(slots);
        remains.0 // what the slot kept is dropped here: it may close files and start operations
    }

    fn release(&self, slots: &mut [Slot], index: u32) -> Remains {
        let slot = &mut slots[index as usize];
        let generation = slot.generation.wrapping_add(1) & 0x7fff_ffff;
        let old = std::mem::replace(slot, Slot { generation, ..Slot::vacant() });
        self.free.borrow_mut().push(index);
        let fd = (old.brings_fd && old.result >= 0).then_some(old.result);
        (fd, old.keep, old.holder, old.payload)
    }

    /// Forgets everything at once: only where no kernel holds pointers (a simulated node's end).
    #[cfg(feature = "sim")]
    pub(crate) fn abandon(&self) {
        let slots = std::mem::take(&mut *self.slots.borrow_mut());
        self.free.borrow_mut().clear();
        drop(slots);
    }

    fn poll(&self, key: Key, waker: &Waker) -> Poll<Outcome> {
        let mut slots = self.slots.borrow_mut();
        let index = key.0 as u32;
        let slot = &mut slots[index as usize];
        if slot.is_pending {
            match &mut slot.waker {
                Some(old) => old.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
            return Poll::Pending;
        }
        let result = slot.result;
        let (_, keep, holder, payload) = self.release(&mut slots, index);
        drop(slots);
        drop(holder);
        Poll::Ready(Outcome { result, payload, keep })
    }

    /// The ticket is gone: cancel, or drop what came. Returns a descriptor that came for nobody.
    fn forsake(&self, key: Key) -> Option<i32> {
        let mut slots = self.slots.borrow_mut();
        let index = key.0 as u32;
        let slot = slots.get_mut(index as usize)?;
        if slot.is_pending {
            slot.orphan = true;
            slot.waker = None;
            drop(slots);
            self.driver.borrow_mut().push(Key::NOBODY, Op::Cancel { key });
            return None;
        }
        let remains = self.release(&mut slots, index);
        drop(slots);
        remains.0
    }
}

impl Slot {
    fn vacant() -> Slot {
        Slot {
            generation: 0,
            is_pending: false,
            orphan: false,
            brings_fd: false,
            result: 0,
            payload: Payload::None,
            waker: None,
            keep: Keep::Nothing,
            holder: Holder::Nobody,
        }
    }
}

/// An operation's future. Dropping it cancels the operation.
pub(crate) struct Ticket {
    core: Rc<Core>,
    key: Option<Key>,
}

impl Ticket {
    pub(crate) fn new(core: &Rc<Core>, op: Op, keep: Keep, holder: Holder) -> Ticket {
        Ticket { core: core.clone(), key: Some(core.ring.start(op, keep, holder)) }
    }
}

impl Ticket {
    /// Asks the operation to end soon. It still completes: often with `-ECANCELED`, which means
    /// that it did nothing.
    pub(crate) fn cancel(&self) {
        if let Some(key) = self.key {
            self.core.ring.driver.borrow_mut().push(Key::NOBODY, Op::Cancel { key });
        }
    }
}

impl Future for Ticket {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let key = self.key.expect("a ticket is polled until it is ready, and not after");
        let polled = self.core.ring.poll(key, cx.waker());
        if polled.is_ready() {
            self.key = None;
        }
        polled
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(fd) = self.key.take().and_then(|key| self.core.ring.forsake(key)) {
            self.core.close_stray(fd);
        }
    }
}

impl Keep {
    pub(crate) fn buffer(self) -> Buffer {
        match self {
            Keep::Buffer(buffer) => buffer,
            _ => unreachable!("the slot was given a buffer"),
        }
    }

    pub(crate) fn lease(self) -> Lease {
        match self {
            Keep::Lease(lease) => lease,
            _ => unreachable!("the slot was given a lease"),
        }
    }
}
