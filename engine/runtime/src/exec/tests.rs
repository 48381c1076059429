//! The executor by itself: order, classes, aborts, wakes from other threads.

use super::*;
use crate::task::JoinHandle;
use std::future::{pending, poll_fn, ready};
use std::task::Poll;

fn exec() -> (Rc<Exec>, std::sync::Arc<Bell>) {
    let bell = Bell::hang(None);
    (Exec::new(bell.core), bell)
}

fn run(exec: &Exec) {
    while exec.poll_one(|_| 0, || Instant::from_nanos(0)).is_some() {}
}

/// Ready after having been polled and woken `times` times.
fn busy(times: u32, mut each: impl FnMut() + 'static) -> impl Future<Output = ()> {
    let mut left = times;
    poll_fn(move |cx| {
        each();
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
}

#[test]
fn the_background_gets_one_poll_in_eight_of_a_busy_shard() {
    let (exec, bell) = exec();
    let polls = Rc::new(Cell::new((0, 0)));
    let (fore, back) = (polls.clone(), polls.clone());
    exec.spawn(
        TaskClass::Foreground,
        "fore",
        busy(699, move || {
            fore.set((fore.get().0 + 1, fore.get().1));
        }),
    );
    exec.spawn(
        TaskClass::Background,
        "back",
        busy(9999, move || {
            back.set((back.get().0, back.get().1 + 1));
        }),
    );
    for _ in 0..800 {
        exec.poll_one(|_| 0, || Instant::from_nanos(0)).expect("both are ready");
    }
    assert_eq!(polls.get(), (700, 100));
    exec.clear();
    exec.take_down();
    bell.take_down();
}

#[test]
fn a_task_may_abort_itself_and_its_place_is_used_again() {
    let (exec, bell) = exec();
    let word = Rc::new(Cell::new(0));
    let (me, inner) = (word.clone(), exec.clone());
    word.set(exec.spawn(
        TaskClass::Foreground,
        "self",
        poll_fn(move |cx| {
            cx.waker().wake_by_ref();
            inner.abort(me.get());
            Poll::<()>::Pending
        }),
    ));
    run(&exec);
    assert!(exec.uses().is_empty());
    let again = exec.spawn(TaskClass::Foreground, "next", ready(()));
    assert_eq!(again as u32, word.get() as u32, "the same place");
    assert_ne!(again, word.get(), "another generation");
    exec.abort(word.get());
    assert_eq!(exec.uses().len(), 1, "a stale word aborts nobody");
    run(&exec);
    assert!(exec.uses().is_empty());
    exec.take_down();
    bell.take_down();
}

#[test]
fn clear_drops_also_what_the_drops_start() {
    struct Starts(Rc<Exec>, Rc<Cell<u32>>);
    impl Drop for Starts {
        fn drop(&mut self) {
            self.1.set(self.1.get() + 1);
            if self.1.get() < 3 {
                let next = Starts(self.0.clone(), self.1.clone());
                self.0.spawn(TaskClass::Foreground, "heir", async move {
                    let _next = next;
                    pending::<()>().await;
                });
            }
        }
    }
    let (exec, bell) = exec();
    let drops = Rc::new(Cell::new(0));
    let first = Starts(exec.clone(), drops.clone());
    exec.spawn(TaskClass::Foreground, "first", async move {
        let _first = first;
        pending::<()>().await;
    });
    run(&exec);
    exec.clear();
    assert_eq!((drops.get(), exec.uses().len()), (3, 0));
    exec.take_down();
    bell.take_down();
}

#[test]
fn a_wake_from_another_thread_comes_as_a_letter() {
    let (exec, bell) = exec();
    let (send, receive) = std::sync::mpsc::channel();
    exec.spawn(
        TaskClass::Foreground,
        "waits",
        poll_fn(move |cx| {
            send.send(cx.waker().clone()).expect("the test listens");
            Poll::<()>::Pending
        }),
    );
    run(&exec);
    let waker = receive.recv().expect("it was polled");
    std::thread::spawn(move || waker.wake()).join().expect("waking does not panic");
    assert!(!exec.has_ready());
    for letter in bell.answer().expect("it was rung") {
        let Letter::Wake(word) = letter else { panic!("a wake") };
        exec.wake(word);
    }
    assert!(exec.has_ready());
    exec.clear();
    exec.take_down();
    bell.take_down();
}

#[test]
fn a_handle_of_a_task_that_has_ended_aborts_no_stranger() {
    let (exec, bell) = exec();
    let old = JoinHandle::spawn(&exec, TaskClass::Foreground, "old", ready(()));
    run(&exec);
    // All generations of the place but one, and then a task that bears the old one's word.
    for _ in 0..GENERATION_MASK {
        exec.spawn(TaskClass::Foreground, "short", ready(()));
        run(&exec);
    }
    let stranger = JoinHandle::spawn(&exec, TaskClass::Foreground, "stranger", pending::<()>());
    run(&exec);
    old.abort();
    assert!(!stranger.is_finished());
    stranger.abort();
    assert!(stranger.is_finished());
    exec.take_down();
    bell.take_down();
}

#[test]
fn an_aborted_task_that_stood_in_its_queue_is_not_polled_and_its_place_is_free_in_the_end() {
    let (exec, bell) = exec();
    let polls = Rc::new(Cell::new(0));
    let count = |polls: &Rc<Cell<u32>>| {
        let polls = polls.clone();
        async move { polls.set(polls.get() + 1) }
    };
    let first = exec.spawn(TaskClass::Foreground, "first", count(&polls));
    let second = exec.spawn(TaskClass::Foreground, "second", count(&polls));
    exec.abort(first);
    exec.abort(first);
    assert_eq!(exec.uses().len(), 1);
    let third = exec.spawn(TaskClass::Foreground, "third", count(&polls));
    assert_ne!(third as u32, first as u32, "the place is still named by the queue");
    exec.wake(first);
    run(&exec);
    assert_eq!((polls.get(), exec.uses().len()), (2, 0));
    let places: Vec<u32> =
        (0..3).map(|_| exec.spawn(TaskClass::Foreground, "again", count(&polls)) as u32).collect();
    assert!([first, second, third].iter().all(|word| places.contains(&(*word as u32))));
    exec.clear();
    exec.take_down();
    bell.take_down();
}

#[test]
fn aborting_many_ready_tasks_takes_time_for_each_and_not_for_each_pair() {
    let (exec, bell) = exec();
    let spawn = |_| exec.spawn(TaskClass::Foreground, "ready", pending::<()>());
    let words: Vec<u64> = (0..200_000).map(spawn).collect();
    let began = std::time::Instant::now();
    words.iter().for_each(|word| exec.abort(*word));
    // Some milliseconds; for each pair it would be half a minute.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    run(&exec);
    assert!(exec.uses().is_empty());
    exec.take_down();
    bell.take_down();
}
