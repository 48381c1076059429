//! Keeps some of the disk free: below the reserve no records are taken, while metadata and
//! everything that frees space go on.
//!
//! The file system is asked at most once a second, and only while somebody appends, so an idle
//! broker makes no system call for it. It heals by itself: the first append after space came back
//! may still be refused, the next ones are not.

use std::cell::Cell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use runtime::{Instant, Level, Shard, Space, TaskClass};

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
    state: Cell<State>,
    asked_at: Cell<Instant>,
    asking: Cell<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    Full,
    /// The file system does not say.
    Unknown,
}

impl DiskReserve {
    /// Asks once, then on demand.
    pub(crate) async fn start(shard: &Shard, path: &Path, reserve_bytes: u64) -> DiskReserve {
        let reserve = DiskReserve(Rc::new(Known {
            shard: shard.clone(),
            path: path.to_path_buf(),
            reserve_bytes,
            state: Cell::new(State::Free),
            asked_at: Cell::new(shard.now()),
            asking: Cell::new(false),
        }));
        reserve.ask().await;
        reserve
    }

    /// Refuses records while the disk is full, by the last answer; asks for the next one if that
    /// is old.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        let known = &self.0;
        if self.is_stale() && !known.asking.replace(true) {
            let again = self.clone();
            let ask = async move {
                again.ask().await;
                again.0.asking.set(false);
            };
            known.shard.spawn(TaskClass::Background, "disk reserve", ask).detach();
        }
        self.verdict()
    }

    /// As [`DiskReserve::check`], but waits for the answer rather than go by an old one.
    pub(crate) async fn check_now(&self) -> Result<(), AppendError> {
        if self.is_stale() {
            self.ask().await;
        }
        self.verdict()
    }

    fn is_stale(&self) -> bool {
        self.0.shard.now().since(self.0.asked_at.get()) >= FRESH_FOR
    }

    fn verdict(&self) -> Result<(), AppendError> {
        match self.0.state.get() {
            State::Full => Err(AppendError::DiskFull { reserve_bytes: self.0.reserve_bytes }),
            State::Free | State::Unknown => Ok(()),
        }
    }

    async fn ask(&self) {
        let known = &self.0;
        let answer = known.shard.disk().free_space(&known.path).await;
        self.learn(answer);
        known.asked_at.set(known.shard.now());
    }

    /// A file system that does not answer is not taken for full, not even if it was before: the
    /// journal's and the settler's writes find out by themselves.
    fn learn(&self, answer: io::Result<Space>) {
        let known = &self.0;
        let state = match &answer {
            Ok(space) if space.free_bytes < known.reserve_bytes => State::Full,
            Ok(_) => State::Free,
            Err(_) => State::Unknown,
        };
        if known.state.replace(state) == state {
            return;
        }
        let path = known.path.display();
        match answer {
            Ok(Space { free_bytes, .. }) if state == State::Full => known.shard.log(
                Level::Warn,
                format_args!(
                    "{path}: {free_bytes} bytes are free, {} are kept in reserve: records are \
                     refused until there is more",
                    known.reserve_bytes
                ),
            ),
            Ok(Space { free_bytes, .. }) => known.shard.log(
                Level::Info,
                format_args!("{path}: {free_bytes} bytes are free: records are taken again"),
            ),
            Err(error) => known.shard.log(
                Level::Warn,
                format_args!(
                    "{path}: its free space can't be read ({error}): the reserve is not kept \
                     until it can; check the disk"
                ),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::run;
    use runtime::sim::{Options, World};

    #[test]
    fn a_file_system_that_does_not_answer_is_not_full_even_if_it_was() {
        let world = World::new(1, Options::default());
        let node = world.node("broker");
        node.disk().set_capacity(1 << 20);
        run(&world, &node, |shard| async move {
            let reserve = DiskReserve::start(&shard, Path::new("/"), 2 << 20).await;
            assert_eq!(reserve.check(), Err(AppendError::DiskFull { reserve_bytes: 2 << 20 }));
            reserve.learn(Err(io::Error::from_raw_os_error(5)));
            assert_eq!(reserve.check(), Ok(()));
        });
        assert!(world.log_lines().iter().any(|line| line.contains("can't be read")));
    }

    #[test]
    fn an_append_goes_by_the_last_answer_and_a_decision_waits_for_a_new_one() {
        let world = World::new(2, Options::default());
        let node = world.node("broker");
        let disk = node.disk();
        run(&world, &node, move |shard| {
            let disk = disk.clone();
            async move {
                let reserve = DiskReserve::start(&shard, Path::new("/"), 2 << 20).await;
                let full = Err(AppendError::DiskFull { reserve_bytes: 2 << 20 });
                disk.set_capacity(1 << 20);
                shard.sleep(FRESH_FOR).await;
                assert_eq!(reserve.check(), Ok(()), "it has not been asked again");
                assert_eq!(reserve.check_now().await, full);
                // The question of the line before is on its way too.
                shard.sleep(Duration::from_millis(100)).await;
                disk.set_capacity(4 << 20);
                assert_eq!(reserve.check_now().await, full, "an answer counts for a second");
                shard.sleep(FRESH_FOR).await;
                assert_eq!(reserve.check(), full, "it has not been asked again");
                shard.sleep(Duration::from_millis(100)).await;
                assert_eq!(reserve.check(), Ok(()));
            }
        });
    }
}
