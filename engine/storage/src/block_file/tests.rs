//! The bytes of a block file through its two parts: what is on the disk and what is not.

use super::*;
use crate::testing::run;
use runtime::sim::{Options, Rng, World};

#[test]
fn any_range_reads_the_same_whatever_is_on_the_disk() {
    for seed in 0..30 {
        let world = World::new(seed, Options::default());
        let node = world.node("n");
        run(&world, &node, move |shard| async move {
            let mut rng = Rng::new(seed);
            let files = FileCache::new(2);
            let file = BlockFile::new(&shard, &files, "/f".into(), FileState::empty());
            let mut model = Vec::new();
            for _ in 0..30 {
                let mut bytes = vec![0; rng.index(3_000)];
                rng.fill(&mut bytes);
                model.extend_from_slice(&bytes);
                file.append(Lease::from(bytes));
                if rng.chance(1, 3) {
                    file.prepare(Finish::KeepRemainder).await.expect("there is space");
                    file.write(Finish::KeepRemainder).await;
                    let state = file.state();
                    assert_eq!(state.size_bytes as usize, model.len() / 4096 * 4096);
                    assert_eq!(*state.remainder, model[state.size_bytes as usize..]);
                }
                let readable = file.readable_bytes();
                assert!(model.len() as u64 == file.appended_bytes());
                let start = rng.below(readable + 1);
                let len = rng.below(readable - start + 1);
                let range = start as usize..(start + len) as usize;
                let found = file.read(start, len as usize).await.expect("readable");
                assert_eq!(*found, model[range.clone()]);
                let (on_disk, in_memory) = file.split(start, len);
                let in_memory = in_memory.map_or(Vec::new(), |lease| lease.to_vec());
                assert_eq!(model[range][on_disk as usize..], in_memory);
            }
        });
    }
}

#[test]
fn space_is_taken_in_steps_and_given_back_at_the_end() {
    let world = World::new(1, Options::default());
    let node = world.node("n");
    let disk = node.disk();
    run(&world, &node, move |shard| {
        let disk = disk.clone();
        async move {
            let files = FileCache::new(2);
            let file = BlockFile::new(&shard, &files, "/f".into(), FileState::empty());
            let mut sizes = Vec::new();
            for _ in 0..100 {
                file.append(Lease::from(vec![7; 4_000]));
                file.prepare(Finish::KeepRemainder).await.expect("there is space");
                file.write(Finish::KeepRemainder).await;
                sizes.extend(disk.files().first().map(|(_, size)| *size));
            }
            sizes.dedup();
            assert_eq!(sizes, [64 << 10, 128 << 10, 256 << 10, 512 << 10]);
            file.prepare(Finish::Seal).await.expect("there is space");
            file.write(Finish::Seal).await;
            assert_eq!(disk.files(), [(PathBuf::from("/f"), 400_000)]);
        }
    });
}

/// The trim of a stop that was killed before its record left an entry that the next start did not
/// know of, and the next stop took the file for its own.
#[test]
fn a_trim_that_was_never_recorded_is_written_over_by_the_next_even_if_it_was_as_long() {
    let world = World::new(2, Options::default());
    let node = world.node("n");
    let disk = node.disk();
    run(&world, &node, move |shard| {
        let disk = disk.clone();
        async move {
            for (byte, work) in [(1, true), (2, true), (2, false)] {
                let files = FileCache::new(2);
                let file = BlockFile::new(&shard, &files, "/f".into(), FileState::empty());
                file.append(Lease::from(vec![byte; 100]));
                file.settle_memory(Finish::KeepRemainder);
                file.prepare(Finish::Trim).await.expect("there is space");
                file.write(Finish::Trim).await;
                assert_eq!(file.take_unsynced().is_some(), work);
                assert_eq!(disk.read(Path::new("/f")), Some(vec![byte; 100]));
            }
        }
    });
}
