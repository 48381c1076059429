//! What the disk itself can do, by `fio`: durable writes of 64 KiB, sixteen at a time.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::error::BenchError;

/// The file that is written over and over: what a journal does, too.
const FILE_BYTES: usize = 256 << 20;
const PIECE_BYTES: usize = 1 << 20;
const SECONDS: u32 = 5;

/// MB (10^6) a second that reach the disk durably, written to a file in `folder`.
pub fn durable_mb_per_second(folder: &Path) -> Result<f64, BenchError> {
    let path = folder.join("fio.data");
    write_first(&path).map_err(BenchError::file(&path))?;
    let mut fio = Command::new("fio");
    fio.arg("--name=durable").arg(format!("--filename={}", path.display()));
    fio.args(["--direct=1", "--ioengine=io_uring", "--rw=write", "--bs=64k", "--iodepth=16"]);
    fio.args(["--overwrite=1", "--sync=dsync", "--time_based", "--output-format=json"]);
    fio.arg(format!("--size={FILE_BYTES}")).arg(format!("--runtime={SECONDS}"));
    let output = fio.output().map_err(BenchError::program("fio"))?;
    fs::remove_file(&path).map_err(BenchError::file(&path))?;
    if !output.status.success() {
        return Err(BenchError::Failed { program: "fio".to_string(), status: output.status });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    bandwidth(&text).ok_or_else(|| BenchError::Load { line: text.into_owned() })
}

/// A fresh file's blocks are not on the disk yet, and the first write to each would pay for that.
fn write_first(path: &Path) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    for _ in 0..FILE_BYTES / PIECE_BYTES {
        file.write_all(&[0; PIECE_BYTES])?;
    }
    file.sync_all()
}

fn bandwidth(text: &str) -> Option<f64> {
    // A warning may stand before the JSON.
    let json: Value = serde_json::from_str(&text[text.find('{')?..]).ok()?;
    let bytes = json.get("jobs")?.get(0)?.get("write")?.get("bw_bytes")?.as_f64()?;
    Some(bytes / 1e6)
}

#[cfg(test)]
mod tests {
    use super::bandwidth;

    #[test]
    fn the_bandwidth_is_read_behind_a_warning() {
        let text = "fio: a warning\n{\"jobs\":[{\"write\":{\"bw_bytes\":250000000}}]}";
        assert_eq!(bandwidth(text), Some(250.0));
        assert_eq!(bandwidth("nothing"), None);
    }
}
