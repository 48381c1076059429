//! One shard on the driver that a test names, and a folder of that test's own.

use std::path::{Path, PathBuf};

use runtime::{DriverWanted, EntryKind, RuntimeConfig, Shard, ShardsWanted, Shutdown, run_shards};

/// A folder below the build's folder for such things. It is not there yet.
pub fn folder(name: &str, driver: DriverWanted) -> PathBuf {
    let name = format!("{name}-{driver:?}-{}", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs `main` to its end.
pub fn on_one_shard<Fut: Future<Output = ()> + 'static>(
    driver: DriverWanted,
    dir: &Path,
    main: impl Fn(Shard, PathBuf) -> Fut + Clone + Send + 'static,
) {
    let shards = ShardsWanted::Exactly(1);
    let config = RuntimeConfig { shards, driver, ..RuntimeConfig::default() };
    let ended = run_shards(config, Shutdown::new(), vec![dir.to_path_buf()], main);
    ended.unwrap_or_else(|e| panic!("{driver:?}: {e}"));
}

/// The same in a folder that is made before and removed behind it.
pub fn in_folder<Fut: Future<Output = ()> + 'static>(
    driver: DriverWanted,
    name: &str,
    main: fn(Shard, PathBuf) -> Fut,
) {
    on_one_shard(driver, &folder(name, driver), move |shard, dir| async move {
        shard.disk().create_dir(&dir).await.expect("a new folder");
        main(shard.clone(), dir.clone()).await;
        remove(&shard, &dir).await;
    });
}

/// Removes a folder with all that is in it.
pub async fn remove(shard: &Shard, dir: &Path) {
    let disk = shard.disk();
    for entry in disk.list(dir).await.expect("a folder of this test") {
        let path = dir.join(&entry.name);
        match entry.kind {
            EntryKind::Directory => Box::pin(remove(shard, &path)).await,
            _ => disk.remove_file(&path).await.expect("a file of this test"),
        }
    }
    disk.remove_dir(dir).await.expect("an empty folder");
}
