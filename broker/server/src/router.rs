//! From a partition to the shard that owns it: asks that shard, our own directly, others through
//! the mesh.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use protocol::ErrorCode;
use runtime::sync::oneshot;
use runtime::{Lane, ShardId, Unanswered};

use crate::error_codes::Refusal;
use crate::message::{Reply, Request};
use crate::shard::{Answer, Core};

/// Asks a shard. What is synchronous of the work, such as giving offsets to batches, happens in the
/// order in which the futures of one lane are polled first.
pub(crate) async fn ask(
    core: Rc<Core>,
    to: ShardId,
    lane: Lane,
    request: Request,
) -> Result<Reply, Unanswered> {
    if to == core.shard.id() {
        return Ok(match core.answer(to, request) {
            Answer::Now(reply) => reply,
            Answer::Later(reply) => reply.await,
        });
    }
    core.mesh().call(to, lane, request).await
}

/// Asks shard 0 for a change and waits for it, but not for longer than `wait`. The change goes on
/// all the same: cut in the middle it would be decided and nobody told.
pub(crate) async fn ask_for_change(
    core: &Rc<Core>,
    request: Request,
    wait: Duration,
) -> Result<Reply, Refusal> {
    let (tell, told) = oneshot();
    let asked = ask(core.clone(), ShardId(0), Lane::Control, request);
    core.spawn("change", async move {
        let _nobody_waits_any_more = tell.send(asked.await);
    });
    match core.shard.timeout(wait, told).await {
        Ok(Ok(reply)) => reply.map_err(Refusal::from),
        Ok(Err(_)) | Err(_) => {
            let why = "it is under way: look later whether it was done";
            Err(Refusal::because(ErrorCode::RequestTimedOut, why))
        }
    }
}

/// A future that was polled once, so that its place in an order is taken.
pub(crate) enum Started<T> {
    /// It was ready.
    Ready(T),
    /// It goes on when it is polled again.
    Waiting(Pin<Box<dyn Future<Output = T>>>),
}

impl<T> Started<T> {
    /// Polls a future once.
    pub(crate) async fn start(future: impl Future<Output = T> + 'static) -> Started<T> {
        let mut future: Pin<Box<dyn Future<Output = T>>> = Box::pin(future);
        let first = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        match first {
            Poll::Ready(value) => Started::Ready(value),
            Poll::Pending => Started::Waiting(future),
        }
    }

    /// Waits for its result.
    pub(crate) async fn finish(self) -> T {
        match self {
            Started::Ready(value) => value,
            Started::Waiting(future) => future.await,
        }
    }
}

/// Runs futures side by side; they are polled first in their order, and so are the results.
pub(crate) async fn together<T: 'static, F: Future<Output = T> + 'static>(
    futures: impl IntoIterator<Item = F>,
) -> Vec<T> {
    let mut started = Vec::new();
    for future in futures {
        started.push(Started::start(future).await);
    }
    let mut results = Vec::with_capacity(started.len());
    for one in started {
        results.push(one.finish().await);
    }
    results
}

/// Asks the owners of some items about them, each owner once; the answers come in the order of the
/// items. `request` makes the question, `answers` takes the reply to it apart.
pub(crate) async fn ask_owners<Q, A: 'static>(
    core: &Rc<Core>,
    lane: Lane,
    items: impl IntoIterator<Item = Result<(ShardId, Q), Refusal>>,
    request: impl Fn(Vec<Q>) -> Request,
    answers: impl Fn(Reply) -> Option<Vec<Result<A, Refusal>>>,
) -> Vec<Result<A, Refusal>> {
    let mut groups = ByShard::new();
    let places: Vec<Result<usize, Refusal>> = items
        .into_iter()
        .map(|item| item.map(|(owner, question)| groups.push(owner, question)))
        .collect();
    let calls = groups.into_groups().map(|(owner, places, questions)| {
        let asked = ask(core.clone(), owner, lane, request(questions));
        async move { (places, asked.await) }
    });
    let mut results = InOrder::new();
    for (places, reply) in together(calls).await {
        match reply {
            Ok(reply) => {
                let found = answers(reply).expect("each question has its own kind of answer");
                results.put(&places, found);
            }
            Err(e) => results.put(&places, places.iter().map(|_| Err(Refusal::from(e)))),
        }
    }
    places.into_iter().map(|place| place.and_then(|place| results.take(place))).collect()
}

/// Items by the shard that they are for, each with its place in the whole.
pub(crate) struct ByShard<Q> {
    groups: BTreeMap<ShardId, (Vec<usize>, Vec<Q>)>,
    count: usize,
}

impl<Q> ByShard<Q> {
    /// Nothing yet.
    pub(crate) fn new() -> ByShard<Q> {
        ByShard { groups: BTreeMap::new(), count: 0 }
    }

    /// Adds the next item; returns its place.
    pub(crate) fn push(&mut self, shard: ShardId, item: Q) -> usize {
        let (places, items) = self.groups.entry(shard).or_default();
        places.push(self.count);
        items.push(item);
        self.count += 1;
        self.count - 1
    }

    /// Takes the groups: the shard, the places, the items.
    pub(crate) fn into_groups(self) -> impl Iterator<Item = (ShardId, Vec<usize>, Vec<Q>)> {
        self.groups.into_iter().map(|(shard, (places, items))| (shard, places, items))
    }
}

/// Puts results of groups back into the order of the whole.
pub(crate) struct InOrder<A>(Vec<Option<A>>);

impl<A> InOrder<A> {
    /// No result yet.
    pub(crate) fn new() -> InOrder<A> {
        InOrder(Vec::new())
    }

    /// Takes the results of the items at `places`.
    pub(crate) fn put(&mut self, places: &[usize], results: impl IntoIterator<Item = A>) {
        for (place, result) in places.iter().zip(results) {
            if self.0.len() <= *place {
                self.0.resize_with(place + 1, || None);
            }
            self.0[*place] = Some(result);
        }
    }

    /// Takes the result of the item at `place`.
    ///
    /// # Panics
    /// If none was put there, or it was taken.
    pub(crate) fn take(&mut self, place: usize) -> A {
        self.0[place].take().expect("every item of a group has a result, and is asked for once")
    }
}
