//! How the process's other threads look at a broker: they ask each shard, and it answers with a
//! value of its own making.

use std::rc::Rc;

use runtime::{Asked, Asker, Desk, Question, Shard, TaskClass, desk};

use crate::reading::{self, ShardReading};
use crate::shard::Core;

/// Questions that may wait at a shard. Who asks waits for the answers before it asks again.
const WAITING_MAX: usize = 16;

/// What a shard may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// How far it is; costs it next to nothing.
    State,
    /// That, and everything that it counts.
    Reading,
}

/// A shard's answer.
#[derive(Debug)]
pub struct Told {
    /// How far it is.
    pub state: ShardState,
    /// What it counts, if that was asked for and it has begun.
    pub reading: Option<Box<ShardReading>>,
}

/// How far a shard is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShardState {
    /// It reads back what is on its disk, or waits for other shards.
    Starting,
    /// Clients are let in.
    Serving,
    /// It takes no more requests, and finishes what it has begun.
    Stopping,
}

impl ShardState {
    /// Every state, in their order.
    pub const ALL: [ShardState; 3] =
        [ShardState::Starting, ShardState::Serving, ShardState::Stopping];

    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            ShardState::Starting => "starting",
            ShardState::Serving => "serving",
            ShardState::Stopping => "stopping",
        }
    }
}

/// Asks the shards of a broker, from any thread.
pub struct Observer {
    shards: Vec<Asker<Ask, Told>>,
}

impl Observer {
    /// Asks every shard at once; the answers are awaited in the order of the shards.
    pub fn ask(&self, ask: Ask) -> Vec<Asked<Told>> {
        self.shards.iter().map(|shard| shard.ask(ask)).collect()
    }
}

/// Where the questions to one shard come in.
pub(crate) type ShardDesk = Desk<Ask, Told>;

/// An observer of `count` shards, and what each of them answers from.
pub(crate) fn observer(count: u16) -> (Observer, Vec<ShardDesk>) {
    let (shards, desks) = (0..count).map(|_| desk(WAITING_MAX)).unzip();
    (Observer { shards }, desks)
}

/// Answers for as long as the shard lives; `core` is none as long as it starts.
pub(crate) fn start_answering(
    shard: &Shard,
    desk: ShardDesk,
    core: impl Fn() -> Option<Rc<Core>> + 'static,
) {
    let task = async move {
        loop {
            let Question { asked, answer } = desk.next().await;
            answer.send(tell(asked, core()).await);
        }
    };
    shard.spawn(TaskClass::Background, "observed", task).detach();
}

async fn tell(asked: Ask, core: Option<Rc<Core>>) -> Told {
    let Some(core) = core else { return Told { state: ShardState::Starting, reading: None } };
    let reading = match asked {
        Ask::State => None,
        Ask::Reading => Some(Box::new(reading::take(&core).await)),
    };
    Told { state: core.state(), reading }
}
