//! What goes into logs and comes out of them: counted since the start, in cells of the shard's own.

use std::cell::Cell;

/// What went one way. It begins at nothing with each start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Batches that were appended, or reads that found something.
    pub parts: u64,
    /// Records; of reads the offsets that they went forward by.
    pub records: u64,
    /// Bytes of whole batches, headers included.
    pub bytes: u64,
}

/// Both ways of a log, or of all logs of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogTraffic {
    /// Records that were appended, those of the cluster's metadata left out.
    pub appended: Traffic,
    /// What was read for clients.
    pub read: Traffic,
}

impl Traffic {
    /// Both together.
    pub fn plus(self, other: Traffic) -> Traffic {
        Traffic {
            parts: self.parts + other.parts,
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl LogTraffic {
    /// Both together.
    pub fn plus(self, other: LogTraffic) -> LogTraffic {
        LogTraffic {
            appended: self.appended.plus(other.appended),
            read: self.read.plus(other.read),
        }
    }
}

/// Counts both ways.
#[derive(Default)]
pub(crate) struct TrafficCells {
    appended: Cell<Traffic>,
    read: Cell<Traffic>,
}

impl TrafficCells {
    pub(crate) fn count_appended(&self, records: u64, bytes: u64) {
        self.appended.set(self.appended.get().plus(Traffic { parts: 1, records, bytes }));
    }

    pub(crate) fn count_read(&self, records: u64, bytes: u64) {
        self.read.set(self.read.get().plus(Traffic { parts: 1, records, bytes }));
    }

    pub(crate) fn get(&self) -> LogTraffic {
        LogTraffic { appended: self.appended.get(), read: self.read.get() }
    }
}
