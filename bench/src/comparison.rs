//! The order of a comparison: all subjects warmed up, then measured in turn, round by round.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::Cli;
use crate::broker::Broker;
use crate::error::BenchError;
use crate::first_ack;
use crate::load::Load;
use crate::measure::{Measure, Measures};
use crate::report;
use crate::results::{self, Results, Round};
use crate::scenario::{PARTITIONS, RECORD_SIZE, Run, Scenario};
use crate::session;
use crate::subject::Subject;
use crate::usage;

/// The topic of every load.
pub const TOPIC: &str = "bench";

/// How long a started broker is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(3);

/// Measures everything that the command line asks for, prints a table a scenario, keeps the rounds.
pub fn run(cli: &Cli) -> Result<(), BenchError> {
    let subjects: Vec<_> = cli.subjects.iter().map(|name| Subject::new(*name, cli)).collect();
    let names: Vec<_> = subjects.iter().map(Subject::name).collect();
    let mut results = Results::open(cli.keep.then_some(cli.results.as_path()))?;
    if !session::can_raise() {
        println!("sessions cannot be raised here: latencies near 4 ms are the scheduler's");
    }
    for scenario in &cli.scenarios {
        let rounds = match scenario.measured() {
            None => starts(cli, &subjects, &mut results)?,
            Some(load) => loads(cli, *scenario, &load, &subjects, &mut results)?,
        };
        report::print(&names, &rounds);
    }
    Ok(())
}

/// A load on brokers that all stay up: each is measured while the others idle.
fn loads(
    cli: &Cli,
    scenario: Scenario,
    measured: &Run,
    subjects: &[Subject<'_>],
    results: &mut Results,
) -> Result<Vec<Round>, BenchError> {
    let load = Load { binary: &cli.load, scale: cli.scale };
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
        load.run(measured, &brokers[index], TOPIC)
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
            settle_disk()?;
            let load_average = results::load_average();
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
                let round = Round {
                    scenario: scenario.name(),
                    subject: name,
                    index,
                    load_average,
                    measures,
                };
                results.keep(&round)?;
                kept.push(round);
            }
        }
    }
    Ok(kept)
}

/// Lets the disk take what the last one left in the page cache: it is not the next one's to wait
/// for.
fn settle_disk() -> Result<(), BenchError> {
    let status = Command::new("sync").status().map_err(BenchError::program("sync"))?;
    if status.success() {
        return Ok(());
    }
    Err(BenchError::Failed { program: "sync".to_string(), status })
}
