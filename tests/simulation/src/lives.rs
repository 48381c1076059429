//! The lives of one store in one seed: how each goes, what the weather is, and how it ends.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use runtime::sim::{DiskImage, Ended, Node, Rng, World};

use crate::figures::Event;
use crate::history::Moment;
use crate::invariants::files_are_kafkas;
use crate::life::Life;
use crate::violation::{Property, Violation};
use crate::watch::Watch;
use crate::world::{Draw, Sizes};

/// More virtual time than opening or stopping any of these stores takes.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Longer than the store takes to notice that the disk is full, or that it is not any more.
const NOTICED_WITHIN: Duration = Duration::from_secs(3);
/// How long a worker rests while the disk is full: such a life is a hundred times as long.
const REST_WHEN_FULL: Duration = Duration::from_millis(60);
/// Of the sync points of such a life, one of so many is cut at.
const CUT_ONE_OF_WHEN_FULL: u64 = 12;

/// A moment to cut at.
pub struct Cut {
    /// The disk.
    pub image: DiskImage,
    /// What the outside knew.
    pub moment: Moment,
    /// What the store was told.
    pub sizes: Sizes,
    /// How much space there was.
    pub space: Space,
}

/// How much space the disk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Enough.
    Enough,
    /// Next to none.
    Short,
}

/// The lives of one store, one after the other.
pub struct Lives {
    world: World,
    node: Node,
    /// What the lives share.
    pub life: Life,
    watch: Rc<RefCell<Watch>>,
    space: Rc<Cell<Space>>,
}

impl Lives {
    /// Of a store on an empty disk.
    pub fn new(sizes: Sizes, rng: &mut Rng) -> Lives {
        let world = World::new(rng.next_u64(), sizes.options.clone());
        Lives {
            node: world.node("broker"),
            world,
            watch: Rc::new(RefCell::new(Watch::new(&sizes))),
            life: Life::new(sizes),
            space: Rc::new(Cell::new(Space::Enough)),
        }
    }

    /// One life, up to its end by lot: a clean stop, a kill, a power cut. Answers with the sync
    /// points to cut at: all of them, or some of a long life.
    pub fn live(&mut self, space: Space, rng: &mut Rng) -> Result<Vec<Cut>, Violation> {
        let cuts = self.watch_syncs(rng);
        self.life.rest.set(Duration::ZERO);
        self.start();
        self.run_for(Duration::from_micros(rng.pick(2_000..48_000)))?;
        if space == Space::Short {
            self.live_without_space(rng)?;
        }
        match rng.pick(0..3) {
            0 => self.stop()?,
            1 => self.end(Event::Kill, Node::kill),
            _ => self.end(Event::PowerCut, Node::cut_power),
        }
        // What was in flight lands, or not, before the next life.
        self.world.run_for(Duration::from_secs(1));
        self.node.disk().at_every_sync(|_, _| {});
        self.set_space(Space::Enough, rng);
        Ok(cuts.take())
    }

    /// The next life has other sizes.
    pub fn redraw_sizes(&mut self, rng: &mut Rng) {
        self.life.sizes.redraw(rng);
        self.life.count(Event::NewSizes);
    }

    /// The store as it stands.
    pub fn now(&self) -> Cut {
        Cut {
            image: self.node.disk().image(),
            moment: self.life.history.borrow().moment(),
            sizes: self.life.sizes.clone(),
            space: self.space.get(),
        }
    }

    /// The trace of everything that happened in these lives.
    pub fn trace(&self) -> u64 {
        self.world.trace()
    }

    fn watch_syncs(&self, rng: &mut Rng) -> Rc<RefCell<Vec<Cut>>> {
        let cuts = Rc::new(RefCell::new(Vec::new()));
        let (seen, life, space) = (cuts.clone(), self.life.clone(), self.space.clone());
        let watch = self.watch.clone();
        let mut rng = rng.split();
        self.node.disk().at_every_sync(move |point, image| {
            let is_open = |shard: u16| life.open.get() & 1 << shard != 0;
            let figures = &mut life.figures.borrow_mut();
            watch.borrow_mut().see(&point, &image, &life.sizes, is_open, figures);
            if life.rest.get().is_zero() || rng.chance(1, CUT_ONE_OF_WHEN_FULL) {
                let moment = life.history.borrow().moment();
                let (sizes, space) = (life.sizes.clone(), space.get());
                seen.borrow_mut().push(Cut { image, moment, sizes, space });
            }
        });
        cuts
    }

    fn start(&self) {
        let shards = vec![(); usize::from(self.life.sizes.shards)];
        let life = self.life.clone();
        life.open.set(0);
        self.node.start(shards, move |shard, ()| life.clone().run(shard));
    }

    fn run_for(&self, long: Duration) -> Result<(), Violation> {
        let end = self.world.now() + long;
        self.run_until(|| self.world.now() >= end).map(drop)
    }

    /// Whether it came to that, within the limit.
    fn run_until(&self, mut done: impl FnMut() -> bool) -> Result<bool, Violation> {
        let findings = &self.life.findings;
        let over = || done() || !self.node.is_running() || !findings.is_empty();
        let ended = self.world.run_until(LIMIT, over);
        findings.check()?;
        if !self.node.is_running() {
            let reason = format!("{:?}; {:?}", self.node.fatal_reason(), self.world.log_lines());
            return Err(Violation::of_store(Property::Lives, reason));
        }
        Ok(ended == Ended::Done)
    }

    /// The disk runs full, stays so for a while, and usually has space again.
    fn live_without_space(&self, rng: &mut Rng) -> Result<(), Violation> {
        // A fresh store may be refused without space; this is about one that has begun.
        let all = (1 << self.life.sizes.shards) - 1;
        if !self.run_until(|| self.life.open.get() == all)? {
            return Err(Violation::of_store(Property::Ends, "a start"));
        }
        self.life.rest.set(REST_WHEN_FULL);
        self.set_space(Space::Short, rng);
        self.run_for(NOTICED_WITHIN)?;
        if rng.chance(1, 4) {
            return Ok(());
        }
        self.set_space(Space::Enough, rng);
        let acknowledged = || self.life.history.borrow().acknowledged();
        let before = acknowledged();
        self.run_for(NOTICED_WITHIN)?;
        if acknowledged() == before {
            let evidence = format!("nothing was taken: {:?}", self.world.log_lines());
            return Err(Violation::of_store(Property::Heals, evidence));
        }
        self.life.count(Event::Healing);
        Ok(())
    }

    fn set_space(&self, space: Space, rng: &mut Rng) {
        self.space.set(space);
        let disk = self.node.disk();
        disk.set_capacity(match space {
            Space::Enough => u64::MAX,
            Space::Short => disk.used_bytes() + 4096 * rng.pick(0..48),
        });
    }

    fn stop(&self) -> Result<(), Violation> {
        self.node.request_shutdown();
        let ended = self.world.run_until(LIMIT, || !self.node.is_running());
        self.life.findings.check()?;
        if let Some(reason) = self.node.fatal_reason() {
            return Err(Violation::of_store(Property::Lives, reason));
        }
        if ended != Ended::Done {
            let evidence = format!("a clean stop: {ended:?}, {:?}", self.world.log_lines());
            return Err(Violation::of_store(Property::Ends, evidence));
        }
        self.life.count(Event::CleanStop);
        match self.space.get() {
            // Without space segments can't be trimmed.
            Space::Short => Ok(()),
            Space::Enough => {
                let Cut { image, moment, sizes, .. } = self.now();
                files_are_kafkas::check(&image, sizes.shards, &moment)
            }
        }
    }

    fn end(&self, event: Event, how: impl Fn(&Node)) {
        how(&self.node);
        self.life.count(event);
    }
}
