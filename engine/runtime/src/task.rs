//! What a task is to those who start it: its class, its handle, its share of the shard's time.

use crate::exec::Exec;
use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Which queue a task waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskClass {
    /// Requests and replication: first.
    Foreground,
    /// Settling, cleaning, catching up: one poll in eight while the foreground is busy, and all
    /// the time that it leaves.
    Background,
}

/// The task was aborted, or its shard ended, before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted;

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was aborted before it was done")
    }
}

/// What a task has used so far.
#[derive(Clone, Copy, Debug)]
pub struct TaskUse {
    /// The name it was started with.
    pub name: &'static str,
    /// Its class.
    pub class: TaskClass,
    /// How often it was polled.
    pub polls: u64,
    /// How long its polls took in all.
    pub busy: Duration,
}

/// Waits for a task, or aborts it. Dropping the handle lets the task run on.
pub struct JoinHandle<T> {
    join: Rc<Join<T>>,
    exec: Rc<Exec>,
    task: u64,
}

/// Where a task leaves its result.
pub(crate) struct Join<T>(RefCell<State<T>>);

enum State<T> {
    Running(Option<Waker>),
    Ended(Result<T, Aborted>),
    Taken,
}

impl<T: 'static> JoinHandle<T> {
    pub(crate) fn spawn(
        exec: &Rc<Exec>,
        class: TaskClass,
        name: &'static str,
        f: impl Future<Output = T> + 'static,
    ) -> JoinHandle<T> {
        let join = Rc::new(Join(RefCell::new(State::Running(None))));
        let finish = Finish(join.clone());
        let task = exec.spawn(class, name, async move {
            let finish = finish; // owned by the task from before its first poll
            finish.0.end(Ok(f.await));
        });
        JoinHandle { join, exec: exec.clone(), task }
    }
}

impl<T> JoinHandle<T> {
    /// Drops the task's future, wherever it waits; its operations are cancelled. A task that has
    /// ended stays ended.
    pub fn abort(&self) {
        // After a million tasks in the same place, the word of one that has ended names another.
        if !self.is_finished() {
            self.exec.abort(self.task);
        }
    }

    /// Lets the task run on by itself.
    pub fn detach(self) {}

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.join.0.borrow(), State::Running(_))
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, Aborted>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.join.0.borrow_mut();
        if let State::Running(waker) = &mut *state {
            *waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        match std::mem::replace(&mut *state, State::Taken) {
            State::Ended(result) => Poll::Ready(result),
            State::Running(_) | State::Taken => panic!("a join handle was polled after its end"),
        }
    }
}

impl<T> Join<T> {
    fn end(&self, result: Result<T, Aborted>) {
        let old = std::mem::replace(&mut *self.0.borrow_mut(), State::Ended(result));
        match old {
            State::Running(waker) => waker.inspect(Waker::wake_by_ref).map_or((), drop),
            // The result came first: this is the end of the finished future.
            ended => *self.0.borrow_mut() = ended,
        }
    }
}

/// Ends the join when the task's future goes, done or not.
struct Finish<T>(Rc<Join<T>>);

impl<T> Drop for Finish<T> {
    fn drop(&mut self) {
        self.0.end(Err(Aborted));
    }
}
