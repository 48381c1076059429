//! The brokers that a campaign can be set on: Ringmain, and Apache Kafka, which shows that the
//! harness is to be believed: Kafka passes it, and a Kafka that forgets its producers does not.

use std::path::PathBuf;

use launch::{IoUring, LaunchError, Process, Program, Site};

/// Which broker is tested.
#[derive(Clone, Debug)]
pub enum Subject {
    /// Ringmain, from this binary.
    Ringmain {
        /// The binary `ringmain`.
        binary: PathBuf,
        /// How large its files are.
        sizes: Sizes,
        /// Whether it may use io_uring.
        io_uring: IoUring,
    },
    /// Apache Kafka, from a folder of jars; `java` must be on the path.
    Kafka {
        /// The folder with Kafka's jars and all that they need.
        jars: PathBuf,
        /// Whether it is made to forget its producers.
        memory: ProducerMemory,
    },
}

/// How large Ringmain's files and memory are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// As it is shipped: a campaign hardly fills one segment, and a start replays much.
    Usual,
    /// So small that between kills segments end, batches leave the memory, and the journal's
    /// files are used again.
    Small,
}

/// What Kafka keeps of its idempotent producers over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProducerMemory {
    /// All it should.
    Kept,
    /// Nothing: producer state expires after one millisecond, and a start drops what has expired.
    /// While the broker runs the expiry is not carried out, so that only kills show the fault.
    Lost,
}

type Setting = (&'static str, &'static str);

const USUAL: [Setting; 1] = [("ringmain.shards", "2")];
/// Eight of these journal files hold about a second of the campaign's load.
const SMALL: [Setting; 6] = [
    USUAL[0],
    ("log.segment.bytes", "131072"),
    ("log.index.interval.bytes", "1024"),
    ("ringmain.journal.file.bytes", "2097152"),
    ("ringmain.journal.files.max", "8"),
    ("ringmain.tail.bytes", "8388608"),
];

/// The controller lets a killed broker register again only when its old session has expired: the
/// default of 9 s would be most of a campaign.
const KEPT: [Setting; 2] =
    [("broker.session.timeout.ms", "1500"), ("broker.heartbeat.interval.ms", "500")];
/// The expiry is looked at once a day.
const LOST: [Setting; 4] = [
    KEPT[0],
    KEPT[1],
    ("producer.id.expiration.ms", "1"),
    ("producer.id.expiration.check.interval.ms", "86400000"),
];

impl Subject {
    /// Starts the broker and returns at once: clients find out when it serves.
    pub(crate) fn start(&self, site: &Site) -> Result<Process, LaunchError> {
        let settings: Vec<_> = self
            .settings()
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        Process::start(self.program().command(site, &settings)?, site)
    }

    /// What is run.
    pub(crate) fn program(&self) -> Program {
        match self {
            Subject::Ringmain { binary, io_uring, .. } => {
                Program::Ringmain { binary: binary.clone(), io_uring: *io_uring }
            }
            Subject::Kafka { jars, .. } => Program::Kafka { jars: jars.clone() },
        }
    }

    fn settings(&self) -> &'static [Setting] {
        match self {
            Subject::Ringmain { sizes: Sizes::Usual, .. } => &USUAL,
            Subject::Ringmain { sizes: Sizes::Small, .. } => &SMALL,
            Subject::Kafka { memory: ProducerMemory::Kept, .. } => &KEPT,
            Subject::Kafka { memory: ProducerMemory::Lost, .. } => &LOST,
        }
    }
}
