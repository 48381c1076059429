//! Keeps some of the disk free: below the reserve no records are taken, while everything that frees
//! space goes on.
//!
//! The file system is asked at most once a second, and only while somebody appends, so an idle
//! broker makes no system call for it. It heals by itself: the first append after space came back
//! may still be refused, the next ones are not.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use runtime::{Instant, Level, Shard, TaskClass};

use crate::error::AppendError;

/// How long an answer of the file system counts.
const FRESH_FOR: Duration = Duration::from_secs(1);

/// What is known about the disk's free space. Clones are the same.
#[derive(Clone)]
pub(crate) struct DiskReserve(Rc<Known>);

struct Known {
    shard: Shard,
    path: PathBuf,
    reserve_bytes: u64,
    full: Cell<bool>,
    asked_at: Cell<Instant>,
    asking: Cell<bool>,
}

impl DiskReserve {
    /// Asks once, then on demand.
    pub(crate) async fn start(shard: &Shard, path: &Path, reserve_bytes: u64) -> DiskReserve {
        let reserve = DiskReserve(Rc::new(Known {
            shard: shard.clone(),
            path: path.to_path_buf(),
            reserve_bytes,
            full: Cell::new(false),
            asked_at: Cell::new(shard.now()),
            asking: Cell::new(false),
        }));
        reserve.ask().await;
        reserve
    }

    /// Refuses records while the disk is full.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        let known = &self.0;
        if known.shard.now().since(known.asked_at.get()) >= FRESH_FOR && !known.asking.get() {
            known.asking.set(true);
            let again = self.clone();
            let ask = async move { again.ask().await };
            known.shard.spawn(TaskClass::Background, "disk reserve", ask).detach();
        }
        match known.full.get() {
            true => Err(AppendError::DiskFull { reserve_bytes: known.reserve_bytes }),
            false => Ok(()),
        }
    }

    async fn ask(&self) {
        let known = &self.0;
        // A file system that does not answer is not full: the settle will find out.
        if let Ok(space) = known.shard.disk().free_space(&known.path).await {
            let full = space.free_bytes < known.reserve_bytes;
            if full && !known.full.replace(full) {
                known.shard.log(
                    Level::Warn,
                    format_args!(
                        "{}: {} bytes are free, {} are kept in reserve: records are refused until \
                         there is more",
                        known.path.display(),
                        space.free_bytes,
                        known.reserve_bytes
                    ),
                );
            }
            known.full.set(full);
        }
        known.asked_at.set(known.shard.now());
        known.asking.set(false);
    }
}
