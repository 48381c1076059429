//! One run of the load against one broker, with the broker's processor time between its two marks.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use crate::broker::Broker;
use crate::error::BenchError;
use crate::kernel::{KernelIdle, KernelTime};
use crate::machine;
use crate::measure::{Measure, Measures};
use crate::scenario::Run;
use crate::session;
use crate::usage::{self, ProcessorTime};

/// The load's binary, and by how much its numbers of records are multiplied.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// The binary.
    pub binary: &'a Path,
    /// 1 but for a try.
    pub scale: f64,
    /// What the kernel's threads take anyway; without it they are not measured.
    pub kernel_idle: Option<KernelIdle>,
}

/// The last line of the load.
#[derive(Debug, Deserialize)]
struct Outcome {
    records: u64,
    value_bytes: u64,
    seconds: f64,
    latency_us: Option<Latency>,
    records_per_request: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Latency {
    p50: f64,
    p99: f64,
    p999: f64,
}

impl Load<'_> {
    /// Runs to the end and gives what was measured between the load's `begin` and the broker's
    /// rest: what a broker puts off until after the acknowledgement is part of a record's price.
    ///
    /// The kernel's threads are measured until the page cache is written out, too: whoever leaves
    /// records there leaves the kernel the work of writing them.
    pub fn run(&self, run: &Run, broker: &Broker, topic: &str) -> Result<Measures, BenchError> {
        let bootstrap = broker.address().to_string();
        let mut command = session::at_once(self.binary);
        command.args(run.arguments(&bootstrap, topic, self.scale));
        let mut running = Running::start(&mut command)?;
        running.expect("begin")?;
        let kernel_before = self.kernel_idle.and_then(|idle| Some((idle, KernelTime::now()?)));
        let before = ProcessorTime::of(broker.process())?;
        running.go()?;
        running.expect("end")?;
        usage::await_quiet(broker.process())?;
        let after = ProcessorTime::of(broker.process())?;
        machine::write_out()?;
        let kernel_after = KernelTime::now();
        let outcome = running.outcome()?;
        let mut measures = outcome.measures();
        let records = outcome.records.max(1) as f64;
        let taken_us = after.since(&before).as_secs_f64() * 1e6;
        measures.insert(Measure::ProcessorUsPerRecord, taken_us / records);
        if let Some(((idle, before), after)) = kernel_before.zip(kernel_after) {
            let taken_us = after.since(&before, idle).as_secs_f64() * 1e6;
            measures.insert(Measure::KernelUsPerRecord, taken_us / records);
        }
        let turns = after.turns_since(&before) as f64;
        measures.insert(Measure::TurnsPerRecord, turns / records);
        let memory_mib = usage::memory_mib(broker.process())?;
        measures.insert(Measure::MemoryAfterLoadMib, memory_mib);
        Ok(measures)
    }
}

impl Outcome {
    fn measures(&self) -> Measures {
        let mut measures = Measures::new();
        let megabytes = self.value_bytes as f64 / 1e6;
        measures.insert(Measure::MegabytesPerSecond, megabytes / self.seconds);
        if let Some(latency) = &self.latency_us {
            measures.insert(Measure::LatencyP50Us, latency.p50);
            measures.insert(Measure::LatencyP99Us, latency.p99);
            measures.insert(Measure::LatencyP999Us, latency.p999);
        }
        if let Some(records_per_request) = self.records_per_request {
            measures.insert(Measure::RecordsPerRequest, records_per_request);
        }
        measures
    }
}

/// The load as a process; dropping it kills it.
#[derive(Debug)]
struct Running {
    child: Child,
    words: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Result<Self, BenchError> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(BenchError::program("load"))?;
        let words = child.stdout.take().expect("standard output was asked to be a pipe");
        Ok(Self { child, words: BufReader::new(words) })
    }

    fn line(&mut self) -> Result<String, BenchError> {
        let mut line = String::new();
        self.words.read_line(&mut line).map_err(BenchError::program("load"))?;
        if line.is_empty() {
            let status = self.child.wait().map_err(BenchError::program("load"))?;
            return Err(BenchError::Failed { program: "load".to_string(), status });
        }
        Ok(line.trim_end().to_string())
    }

    fn expect(&mut self, word: &str) -> Result<(), BenchError> {
        let line = self.line()?;
        if line == word { Ok(()) } else { Err(BenchError::Load { line }) }
    }

    fn go(&mut self) -> Result<(), BenchError> {
        let mut orders = self.child.stdin.take().expect("standard input was asked to be a pipe");
        orders.write_all(b"go\n").map_err(BenchError::program("load"))
    }

    fn outcome(mut self) -> Result<Outcome, BenchError> {
        let line = self.line()?;
        serde_json::from_str(&line).map_err(|_| BenchError::Load { line })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has usually ended; then there is nothing to kill, and nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
