//! Every single round as data: a line of JSON, in a file named after the commit.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use crate::error::BenchError;
use crate::kernel::KernelIdle;
use crate::measure::{Measure, Measures};
use crate::session;

/// What one round of one subject yielded.
#[derive(Clone, Debug)]
pub struct Round {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The subject's name.
    pub subject: &'static str,
    /// Counted from 1; round 0 is not kept.
    pub index: u32,
    /// The share of the machine that was idle just before the round, 0 to 1.
    pub idle_share: f64,
    /// What was measured.
    pub measures: Measures,
}

impl Round {
    /// What was measured, if it was.
    pub fn number(&self, measure: Measure) -> Option<f64> {
        self.measures.get(&measure).copied()
    }
}

/// Where rounds are kept, with what is the same for all of them.
#[derive(Debug)]
pub struct Results {
    file: Option<(PathBuf, File)>,
    run: Value,
}

impl Results {
    /// Appends to a file in `folder`; without one, rounds are only printed.
    pub fn open(
        folder: Option<&Path>,
        kernel_idle: Option<KernelIdle>,
    ) -> Result<Self, BenchError> {
        let commit = answer("git", &["rev-parse", "--short=12", "HEAD"]);
        let changes = answer("git", &["status", "--porcelain", "--untracked-files=no"]);
        let file = match folder {
            None => None,
            Some(folder) => {
                fs::create_dir_all(folder).map_err(BenchError::file(folder))?;
                let path = folder.join(format!("{commit}.jsonl"));
                let file = File::options().create(true).append(true).open(&path);
                Some((path.clone(), file.map_err(BenchError::file(path))?))
            }
        };
        let run = json!({
            "commit": commit,
            "changed": !changes.is_empty(),
            "machine": {
                "processor": processor(),
                "cores": std::thread::available_parallelism().map_or(0, usize::from),
                "memory_mib": memory_mib(),
                "kernel": answer("uname", &["-r"]),
                "raised_sessions": session::can_raise(),
                "kernel_idle_us_per_second": kernel_idle.map(KernelIdle::us_per_second),
            },
        });
        Ok(Self { file, run })
    }

    /// Keeps one round.
    pub fn keep(&mut self, round: &Round) -> Result<(), BenchError> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let measures: Map<String, Value> = round
            .measures
            .iter()
            .map(|(measure, value)| (measure.name().to_string(), json!(value)))
            .collect();
        let line = json!({
            "at_unix_s": now.map_or(0, |now| now.as_secs()),
            "run": self.run,
            "scenario": round.scenario,
            "subject": round.subject,
            "round": round.index,
            "idle_share": round.idle_share,
            "measures": measures,
        });
        writeln!(file, "{line}").map_err(BenchError::file(path.clone()))
    }
}

fn processor() -> String {
    field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_string())
}

fn memory_mib() -> u64 {
    let total = field("/proc/meminfo", "MemTotal");
    let kib = total.and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// The value of the first line `key : value`.
fn field(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let values = text.lines().filter_map(|line| line.split_once(':'));
    let mut found = values.filter(|(name, _)| name.trim() == key);
    found.next().map(|(_, value)| value.trim().to_string())
}

/// A program's answer, or nothing: a result without a commit is still one.
fn answer(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    text.unwrap_or_default()
}
