//! That the device is told to keep what we call durable: only a real one can show it.

use super::run::say_why_a_shard_panics;
use runtime::{
    Buffer, DriverWanted, File, Open, RuntimeConfig, ShardsWanted, Shutdown, run_shards,
};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Writes, one after the other: each needs a flush that begins after it, so none serves two.
const WRITES: u64 = 16;
const BLOCK: usize = 4096;

/// The counters of the whole device that holds the path, or why they tell nothing.
fn counters(path: &Path) -> Result<PathBuf, String> {
    let number = fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?.dev();
    let name = format!("/sys/dev/block/{}:{}", major(number), minor(number));
    let device = fs::canonicalize(&name).map_err(|e| format!("{name}: {e}"))?;
    let is_part = device.join("partition").exists();
    let whole = device.parent().filter(|_| is_part).unwrap_or(&device);
    let read = |file: &str| {
        let path = whole.join(file);
        fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    if read("queue/fua")?.trim() != "0" {
        return Err(format!("{} writes through its cache without a flush", whole.display()));
    }
    Ok(whole.join("stat"))
}

/// The numbers of a device are packed as glibc packs them.
fn major(number: u64) -> u64 {
    (number >> 8 & 0xfff) | (number >> 32 & !0xfff)
}

fn minor(number: u64) -> u64 {
    (number & 0xff) | (number >> 12 & !0xff)
}

/// Flushes that the device has performed; the sixteenth number of its line (Linux 5.5).
fn flushes(stat: &Path) -> Option<u64> {
    let line = fs::read_to_string(stat).ok()?;
    line.split_ascii_whitespace().nth(15)?.parse().ok()
}

async fn write_plainly(file: &File, position: u64) {
    file.write(Buffer::aligned(BLOCK).freeze(), position).await.expect("a write");
    file.sync_data().await.expect("a sync");
}

async fn write_durably(file: &File, position: u64) {
    file.write_durably(Buffer::aligned(BLOCK).freeze(), position).await.expect("a write");
}

pub fn the_device_is_flushed_for_every_durable_write(driver: DriverWanted) {
    say_why_a_shard_panics();
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let stat = match counters(&dir) {
        Ok(stat) => stat,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let path = dir.join(format!("device-{driver:?}-{}", std::process::id()));
    let (of_main, counted) = (path.clone(), stat.clone());
    let shards = ShardsWanted::Exactly(1);
    let config = RuntimeConfig { shards, driver, ..RuntimeConfig::default() };
    run_shards(config, Shutdown::new(), vec![()], move |shard, ()| {
        let (path, stat) = (of_main.clone(), counted.clone());
        async move {
            let how = Open::read().write().create().direct();
            let file = shard.disk().open(&path, how).await.expect("a file");
            let all = Buffer::aligned(BLOCK * WRITES as usize).freeze();
            file.write(all, 0).await.expect("a write");
            file.sync_all().await.expect("a sync");
            // The control: what a sync does here, the counter must show.
            let before = flushes(&stat);
            for at in 0..WRITES {
                write_plainly(&file, at * BLOCK as u64).await;
            }
            let between = flushes(&stat);
            for at in 0..WRITES {
                write_durably(&file, at * BLOCK as u64).await;
            }
            let (Some(before), Some(between), Some(after)) = (before, between, flushes(&stat))
            else {
                return println!("skipped: {} does not count flushes", stat.display());
            };
            if between - before < WRITES {
                return println!("skipped: {} does not show the flush of a sync", stat.display());
            }
            let count = after - between;
            assert!(count >= WRITES, "{count} flushes for {WRITES} durable writes");
        }
    })
    .expect("a shard starts here");
    fs::remove_file(&path).expect("the test's file");
}
