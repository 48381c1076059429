//! Where a broker's processor time goes under a load, by `perf`, if it works here.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Cli;
use crate::broker::Broker;
use crate::comparison::{TOPIC, durable, many};
use crate::error::BenchError;
use crate::first_ack;
use crate::flood::Flood;
use crate::load::Load;
use crate::measure::Measure;
use crate::scenario::{Run, Scenario};
use crate::subject::Subject;

/// Prime, so that it does not beat with anything periodic.
const SAMPLES_PER_SECOND: &str = "997";
/// Perf now and then follows a process without taking a sample when threads end at that moment.
const ATTEMPTS: u32 = 5;
/// How many binaries and functions are printed.
const TOP_BINARIES: usize = 6;
const TOP_FUNCTIONS: usize = 40;

/// What a broker does while it is looked at.
enum Work<'a> {
    Load(Load<'a>, Run),
    Flood(Flood<'a>),
}

/// Profiles each subject in turn and prints the functions that take most.
pub fn run(cli: &Cli, scenario: Scenario) -> Result<(), BenchError> {
    if !works() {
        return Err(BenchError::NoPerf);
    }
    for name in &cli.subjects {
        let load = Load { binary: &cli.load, scale: cli.scale, kernel_idle: None };
        let work = match scenario {
            Scenario::Durable => Some(Work::Flood(durable::flood(cli))),
            Scenario::Many => Some(Work::Flood(many::flood(cli))),
            other => other.measured(*name).map(|run| Work::Load(load, run)),
        };
        let Some(work) = work else {
            return Err(BenchError::NoProfile { scenario: scenario.name() });
        };
        subject(cli, scenario, &work, &Subject::new(*name, cli))?;
    }
    Ok(())
}

fn subject(
    cli: &Cli,
    scenario: Scenario,
    work: &Work<'_>,
    subject: &Subject<'_>,
) -> Result<(), BenchError> {
    let broker = Broker::start(subject, &cli.folder)?;
    work.prepare(scenario, &broker)?;
    let samples = cli.folder.join(format!("{}-{}.perf.data", subject.name(), scenario.name()));
    let mut taken_us = 0.0;
    for _ in 0..ATTEMPTS {
        let recording = Recording::start(&samples, broker.process())?;
        taken_us = work.run(&broker)?;
        recording.stop()?;
        if !rows(&samples, "dso")?.is_empty() {
            break;
        }
    }
    broker.stop()?;
    let (name, scenario) = (subject.name(), scenario.name());
    println!("\n{name}, {scenario}: {taken_us:.2} us of CPU a record, sampled:");
    print_top(&samples)?;
    println!("the samples with their call chains: {}", samples.display());
    Ok(())
}

impl Work<'_> {
    /// Makes the topic, and does the work once, so that nothing is cold.
    fn prepare(&self, scenario: Scenario, broker: &Broker) -> Result<(), BenchError> {
        match self {
            Work::Load(load, _) => {
                first_ack::create_topic(broker.address(), TOPIC, scenario.partitions())?;
                for warm_up in scenario.warm_up() {
                    load.run(&warm_up, broker, TOPIC)?;
                }
            }
            Work::Flood(flood) => flood.create_topic(broker.address())?,
        }
        self.run(broker).map(drop)
    }

    /// The broker's processor time a record, in microseconds.
    fn run(&self, broker: &Broker) -> Result<f64, BenchError> {
        match self {
            Work::Load(load, run) => {
                let measures = load.run(run, broker, TOPIC)?;
                Ok(measures.get(&Measure::ProcessorUsPerRecord).copied().unwrap_or_default())
            }
            Work::Flood(flood) => Ok(flood.measure(broker)?.processor_us_per_record),
        }
    }
}

/// Virtual machines often lack hardware counters: the timer's clock works everywhere.
fn record(samples: &Path) -> Command {
    let mut command = Command::new("perf");
    command.args([
        "record",
        "--quiet",
        "-e",
        "cpu-clock",
        "-F",
        SAMPLES_PER_SECOND,
        "-a",
        "-g",
        "-o",
    ]);
    command.arg(samples).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn works() -> bool {
    let mut command = record(Path::new("/dev/null"));
    command.args(["--", "true"]).status().is_ok_and(|status| status.success())
}

/// `perf record` on a running process.
#[derive(Debug)]
struct Recording {
    child: Child,
}

impl Recording {
    fn start(samples: &Path, process: u32) -> Result<Self, BenchError> {
        let mut command = record(samples);
        let child = command.args(["-p", &process.to_string()]).spawn();
        Ok(Self { child: child.map_err(BenchError::program("perf"))? })
    }

    fn stop(mut self) -> Result<(), BenchError> {
        let mut kill = Command::new("kill");
        kill.args(["-INT", &self.child.id().to_string()]);
        kill.status().map_err(BenchError::program("kill"))?;
        let status = self.child.wait().map_err(BenchError::program("perf"))?;
        // It ends itself by the signal once the samples are written; 255 is of older versions.
        match status.code() {
            None | Some(0 | 130 | 255) => Ok(()),
            Some(_) => Err(BenchError::Failed { program: "perf record".to_string(), status }),
        }
    }
}

/// Prints the shares of the binaries and of the kernel, then of single functions.
fn print_top(samples: &Path) -> Result<(), BenchError> {
    for (sort, lines) in [("dso", TOP_BINARIES), ("dso,symbol", TOP_FUNCTIONS)] {
        for row in rows(samples, sort)?.iter().take(lines) {
            println!("  {row}");
        }
        println!();
    }
    Ok(())
}

/// The rows of a flat report, largest first.
fn rows(samples: &Path, sort: &str) -> Result<Vec<String>, BenchError> {
    let mut report = Command::new("perf");
    report.args(["report", "--stdio", "--no-children", "-g", "none", "--sort", sort, "-i"]);
    report.arg(samples).stderr(Stdio::null());
    let output = report.output().map_err(BenchError::program("perf"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    // Perf pads with spaces, and with dashes for counters that nobody asked for.
    let words = rows.map(|row| row.split_whitespace().filter(|word| *word != "-"));
    Ok(words.map(|words| words.collect::<Vec<_>>().join(" ")).collect())
}
