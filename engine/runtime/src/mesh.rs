//! Requests between the shards of a process, bounded, in which no two shards can block each other.
//!
//! ```text
//!             requests  ─►  (ring, one per ordered pair)          serve(incoming)
//!  caller                                                ─►  shard
//!             replies   ◄─  (ring, as long as the credits)        reply.send(..)
//! ```
//!
//! A request takes a credit of its lane before it is sent, and holds it until its reply is here. So
//! both rings are as long as the pair's credits and are never full: neither sending a request with
//! a credit, nor replying, nor draining ever waits. What waits is the caller without a credit, in
//! the order of calling, and a full lane never holds up another.

pub(crate) mod line;
mod ring;

use crate::permit::Budget;
use crate::shard::{Core, Shard, ShardId};
use crate::task::TaskClass;
use line::{Line, Parcel, Reply, ReplyLine, ReplyTo, Unanswered};
use ring::{Consumer, Producer};
use std::rc::Rc;

/// What a request is for. Each lane has its own credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Appends.
    Produce,
    /// Reads.
    Fetch,
    /// Everything that must get through although appends and reads wait.
    Control,
}

const LANES: usize = 3;

/// Requests in flight from one shard to one other, by lane; at least 1 each.
#[derive(Clone, Copy, Debug)]
pub struct MeshLimits {
    /// Credits of [`Lane::Produce`].
    pub produce: u16,
    /// Credits of [`Lane::Fetch`].
    pub fetch: u16,
    /// Credits of [`Lane::Control`].
    pub control: u16,
}

impl MeshLimits {
    fn total(self) -> usize {
        usize::from(self.produce) + usize::from(self.fetch) + usize::from(self.control)
    }
}

/// A request as the shard that serves it gets it.
pub struct Incoming<Q, R> {
    /// Who asks.
    pub from: ShardId,
    /// In which lane.
    pub lane: Lane,
    /// What for.
    pub request: Q,
    /// Where the answer goes. It may be kept as long as needed; dropped, the caller gets
    /// [`Unanswered`].
    pub reply: ReplyTo<R>,
}

/// One shard's access to the others, before it is on its thread.
pub struct MeshPort<Q, R> {
    id: ShardId,
    limits: MeshLimits,
    pairs: Vec<Pair<Q, R>>,
}

/// The four ring ends that one shard has towards another.
struct Pair<Q, R> {
    requests: Producer<Parcel<Q>>,
    replies: Consumer<Reply<R>>,
    incoming: Consumer<Parcel<Q>>,
    answers: Producer<Reply<R>>,
}

/// One shard's access to the others, itself included.
pub struct Mesh<Q, R> {
    lines: Vec<Rc<Line<Q, R>>>,
}

impl<Q: Send + 'static, R: Send + 'static> Mesh<Q, R> {
    /// A port for each of `count` shards, in their order.
    pub fn ports(count: u16, limits: MeshLimits) -> Vec<MeshPort<Q, R>> {
        let MeshLimits { produce, fetch, control } = limits;
        assert!(produce > 0 && fetch > 0 && control > 0, "a lane without credit: {limits:?}");
        let n = usize::from(count);
        // `pairs[a][b]` gathers the ends that `a` has towards `b`.
        let mut pairs: Vec<Vec<PairParts<Q, R>>> =
            (0..n).map(|_| (0..n).map(|_| PairParts::default()).collect()).collect();
        for (a, b) in (0..n).flat_map(|a| (0..n).map(move |b| (a, b))) {
            let (requests, incoming) = ring::ring(limits.total());
            let (answers, replies) = ring::ring(limits.total());
            pairs[a][b].requests = Some(requests);
            pairs[b][a].incoming = Some(incoming);
            pairs[b][a].answers = Some(answers);
            pairs[a][b].replies = Some(replies);
        }
        let port = |(id, pairs): (usize, Vec<PairParts<Q, R>>)| MeshPort {
            id: ShardId(id as u16),
            limits,
            pairs: pairs.into_iter().map(PairParts::whole).collect(),
        };
        pairs.into_iter().enumerate().map(port).collect()
    }

    /// Asks shard `to` (which may be this one), and returns its answer. Waits for a credit of the
    /// lane first. Dropping the future gives up the answer, not the request.
    pub async fn call(&self, to: ShardId, lane: Lane, request: Q) -> Result<R, Unanswered> {
        let line = self.line(to);
        let permit = line.credits(lane).acquire(1).await.expect("a lane has at least one credit");
        line.send(lane, permit, request).await
    }

    fn line(&self, to: ShardId) -> &Rc<Line<Q, R>> {
        let count = self.lines.len();
        self.lines.get(usize::from(to.0)).unwrap_or_else(|| panic!("{to} of {count}"))
    }
}

impl<Q: Send + 'static, R: Send + 'static> MeshPort<Q, R> {
    /// Joins the mesh on the shard's own thread. `serve` is called for every request while the
    /// inbox is drained: it must not block; what takes long it does in a task.
    pub fn attach(self, shard: &Shard, serve: impl Fn(Incoming<Q, R>) + 'static) -> Rc<Mesh<Q, R>> {
        assert_eq!(self.id, shard.id(), "a port is for its own shard");
        assert_eq!(self.pairs.len(), usize::from(shard.count()), "ports and shards");
        let core = shard.core();
        let mut lines = Vec::new();
        let mut inboxes = Vec::new();
        for (peer, pair) in self.pairs.into_iter().enumerate() {
            let peer = ShardId(peer as u16);
            let Pair { requests, replies, incoming, answers } = pair;
            let line = Rc::new(Line::new(core, peer, requests, credits(self.limits)));
            let answers = Rc::new(ReplyLine::new(core, peer, answers));
            lines.push(line.clone());
            let _farewell = Farewell { core: core.clone(), peer };
            inboxes.push(Inbox { peer, line, replies, incoming, answers, _farewell });
        }
        let drain = drain(shard.clone(), inboxes, serve);
        shard.spawn(TaskClass::Foreground, "mesh", drain).detach();
        Rc::new(Mesh { lines })
    }
}

fn credits(limits: MeshLimits) -> [Budget; LANES] {
    [
        Budget::new("requests of the produce lane", limits.produce.into()),
        Budget::new("requests of the fetch lane", limits.fetch.into()),
        Budget::new("requests of the control lane", limits.control.into()),
    ]
}

/// What comes from one peer.
struct Inbox<Q, R> {
    peer: ShardId,
    line: Rc<Line<Q, R>>,
    replies: Consumer<Reply<R>>,
    incoming: Consumer<Parcel<Q>>,
    answers: Rc<ReplyLine<R>>,
    /// Last, as the peer is to find both consumers gone.
    _farewell: Farewell,
}

/// Rings the peer when this shard serves nobody any more, so that whoever waits for it is told.
struct Farewell {
    core: Rc<Core>,
    peer: ShardId,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.core.ring_peer(self.peer);
    }
}

async fn drain<Q, R>(
    shard: Shard,
    mut inboxes: Vec<Inbox<Q, R>>,
    serve: impl Fn(Incoming<Q, R>) + 'static,
) {
    let core = shard.core().clone();
    loop {
        let has_mail = || inboxes.iter().any(Inbox::has_mail).then_some(());
        core.rung.wait_until(has_mail).await;
        inboxes.iter_mut().for_each(|inbox| inbox.drain(&serve));
        // Whoever is served at once may ask again at once: the others have their turn first.
        shard.yield_now().await;
    }
}

impl<Q, R> Inbox<Q, R> {
    fn has_mail(&self) -> bool {
        !self.replies.is_empty() || !self.incoming.is_empty() || self.line.has_just_died()
    }

    /// Takes what is there now: at most a ring's length of each kind.
    fn drain(&mut self, serve: &impl Fn(Incoming<Q, R>)) {
        while let Some(reply) = self.replies.pop() {
            self.line.complete(reply);
        }
        if self.line.has_just_died() {
            self.line.die();
            self.answers.die();
        }
        for _ in 0..self.incoming.capacity() {
            let Some(Parcel { lane, id, request }) = self.incoming.pop() else { return };
            let reply = ReplyTo::new(self.answers.clone(), id);
            serve(Incoming { from: self.peer, lane, request, reply });
        }
    }
}

struct PairParts<Q, R> {
    requests: Option<Producer<Parcel<Q>>>,
    replies: Option<Consumer<Reply<R>>>,
    incoming: Option<Consumer<Parcel<Q>>>,
    answers: Option<Producer<Reply<R>>>,
}

impl<Q, R> Default for PairParts<Q, R> {
    fn default() -> PairParts<Q, R> {
        PairParts { requests: None, replies: None, incoming: None, answers: None }
    }
}

impl<Q, R> PairParts<Q, R> {
    fn whole(self) -> Pair<Q, R> {
        let every = "the loop over all pairs has filled every end";
        Pair {
            requests: self.requests.expect(every),
            replies: self.replies.expect(every),
            incoming: self.incoming.expect(every),
            answers: self.answers.expect(every),
        }
    }
}
