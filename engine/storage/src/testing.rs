//! Runs a piece of storage on a simulated machine, and builds batches to put into it.

use crate::block::{BLOCK_BYTES, crc};
use crate::{JournalConfig, Store, StoreConfig};
use record::{BatchBuilder, LeaderEpoch, Offset, Record, Timestamp};
use runtime::sim::{Ended, Node, Rng, World};
use runtime::{Buffer, Open, Shard};
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// More than any of these tests takes of virtual time.
const LIMIT: Duration = Duration::from_secs(3_600);

/// Starts the node's process with one shard and runs `main` to its end; its answer.
pub(crate) fn run<T: 'static, Fut: Future<Output = T> + 'static>(
    world: &World,
    node: &Node,
    main: impl Fn(Shard) -> Fut + 'static,
) -> T {
    run_until(world, node, main, || false).unwrap_or_else(|| {
        panic!("the node ended: {:?}; {:?}", node.fatal_reason(), world.log_lines())
    })
}

/// Starts the node's process and runs `main` to its end, or until `stop` says so or the process
/// ended itself: none then.
pub(crate) fn run_until<T: 'static, Fut: Future<Output = T> + 'static>(
    world: &World,
    node: &Node,
    main: impl Fn(Shard) -> Fut + 'static,
    mut stop: impl FnMut() -> bool,
) -> Option<T> {
    let answer = Rc::new(RefCell::new(None));
    let slot = answer.clone();
    node.start(vec![()], move |shard, ()| {
        let (slot, running) = (slot.clone(), main(shard));
        async move {
            let value = running.await;
            *slot.borrow_mut() = Some(value);
        }
    });
    let ended = world.run_until(LIMIT, || stop() || !node.is_running());
    assert_eq!(ended, Ended::Done, "{:?}", world.log_lines());
    answer.take()
}

/// Opens the node's store, with journal files of a MiB; its folders are durable.
pub(crate) async fn open_store(shard: &Shard, config: StoreConfig) -> Store {
    let data = Path::new("/data");
    for folder in ["/data", "/data/partitions", "/data/shard-000"] {
        // It is there after a restart.
        let _made_or_there = shard.disk().create_dir(Path::new(folder)).await;
    }
    for folder in ["/", "/data"] {
        shard.disk().sync_dir(Path::new(folder)).await.expect("a folder");
    }
    let file_system = shard.disk().identity(data).await.expect("a folder");
    let journal = JournalConfig { file_bytes: 1 << 20, ..config.journal };
    let config = StoreConfig { journal, ..config };
    Store::open(shard, data, file_system, config).await.expect("storage")
}

/// Makes the journal's or manifest's header that stands there one of the next format.
pub(crate) async fn make_newer(shard: &Shard, path: &Path, position: u64) {
    let how = Open::read().write().direct();
    let file = shard.disk().open(path, how).await.expect("that file");
    let (read, mut block) = file.read(Buffer::aligned(BLOCK_BYTES), position).await;
    assert_eq!(read.expect("readable"), BLOCK_BYTES);
    block[8] += 1;
    let own_crc = crc(&block[..92]);
    block[92..96].copy_from_slice(&own_crc.to_le_bytes());
    file.write_durably(block.freeze(), position).await.expect("written");
}

/// A batch of `count` records of `value_bytes` random bytes each, at `timestamp` and the
/// milliseconds after it.
pub(crate) fn batch(
    rng: &mut Rng,
    base_offset: i64,
    count: i32,
    timestamp: i64,
    value_bytes: usize,
) -> Vec<u8> {
    let mut builder =
        BatchBuilder::new().base_offset(Offset(base_offset)).leader_epoch(LeaderEpoch(3));
    let mut value = vec![0; value_bytes];
    for i in 0..count {
        rng.fill(&mut value);
        builder.push(&Record {
            timestamp: Timestamp(timestamp + i64::from(i)),
            value: Some(&value),
            ..Record::default()
        });
    }
    builder.build().expect("a small batch")
}
