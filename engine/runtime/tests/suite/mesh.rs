//! Requests between shards: credits, order, and that nobody blocks anybody.

use super::cancel::start;
use super::run::{Answer, Ask, LIMITS, Seat};
use runtime::sync::Event;
use runtime::{ChunkPool, Incoming, Lane, Mesh, ReplyTo, Shard, ShardId, TaskClass, Unanswered};
use std::cell::{Cell, RefCell};
use std::future::pending;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

const LANES: [Lane; 3] = [Lane::Produce, Lane::Fetch, Lane::Control];

/// The number the caller sent, and one more.
fn increment(incoming: Incoming<Ask, Answer>) {
    match incoming.request {
        Ask::Number(n) => incoming.reply.send(Answer::Number(n + 1)),
        _ => incoming.reply.send(Answer::Nothing),
    }
}

type WayBack = Rc<Mesh<Ask, Answer>>;

fn other(shard: &Shard) -> ShardId {
    ShardId(1 - shard.id().0)
}

/// Tells the other shard that we are done, and waits until it is too, so that nobody ends early.
struct Farewell(Rc<Event>);

impl Farewell {
    fn new() -> (Farewell, Rc<Event>) {
        let event = Rc::new(Event::new());
        (Farewell(event.clone()), event)
    }

    async fn say(self, shard: &Shard, mesh: &Mesh<Ask, Answer>) {
        mesh.call(other(shard), Lane::Control, Ask::Nothing).await.expect("it waits for us");
        self.0.wait().await;
    }
}

pub async fn answers_find_their_callers(shard: Shard, seat: Seat) {
    let (farewell, peer_done) = Farewell::new();
    let serve = move |incoming: Incoming<Ask, Answer>| {
        if matches!(incoming.request, Ask::Nothing) {
            peer_done.set();
        }
        increment(incoming);
    };
    let mesh = seat.port.attach(&shard, serve);
    let callers: Vec<_> = (0..50u64)
        .map(|i| {
            let (mesh, to) = (mesh.clone(), other(&shard));
            shard.spawn(TaskClass::Foreground, "caller", async move {
                for n in 0..20 {
                    let lane = LANES[(i + n) as usize % 3];
                    let answer = mesh.call(to, lane, Ask::Number(i * 100 + n)).await;
                    assert_eq!(answer.expect("it serves").number(), i * 100 + n + 1);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("not aborted");
    }
    farewell.say(&shard, &mesh).await;
}

/// Serves by keeping everything until it is told to let go; the answer says who came how late.
#[derive(Default)]
struct Keeper {
    kept: RefCell<Vec<ReplyTo<Answer>>>,
    arrivals: Cell<u64>,
}

impl Keeper {
    fn serve(&self, incoming: Incoming<Ask, Answer>) {
        match incoming.request {
            Ask::Number(_) => self.kept.borrow_mut().push(incoming.reply),
            _ => incoming.reply.send(Answer::Number(self.release())),
        }
    }

    /// Answers all who came; how many there were.
    fn release(&self) -> u64 {
        let kept = self.kept.take();
        let count = kept.len() as u64;
        for reply in kept {
            reply.send(Answer::Number(self.arrivals.get()));
            self.arrivals.set(self.arrivals.get() + 1);
        }
        count
    }
}

pub async fn calls_beyond_the_credits_wait_and_keep_their_order(shard: Shard, seat: Seat) {
    let keeper = Rc::new(Keeper::default());
    let serving = keeper.clone();
    let mesh = seat.port.attach(&shard, move |incoming| serving.serve(incoming));
    if shard.id() == ShardId(1) {
        return pending_until_peer_ends(&mesh).await;
    }
    let to = other(&shard);
    let (asked, answered) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for _ in 0..6 {
        let (mesh, asked, answered) = (mesh.clone(), asked.clone(), answered.clone());
        let call = async move {
            // The world may start the tasks in any order; the mesh must keep the one it saw.
            let place = asked.get();
            asked.set(place + 1);
            let call = mesh.call(to, Lane::Produce, Ask::Number(0)).await;
            assert_eq!(call.expect("it serves").number(), place);
            answered.set(answered.get() + 1);
        };
        shard.spawn(TaskClass::Foreground, "caller", call).detach();
    }
    while answered.get() < 6 {
        let call = mesh.call(to, Lane::Control, Ask::Nothing).await;
        let released = call.expect("it serves").number();
        assert!(released <= u64::from(LIMITS.produce), "{released} without a credit");
    }
}

/// Serves until the other shard has ended: then our own question stays unanswered.
async fn pending_until_peer_ends(mesh: &Mesh<Ask, Answer>) {
    let question = mesh.call(ShardId(0), Lane::Fetch, Ask::Number(0)).await;
    assert_eq!(question.err(), Some(Unanswered));
}

pub async fn a_full_lane_does_not_stop_another(shard: Shard, seat: Seat) {
    let keeper = Rc::new(Keeper::default());
    let serving = keeper.clone();
    let mesh = seat.port.attach(&shard, move |incoming| serving.serve(incoming));
    if shard.id() == ShardId(1) {
        return pending_until_peer_ends(&mesh).await;
    }
    let to = other(&shard);
    let ask = |n| Box::pin(mesh.call(to, Lane::Produce, Ask::Number(n)));
    let mut calls = [1, 2, 3].map(ask);
    for call in &mut calls {
        start(call.as_mut()).await;
    }
    let control = mesh.call(to, Lane::Control, Ask::Nothing).await.expect("it serves");
    assert_eq!(control.number(), 2, "two were there, in order, before; the third has no credit");
}

pub async fn two_shards_with_full_lanes_do_not_block_each_other(shard: Shard, seat: Seat) {
    let (farewell, peer_done) = Farewell::new();
    let way_back: Rc<RefCell<Option<WayBack>>> = Rc::default();
    let (served, back) = (shard.clone(), way_back.clone());
    let serve = move |incoming: Incoming<Ask, Answer>| {
        let Ask::Number(n) = incoming.request else {
            peer_done.set();
            return incoming.reply.send(Answer::Nothing);
        };
        let mesh = back.borrow().clone();
        let (from, lane, reply) = (incoming.from, incoming.lane, incoming.reply);
        let serve = async move {
            // Every answer needs a question to the asker, in another lane.
            let next = if matches!(lane, Lane::Produce) { Lane::Fetch } else { Lane::Control };
            let mesh = mesh.expect("set before the first request");
            let deeper = if n % 10 < 2 && !matches!(lane, Lane::Control) {
                let answer = mesh.call(from, next, Ask::Number(n + 1)).await;
                answer.expect("it serves").number()
            } else {
                n
            };
            reply.send(Answer::Number(deeper));
        };
        served.spawn(TaskClass::Foreground, "serve", serve).detach();
    };
    let mesh = seat.port.attach(&shard, serve);
    *way_back.borrow_mut() = Some(mesh.clone());
    let callers: Vec<_> = (0..40u64)
        .map(|i| {
            let (mesh, to) = (mesh.clone(), other(&shard));
            shard.spawn(TaskClass::Foreground, "caller", async move {
                for _ in 0..10 {
                    let call = mesh.call(to, Lane::Produce, Ask::Number(i * 10)).await;
                    assert_eq!(call.expect("it serves").number(), i * 10 + 2);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("not aborted");
    }
    farewell.say(&shard, &mesh).await;
    way_back.borrow_mut().take();
}

pub async fn a_dropped_request_is_unanswered(shard: Shard, seat: Seat) {
    let mesh = seat.port.attach(&shard, drop);
    for lane in LANES.into_iter().cycle().take(9) {
        let answer = mesh.call(other(&shard), lane, Ask::Number(1)).await;
        assert_eq!(answer.err(), Some(Unanswered));
    }
}

pub async fn a_shard_that_ended_answers_nobody(shard: Shard, seat: Seat) {
    let kept = Rc::new(RefCell::new(Vec::new()));
    let keeping = kept.clone();
    let mesh = seat.port.attach(&shard, move |incoming: Incoming<Ask, Answer>| {
        keeping.borrow_mut().push(incoming);
    });
    if shard.id() == ShardId(1) {
        // Ends with a request in hand, or without having seen it.
        shard.sleep(Duration::from_millis(2)).await;
        return;
    }
    let answer = mesh.call(other(&shard), Lane::Fetch, Ask::Number(1)).await;
    assert_eq!(answer.err(), Some(Unanswered));
    // And so it stays, credits or not.
    for _ in 0..10 {
        let answer = mesh.call(other(&shard), Lane::Fetch, Ask::Number(1)).await;
        assert_eq!(answer.err(), Some(Unanswered));
    }
}

pub async fn a_request_to_a_shard_that_ended_gives_its_memory_back(shard: Shard, seat: Seat) {
    if shard.id() == ShardId(1) {
        // Ends, mostly without having looked at what lies in its ring.
        shard.sleep(Duration::from_millis(5)).await;
        seat.port.attach(&shard, drop);
        return;
    }
    let mesh = seat.port.attach(&shard, increment);
    let pool = ChunkPool::new(&shard, 4096, 4096);
    let mut chunk = pool.take(1).expect("room");
    let lease = chunk.append_with(10, |bytes| bytes.fill(1));
    drop(chunk);
    let answer = mesh.call(other(&shard), Lane::Produce, Ask::Bytes(lease)).await;
    assert_eq!(answer.err(), Some(Unanswered));
    assert_eq!(pool.used_bytes(), 0, "the request lies in a ring that nobody reads");
}

pub async fn a_dropped_call_gives_its_credit_back(shard: Shard, seat: Seat) {
    let (farewell, peer_done) = Farewell::new();
    let slow = shard.clone();
    let mesh = seat.port.attach(&shard, move |incoming: Incoming<Ask, Answer>| {
        if matches!(incoming.request, Ask::Nothing) {
            peer_done.set();
            return incoming.reply.send(Answer::Nothing);
        }
        let (shard, reply) = (slow.clone(), incoming.reply);
        slow.spawn(TaskClass::Foreground, "slow", async move {
            shard.sleep(Duration::from_millis(1)).await;
            reply.send(Answer::Number(1));
        })
        .detach();
    });
    let to = other(&shard);
    for _ in 0..20 {
        let short = Duration::from_micros(100);
        let _ = shard.timeout(short, mesh.call(to, Lane::Produce, Ask::Number(1))).await;
        start(pin!(mesh.call(to, Lane::Produce, Ask::Number(2)))).await;
    }
    let last = mesh.call(to, Lane::Produce, Ask::Number(1)).await;
    assert_eq!(last.expect("it serves").number(), 1);
    farewell.say(&shard, &mesh).await;
}

pub async fn a_shard_may_call_itself(shard: Shard, seat: Seat) {
    let mesh = seat.port.attach(&shard, increment);
    for n in 0..100 {
        let answer = mesh.call(shard.id(), Lane::Control, Ask::Number(n)).await;
        assert_eq!(answer.expect("it serves").number(), n + 1);
    }
    let nobody = shard.timeout(Duration::from_millis(1), pending::<()>()).await;
    assert!(nobody.is_err());
}
