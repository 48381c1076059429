//! Files and directories.

use super::run::Seat;
use runtime::{Buffer, ChunkPool, EntryKind, Lease, Open, Shard, TaskClass};
use std::io::ErrorKind;

fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

/// 4096-aligned bytes of a pattern, for direct I/O.
fn aligned(len: usize, seed: u8) -> Lease {
    let mut buffer = Buffer::aligned(len);
    buffer.copy_from_slice(&pattern(len, seed));
    buffer.freeze()
}

pub async fn what_is_written_is_read_back(shard: Shard, seat: Seat) {
    let disk = shard.disk();
    let path = seat.dir.join("a");
    for how in [Open::read().write().create(), Open::read().write().create().direct()] {
        let file = disk.open(&path, how).await.expect("open");
        file.write(aligned(8192, 1), 0).await.expect("write");
        file.write_durably(aligned(4096, 2), 8192).await.expect("write and sync");
        let (got, buf) = file.read(Buffer::aligned(12288), 0).await;
        assert_eq!(got.expect("read"), 12288);
        assert_eq!(&buf[..8192], &pattern(8192, 1));
        assert_eq!(&buf[8192..], &pattern(4096, 2));
        file.sync_data().await.expect("sync data");
        file.sync_all().await.expect("sync all");
        file.drop_cached(0, 12288).await.expect("advice");
        assert_eq!(file.size_bytes().await.expect("size"), 12288);
    }
}

pub async fn a_read_is_short_only_at_the_end_of_the_file(shard: Shard, seat: Seat) {
    let path = seat.dir.join("short");
    let file = shard.disk().open(&path, Open::read().write().create_new()).await.expect("open");
    file.write(Lease::from(pattern(5000, 3)), 0).await.expect("write");
    let (got, buf) = file.read(Buffer::plain(8192), 1000).await;
    assert_eq!(got.expect("read"), 4000);
    assert_eq!(&buf[..4000], &pattern(5000, 3)[1000..]);
    let (got, buf) = file.read(Buffer::plain(10), 5000).await;
    assert_eq!((got.expect("read"), buf.len()), (0, 10));
}

pub async fn names_are_made_listed_renamed_and_removed(shard: Shard, seat: Seat) {
    let disk = shard.disk();
    let dir = seat.dir.join("names");
    disk.create_dir(&dir).await.expect("create dir");
    disk.create_dir(&dir.join("inner")).await.expect("create inner dir");
    let how = Open::read().write().create_new();
    for name in ["zebra", "ant", "bee"] {
        let file = disk.open(&dir.join(name), how).await.expect("create");
        file.write(Lease::from(name.as_bytes()), 0).await.expect("write");
    }
    disk.rename(&dir.join("bee"), &dir.join("ant")).await.expect("rename replaces");
    disk.sync_dir(&dir).await.expect("sync dir");
    disk.sync_fs(&dir).await.expect("sync fs");
    let seen: Vec<_> = disk.list(&dir).await.expect("list");
    let seen: Vec<_> = seen.iter().map(|e| (e.name.as_str(), e.kind, e.size_bytes)).collect();
    let (file, directory) = (EntryKind::File, EntryKind::Directory);
    assert_eq!(seen, [("ant", file, 3), ("inner", directory, 0), ("zebra", file, 5)]);
    disk.remove_file(&dir.join("ant")).await.expect("remove");
    disk.remove_file(&dir.join("zebra")).await.expect("remove");
    assert!(disk.remove_dir(&dir).await.is_err(), "it is not empty");
    disk.remove_dir(&dir.join("inner")).await.expect("remove inner dir");
    disk.remove_dir(&dir).await.expect("remove dir");
    assert_eq!(disk.list(&dir).await.expect_err("gone").kind(), ErrorKind::NotFound);
}

pub async fn opening_says_what_is_wrong(shard: Shard, seat: Seat) {
    let disk = shard.disk();
    let path = seat.dir.join("x");
    let error = disk.open(&path, Open::read()).await.err().expect("there is none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    disk.open(&path, Open::read().write().create_new()).await.expect("create");
    let error = disk.open(&path, Open::read().write().create_new()).await.err();
    assert_eq!(error.expect("there is one").kind(), ErrorKind::AlreadyExists);
    let error = disk.open("a\0b".as_ref(), Open::read()).await.err().expect("no such path");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

pub async fn a_file_is_cut_and_lengthened(shard: Shard, seat: Seat) {
    let path = seat.dir.join("len");
    let file = shard.disk().open(&path, Open::read().write().create_new()).await.expect("open");
    file.allocate(0, 65536).await.expect("allocate");
    assert_eq!(file.size_bytes().await.expect("size"), 65536);
    file.write(Lease::from(pattern(8192, 4)), 4096).await.expect("write");
    file.truncate(6000).await.expect("cut");
    file.truncate(7000).await.expect("lengthen");
    let (got, buf) = file.read(Buffer::plain(8192), 0).await;
    assert_eq!(got.expect("read"), 7000);
    assert!(buf[..4096].iter().all(|b| *b == 0), "allocated, never written");
    assert_eq!(&buf[4096..6000], &pattern(8192, 4)[..1904]);
    assert!(buf[6000..7000].iter().all(|b| *b == 0), "cut off once");
}

pub async fn space_and_identity_are_told(shard: Shard, seat: Seat) {
    let disk = shard.disk();
    let space = disk.free_space(&seat.dir).await.expect("space");
    assert!(0 < space.free_bytes && space.free_bytes <= space.total_bytes, "{space:?}");
    let (a, b) = (disk.identity(&seat.dir).await, disk.identity(&seat.dir).await);
    assert_eq!(a.expect("identity"), b.expect("identity"));
    let missing = disk.free_space(&seat.dir.join("none")).await;
    assert_eq!(missing.expect_err("no such path").kind(), ErrorKind::NotFound);
}

pub async fn many_synced_writes_are_in_flight_at_once(shard: Shard, seat: Seat) {
    let path = seat.dir.join("journal");
    let how = Open::read().write().create_new().direct();
    let file = shard.disk().open(&path, how).await.expect("open");
    file.write(Buffer::aligned(64 * 4096).freeze(), 0).await.expect("zero");
    let writes: Vec<_> = (0..64u8)
        .map(|i| {
            let file = file.clone();
            shard.spawn(TaskClass::Foreground, "commit", async move {
                file.write_durably(aligned(4096, i), u64::from(i) * 4096).await
            })
        })
        .collect();
    for write in writes {
        write.await.expect("not aborted").expect("write and sync");
    }
    let (got, buf) = file.read(Buffer::aligned(64 * 4096), 0).await;
    got.expect("read");
    for (i, block) in buf.chunks(4096).enumerate() {
        assert_eq!(block, pattern(4096, i as u8), "block {i}");
    }
    drop(file);
    assert_eq!(shard.operations_in_flight(), 1, "only the close");
}

pub async fn registered_memory_is_written_like_any_other(shard: Shard, seat: Seat) {
    let pool = ChunkPool::new(&shard, 64 * 1024, 1 << 20);
    let path = seat.dir.join("chunks");
    let how = Open::read().write().create_new().direct();
    let file = shard.disk().open(&path, how).await.expect("open");
    for round in 0..4u8 {
        let mut chunk = pool.take(0).expect("room");
        chunk.append_with(4096, |b| b.copy_from_slice(&pattern(4096, round)));
        let lease = chunk.append_with(8192, |b| b.copy_from_slice(&pattern(8192, round + 1)));
        file.write_durably(lease, 0).await.expect("write and sync");
        file.write(chunk.lease(0..12288), 8192).await.expect("write");
        let (got, buf) = file.read(Buffer::aligned(20480), 0).await;
        assert_eq!(got.expect("read"), 20480);
        assert_eq!(&buf[..8192], &pattern(8192, round + 1));
        assert_eq!(&buf[8192..12288], &pattern(4096, round));
        assert_eq!(&buf[12288..], &pattern(8192, round + 1));
    }
    assert_eq!(pool.used_bytes(), 0);
}

pub async fn a_shared_file_is_read_after_its_file_is_gone(shard: Shard, seat: Seat) {
    let path = seat.dir.join("shared");
    let file = shard.disk().open(&path, Open::read().write().create_new()).await.expect("open");
    file.write(Lease::from(pattern(10_000, 9)), 0).await.expect("write");
    let shared = file.share();
    drop(file);
    shard.disk().remove_file(&path).await.expect("remove");
    let (got, buf) = shard.disk().read_shared(&shared, Buffer::plain(8192), 5000).await;
    assert_eq!(got.expect("read"), 5000);
    assert_eq!(&buf[..5000], &pattern(10_000, 9)[5000..]);
}
