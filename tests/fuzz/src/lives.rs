//! A store that is opened again and again: each life finds what the first has found.

use std::path::Path;
use std::time::Duration;

use record::{LeaderEpoch, Offset, split};
use runtime::Shard;
use storage::{
    EpochStart, JournalConfig, Log, LogConfig, LogId, ScanError, SegmentConfig, Store, StoreConfig,
    StoreError,
};

use crate::machine::{DATA_DIR, Machine, make_folders};

/// How much is read at once, in bytes: less than most logs here have.
const READ_BYTES: u32 = 512;

/// What a start comes to.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The store is open.
    Opened(Vec<Seen>),
    /// The journal lacks what it says was synced.
    Rot,
    /// For another reason there is no store.
    Refused(String),
}

/// What a store says of one log.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    id: LogId,
    label: String,
    start: Offset,
    end: Offset,
    epochs: Vec<EpochStart>,
    epoch_of_start: Option<LeaderEpoch>,
    /// All batches. None if they can't be read: damage is met at other places in another life.
    content: Option<Vec<u8>>,
}

/// What the stores are told: rings of a few blocks, segments of a few batches.
pub(crate) fn config() -> StoreConfig {
    let journal = JournalConfig {
        file_bytes: 8 * 4096,
        files_min: 2,
        files_max: 4,
        reserve_bytes: 4 * 4096,
        chunk_bytes: 2 * 4096,
        tail_bytes: 16 * 4096,
        in_flight_max: 4,
        mark_delay: Duration::from_millis(5),
    };
    let segment = SegmentConfig {
        segment_bytes: 2 * 4096,
        index_interval_bytes: 200,
        ..SegmentConfig::default()
    };
    let log = LogConfig { segment, ..LogConfig::default() };
    StoreConfig { journal, log, ..StoreConfig::default() }
}

/// Opens the shard's store.
pub(crate) async fn open(shard: &Shard) -> Result<Store, StoreError> {
    make_folders(shard).await;
    let dir = Path::new(DATA_DIR);
    let file_system = shard.disk().identity(dir).await.expect("a disk without faults");
    Store::open(shard, dir, file_system, config()).await
}

/// Opens the machine's store three times: twice it ends without a stop, then it settles and stops.
/// What the first start came to. A log that could not be read may be readable once its segment has
/// been written anew.
///
/// # Panics
///
/// If a later start comes to something else.
pub(crate) fn live(machine: &Machine) -> Outcome {
    let first = machine.run(|shard| async move { look(&shard, Then::End).await });
    let second = machine.run(|shard| async move { look(&shard, Then::Stop).await });
    assert_eq!(second, first, "a second start finds what the first has found");
    // A store without logs has nothing to settle.
    if matches!(&first, Outcome::Opened(logs) if !logs.is_empty()) {
        let mut third = machine.run(|shard| async move { look(&shard, Then::End).await });
        third.forget_what_is_unreadable_in(&first);
        assert_eq!(third, first, "a start finds what was settled by the one before");
    }
    first
}

impl Outcome {
    fn forget_what_is_unreadable_in(&mut self, earlier: &Outcome) {
        let (Outcome::Opened(logs), Outcome::Opened(earlier)) = (self, earlier) else { return };
        for (log, earlier) in logs.iter_mut().zip(earlier) {
            if earlier.content.is_none() {
                log.content = None;
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    End,
    Stop,
}

async fn look(shard: &Shard, then: Then) -> Outcome {
    let store = match open(shard).await {
        Ok(store) => store,
        Err(StoreError::Scan(ScanError::Rot { .. })) => return Outcome::Rot,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    let mut logs = Vec::new();
    for log in store.logs() {
        assert_eq!(log.durable_end_offset(), log.log_end_offset(), "what is replayed is synced");
        assert!(log.high_watermark() <= log.log_end_offset(), "{}", log.id());
        logs.push(Seen {
            id: log.id(),
            label: log.label().to_string(),
            start: log.log_start_offset(),
            end: log.log_end_offset(),
            epochs: log.epoch_starts(),
            epoch_of_start: log.epoch_of(log.log_start_offset()),
            content: content(&log).await,
        });
    }
    if then == Then::Stop {
        store.stop().await;
    }
    Outcome::Opened(logs)
}

async fn content(log: &Log) -> Option<Vec<u8>> {
    let (mut from, end) = (log.log_start_offset(), log.log_end_offset());
    let mut content = Vec::new();
    while from < end {
        let bytes = log.read_whole(from, end, READ_BYTES).await.ok()?;
        let last = split(&bytes).last()?.ok()?;
        let next = last.last_offset().plus(1);
        if next <= from {
            return None;
        }
        from = next;
        content.extend_from_slice(&bytes);
    }
    Some(content)
}
