//! Rounds over a log on the simulated disk.

use std::path::Path;

use record::LeaderEpoch;
use runtime::Shard;
use runtime::sim::{Options, Rng, World};

use super::{Round, round};
use crate::log::Trim;
use crate::segment::{SegmentConfig, Stage};
use crate::testing::{batch, run};
use crate::{JournalConfig, LogConfig, LogId, Stamp, Store, StoreConfig};

const LOG: LogId = LogId { topic_id: *b"sixteen bytes id", partition: 0 };
const EPOCH: LeaderEpoch = LeaderEpoch(3);

async fn open(shard: &Shard) -> Store {
    let data = Path::new("/data");
    for folder in ["/data", "/data/partitions", "/data/shard-000"] {
        shard.disk().create_dir(Path::new(folder)).await.expect("a new folder");
    }
    let file_system = shard.disk().identity(data).await.expect("a folder");
    let journal = JournalConfig { file_bytes: 1 << 20, ..JournalConfig::default() };
    let config = StoreConfig { journal, ..StoreConfig::default() };
    Store::open(shard, data, file_system, config).await.expect("storage")
}

/// A segment used to be left as it was, its end in the manifest alone and its files without their
/// last block and index entry, if all that it had was settled when the next batch ended it.
#[test]
fn a_segment_that_ends_between_two_rounds_is_sealed_by_the_second() {
    let world = World::new(1, Options::default());
    let node = world.node("broker");
    let stages: Vec<Stage> = run(&world, &node, |shard| async move {
        let store = open(&shard).await;
        let segment = SegmentConfig { segment_bytes: 16 << 10, ..SegmentConfig::default() };
        let config = LogConfig { segment, ..LogConfig::default() };
        let log = store.create_log(LOG, "t", config).await.expect("a new log");
        let mut rng = Rng::new(7);
        for i in 0..3_i64 {
            let bytes = batch(&mut rng, i, 1, 1_000 + i, 10_000);
            let facts = record::parse_single(&bytes).and_then(|b| b.facts()).expect("sound");
            let stamp = Stamp { leader_epoch: EPOCH, log_append_time: None };
            let appended = log.append(&bytes, &facts, stamp).expect("there is room");
            log.wait_durable(appended.sequence).await;
            log.set_high_watermark(log.durable_end_offset());
            assert_eq!(round(&store.0, u64::MAX, Trim::No).await, Round::Settled);
        }
        let table = store.0.manifest.table();
        table.logs()[&LOG].segments.values().map(|segment| segment.stage).collect()
    });
    assert_eq!(stages, [Stage::Sealed, Stage::Sealed, Stage::Active]);
}
