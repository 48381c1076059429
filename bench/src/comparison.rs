//! The order of a comparison: all subjects warmed up, then measured in turn, round by round.

use std::time::{Duration, Instant};

use crate::Cli;
use crate::broker::Broker;
use crate::error::BenchError;
use crate::first_ack;
use crate::kernel::{KernelIdle, KernelTime};
use crate::load::Load;
use crate::machine;
use crate::measure::{Measure, Measures};
use crate::report;
use crate::results::{Results, Round};
use crate::scenario::{PARTITIONS, RECORD_SIZE, Run, Scenario};
use crate::session;
use crate::subject::Subject;
use crate::usage;

/// The topic of every load.
pub const TOPIC: &str = "bench";

/// How long a started broker is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(3);

/// How long the machine is looked at before anything runs, to know what it takes anyway.
const LOOK_FIRST: Duration = Duration::from_secs(2);
/// How long it is looked at before each round.
const LOOK: Duration = Duration::from_millis(500);

/// Measures everything that the command line asks for, prints a table a scenario, keeps the rounds.
pub fn run(cli: &Cli) -> Result<(), BenchError> {
    let subjects: Vec<_> = cli.subjects.iter().map(|name| Subject::new(*name, cli)).collect();
    let names: Vec<_> = subjects.iter().map(Subject::name).collect();
    let kernel_idle = kernel_idle()?;
    let load = Load { binary: &cli.load, scale: cli.scale, kernel_idle };
    let mut results = Results::open(cli.keep.then_some(cli.results.as_path()), kernel_idle)?;
    if !session::can_raise() {
        println!("sessions cannot be raised here: latencies near 4 ms are the scheduler's");
    }
    for scenario in &cli.scenarios {
        let measured = cli.subjects.iter().map(|name| scenario.measured(*name)).collect();
        let rounds = match measured {
            None => starts(cli, &subjects, &mut results)?,
            Some(measured) => loads(cli, *scenario, load, measured, &subjects, &mut results)?,
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

/// A load on brokers that all stay up: each is measured while the others idle.
fn loads(
    cli: &Cli,
    scenario: Scenario,
    load: Load<'_>,
    measured: Vec<Run>,
    subjects: &[Subject<'_>],
    results: &mut Results,
) -> Result<Vec<Round>, BenchError> {
    let mut brokers = Vec::new();
    for subject in subjects {
        let broker = Broker::start(subject, &cli.folder)?;
        first_ack::create_topic(broker.address(), TOPIC, PARTITIONS)?;
        for warm_up in scenario.warm_up() {
            load.run(&warm_up, &broker, TOPIC)?;
        }
        brokers.push(broker);
    }
    let kept = in_turn(cli, scenario, subjects, results, |index| {
        load.run(&measured[index], &brokers[index], TOPIC)
    })?;
    for broker in brokers {
        broker.stop()?;
    }
    Ok(kept)
}

/// Starts on an empty folder, one broker at a time.
fn starts(
    cli: &Cli,
    subjects: &[Subject<'_>],
    results: &mut Results,
) -> Result<Vec<Round>, BenchError> {
    in_turn(cli, Scenario::Start, subjects, results, |index| {
        let broker = Broker::start(&subjects[index], &cli.folder)?;
        first_ack::create_topic(broker.address(), TOPIC, PARTITIONS)?;
        first_ack::produce(broker.address(), TOPIC, &[b'x'; RECORD_SIZE])?;
        let first_ack = broker.began().elapsed();
        std::thread::sleep(IDLE);
        let measures = Measures::from([
            (Measure::PortOpenMs, broker.port_open().as_secs_f64() * 1e3),
            (Measure::FirstAckMs, first_ack.as_secs_f64() * 1e3),
            (Measure::MemoryIdleMib, usage::memory_mib(broker.process())?),
        ]);
        broker.stop()?;
        Ok(measures)
    })
}

/// Calls `measure` with each subject's index, in turn; the first round of all is thrown away.
///
/// Every other round goes backwards, so that nobody always follows the same one.
fn in_turn(
    cli: &Cli,
    scenario: Scenario,
    subjects: &[Subject<'_>],
    results: &mut Results,
    mut measure: impl FnMut(usize) -> Result<Measures, BenchError>,
) -> Result<Vec<Round>, BenchError> {
    let mut kept = Vec::new();
    for index in 0..=cli.rounds {
        let mut order: Vec<usize> = (0..subjects.len()).collect();
        if index % 2 == 1 {
            order.reverse();
        }
        for subject in order {
            // What the last one left in the page cache is not the next one's to wait for.
            machine::write_out()?;
            let idle_share = machine::idle_share(LOOK)?;
            warn_if_busy(idle_share);
            let began = Instant::now();
            let measures = measure(subject)?;
            let name = subjects[subject].name();
            println!(
                "{} {name} round {index} of {}: {:.1} s",
                scenario.name(),
                cli.rounds,
                began.elapsed().as_secs_f64()
            );
            if index > 0 {
                let round =
                    Round { scenario: scenario.name(), subject: name, index, idle_share, measures };
                results.keep(&round)?;
                kept.push(round);
            }
        }
    }
    Ok(kept)
}

/// Says so if somebody else is at work: what begins now is measured beside it.
fn warn_if_busy(idle_share: f64) {
    if idle_share < machine::IDLE_SHARE_MIN {
        println!("warning: only {:.0} % of the machine is idle now", idle_share * 100.0);
    }
}
