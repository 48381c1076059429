//! A simulated machine with one shard, on whose disk an input stands as the file that it is.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use runtime::sim::{DiskImage, Ended, Node, Options, World};
use runtime::{Lease, Open, Shard};

/// Where the store is.
pub(crate) const DATA_DIR: &str = "/data";
/// The folder of the one shard's journal and manifest.
pub(crate) const SHARD_DIR: &str = "/data/shard-000";
/// Where the segments are.
const PARTITIONS_DIR: &str = "/data/partitions";
/// More virtual time than anything here takes that ends at all.
const LIMIT: Duration = Duration::from_secs(3_600);

/// One machine. Every one is the same: what it does follows from the input alone.
pub(crate) struct Machine {
    world: World,
    node: Node,
}

impl Machine {
    /// With an empty disk.
    pub(crate) fn new() -> Machine {
        let world = World::new(1, Options::default());
        Machine { node: world.node("broker"), world }
    }

    /// With that disk.
    pub(crate) fn with_disk(image: &DiskImage) -> Machine {
        let machine = Machine::new();
        machine.node.disk().restore(image);
        machine
    }

    /// The disk at this moment.
    pub(crate) fn image(&self) -> DiskImage {
        self.node.disk().image()
    }

    /// Starts the process and runs `main` to its end; its answer. What it left undone does not
    /// happen any more.
    ///
    /// # Panics
    ///
    /// If the process ends itself, or nothing will ever happen again: bytes on a disk must not
    /// bring that about.
    pub(crate) fn run<T: 'static, Fut: Future<Output = T> + 'static>(
        &self,
        main: impl Fn(Shard) -> Fut + 'static,
    ) -> T {
        let answer = Rc::new(RefCell::new(None));
        let slot = answer.clone();
        self.node.start(vec![()], move |shard, ()| {
            let (slot, running) = (slot.clone(), main(shard));
            async move {
                let value = running.await;
                *slot.borrow_mut() = Some(value);
            }
        });
        let ended = self.world.run_until(LIMIT, || !self.node.is_running());
        assert_eq!(ended, Ended::Done, "{:?}", self.world.log_lines());
        let value = answer.take();
        value.unwrap_or_else(|| panic!("the process ended: {:?}", self.node.fatal_reason()))
    }

    /// Makes the folders, and in them files of these paths and bytes.
    pub(crate) fn put(&self, files: Vec<(PathBuf, Vec<u8>)>) {
        let files = Rc::new(files);
        self.run(move |shard| {
            let files = files.clone();
            async move {
                make_folders(&shard).await;
                for (path, bytes) in files.iter() {
                    put(&shard, path, bytes).await;
                }
            }
        });
    }
}

/// The folders that exist before a store is opened.
pub(crate) async fn make_folders(shard: &Shard) {
    for folder in [DATA_DIR, PARTITIONS_DIR, SHARD_DIR] {
        let folder = Path::new(folder);
        let _exists_already = shard.disk().create_dir(folder).await;
        let parent = folder.parent().expect("not the root");
        shard.disk().sync_dir(parent).await.expect("a disk without faults");
    }
}

async fn put(shard: &Shard, path: &Path, bytes: &[u8]) {
    let how = Open::read().write().create().truncate();
    let file = shard.disk().open(path, how).await.expect("a disk without faults");
    if !bytes.is_empty() {
        file.write(Lease::from(bytes.to_vec()), 0).await.expect("a disk without faults");
    }
    file.sync_all().await.expect("a disk without faults");
    let folder = path.parent().expect("not the root");
    shard.disk().sync_dir(folder).await.expect("a disk without faults");
}
