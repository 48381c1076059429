//! The clock of the readers of one shard: which of them have begun a frame, which sit on a receive
//! buffer while nothing comes, and which have been idle for long.
//!
//! A reader says what it does by setting cells; one task looks once a second, and only while there
//! is a reader to look at. So the watch costs a busy connection no timer and no system call.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use runtime::Shard;
use runtime::sync::{Event, Signal, first};

use crate::response_queue::ResponseQueue;

/// How often the watch looks.
const TICK: Duration = Duration::from_secs(1);
/// From the first byte of a frame to its last, in ticks.
const FRAME_TICKS_MAX: u64 = 30;
/// A tick more for so many bytes that have come: a slow line gets a large frame through.
const BYTES_A_TICK: u64 = 128 * 1024;
/// Ticks after which a silent connection's receive buffer is taken back.
const SILENT_TICKS_MAX: u64 = 2;

/// The readers of a shard.
#[derive(Clone, Default)]
pub(crate) struct Watch(Rc<Readers>);

#[derive(Default)]
struct Readers {
    last_id: Cell<u64>,
    /// Bounded by the connections.
    list: RefCell<BTreeMap<u64, Rc<State>>>,
    /// How many do something that can take too long.
    active: Cell<usize>,
    some: Event,
}

struct State {
    /// What leaves meanwhile, and how many answers had left when it was looked last.
    answers: ResponseQueue,
    answered: Cell<u64>,
    doing: Cell<Doing>,
    ticks: Cell<u64>,
    received: Cell<u64>,
    /// After how many ticks an idle reader has been so for too long.
    idle_ticks_max: Cell<u64>,
    told: Signal,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Doing {
    #[default]
    Nothing,
    /// The next frame is awaited.
    Idle,
    /// The same with a buffer at hand.
    Waiting,
    /// A frame has begun and is not whole.
    Frame,
    /// What it did took too long.
    Late,
}

/// The connections of a shard by what they are doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// Nothing of a next request has come, and all before are answered.
    pub idle: usize,
    /// A request has begun to come.
    pub receiving: usize,
    /// A request waits, is handled, or its answer leaves.
    pub handling: usize,
}

/// A frame took longer than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Late;

/// One reader's place in the watch.
pub(crate) struct Watched {
    watch: Watch,
    id: u64,
    state: Rc<State>,
}

/// While it lives the watch looks at the reader.
pub(crate) struct Watching<'a>(&'a Watched);

impl Watch {
    /// A place for a reader.
    pub(crate) fn enter(&self, answers: &ResponseQueue) -> Watched {
        let id = self.0.last_id.get() + 1;
        self.0.last_id.set(id);
        let state = Rc::new(State::new(answers.clone()));
        self.0.list.borrow_mut().insert(id, state.clone());
        Watched { watch: self.clone(), id, state }
    }

    /// What each reader does now.
    pub(crate) fn connections(&self) -> Connections {
        let mut all = Connections::default();
        for reader in self.0.list.borrow().values() {
            let (_, under_way) = reader.answers.places();
            match (reader.doing.get(), under_way) {
                (Doing::Frame, 0) => all.receiving += 1,
                (Doing::Idle | Doing::Waiting, 0) => all.idle += 1,
                _ => all.handling += 1,
            }
        }
        all
    }

    /// Looks, for as long as the shard lives.
    pub(crate) async fn run(&self, shard: &Shard) {
        loop {
            if self.0.active.get() == 0 {
                self.0.some.wait().await;
            }
            shard.sleep(TICK).await;
            self.0.list.borrow().values().for_each(|reader| reader.tick());
        }
    }
}

impl State {
    fn new(answers: ResponseQueue) -> State {
        State {
            answers,
            answered: Cell::default(),
            doing: Cell::default(),
            ticks: Cell::default(),
            received: Cell::default(),
            idle_ticks_max: Cell::default(),
            told: Signal::new(),
        }
    }

    fn tick(&self) {
        // What is sent is activity, as in Kafka: an idle reader's time begins when all is answered.
        let (answered, under_way) = self.answers.places();
        let busy = self.answered.replace(answered) != answered || under_way > 0;
        let ticks = match busy && self.doing.get() == Doing::Idle {
            true => 0,
            false => self.ticks.get() + 1,
        };
        self.ticks.set(ticks);
        let late = match self.doing.get() {
            Doing::Idle => ticks > self.idle_ticks_max.get(),
            Doing::Waiting => ticks >= SILENT_TICKS_MAX,
            Doing::Frame => ticks > FRAME_TICKS_MAX + self.received.get() / BYTES_A_TICK,
            Doing::Nothing | Doing::Late => false,
        };
        if late {
            self.doing.set(Doing::Late);
            self.told.wake_all();
        }
    }

    async fn late(&self) {
        self.told.wait_until(|| (self.doing.get() == Doing::Late).then_some(())).await;
    }
}

impl Watched {
    /// Bytes are awaited with a buffer at hand.
    pub(crate) fn waits(&self) -> Watching<'_> {
        self.does(Doing::Waiting)
    }

    /// The next frame is awaited, for as long as it takes if `idle_max` is none.
    pub(crate) fn idles(&self, idle_max: Option<Duration>) -> Watching<'_> {
        let ticks_max =
            idle_max.map_or(u64::MAX, |max| max.as_secs() + u64::from(max.subsec_nanos() > 0));
        self.state.idle_ticks_max.set(ticks_max);
        self.does(Doing::Idle)
    }

    /// A frame has begun.
    pub(crate) fn begins(&self) -> Watching<'_> {
        self.does(Doing::Frame)
    }

    fn does(&self, doing: Doing) -> Watching<'_> {
        self.state.doing.set(doing);
        self.state.ticks.set(0);
        self.state.received.set(0);
        let Readers { active, some, .. } = &*self.watch.0;
        active.set(active.get() + 1);
        if active.get() == 1 {
            some.set();
        }
        Watching(self)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.watch.0.list.borrow_mut().remove(&self.id);
    }
}

impl Watching<'_> {
    /// Bytes of the frame came.
    pub(crate) fn received(&self, bytes: usize) {
        let received = &self.0.state.received;
        received.set(received.get() + bytes as u64);
    }

    /// Returns when it has taken too long.
    pub(crate) async fn late(&self) {
        self.0.state.late().await;
    }

    /// What `future` gives, unless it takes too long.
    pub(crate) async fn unless_late<T>(&self, future: impl Future<Output = T>) -> Result<T, Late> {
        let late = async {
            self.late().await;
            Err(Late)
        };
        first(async { Ok(future.await) }, late).await
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.state.doing.set(Doing::Nothing);
        let active = &self.0.watch.0.active;
        active.set(active.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polled::poll;

    #[test]
    fn connections_are_told_by_what_they_are_doing() {
        let (watch, queue) = (Watch::default(), ResponseQueue::new(2));
        let none = Connections::default();
        assert_eq!(watch.connections(), none);
        let reader = watch.enter(&queue);
        let idle = reader.idles(None);
        assert_eq!(watch.connections(), Connections { idle: 1, ..none });
        drop(idle);
        let frame = reader.begins();
        assert_eq!(watch.connections(), Connections { receiving: 1, ..none });
        let slot = poll(queue.reserve()).flatten().expect("there is a place");
        assert_eq!(watch.connections(), Connections { handling: 1, ..none });
        drop((slot, frame));
        drop(reader);
        assert_eq!(watch.connections(), none);
    }
}
