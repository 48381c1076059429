//! One seed: a store's lives, cut at every sync point, and inside the recovery that follows.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use runtime::sim::{DiskImage, Ended, Node, Rng, World};
use storage::LogId;

use crate::history::{History, Moment};
use crate::life::Life;
use crate::world::{Draw, Sizes};

/// More virtual time than opening any of these stores takes.
const OPEN_LIMIT: Duration = Duration::from_secs(60);
/// Lives of one store in a seed.
const LIVES: u64 = 3;

/// What a seed came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Moments at which the power was cut.
    pub cuts: u64,
    /// Of those, moments inside a recovery.
    pub cuts_in_recovery: u64,
    /// Operations that had been acknowledged at the end.
    pub acknowledged: u64,
}

/// A moment to cut at.
struct Cut {
    image: DiskImage,
    moment: Moment,
}

/// Runs one seed, and names it if it fails.
pub fn run_named(seed: u64) -> Figures {
    let outcome = std::panic::catch_unwind(|| run(seed));
    outcome.unwrap_or_else(|panic| {
        eprintln!("seed {seed} failed; RINGMAIN_SEED={seed} RINGMAIN_SEEDS=1 runs it alone");
        std::panic::resume_unwind(panic)
    })
}

/// Runs one seed.
///
/// # Panics
/// On the first property that does not hold.
pub fn run(seed: u64) -> Figures {
    let mut rng = Rng::new(seed);
    let sizes = Sizes::draw(&mut rng);
    let world = World::new(rng.next_u64(), sizes.options.clone());
    let node = world.node("broker");
    let life = Life {
        history: Rc::new(RefCell::new(History::default())),
        sizes: sizes.clone(),
        next_id: Rc::new(Cell::new(1)),
        works: true,
    };
    let mut figures = Figures::default();
    for number in 0..LIVES {
        let cuts = live(&world, &node, &life, &mut rng);
        for cut in cuts {
            figures.cuts += 1;
            figures.cuts_in_recovery += survive(&sizes, &cut, &mut rng, number);
        }
    }
    // The store as it stands after its last life.
    let moment = life.history.borrow().moment();
    survive(&sizes, &Cut { image: node.disk().image(), moment }, &mut rng, LIVES);
    let history = life.history.borrow();
    figures.acknowledged = history.logs.values().map(|log| log.acknowledged as u64).sum();
    figures
}

/// One life, up to its end by lot: a clean stop, a kill, a power cut. Answers with every sync
/// point.
fn live(world: &World, node: &Node, life: &Life, rng: &mut Rng) -> Vec<Cut> {
    let cuts = Rc::new(RefCell::new(Vec::new()));
    let (seen, history) = (cuts.clone(), life.history.clone());
    node.disk().at_every_sync(move |_, image| {
        let moment = history.borrow().moment();
        seen.borrow_mut().push(Cut { image, moment });
    });
    start(node, life);
    let long = Duration::from_micros(rng.pick(2_000..60_000));
    let end = world.now() + long;
    let ended = world.run_until(OPEN_LIMIT, || world.now() >= end || !node.is_running());
    assert_ne!(ended, Ended::TimedOut, "{:?}", world.log_lines());
    check_running(world, node);
    match rng.pick(0..3) {
        0 => stop(world, node),
        1 => node.kill(),
        _ => node.cut_power(),
    }
    // What was in flight lands, or not, before the next life.
    world.run_for(Duration::from_secs(1));
    node.disk().at_every_sync(|_, _| {});
    cuts.take()
}

fn start(node: &Node, life: &Life) {
    let shards = vec![(); usize::from(life.sizes.shards)];
    let life = life.clone();
    node.start(shards, move |shard, ()| life.clone().run(shard));
}

fn stop(world: &World, node: &Node) {
    node.request_shutdown();
    let ended = world.run_until(OPEN_LIMIT, || !node.is_running());
    assert_eq!(ended, Ended::Done, "a clean stop ends: {:?}", world.log_lines());
    assert_eq!(node.fatal_reason(), None);
}

fn check_running(world: &World, node: &Node) {
    assert!(node.is_running(), "{:?}; {:?}", node.fatal_reason(), world.log_lines());
}

/// The power was cut at that moment: opens what is left, compares, opens it again; and cuts the
/// recovery itself. Answers with the number of those further cuts.
fn survive(sizes: &Sizes, cut: &Cut, rng: &mut Rng, number: u64) -> u64 {
    let left = cut.image.after_power_cut(rng);
    let first = open(sizes, &left, &cut.moment, rng);
    // Opening what the first opening left gives the same state again.
    let second = open(sizes, &first.image, &cut.moment, rng);
    assert_eq!(first.survived, second.survived, "opening twice, life {number}");
    let points = first.points.len();
    if points == 0 {
        return 0;
    }
    let inside = first.points[rng.index(points)].after_power_cut(rng);
    open(sizes, &inside, &cut.moment, rng);
    1
}

struct Opened {
    survived: Vec<(LogId, usize)>,
    image: DiskImage,
    points: Vec<DiskImage>,
}

/// Opens a disk in a world of its own, checks every property, and ends by kill -9.
fn open(sizes: &Sizes, disk: &DiskImage, moment: &Moment, rng: &mut Rng) -> Opened {
    let world = World::new(rng.next_u64(), sizes.options.clone());
    let node = world.node("broker");
    node.disk().restore(disk);
    let points = Rc::new(RefCell::new(Vec::new()));
    let seen = points.clone();
    node.disk().at_every_sync(move |_, image| seen.borrow_mut().push(image));
    let survived = Rc::new(RefCell::new(Vec::new()));
    let done = Rc::new(Cell::new(0));
    let (moment, sizes_of_life) = (moment.clone(), sizes.clone());
    let (into, count) = (survived.clone(), done.clone());
    node.start(vec![(); usize::from(sizes.shards)], move |shard, ()| {
        let (moment, sizes) = (moment.clone(), sizes_of_life.clone());
        let (into, count) = (into.clone(), count.clone());
        async move {
            let store = crate::life::open(&shard, &sizes).await;
            let found = crate::invariants::hold(&shard, &store, &moment).await;
            into.borrow_mut().extend(found);
            count.set(count.get() + 1);
            shard.shutdown_requested().await;
        }
    });
    let all = u32::from(sizes.shards);
    let ended = world.run_until(OPEN_LIMIT, || done.get() == all || !node.is_running());
    assert_eq!(ended, Ended::Done, "{:?}", world.log_lines());
    check_running(&world, &node);
    let image = node.disk().image();
    node.kill();
    let mut survived = survived.take();
    survived.sort_unstable();
    Opened { survived, image, points: points.take() }
}
