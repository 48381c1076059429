//! One seed: a store's lives, cut at every sync point, inside the recovery that follows, and inside
//! the recovery from that.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use runtime::Shard;
use runtime::sim::{DiskImage, Ended, Node, Rng, World};
use storage::LogId;

use crate::figures::{Event, Figures};
use crate::history::Moment;
use crate::invariants::{self, Survived, deleted_stays_deleted};
use crate::life;
use crate::lives::{Cut, LIMIT, Lives, Space};
use crate::violation::{Failure, Findings, Property, Violation};
use crate::watch::settles_in_replay;
use crate::world::Sizes;

/// Lives of one store in a seed.
const LIVES: u64 = 3;
/// A core that has found so many failing seeds looks no further.
const FAILURES_MAX: usize = 5;

/// What happened in the seeds that passed, and how the others failed.
pub type Outcome = (Figures, BTreeMap<u64, Failure>);

/// Runs seeds on all cores.
pub fn run_all(seeds: Range<u64>) -> Outcome {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = Outcome::default();
    std::thread::scope(|scope| {
        let share = |thread: usize| seeds.clone().skip(thread).step_by(threads);
        let running: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || run_some(share(thread)))).collect();
        for thread in running {
            let (figures, failures) = thread.join().expect("no seed panics through");
            all.0.add(&figures);
            all.1.extend(failures);
        }
    });
    all
}

fn run_some(seeds: impl Iterator<Item = u64>) -> Outcome {
    let (mut figures, mut failures) = Outcome::default();
    for seed in seeds {
        match run(seed) {
            Ok(of_seed) => figures.add(&of_seed),
            Err(failure) => {
                eprintln!("seed {seed} failed: {failure}");
                eprintln!("RINGMAIN_SEED={seed} runs it alone");
                failures.insert(seed, failure);
            }
        }
        if failures.len() == FAILURES_MAX {
            break;
        }
    }
    (figures, failures)
}

/// Runs one seed.
pub fn run(seed: u64) -> Result<Figures, Failure> {
    catch_unwind(AssertUnwindSafe(|| Campaign::run(seed))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| String::from(*text));
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Failure::Panicked(text.unwrap_or_default()))
    })
}

/// Opens a store as it stands, and checks every property against what the outside knew.
pub fn check(cut: &Cut, seed: u64) -> Result<(), Failure> {
    let rng = Rng::new(seed);
    let mut campaign = Campaign { rng, figures: Figures::default(), depth: Depth::One };
    let scene = Scene { cut, sizes: &cut.sizes, shown: None };
    campaign.open(&scene, &cut.image, Look::AtFolders).map(drop)
}

struct Campaign {
    rng: Rng,
    figures: Figures,
    /// Whether some recoveries are cut at every sync point, instead of one each.
    depth: Depth,
}

/// At how many of its sync points a recovery is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    /// At one by lot.
    One,
    /// At all of them.
    All,
}

/// A disk, and what must be on it.
struct Scene<'a> {
    cut: &'a Cut,
    /// What the store is told now.
    sizes: &'a Sizes,
    /// The store showed itself like that before, so it must again.
    shown: Option<&'a BTreeMap<LogId, Survived>>,
}

impl<'a> Scene<'a> {
    /// The store has shown itself.
    fn after(&self, opened: &'a Opened) -> Scene<'a> {
        Scene { shown: Some(&opened.survived), ..*self }
    }
}

/// What is looked at while a store is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Its sync points.
    AtSyncPoints,
    /// Whether the folders of deleted logs go.
    AtFolders,
}

struct Opened {
    survived: BTreeMap<LogId, Survived>,
    image: DiskImage,
    points: Vec<Point>,
}

/// A sync point of a recovery.
struct Point {
    image: DiskImage,
    /// Every shard's store was open, so what it had could be seen.
    is_shown: bool,
}

impl Campaign {
    fn run(seed: u64) -> Result<Figures, Failure> {
        let mut rng = Rng::new(seed);
        let depth = if rng.chance(1, 8) { Depth::All } else { Depth::One };
        let full = rng.chance(1, 6).then(|| rng.below(LIVES));
        let mut lives = Lives::new(Sizes::draw(&mut rng), &mut rng);
        let mut campaign = Campaign { rng, figures: Figures::default(), depth };
        for number in 0..LIVES {
            let space = if full == Some(number) { Space::Short } else { Space::Enough };
            for cut in lives.live(space, &mut campaign.rng)? {
                campaign.figures.count(Event::Cut);
                campaign.survive(&cut)?;
            }
            if campaign.rng.chance(1, 2) {
                lives.redraw_sizes(&mut campaign.rng);
            }
        }
        // The store as it stands after its last life.
        campaign.survive(&lives.now())?;
        campaign.figures.add(&lives.life.figures.borrow());
        campaign.figures.trace(lives.trace());
        Ok(campaign.figures)
    }

    /// The power was cut at that moment: opens what is left and compares; opens it again after a
    /// kill or another cut; and cuts the recovery itself.
    fn survive(&mut self, cut: &Cut) -> Result<(), Failure> {
        let left = cut.image.after_power_cut(&mut self.rng);
        let mut sizes = cut.sizes.clone();
        if self.rng.chance(1, 3) {
            sizes.redraw(&mut self.rng);
            self.figures.count(Event::NewSizes);
        }
        let scene = Scene { cut, sizes: &sizes, shown: None };
        let first = self.open(&scene, &left, Look::AtSyncPoints)?;
        let again = match self.rng.chance(1, 2) {
            true => first.image.clone(),
            false => first.image.after_power_cut(&mut self.rng),
        };
        self.open(&scene.after(&first), &again, Look::AtFolders)?;
        if first.points.is_empty() {
            return Ok(());
        }
        if self.depth == Depth::All && self.rng.chance(1, 12) {
            return first.points.iter().try_for_each(|at| self.survive_inside(&scene, &first, at));
        }
        let at = &first.points[self.rng.index(first.points.len())];
        self.survive_inside(&scene, &first, at)
    }

    /// The power was cut in a recovery, and by lot once more in the recovery from that.
    fn survive_inside(&mut self, scene: &Scene, first: &Opened, at: &Point) -> Result<(), Failure> {
        self.figures.count(Event::CutInRecovery);
        if !self.rng.chance(1, 4) {
            return self.open_inside(scene, first, at, Look::AtFolders).map(drop);
        }
        let second = self.open_inside(scene, first, at, Look::AtSyncPoints)?;
        if second.points.is_empty() {
            return Ok(());
        }
        self.figures.count(Event::CutInSecondRecovery);
        let point = &second.points[self.rng.index(second.points.len())];
        self.open_inside(scene, &second, point, Look::AtFolders).map(drop)
    }

    fn open_inside(
        &mut self,
        scene: &Scene,
        before: &Opened,
        at: &Point,
        look: Look,
    ) -> Result<Opened, Failure> {
        let left = at.image.after_power_cut(&mut self.rng);
        match at.is_shown {
            true => self.open(&scene.after(before), &left, look),
            false => self.open(scene, &left, look),
        }
    }

    /// Opens a disk and checks every property. A start may be refused for lack of space; with
    /// space it comes through.
    fn open(&mut self, scene: &Scene, disk: &DiskImage, look: Look) -> Result<Opened, Failure> {
        if scene.cut.space == Space::Short && self.rng.chance(1, 2) {
            match self.open_with(scene, disk, look, Space::Short) {
                Err(Failure::Violated(Violation { property: Property::Opens, .. })) => {
                    self.figures.count(Event::StartWithoutSpace);
                }
                other => return other,
            }
        }
        self.open_with(scene, disk, look, Space::Enough)
    }

    /// Opens a disk in a world of its own, and ends by kill -9.
    fn open_with(
        &mut self,
        scene: &Scene,
        disk: &DiskImage,
        look: Look,
        space: Space,
    ) -> Result<Opened, Failure> {
        let sizes = scene.sizes;
        let world = World::new(self.rng.next_u64(), sizes.options.clone());
        let node = world.node("broker");
        node.disk().restore(disk);
        if space == Space::Enough {
            node.disk().set_capacity(u64::MAX);
        }
        let visit = Visit::new(sizes, &scene.cut.moment, look);
        let points = visit.watch(&node);
        visit.start(&node);
        let is_over = || visit.is_over() || !node.is_running();
        let ended = world.run_until(LIMIT, is_over);
        visit.findings.check()?;
        if !node.is_running() {
            let reason = format!("{:?}; {:?}", node.fatal_reason(), world.log_lines());
            return Err(Violation::of_store(Property::Lives, reason).into());
        }
        if ended != Ended::Done {
            let evidence = format!("a start: {ended:?}, {:?}", world.log_lines());
            return Err(Violation::of_store(Property::Ends, evidence).into());
        }
        let image = node.disk().image();
        node.kill();
        self.figures.trace(world.trace());
        for _ in 0..visit.settling_replays.get() {
            self.figures.count(Event::SettlingReplay);
        }
        let survived = visit.survived.take();
        if let Some(shown) = scene.shown
            && *shown != survived
        {
            let evidence = format!("\nshown:  {shown:?}\nagain:  {survived:?}");
            return Err(Violation::of_store(Property::OpensTwiceAlike, evidence).into());
        }
        Ok(Opened { survived, image, points: points.take() })
    }
}

/// A look at a store: it is opened, checked, and left alone.
#[derive(Clone)]
struct Visit {
    sizes: Sizes,
    moment: Moment,
    look: Look,
    survived: Rc<RefCell<BTreeMap<LogId, Survived>>>,
    findings: Findings,
    /// A bit for every shard whose store is open.
    opened: Rc<Cell<u64>>,
    settling_replays: Rc<Cell<u64>>,
    done: Rc<Cell<u16>>,
}

impl Visit {
    fn new(sizes: &Sizes, moment: &Moment, look: Look) -> Visit {
        Visit {
            sizes: sizes.clone(),
            moment: moment.clone(),
            look,
            survived: Rc::default(),
            findings: Findings::default(),
            opened: Rc::default(),
            settling_replays: Rc::default(),
            done: Rc::default(),
        }
    }

    fn watch(&self, node: &Node) -> Rc<RefCell<Vec<Point>>> {
        let points = Rc::new(RefCell::new(Vec::new()));
        if self.look == Look::AtSyncPoints {
            let (seen, visit) = (points.clone(), self.clone());
            node.disk().at_every_sync(move |point, image| {
                let open = visit.opened.get();
                if settles_in_replay(&point, |shard| open & 1 << shard != 0) {
                    visit.settling_replays.set(visit.settling_replays.get() + 1);
                }
                let is_shown = open + 1 == 1 << visit.sizes.shards;
                seen.borrow_mut().push(Point { image, is_shown });
            });
        }
        points
    }

    fn start(&self, node: &Node) {
        let visit = self.clone();
        node.start(vec![(); usize::from(self.sizes.shards)], move |shard, ()| {
            let visit = visit.clone();
            async move {
                if let Err(violation) = visit.run(&shard).await {
                    visit.findings.note(violation);
                }
                shard.shutdown_requested().await;
            }
        });
    }

    async fn run(&self, shard: &Shard) -> Result<(), Violation> {
        let store = life::open(shard, &self.sizes).await?;
        self.opened.set(self.opened.get() | 1 << shard.id().0);
        let found = invariants::hold(shard, &store, &self.moment).await?;
        self.survived.borrow_mut().extend(found);
        if self.look == Look::AtFolders {
            deleted_stays_deleted::check_folders(shard, &store).await?;
        }
        self.done.set(self.done.get() + 1);
        shard.shutdown_requested().await;
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.done.get() == self.sizes.shards || !self.findings.is_empty()
    }
}
