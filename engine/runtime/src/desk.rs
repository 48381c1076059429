//! Questions of the process's other threads to a shard: a bounded way in, and an answer back.
//!
//! Nothing here is on the way of a record: a shard is asked a few times a minute, by who watches.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// A way for questions, of which `waiting_max` may wait: the end that asks, and the shard's.
pub fn desk<Q: Send, R: Send>(waiting_max: usize) -> (Asker<Q, R>, Desk<Q, R>) {
    let queue = Queue { waiting: VecDeque::new(), waker: None, is_closed: false };
    let queue = Arc::new(Mutex::new(queue));
    (Asker { queue: queue.clone(), waiting_max }, Desk { queue })
}

/// Asks, from any thread.
pub struct Asker<Q, R> {
    queue: Arc<Mutex<Queue<Q, R>>>,
    waiting_max: usize,
}

/// The shard's end. Dropped, what waits is not answered, and neither is what is asked later.
pub struct Desk<Q, R> {
    queue: Arc<Mutex<Queue<Q, R>>>,
}

struct Queue<Q, R> {
    waiting: VecDeque<Question<Q, R>>,
    /// The task that waits for the next one.
    waker: Option<Waker>,
    is_closed: bool,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// As many as may wait do so already.
    Full,
    /// The shard has ended, or dropped the question.
    Gone,
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoAnswer::Full => "the shard has too many questions to answer already: ask later",
            NoAnswer::Gone => "the shard gives no answer: it is ending",
        })
    }
}

impl std::error::Error for NoAnswer {}

/// A question, and who waits for the answer.
pub struct Question<Q, R> {
    /// What is asked.
    pub asked: Q,
    /// Where the answer goes.
    pub answer: AnswerTo<R>,
}

/// Where an answer goes. Dropped without one, whoever asked is told that there is none.
pub struct AnswerTo<R>(Arc<Mutex<Answer<R>>>);

/// An answer that is awaited, on any executor. Dropped, the question stays asked.
pub struct Asked<R>(Result<Arc<Mutex<Answer<R>>>, NoAnswer>);

struct Answer<R> {
    given: Option<Result<R, NoAnswer>>,
    waker: Option<Waker>,
}

impl<Q: Send, R: Send> Asker<Q, R> {
    /// Asks at once; wait for the answer by awaiting what it returns.
    pub fn ask(&self, question: Q) -> Asked<R> {
        let mut queue = lock(&self.queue);
        if queue.is_closed {
            return Asked(Err(NoAnswer::Gone));
        }
        if queue.waiting.len() >= self.waiting_max {
            return Asked(Err(NoAnswer::Full));
        }
        let answer = Arc::new(Mutex::new(Answer { given: None, waker: None }));
        queue.waiting.push_back(Question { asked: question, answer: AnswerTo(answer.clone()) });
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
        Asked(Ok(answer))
    }
}

impl<Q, R> Desk<Q, R> {
    /// The next question.
    pub async fn next(&self) -> Question<Q, R> {
        poll_fn(|cx| {
            let mut queue = lock(&self.queue);
            match queue.waiting.pop_front() {
                Some(question) => Poll::Ready(question),
                None => {
                    queue.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl<Q, R> Drop for Desk<Q, R> {
    fn drop(&mut self) {
        let mut queue = lock(&self.queue);
        queue.is_closed = true;
        let unanswered = std::mem::take(&mut queue.waiting);
        drop(queue);
        drop(unanswered); // wakes those who wait
    }
}

impl<R> AnswerTo<R> {
    /// Answers.
    pub fn send(self, answer: R) {
        self.give(Ok(answer));
    }

    /// The first answer is the one that counts.
    fn give(&self, given: Result<R, NoAnswer>) {
        let mut answer = lock(&self.0);
        if answer.given.is_none() {
            answer.given = Some(given);
        }
        let waker = answer.waker.take();
        drop(answer);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<R> Drop for AnswerTo<R> {
    fn drop(&mut self) {
        self.give(Err(NoAnswer::Gone));
    }
}

impl<R> Future for Asked<R> {
    type Output = Result<R, NoAnswer>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match &self.0 {
            Ok(answer) => answer,
            Err(none) => return Poll::Ready(Err(*none)),
        };
        let mut answer = lock(answer);
        match answer.given.take() {
            Some(given) => Poll::Ready(given),
            None => {
                answer.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Nothing that is done under these locks can panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn no_more_questions_wait_than_may_and_each_gets_its_own_answer() {
        let (asker, desk) = desk(2);
        let (mut one, two) = (pin!(asker.ask(1)), pin!(asker.ask(2)));
        assert_eq!(poll(pin!(asker.ask(3))), Poll::Ready(Err(NoAnswer::Full)));
        let Poll::Ready(first) = poll(pin!(desk.next())) else { panic!("one waits") };
        let Poll::Ready(second) = poll(pin!(desk.next())) else { panic!("two waited") };
        assert!(poll(pin!(desk.next())).is_pending() && poll(one.as_mut()).is_pending());
        second.answer.send(second.asked * 10);
        first.answer.send(first.asked * 10);
        assert_eq!((poll(one), poll(two)), (Poll::Ready(Ok(10)), Poll::Ready(Ok(20))));
    }

    #[test]
    fn whoever_asks_a_shard_that_ends_is_told() {
        let (asker, desk) = desk::<(), ()>(2);
        let (taken, waiting) = (pin!(asker.ask(())), pin!(asker.ask(())));
        let Poll::Ready(question) = poll(pin!(desk.next())) else { panic!("one waits") };
        drop(desk);
        assert_eq!(poll(waiting), Poll::Ready(Err(NoAnswer::Gone)));
        assert_eq!(poll(pin!(asker.ask(()))), Poll::Ready(Err(NoAnswer::Gone)));
        drop(question);
        assert_eq!(poll(taken), Poll::Ready(Err(NoAnswer::Gone)));
    }
}
