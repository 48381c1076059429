//! What one core owns, and what it answers to the others. Start reading here.
//!
//! A shard is *home* to the connections that it accepted and *owner* of its partitions. A handler
//! (home) asks owners through [`crate::router`]; the questions and answers are [`Request`] and
//! [`Reply`], and [`Core::answer`] is the owner's side. Shard 0 also has the [`Controller`].

use std::cell::{Cell, OnceCell, RefCell};
use std::pin::Pin;
use std::rc::Rc;

use connection::RequestMemory;
use runtime::{Incoming, Instant, Level, Mesh, MeshLimits, Shard, ShardId, Snapshot, TaskClass};
use storage::Store;

use crate::answer_memory::AnswerMemory;
use crate::config::Config;
use crate::controller::Controller;
use crate::descriptors::Descriptors;
use crate::doorkeeper::Doorkeeper;
use crate::handlers::init_producer_id::IdSource;
use crate::listener::Sessions;
use crate::memory_plan::MemoryPlan;
use crate::message::{Reply, Request};
use crate::meters::Meters;
use crate::observe::ShardState;
use crate::owner::Owner;
use crate::peer_warnings::PeerWarnings;
use crate::purgatory::Purgatory;
use crate::view::ClusterView;

/// The mesh between the shards of a broker.
pub(crate) type ShardMesh = Mesh<Request, Reply>;

/// Requests in flight from one shard to another. Produce: what a few hundred connections have in
/// flight; each holds its bytes anyway. Control: views, of which a few are under way at once.
pub(crate) const MESH_LIMITS: MeshLimits = MeshLimits { produce: 1024, fetch: 1024, control: 64 };

/// Everything that one core owns. Tasks share it; it never leaves its thread.
pub(crate) struct Core {
    pub(crate) shard: Shard,
    /// When the process came up.
    pub(crate) began: Instant,
    pub(crate) config: Snapshot<Config>,
    pub(crate) store: Store,
    /// The partitions that this shard owns.
    pub(crate) owner: Owner,
    /// The fetches of this shard's connections that wait.
    pub(crate) purgatory: Purgatory,
    /// This shard's connections.
    pub(crate) sessions: Sessions,
    /// How many of them there may be.
    pub(crate) descriptors: Descriptors,
    /// What it may hold, and how many connections by that.
    pub(crate) memory: MemoryPlan,
    /// All connections of the broker, on shard 0.
    pub(crate) doorkeeper: Doorkeeper,
    /// What is said of their peers.
    pub(crate) peer_warnings: PeerWarnings,
    /// What requests that are being read or handled may hold together.
    pub(crate) request_memory: RequestMemory,
    /// What answers may hold until they are sent.
    pub(crate) answer_memory: AnswerMemory,
    /// What is counted of requests.
    pub(crate) meters: Meters,
    /// Ids that this shard may give to producers.
    pub(crate) producer_ids: IdSource,
    /// The shard is to end: no more requests are taken.
    pub(crate) stopping: Cell<bool>,
    view: RefCell<Snapshot<ClusterView>>,
    mesh: Rc<ShardMesh>,
    controller: OnceCell<Controller>,
}

/// What a shard has too little of for more connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scarce {
    /// Files that may be open.
    Files,
    /// Memory.
    Memory,
}

impl Scarce {
    /// Both.
    pub(crate) const ALL: [Scarce; 2] = [Scarce::Files, Scarce::Memory];

    /// One word for it, which metrics tell.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Scarce::Files => "files",
            Scarce::Memory => "memory",
        }
    }
}

/// An owner's answer: what can be done at once is done when this is returned.
pub(crate) enum Answer {
    /// It is complete.
    Now(Reply),
    /// It has to wait for something.
    Later(Pin<Box<dyn Future<Output = Reply>>>),
}

impl Core {
    /// A shard without partitions, which nobody has asked anything yet.
    pub(crate) fn new(
        shard: &Shard,
        config: Snapshot<Config>,
        store: Store,
        mesh: Rc<ShardMesh>,
        memory: MemoryPlan,
        began: Instant,
    ) -> Rc<Core> {
        Rc::new(Core {
            shard: shard.clone(),
            began,
            owner: Owner::new(shard, &store),
            purgatory: Purgatory::default(),
            sessions: Sessions::default(),
            descriptors: Descriptors::of(shard, &config.journal()),
            memory,
            doorkeeper: Doorkeeper::default(),
            peer_warnings: PeerWarnings::default(),
            request_memory: RequestMemory::new(config.request_bytes, config.request_size_max),
            answer_memory: AnswerMemory::new(&memory.answers),
            meters: Meters::new(),
            producer_ids: IdSource::default(),
            stopping: Cell::new(false),
            view: RefCell::new(Snapshot::new(ClusterView::default())),
            mesh,
            controller: OnceCell::new(),
            config,
            store,
        })
    }

    /// How many connections there may be, and why no more.
    pub(crate) fn connections_max(&self) -> (usize, Scarce) {
        let (by_files, by_memory) = (self.descriptors.connections_max, self.memory.connections_max);
        match by_files <= by_memory {
            true => (by_files, Scarce::Files),
            false => (by_memory, Scarce::Memory),
        }
    }

    /// The cluster as it is known here. It does not change; ask again for news.
    pub(crate) fn view(&self) -> Snapshot<ClusterView> {
        self.view.borrow().clone()
    }

    /// Follows news of the cluster.
    pub(crate) fn set_view(&self, view: Snapshot<ClusterView>) {
        *self.view.borrow_mut() = view;
    }

    /// How far the shard is in its life.
    pub(crate) fn state(&self) -> ShardState {
        match (self.stopping.get(), self.sessions.are_let_in()) {
            (true, _) => ShardState::Stopping,
            (false, true) => ShardState::Serving,
            (false, false) => ShardState::Starting,
        }
    }

    /// The way to the other shards.
    pub(crate) fn mesh(&self) -> &ShardMesh {
        &self.mesh
    }

    /// The controller, on shard 0 once the metadata log is open.
    pub(crate) fn controller(&self) -> Option<&Controller> {
        self.controller.get()
    }

    /// Makes this the shard that decides.
    pub(crate) fn appoint(&self, controller: Controller) {
        assert!(self.controller.set(controller).is_ok(), "a shard is appointed once");
    }

    /// One line in the log.
    pub(crate) fn log(&self, level: Level, line: std::fmt::Arguments<'_>) {
        self.shard.log(level, line);
    }

    /// One line in the log about what a peer did, if there were not too many of them.
    pub(crate) fn warn_of_peer(&self, line: std::fmt::Arguments<'_>) {
        self.peer_warnings.say(&self.shard, line);
    }

    /// Starts a task that nobody waits for.
    pub(crate) fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + 'static) {
        self.shard.spawn(TaskClass::Foreground, name, task).detach();
    }

    /// Answers what another shard, or this one, asks. Appends take their place in the log before
    /// this returns.
    pub(crate) fn answer(self: &Rc<Self>, from: ShardId, request: Request) -> Answer {
        let core = self.clone();
        match request {
            Request::Append(append) => {
                let begun = self.owner.begin_append(&append);
                later(async move { Reply::Appended(core.owner.finish_append(begun).await) })
            }
            Request::Probe(from) => Answer::Now(Reply::Probed(self.owner.probe(&from))),
            Request::Watch(watch) => Answer::Now(Reply::Probed(self.owner.watch(from, watch))),
            Request::Forget(id) => {
                self.owner.forget(from, id);
                Answer::Now(Reply::Done)
            }
            Request::Read(from) => later(async move { Reply::Read(core.owner.read(&from).await) }),
            Request::Changed(changes) => {
                self.purgatory.changed(from, &changes);
                Answer::Now(Reply::Done)
            }
            Request::FindOffsets(questions) => later(async move {
                Reply::Offsets(core.owner.find_offsets(&core.shard, &questions).await)
            }),
            Request::FindEpochEnds(questions) => {
                Answer::Now(Reply::EpochEnds(self.owner.find_epoch_ends(&questions)))
            }
            Request::MeasureLogs(logs) => {
                Answer::Now(Reply::LogSizes(self.owner.measure_logs(&logs)))
            }
            Request::View(view) => later(async move {
                let kept = crate::owner::follow(&core, view).await;
                Reply::Followed { kept }
            }),
            Request::Listen(addr) => {
                crate::listener::open(&core, addr);
                Answer::Now(Reply::Done)
            }
            Request::FolderReady => Answer::Now(Reply::Done),
            Request::Enter(address) => {
                let entered = self.doorkeeper.enter(&self.config.connections, address);
                Answer::Now(Reply::Entered(entered))
            }
            Request::Leave(address) => {
                self.doorkeeper.leave(address);
                Answer::Now(Reply::Done)
            }
            Request::LogsFound(_)
            | Request::CreateTopics(_)
            | Request::DeleteTopics(_)
            | Request::AddPartitions(_)
            | Request::ChangeTopicConfigs(_)
            | Request::AllocateProducerIds
            | Request::Drained => {
                later(async move { crate::controller::answer(&core, from, request).await })
            }
        }
    }

    /// Serves the mesh: what can't be answered at once goes on in a task.
    pub(crate) fn serve(self: &Rc<Self>, incoming: Incoming<Request, Reply>) {
        let Incoming { from, request, reply, .. } = incoming;
        match self.answer(from, request) {
            Answer::Now(answer) => reply.send(answer),
            Answer::Later(answer) => {
                self.spawn("answer", async move { reply.send(answer.await) });
            }
        }
    }
}

fn later(reply: impl Future<Output = Reply> + 'static) -> Answer {
    Answer::Later(Box::pin(reply))
}
