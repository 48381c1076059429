//! How a command ends if nothing went wrong.

use std::process::ExitCode;
use std::sync::mpsc::{Sender, SyncSender};

use runtime::Interrupts;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All was done.
    Done,
    /// SIGINT or SIGTERM came before.
    Interrupted,
}

/// 128 and the number of SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        match ending {
            Ending::Done => ExitCode::SUCCESS,
            Ending::Interrupted => ExitCode::from(INTERRUPTED),
        }
    }
}

/// An interruption, as an event.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted;

/// A channel's sending end.
pub trait Hears {
    /// Tells of the interruption.
    fn hear(&self, interrupted: Interrupted);
}

impl<E: From<Interrupted>> Hears for Sender<E> {
    fn hear(&self, interrupted: Interrupted) {
        // Nobody listens any more: the program ends.
        drop(self.send(interrupted.into()));
    }
}

impl<E: From<Interrupted>> Hears for SyncSender<E> {
    fn hear(&self, interrupted: Interrupted) {
        // As above.
        drop(self.send(interrupted.into()));
    }
}

/// From now on the first SIGINT or SIGTERM is an event; the second one ends the process.
pub fn listen(to: impl Hears + Send + 'static) {
    // Where signals cannot be caught, the first one ends the process: no worse than a second one.
    let Ok(interrupts) = Interrupts::catch() else { return };
    std::thread::spawn(move || {
        interrupts.wait();
        drop(interrupts);
        to.hear(Interrupted);
    });
}
