//! A few pipes that splices go through, used again when they are empty.
//!
//! Nobody keeps a pipe while a receiver makes no room: so a few serve any number of slow receivers.

use crate::op::{CloseKind, Fd};
use crate::shard::Core;
use crate::sync::Signal;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

/// What a pipe shall hold. Unprivileged users have 64 MiB of pipes in all; the kernel then gives
/// smaller ones, which only makes the steps shorter.
pub(crate) const PIPE_BYTES: u64 = 256 * 1024;
/// Pipes of one shard: as many as the kernel has workers to splice with.
const PIPES_MAX: usize = 16;
/// Empty pipes that are kept.
const IDLE_MAX: usize = 4;

/// A pipe; closed when it is dropped.
pub(crate) struct Pipe {
    core: Rc<Core>,
    pub(crate) read: Fd,
    pub(crate) write: Fd,
}

/// The pipes of a shard.
#[derive(Default)]
pub(crate) struct Pipes {
    idle: RefCell<Vec<Rc<Pipe>>>,
    living: Cell<usize>,
    room: Signal,
}

impl Pipes {
    /// An empty pipe; waits if there are too many.
    pub(crate) async fn take(&self, core: &Rc<Core>) -> io::Result<Rc<Pipe>> {
        let take = || {
            if let Some(pipe) = self.idle.borrow_mut().pop() {
                return Some(Ok(pipe));
            }
            (self.living.get() < PIPES_MAX).then(|| self.open(core))
        };
        self.room.wait_until(take).await
    }

    /// Takes back a pipe that is empty. One that is not must be dropped.
    pub(crate) fn give_back(&self, pipe: Rc<Pipe>) {
        if self.idle.borrow().len() < IDLE_MAX {
            self.idle.borrow_mut().push(pipe);
            self.room.wake_all();
        }
    }

    /// Closes the idle ones.
    pub(crate) fn clear(&self) {
        drop(self.idle.take());
    }

    fn open(&self, core: &Rc<Core>) -> io::Result<Rc<Pipe>> {
        let (read, write) = core.driver().pipe()?;
        self.living.set(self.living.get() + 1);
        Ok(Rc::new(Pipe { core: core.clone(), read, write }))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.core.close(self.read, CloseKind::Quick);
        self.core.close(self.write, CloseKind::Quick);
        let pipes = &self.core.pipes;
        pipes.living.set(pipes.living.get() - 1);
        pipes.room.wake_all();
    }
}
