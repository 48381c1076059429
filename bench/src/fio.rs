//! What the disk itself can do, by `fio`: durable writes to a file, as a journal has them.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::error::BenchError;
use crate::measure::{Measure, Measures};

/// What is written over and over: what a journal does, too.
const FILE_BYTES: usize = 256 << 20;
const PIECE_BYTES: usize = 1 << 20;
const SECONDS: u32 = 5;

/// The file that it writes to. It stays until all rounds are over: a disk is busy for a while with
/// a file that has gone, and whoever is measured next would wait for it.
#[derive(Debug)]
pub struct Fio {
    path: PathBuf,
}

impl Fio {
    /// Writes the file in `folder` for the first time.
    pub fn prepare(folder: &Path) -> Result<Self, BenchError> {
        let path = folder.join("fio.data");
        write_first(&path).map_err(BenchError::file(&path))?;
        Ok(Self { path })
    }

    /// MB (10^6) a second that reach the disk durably, in pieces of 64 KiB, sixteen at a time.
    pub fn durable_mb_per_second(&self) -> Result<f64, BenchError> {
        let job = self.written(&["--bs=64k", "--iodepth=16"])?;
        bandwidth(&job).ok_or_else(|| unreadable(&job))
    }

    /// What `rate` writes a second of 4 KiB cost by themselves, each durable before the next
    /// begins: no broker that syncs each record can have it cheaper.
    pub fn lone_writes(&self, rate: u64) -> Result<Measures, BenchError> {
        let rate = format!("--rate_iops={rate}");
        let job = self.written(&["--bs=4k", "--iodepth=1", &rate])?;
        lone(&job).ok_or_else(|| unreadable(&job))
    }

    /// Runs one job, and returns what fio tells of it.
    fn written(&self, arguments: &[&str]) -> Result<Value, BenchError> {
        let mut fio = Command::new("fio");
        fio.arg("--name=durable").arg(format!("--filename={}", self.path.display()));
        fio.args(["--direct=1", "--ioengine=io_uring", "--rw=write", "--sync=dsync"]);
        fio.args(["--overwrite=1", "--time_based", "--output-format=json"]).args(arguments);
        fio.arg(format!("--size={FILE_BYTES}")).arg(format!("--runtime={SECONDS}"));
        let output = fio.output().map_err(BenchError::program("fio"))?;
        if !output.status.success() {
            return Err(BenchError::Failed { program: "fio".to_string(), status: output.status });
        }
        let text = String::from_utf8_lossy(&output.stdout);
        job(&text).ok_or_else(|| BenchError::Load { line: text.into_owned() })
    }
}

impl Drop for Fio {
    fn drop(&mut self) {
        // If it can't be removed, the next one writes it anew.
        drop(fs::remove_file(&self.path));
    }
}

/// A fresh file's blocks are not on the disk yet, and the first write to each would pay for that.
fn write_first(path: &Path) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    for _ in 0..FILE_BYTES / PIECE_BYTES {
        file.write_all(&[0; PIECE_BYTES])?;
    }
    file.sync_all()
}

fn job(text: &str) -> Option<Value> {
    // A warning may stand before the JSON.
    let json: Value = serde_json::from_str(&text[text.find('{')?..]).ok()?;
    json.get("jobs")?.get(0).cloned()
}

fn bandwidth(job: &Value) -> Option<f64> {
    Some(job.get("write")?.get("bw_bytes")?.as_f64()? / 1e6)
}

fn lone(job: &Value) -> Option<Measures> {
    let write = job.get("write")?;
    let percentiles = write.get("clat_ns")?.get("percentile")?;
    let latency_us = |percentile| Some(percentiles.get(percentile)?.as_f64()? / 1e3);
    // In percent of the time that the job took.
    let processor = job.get("usr_cpu")?.as_f64()? + job.get("sys_cpu")?.as_f64()?;
    Some(Measures::from([
        (Measure::FioProcessorUsPerWrite, processor * 1e4 / write.get("iops")?.as_f64()?),
        (Measure::FioLatencyP50Us, latency_us("50.000000")?),
        (Measure::FioLatencyP99Us, latency_us("99.000000")?),
    ]))
}

fn unreadable(job: &Value) -> BenchError {
    BenchError::Load { line: job.to_string() }
}

#[cfg(test)]
mod tests {
    use super::{bandwidth, job, lone};
    use crate::measure::Measure;

    #[test]
    fn the_bandwidth_is_read_behind_a_warning() {
        let text = "fio: a warning\n{\"jobs\":[{\"write\":{\"bw_bytes\":250000000}}]}";
        assert_eq!(job(text).as_ref().and_then(bandwidth), Some(250.0));
        assert_eq!(job("nothing"), None);
    }

    #[test]
    fn processor_time_is_divided_by_the_writes() {
        let text = r#"{"jobs":[{"usr_cpu":1.0,"sys_cpu":3.0,"write":{"iops":2000.0,
            "clat_ns":{"percentile":{"50.000000":140000,"99.000000":900000}}}}]}"#;
        let measures = lone(&job(text).unwrap()).unwrap();
        assert_eq!(measures[&Measure::FioProcessorUsPerWrite], 20.0);
        assert_eq!(measures[&Measure::FioLatencyP50Us], 140.0);
    }
}
