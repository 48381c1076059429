//! Lines of the log that peers cause: so many a minute, however often they cause them.

use std::cell::Cell;
use std::fmt::Arguments;
use std::time::Duration;

use runtime::{Instant, Level, Shard};

/// Lines of one minute and shard: enough to see what is wrong, and few enough that nobody fills a
/// disk with them.
const LINES_MAX: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// What has been said in the minute that runs.
#[derive(Default)]
pub(crate) struct PeerWarnings {
    minute_began: Cell<Option<Instant>>,
    said: Cell<u32>,
    left_out: Cell<u64>,
}

impl PeerWarnings {
    /// Says a line, unless there were too many. How many were left out is said before the first
    /// line of a later minute.
    pub(crate) fn say(&self, shard: &Shard, line: Arguments<'_>) {
        let now = shard.now();
        if self.minute_began.get().is_none_or(|began| now.since(began) >= MINUTE) {
            self.minute_began.set(Some(now));
            self.said.set(0);
            let left_out = self.left_out.take();
            if left_out > 0 {
                let line = format_args!("{left_out} more lines about peers were left out");
                shard.log(Level::Warn, line);
            }
        }
        if self.said.get() == LINES_MAX {
            self.left_out.set(self.left_out.get() + 1);
            return;
        }
        self.said.set(self.said.get() + 1);
        shard.log(Level::Warn, line);
    }
}
