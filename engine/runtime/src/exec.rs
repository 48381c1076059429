//! The executor of one shard: a slab of tasks and two queues of those that are ready.
//!
//! A waker is three numbers in one word (core 12 bits, generation 20, index 32): cloning copies it,
//! dropping does nothing, a stale one wakes nobody (or, after a million tasks in the same place,
//! somebody who looks and goes on waiting). Several executors may live in one thread: a waker finds
//! its own by the core's number in a table of the thread, and from any other thread by a letter.

use crate::bell::{Bell, Letter};
use crate::task::{TaskClass, TaskUse};
use crate::time::Instant;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

/// One poll in so many is the background's while the foreground is busy.
const BACKGROUND_EVERY: u32 = 8;
const GENERATION_MASK: u32 = 0xf_ffff;

type Work = Pin<Box<dyn Future<Output = ()>>>;

struct Task {
    generation: u32,
    state: State,
    /// Whether it stands in its queue. If it does and lives, it is ready.
    queued: bool,
    class: TaskClass,
    name: &'static str,
    polls: u64,
    busy: Duration,
    work: Option<Work>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The place is free.
    Vacant,
    Living,
    /// Aborted from inside its own poll: goes when that returns.
    Doomed,
    /// Gone, but it still stands in its queue: the place is free when it has left that.
    Gone,
}

/// See the module.
pub(crate) struct Exec {
    core: u16,
    tasks: RefCell<Vec<Task>>,
    free: RefCell<Vec<u32>>,
    foreground: RefCell<VecDeque<u32>>,
    background: RefCell<VecDeque<u32>>,
    turn: Cell<u32>,
}

thread_local! {
    /// The executors of this thread, by core number.
    static HERE: RefCell<Vec<Option<Rc<Exec>>>> = const { RefCell::new(Vec::new()) };
}

impl Exec {
    /// A new executor, known to the wakers of this thread.
    pub(crate) fn new(core: u16) -> Rc<Exec> {
        let exec = Rc::new(Exec {
            core,
            tasks: RefCell::default(),
            free: RefCell::default(),
            foreground: RefCell::default(),
            background: RefCell::default(),
            turn: Cell::new(0),
        });
        HERE.with_borrow_mut(|here| {
            let at = usize::from(core);
            if here.len() <= at {
                here.resize(at + 1, None);
            }
            here[at] = Some(exec.clone());
        });
        exec
    }

    /// Starts a task; its word names it.
    pub(crate) fn spawn(
        &self,
        class: TaskClass,
        name: &'static str,
        f: impl Future<Output = ()> + 'static,
    ) -> u64 {
        let work: Option<Work> = Some(Box::pin(f));
        let mut tasks = self.tasks.borrow_mut();
        let index = self.free.borrow_mut().pop().unwrap_or_else(|| {
            tasks.push(Task::vacant());
            u32::try_from(tasks.len() - 1).expect("fewer than 2^32 tasks")
        });
        let task = &mut tasks[index as usize];
        let generation = task.generation;
        let (state, queued) = (State::Living, true);
        *task = Task { generation, state, queued, class, name, work, ..Task::vacant() };
        self.queue(class).borrow_mut().push_back(index);
        self.word(generation, index)
    }

    /// Drops a task's future now, or when its current poll returns.
    pub(crate) fn abort(&self, word: u64) {
        let index = word as u32;
        let mut tasks = self.tasks.borrow_mut();
        let Some(task) = tasks.get_mut(index as usize) else { return };
        if task.state != State::Living || self.word(task.generation, index) != word {
            return;
        }
        let Some(work) = task.work.take() else {
            task.state = State::Doomed;
            return;
        };
        self.retire(&mut tasks, index);
        drop(tasks);
        drop(work); // may wake, spawn, cancel
    }

    /// Whether a task is ready.
    pub(crate) fn has_ready(&self) -> bool {
        !self.foreground.borrow().is_empty() || !self.background.borrow().is_empty()
    }

    /// Polls one ready task, which `choose` picks out of so many. `now` is read before and after.
    /// None if no task was ready, else the task and how long it took.
    pub(crate) fn poll_one(
        &self,
        choose: impl Fn(usize) -> usize,
        now: impl Fn() -> Instant,
    ) -> Option<(&'static str, Duration)> {
        let (index, mut work) = self.next_living(choose)?;
        let (word, name) = {
            let task = &self.tasks.borrow()[index as usize];
            (self.word(task.generation, index), task.name)
        };
        let began = now();
        let waker = waker(word);
        let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
        let took = now().since(began);
        let mut tasks = self.tasks.borrow_mut();
        let task = &mut tasks[index as usize];
        task.polls += 1;
        task.busy += took;
        if polled.is_pending() && task.state != State::Doomed {
            task.work = Some(work);
            return Some((name, took));
        }
        self.retire(&mut tasks, index);
        drop(tasks);
        drop(work); // may wake, spawn, cancel
        Some((name, took))
    }

    /// What every living task has used.
    pub(crate) fn uses(&self) -> Vec<TaskUse> {
        let tasks = self.tasks.borrow();
        let living = tasks.iter().filter(|t| matches!(t.state, State::Living | State::Doomed));
        living
            .map(|t| TaskUse { name: t.name, class: t.class, polls: t.polls, busy: t.busy })
            .collect()
    }

    /// Drops every task, also those that the drops start.
    pub(crate) fn clear(&self) {
        loop {
            let work: Vec<Work> =
                self.tasks.borrow_mut().iter_mut().filter_map(|t| t.work.take()).collect();
            if work.is_empty() {
                break;
            }
            drop(work);
        }
        self.foreground.borrow_mut().clear();
        self.background.borrow_mut().clear();
        let mut tasks = self.tasks.borrow_mut();
        for index in 0..tasks.len() as u32 {
            let task = &mut tasks[index as usize];
            task.queued = false;
            if task.state != State::Vacant {
                self.retire(&mut tasks, index);
            }
        }
    }

    /// Wakers of this core find nobody from now on.
    pub(crate) fn take_down(&self) {
        let gone = HERE.with_borrow_mut(|here| here[usize::from(self.core)].take());
        drop(gone);
    }

    /// Puts a waiting task into its queue.
    pub(crate) fn wake(&self, word: u64) {
        let index = word as u32;
        let mut tasks = self.tasks.borrow_mut();
        let Some(task) = tasks.get_mut(index as usize) else { return };
        let living = task.state == State::Living && self.word(task.generation, index) == word;
        if living && !task.queued {
            task.queued = true;
            self.queue(task.class).borrow_mut().push_back(index);
        }
    }

    /// Takes the next ready task out of its queue, and its future out of its place.
    fn next_living(&self, choose: impl Fn(usize) -> usize) -> Option<(u32, Work)> {
        loop {
            let index = self.next(&choose)?;
            let mut tasks = self.tasks.borrow_mut();
            let task = &mut tasks[index as usize];
            task.queued = false;
            if task.state == State::Gone {
                self.retire(&mut tasks, index);
                continue;
            }
            return Some((index, task.work.take().expect("a ready task has its future")));
        }
    }

    fn next(&self, choose: impl Fn(usize) -> usize) -> Option<u32> {
        let (fore, back) = (self.foreground.borrow().len(), self.background.borrow().len());
        let turn = self.turn.get();
        let background = back > 0 && (fore == 0 || turn.is_multiple_of(BACKGROUND_EVERY));
        let (queue, ready) =
            if background { (&self.background, back) } else { (&self.foreground, fore) };
        self.turn.set(turn.wrapping_add(1));
        let mut queue = queue.borrow_mut();
        if ready > 1 {
            let at = choose(ready);
            queue.swap(0, at);
        }
        queue.pop_front()
    }

    fn retire(&self, tasks: &mut [Task], index: u32) {
        let task = &mut tasks[index as usize];
        if task.queued {
            // To take it out of the middle of the queue would cost the queue's length.
            task.state = State::Gone;
            return;
        }
        let generation = task.generation.wrapping_add(1) & GENERATION_MASK;
        *task = Task { generation, ..Task::vacant() };
        self.free.borrow_mut().push(index);
    }

    fn queue(&self, class: TaskClass) -> &RefCell<VecDeque<u32>> {
        match class {
            TaskClass::Foreground => &self.foreground,
            TaskClass::Background => &self.background,
        }
    }

    fn word(&self, generation: u32, index: u32) -> u64 {
        u64::from(self.core) << 52 | u64::from(generation) << 32 | u64::from(index)
    }
}

impl Task {
    fn vacant() -> Task {
        Task {
            generation: 0,
            state: State::Vacant,
            queued: false,
            class: TaskClass::Foreground,
            name: "",
            polls: 0,
            busy: Duration::ZERO,
            work: None,
        }
    }
}

fn waker(word: u64) -> Waker {
    // SAFETY: the word is never dereferenced, it only travels as the waker's data pointer, and the
    // functions of the table are fit for every word and every thread.
    unsafe { Waker::from_raw(raw_waker(word as usize as *const ())) }
}

fn raw_waker(word: *const ()) -> RawWaker {
    static TABLE: RawWakerVTable =
        RawWakerVTable::new(raw_waker, |w| wake(w as u64), |w| wake(w as u64), |_| {});
    RawWaker::new(word, &TABLE)
}

fn wake(word: u64) {
    let core = (word >> 52) as u16;
    let here =
        HERE.try_with(|here| here.borrow().get(usize::from(core)).and_then(|exec| exec.clone()));
    if let Ok(Some(exec)) = here {
        exec.wake(word);
    } else if let Some(bell) = Bell::of(core) {
        // A shard that has just ended needs no waking.
        let _ = bell.post(Letter::Wake(word));
    }
}

#[cfg(test)]
mod tests;
