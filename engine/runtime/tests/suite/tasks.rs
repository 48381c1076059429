//! Tasks, timers, budgets.

use super::run::Seat;
use runtime::{Aborted, Budget, Elapsed, Level, Shard, TaskClass};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::pending;
use std::rc::Rc;
use std::time::Duration;

const FORE: TaskClass = TaskClass::Foreground;

pub async fn a_join_gives_the_result_or_says_aborted(shard: Shard, _seat: Seat) {
    let done = shard.spawn(FORE, "done", async { 7 });
    assert_eq!(done.await, Ok(7));
    let never = shard.spawn(TaskClass::Background, "never", pending::<u8>());
    never.abort();
    assert!(never.is_finished());
    assert_eq!(never.await, Err(Aborted));
    let done = shard.spawn(FORE, "done", async { 8 });
    shard.yield_now().await;
    while !done.is_finished() {
        shard.yield_now().await;
    }
    done.abort();
    assert_eq!(done.await, Ok(8), "too late to abort");
}

pub async fn abort_drops_what_the_task_holds(shard: Shard, _seat: Seat) {
    let held = Rc::new(());
    let inner = held.clone();
    let task = shard.spawn(FORE, "holds", async move {
        let _inner = inner;
        pending::<()>().await;
    });
    shard.sleep(Duration::from_millis(1)).await;
    assert_eq!(Rc::strong_count(&held), 2);
    task.abort();
    assert_eq!(Rc::strong_count(&held), 1);
    assert!(!shard.tasks().iter().any(|t| t.name == "holds"));
}

pub async fn timers_fire_in_the_order_of_their_deadlines(shard: Shard, _seat: Seat) {
    let fired = Rc::new(RefCell::new(Vec::new()));
    let start = shard.now();
    let tasks: Vec<_> = [30u64, 10, 20, 0, 25, 15]
        .into_iter()
        .map(|ms| {
            let (shard2, fired) = (shard.clone(), fired.clone());
            shard.spawn(FORE, "sleeper", async move {
                shard2.sleep_until(start + Duration::from_millis(ms)).await;
                assert!(shard2.now() >= start + Duration::from_millis(ms));
                fired.borrow_mut().push(ms);
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("not aborted");
    }
    assert_eq!(*fired.borrow(), [0, 10, 15, 20, 25, 30]);
    assert!(shard.now().since(start) >= Duration::from_millis(30));
}

pub async fn a_timeout_drops_the_future_and_a_result_beats_it(shard: Shard, _seat: Seat) {
    let held = Rc::new(());
    let inner = held.clone();
    let late = shard
        .timeout(Duration::from_millis(3), async move {
            let _inner = inner;
            pending::<()>().await;
        })
        .await;
    assert_eq!((late, Rc::strong_count(&held)), (Err(Elapsed), 1));
    let other = shard.clone();
    let early = async move {
        other.sleep(Duration::from_millis(1)).await;
        5
    };
    assert_eq!(shard.timeout(Duration::from_secs(3600), early).await, Ok(5));
    assert_eq!(shard.timeout(Duration::ZERO, async { 6 }).await, Ok(6));
}

pub async fn yielding_lets_every_ready_task_run(shard: Shard, _seat: Seat) {
    let counts = Rc::new(RefCell::new([0u32; 4]));
    let tasks: Vec<_> = (0..4)
        .map(|i| {
            let (shard2, counts) = (shard.clone(), counts.clone());
            shard.spawn(FORE, "yields", async move {
                for _ in 0..1000 {
                    counts.borrow_mut()[i] += 1;
                    shard2.yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("not aborted");
    }
    assert_eq!(*counts.borrow(), [1000; 4]);
    assert!(shard.tasks().iter().all(|t| t.name != "yields"));
}

pub async fn a_budget_makes_readers_wait_for_each_other(shard: Shard, _seat: Seat) {
    let budget = Budget::new("case bytes", 100);
    let most = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (1..40u64)
        .map(|i| {
            let (shard2, budget, most) = (shard.clone(), budget.clone(), most.clone());
            shard.spawn(FORE, "reader", async move {
                let _permit = budget.acquire(i * 37 % 100 + 1).await.expect("within the limit");
                most.set(most.get().max(budget.used_bytes()));
                shard2.sleep(Duration::from_micros(i * 13 % 300)).await;
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("not aborted");
    }
    assert!(most.get() <= 100 && budget.used_bytes() == 0, "at most {}", most.get());
    assert!(budget.acquire(101).await.is_err());
}

/// Words that are not known before they are asked for.
struct Asks(Shard);

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.log(Level::Debug, format_args!("a line within a line"));
        write!(f, "{} tasks at {:?}", self.0.tasks().len(), self.0.now())
    }
}

pub async fn a_line_may_ask_its_shard_while_it_is_written(shard: Shard, _seat: Seat) {
    shard.log(Level::Debug, format_args!("{}", Asks(shard.clone())));
    let _free = shard.random_u64();
}
