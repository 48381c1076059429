//! The order of a comparison: all subjects warmed up, then measured in turn, round by round.

pub mod durable;
mod idle;
mod loads;
pub mod many;
mod restart;
mod start;

use std::time::{Duration, Instant};

use crate::Cli;
use crate::broker::Broker;
use crate::error::BenchError;
use crate::kernel::{KernelIdle, KernelTime};
use crate::load::Load;
use crate::machine;
use crate::measure::Measures;
use crate::report;
use crate::results::{Results, Round};
use crate::scenario::Scenario;
use crate::session;
use crate::subject::Subject;

/// The topic of every load.
pub const TOPIC: &str = "bench";

/// How long the machine is looked at before anything runs, to know what it takes anyway.
const LOOK_FIRST: Duration = Duration::from_secs(2);
/// How long it is looked at before each round.
const LOOK: Duration = Duration::from_millis(500);

/// What every scenario works with.
struct Comparison<'a> {
    cli: &'a Cli,
    subjects: Vec<Subject<'a>>,
    load: Load<'a>,
    results: Results,
}

/// Measures everything that the command line asks for, prints a table a scenario, keeps the rounds.
pub fn run(cli: &Cli) -> Result<(), BenchError> {
    let subjects: Vec<_> = cli.subjects.iter().map(|name| Subject::new(*name, cli)).collect();
    let names: Vec<_> = subjects.iter().map(Subject::name).collect();
    let kernel_idle = kernel_idle()?;
    let load = Load { binary: &cli.load, scale: cli.scale, kernel_idle };
    let results = Results::open(cli.keep.then_some(cli.results.as_path()), kernel_idle)?;
    if !session::can_raise() {
        println!("sessions cannot be raised here: latencies near 4 ms are the scheduler's");
    }
    let mut comparison = Comparison { cli, subjects, load, results };
    for scenario in &cli.scenarios {
        let rounds = match scenario {
            Scenario::Start => start::measure(&mut comparison)?,
            Scenario::Idle => idle::measure(&mut comparison)?,
            Scenario::Restart => restart::measure(&mut comparison)?,
            Scenario::Durable => durable::measure(&mut comparison)?,
            Scenario::Many => many::measure(&mut comparison)?,
            load => loads::measure(&mut comparison, *load)?,
        };
        report::print(&names, &rounds);
    }
    Ok(())
}

/// What the kernel's threads take before anything is asked of them; none where they can't be seen.
fn kernel_idle() -> Result<Option<KernelIdle>, BenchError> {
    machine::write_out()?;
    let before = KernelTime::now();
    let idle_share = machine::idle_share(LOOK_FIRST)?;
    warn_if_busy(idle_share);
    let Some((before, after)) = before.zip(KernelTime::now()) else {
        println!("the kernel's threads cannot be seen here: kernel_us_per_record is left out");
        return Ok(None);
    };
    let idle = KernelIdle::between(&before, &after);
    println!("the kernel's threads take {:.0} us a second when idle", idle.us_per_second());
    Ok(Some(idle))
}

impl Comparison<'_> {
    /// Calls `measure` with each subject and its index, in turn; the first round of all is thrown
    /// away.
    ///
    /// Every other round goes backwards, so that nobody always follows the same one.
    fn in_turn(
        &mut self,
        scenario: Scenario,
        mut measure: impl FnMut(usize, &Subject<'_>) -> Result<Measures, BenchError>,
    ) -> Result<Vec<Round>, BenchError> {
        let mut kept = Vec::new();
        let rounds = self.cli.rounds;
        for index in 0..=rounds {
            let mut order: Vec<usize> = (0..self.subjects.len()).collect();
            if index % 2 == 1 {
                order.reverse();
            }
            for at in order {
                // What the last one left in the page cache is not the next one's to wait for.
                machine::write_out()?;
                let idle_share = machine::idle_share(LOOK)?;
                warn_if_busy(idle_share);
                let began = Instant::now();
                let measures = measure(at, &self.subjects[at])?;
                let (scenario, subject) = (scenario.name(), self.subjects[at].name());
                let seconds = began.elapsed().as_secs_f64();
                println!("{scenario} {subject} round {index} of {rounds}: {seconds:.1} s");
                if index > 0 {
                    let round = Round { scenario, subject, index, idle_share, measures };
                    self.results.keep(&round)?;
                    kept.push(round);
                }
            }
        }
        Ok(kept)
    }

    /// Starts a broker of each subject, one after the other, and prepares it before the next.
    fn start_brokers(
        &self,
        prepare: impl Fn(&Broker) -> Result<(), BenchError>,
    ) -> Result<Vec<Broker>, BenchError> {
        let start = |subject: &Subject<'_>| {
            let broker = Broker::start(subject, &self.cli.folder)?;
            prepare(&broker).map(|()| broker)
        };
        self.subjects.iter().map(start).collect()
    }
}

/// Says so if somebody else is at work: what begins now is measured beside it.
fn warn_if_busy(idle_share: f64) {
    if idle_share < machine::IDLE_SHARE_MIN {
        println!("warning: only {:.0} % of the machine is idle now", idle_share * 100.0);
    }
}
