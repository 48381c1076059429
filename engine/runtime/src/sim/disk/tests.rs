//! That the disk is honest: what may be lost is lost under some seed, what was saved never.

use super::*;

const SEEDS: u64 = 300;
const NEW: u8 = 7;
const OLD: u8 = 3;

fn path() -> &'static Path {
    Path::new("/journal")
}

/// A disk whose file of `blocks` blocks holds `OLD`, all saved, name and all.
fn disk_with_file(blocks: u64) -> (Disk, u64) {
    disk_with_file_on(DurableWrite::Flush, blocks)
}

fn disk_with_file_on(device: DurableWrite, blocks: u64) -> (Disk, u64) {
    let mut disk = Disk::new(device);
    let how = OpenHow { create: true, ..OpenHow::default() };
    let inode = disk.open(path(), how).expect("a new file").inode;
    write(&mut disk, inode, 0, &vec![OLD; (blocks * BLOCK) as usize]);
    sync(&mut disk, inode, SyncKind::All);
    sync(&mut disk, ROOT, SyncKind::All);
    (disk, inode)
}

fn create(disk: &mut Disk, name: &str) -> u64 {
    let how = OpenHow { create: true, ..OpenHow::default() };
    disk.open(Path::new(name), how).expect("a new file").inode
}

fn begin(disk: &mut Disk, inode: u64, position: u64, bytes: &[u8]) -> WriteId {
    disk.begin_write(inode, position, bytes.into()).expect("room")
}

fn write(disk: &mut Disk, inode: u64, position: u64, bytes: &[u8]) {
    let write = begin(disk, inode, position, bytes);
    disk.end_write(write, bytes.len() as u64);
}

fn sync(disk: &mut Disk, inode: u64, kind: SyncKind) {
    let sync = disk.begin_sync(inode, kind);
    disk.end_sync(sync);
}

fn write_durably(disk: &mut Disk, inode: u64, position: u64, bytes: &[u8]) {
    let write = begin(disk, inode, position, bytes);
    disk.end_write(write, bytes.len() as u64);
    let sync = disk.begin_sync_of_write(inode, write);
    disk.end_sync(sync);
}

fn sync_fs(disk: &mut Disk) {
    let sync = disk.begin_sync_fs();
    disk.end_sync(sync);
}

/// What the disk may be after a cut, under many seeds.
fn after_cuts(disk: &Disk) -> Vec<Disk> {
    let cut = |seed| {
        let mut disk = disk.clone();
        disk.cut(&mut Rng::new(seed));
        disk
    };
    (0..SEEDS).map(cut).collect()
}

fn read(disk: &Disk, name: &Path) -> Result<Vec<u8>, i32> {
    disk.read_file(name)
}

/// The first byte of every sector of the file; none if it can't be read.
fn sectors(disk: &Disk) -> Option<Vec<u8>> {
    let bytes = read(disk, path()).ok()?;
    Some(bytes.chunks(SECTOR_BYTES).map(|sector| sector[0]).collect())
}

fn whole(sector: &[u8], value: u8) -> bool {
    sector.iter().all(|byte| *byte == value)
}

#[test]
fn a_write_that_no_sync_followed_may_vanish_or_stay() {
    let (mut disk, inode) = disk_with_file(1);
    write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    let outcomes = after_cuts(&disk);
    let all = |value: u8| outcomes.iter().any(|d| sectors(d) == Some(vec![value; 8]));
    assert!(all(NEW) && all(OLD));
}

#[test]
fn a_synced_write_never_vanishes() {
    for kind in [SyncKind::Data, SyncKind::All] {
        let (mut disk, inode) = disk_with_file(1);
        write(&mut disk, inode, 0, &[NEW; 2 * BLOCK_BYTES]);
        sync(&mut disk, inode, kind);
        for cut in after_cuts(&disk) {
            assert_eq!(read(&cut, path()), Ok(vec![NEW; 2 * BLOCK_BYTES]), "{kind:?}");
        }
    }
}

#[test]
fn data_tears_at_sectors_and_nowhere_else() {
    let (mut disk, inode) = disk_with_file(2);
    write(&mut disk, inode, 0, &[NEW; 2 * BLOCK_BYTES]);
    let mut mixed = 0;
    for cut in after_cuts(&disk) {
        let bytes = read(&cut, path()).expect("completed writes destroy nothing");
        for sector in bytes.chunks(SECTOR_BYTES) {
            assert!(whole(sector, NEW) || whole(sector, OLD), "a sector of both");
        }
        let kept = sectors(&cut).expect("readable");
        let new = kept.iter().filter(|value| **value == NEW).count();
        // Not only a prefix: some sector survives whose predecessor does not.
        mixed += usize::from((1..16).contains(&new) && kept.windows(2).any(|w| w == [OLD, NEW]));
    }
    assert!(mixed > 10, "{mixed} of {SEEDS} were torn");
}

#[test]
fn any_of_several_unsynced_versions_may_survive() {
    let (mut disk, inode) = disk_with_file(1);
    for version in 10..13 {
        write(&mut disk, inode, 0, &[version; BLOCK_BYTES]);
    }
    let firsts: Vec<u8> = after_cuts(&disk).iter().filter_map(|d| Some(sectors(d)?[0])).collect();
    for version in [OLD, 10, 11, 12] {
        assert!(firsts.contains(&version), "{version} never survived");
    }
}

#[test]
fn a_sync_saves_only_what_had_completed_when_it_was_submitted() {
    let (mut disk, inode) = disk_with_file(2);
    let late = begin(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    write(&mut disk, inode, BLOCK, &[NEW; BLOCK_BYTES]);
    let sync = disk.begin_sync(inode, SyncKind::All);
    disk.end_write(late, BLOCK);
    disk.end_sync(sync);
    let outcomes = after_cuts(&disk);
    let kept: Vec<Vec<u8>> = outcomes.iter().filter_map(sectors).collect();
    assert!(kept.iter().all(|s| s[8..] == [NEW; 8]), "the completed write is saved");
    assert!(kept.iter().any(|s| s[..8] == [OLD; 8]), "the late one was saved every time");
}

#[test]
fn the_sync_of_one_file_saves_the_completed_writes_of_all_but_not_their_sizes() {
    let (mut disk, inode) = disk_with_file(1);
    let other = create(&mut disk, "/other");
    sync(&mut disk, ROOT, SyncKind::All);
    write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]); // in place: no inode changes
    write(&mut disk, inode, BLOCK, &[NEW; BLOCK_BYTES]); // the file grows
    sync(&mut disk, other, SyncKind::Data);
    let outcomes: Vec<Vec<u8>> = after_cuts(&disk).iter().filter_map(sectors).collect();
    assert!(outcomes.iter().all(|s| s[..8] == [NEW; 8]), "data in place is saved");
    assert!(outcomes.iter().any(|s| s.len() == 8), "the new size was saved every time");
    assert!(outcomes.iter().any(|s| s.len() == 16), "the new size never survived by itself");
}

#[test]
fn blocks_that_were_allocated_and_not_synced_read_as_zeros_or_data_never_as_rubbish() {
    let (mut disk, _) = disk_with_file(1);
    let inode = create(&mut disk, "/segment");
    disk.allocate(inode, 0..4 * BLOCK).expect("room");
    sync(&mut disk, inode, SyncKind::All);
    sync(&mut disk, ROOT, SyncKind::All);
    write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    let journal = disk.open(path(), OpenHow::default()).expect("there").inode;
    sync(&mut disk, journal, SyncKind::Data); // flushes the data, but not that it was written
    let mut seen = BTreeMap::new();
    for cut in after_cuts(&disk) {
        let bytes = read(&cut, Path::new("/segment")).expect("readable");
        assert_eq!(bytes.len(), 4 * BLOCK_BYTES, "the size was synced");
        assert!(whole(&bytes[..BLOCK_BYTES], 0) || whole(&bytes[..BLOCK_BYTES], NEW));
        *seen.entry(bytes[0]).or_insert(0) += 1;
    }
    assert!(seen.contains_key(&0) && seen.contains_key(&NEW), "{seen:?}");
}

#[test]
fn a_name_is_saved_by_its_directory_and_by_nothing_else() {
    let (mut disk, _) = disk_with_file(1);
    let new = create(&mut disk, "/new");
    write(&mut disk, new, 0, &[NEW; BLOCK_BYTES]);
    sync(&mut disk, new, SyncKind::All);
    let exists = |disk: &Disk| disk.exists(Path::new("/new")).is_ok();
    let outcomes = after_cuts(&disk);
    assert!(outcomes.iter().any(|d| !exists(d)), "fsync of the file saved its name");
    assert!(outcomes.iter().any(exists), "the name never survived by itself");
    sync(&mut disk, ROOT, SyncKind::All);
    for cut in after_cuts(&disk) {
        assert_eq!(read(&cut, Path::new("/new")), Ok(vec![NEW; BLOCK_BYTES]));
    }
}

#[test]
fn an_unsynced_removal_may_come_back_with_its_content() {
    let (mut disk, _) = disk_with_file(1);
    disk.unlink(path(), UnlinkKind::File).expect("there");
    let outcomes = after_cuts(&disk);
    let back: Vec<&Disk> = outcomes.iter().filter(|d| d.exists(path()).is_ok()).collect();
    assert!(!back.is_empty() && back.len() < outcomes.len());
    assert!(back.iter().all(|d| read(d, path()) == Ok(vec![OLD; BLOCK_BYTES])));
    sync(&mut disk, ROOT, SyncKind::All);
    assert!(after_cuts(&disk).iter().all(|d| d.exists(path()).is_err()));
}

#[test]
fn a_rename_happens_as_a_whole_or_not_at_all() {
    let (mut disk, _) = disk_with_file(1);
    disk.make_dir(Path::new("/folder")).expect("new");
    sync(&mut disk, ROOT, SyncKind::All);
    let new = create(&mut disk, "/layout.new");
    write(&mut disk, new, 0, &[NEW; BLOCK_BYTES]);
    sync(&mut disk, new, SyncKind::All);
    sync(&mut disk, ROOT, SyncKind::All);
    for target in ["/journal", "/folder/journal"] {
        let mut disk = disk.clone();
        let (from, to) = (Path::new("/layout.new"), Path::new(target));
        disk.rename(from, to).expect("there");
        let (mut old, mut moved) = (0, 0);
        for cut in after_cuts(&disk) {
            match (cut.exists(from), read(&cut, to)) {
                (Ok(()), Ok(bytes)) => {
                    assert_eq!((bytes[0], target), (OLD, "/journal"));
                    old += 1;
                }
                (Ok(()), Err(_)) => old += 1,
                (Err(_), Ok(bytes)) => {
                    assert!(whole(&bytes, NEW));
                    moved += 1;
                }
                (Err(_), Err(_)) => panic!("both names of {target} are gone"),
            }
        }
        assert!(old > 0 && moved > 0, "{target}: {old} old, {moved} moved");
    }
}

#[test]
fn names_of_one_directory_survive_in_order() {
    let (mut disk, _) = disk_with_file(1);
    for name in ["/a", "/b", "/c"] {
        create(&mut disk, name);
    }
    let mut counts = [0; 4];
    for cut in after_cuts(&disk) {
        let kept = ["/a", "/b", "/c"].map(|name| cut.exists(Path::new(name)).is_ok());
        assert!(kept.is_sorted_by(|a, b| a >= b), "{kept:?}");
        counts[kept.iter().filter(|k| **k).count()] += 1;
    }
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

#[test]
fn what_a_lost_directory_holds_is_lost_with_it() {
    let (mut disk, _) = disk_with_file(1);
    disk.make_dir(Path::new("/topic-0")).expect("new");
    let file = create(&mut disk, "/topic-0/log");
    sync(&mut disk, file, SyncKind::All);
    let dir = disk.open(Path::new("/topic-0"), OpenHow::default()).expect("there").inode;
    sync(&mut disk, dir, SyncKind::All); // but not its parent
    let outcomes = after_cuts(&disk);
    let with = |name: &str| outcomes.iter().filter(|d| d.exists(Path::new(name)).is_ok()).count();
    assert!(with("/topic-0") < outcomes.len());
    assert_eq!(with("/topic-0"), with("/topic-0/log"));
}

#[test]
fn sync_fs_saves_names_and_sizes_and_is_no_barrier_for_data() {
    let (mut disk, inode) = disk_with_file(1);
    let new = create(&mut disk, "/new");
    disk.allocate(new, 0..BLOCK).expect("room");
    write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    sync_fs(&mut disk);
    let outcomes = after_cuts(&disk);
    assert!(
        outcomes
            .iter()
            .all(|d| { read(d, Path::new("/new")).is_ok_and(|bytes| bytes.len() == BLOCK_BYTES) })
    );
    assert!(outcomes.iter().any(|d| sectors(d) == Some(vec![OLD; 8])), "it was a barrier");
    sync(&mut disk, new, SyncKind::Data); // this flushes the device
    assert!(after_cuts(&disk).iter().all(|d| sectors(d) == Some(vec![NEW; 8])));
}

#[test]
fn only_a_sector_under_write_is_ever_destroyed() {
    let (mut disk, inode) = disk_with_file(3);
    write(&mut disk, inode, BLOCK, &[NEW; BLOCK_BYTES]); // completed, not flushed
    begin(&mut disk, inode, 2 * BLOCK, &[NEW; BLOCK_BYTES]);
    let (mut destroyed, mut unreadable) = (0, 0);
    for cut in after_cuts(&disk) {
        let mut bytes = vec![0; 3 * BLOCK_BYTES];
        let (quiet, busy) = bytes.split_at_mut(2 * BLOCK_BYTES);
        let mut rng = Rng::new(0);
        let inode = cut.names.find(path()).expect("synced").inode;
        cut.read(inode, 0, quiet, &mut rng).expect("nothing here was under write");
        for sector in quiet.chunks(SECTOR_BYTES) {
            assert!(whole(sector, NEW) || whole(sector, OLD), "destroyed, but not under write");
        }
        match cut.read(inode, 2 * BLOCK, busy, &mut rng) {
            Err(_) => unreadable += 1,
            Ok(_) => {
                let bad = |s: &[u8]| !whole(s, NEW) && !whole(s, OLD);
                destroyed += usize::from(busy.chunks(SECTOR_BYTES).any(bad));
            }
        }
    }
    assert!(destroyed > 0 && unreadable > 0, "{destroyed} rubbish, {unreadable} unreadable");
}

#[test]
fn an_unreadable_sector_is_whole_again_once_it_is_written() {
    let (mut disk, inode) = disk_with_file(1);
    begin(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    let mut cut = after_cuts(&disk)
        .into_iter()
        .find(|cut| read(cut, path()) == Err(libc::EIO))
        .expect("some seed leaves an unreadable sector");
    let inode = cut.names.find(path()).expect("synced").inode;
    write(&mut cut, inode, 0, &[NEW; BLOCK_BYTES]);
    assert_eq!(read(&cut, path()), Ok(vec![NEW; BLOCK_BYTES]));
}

#[test]
fn cached_writes_are_saved_by_a_sync_of_their_own_file_only() {
    let (mut disk, inode) = disk_with_file(1);
    let other = create(&mut disk, "/other");
    sync(&mut disk, ROOT, SyncKind::All);
    disk.write_cached(inode, 100, &[NEW; 50], &mut Rng::new(0)).expect("room");
    assert_eq!(read(&disk, path()).expect("readable")[99..101], [OLD, NEW]);
    sync(&mut disk, other, SyncKind::All);
    let lost = |d: &Disk| read(d, path()) == Ok(vec![OLD; BLOCK_BYTES]);
    assert!(after_cuts(&disk).iter().any(lost), "a stranger's flush saved the page cache");
    sync(&mut disk, inode, SyncKind::Data);
    let mut want = vec![OLD; BLOCK_BYTES];
    want[100..150].fill(NEW);
    assert!(after_cuts(&disk).iter().all(|d| read(d, path()) == Ok(want.clone())));
}

#[test]
fn a_durable_write_saves_its_neighbours_only_if_it_flushes_the_device() {
    for device in [DurableWrite::Flush, DurableWrite::Fua] {
        let (mut disk, inode) = disk_with_file_on(device, 3);
        let other = create(&mut disk, "/other");
        write(&mut disk, other, 0, &[OLD; BLOCK_BYTES]);
        sync(&mut disk, other, SyncKind::All);
        sync(&mut disk, ROOT, SyncKind::All);
        write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]); // completed, and not synced
        write(&mut disk, other, 0, &[NEW; BLOCK_BYTES]);
        write_durably(&mut disk, inode, BLOCK, &[NEW; 2 * BLOCK_BYTES]);
        let outcomes = after_cuts(&disk);
        let lost = |d: &Disk| sectors(d).is_some_and(|s| s[..8].contains(&OLD));
        let lost_other =
            |d: &Disk| read(d, Path::new("/other")).is_ok_and(|bytes| bytes.contains(&OLD));
        for d in &outcomes {
            assert_eq!(sectors(d).expect("readable")[8..], [NEW; 16], "{device:?}: its own bytes");
        }
        let fua = device == DurableWrite::Fua;
        assert_eq!(outcomes.iter().any(lost), fua, "{device:?}: a neighbour in its file");
        assert_eq!(outcomes.iter().any(lost_other), fua, "{device:?}: one in another file");
        sync(&mut disk, inode, SyncKind::Data);
        let outcomes = after_cuts(&disk);
        assert!(!outcomes.iter().any(|d| lost(d) || lost_other(d)), "{device:?}: a sync is a sync");
    }
}

#[test]
fn a_durable_write_with_fua_saves_what_reading_it_back_needs_and_hides_what_it_overwrote() {
    let (mut disk, inode) = disk_with_file_on(DurableWrite::Fua, 1);
    write(&mut disk, inode, BLOCK, &[99; BLOCK_BYTES]); // the file grows
    write_durably(&mut disk, inode, BLOCK, &[NEW; 2 * BLOCK_BYTES]); // and again
    let late = begin(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    for cut in after_cuts(&disk) {
        let inode = cut.names.find(path()).expect("synced").inode;
        assert_eq!(cut.size(inode), 3 * BLOCK);
        let mut bytes = [0; 2 * BLOCK_BYTES];
        cut.read(inode, BLOCK, &mut bytes, &mut Rng::new(0)).expect("readable");
        assert!(whole(&bytes, NEW));
    }
    disk.end_write(late, BLOCK);
    assert_eq!(sectors(&disk), Some(vec![NEW; 24]), "readers see every write");
}

#[test]
fn a_durable_write_with_fua_that_failed_may_be_lost_and_loses_nothing_else() {
    let (mut disk, inode) = disk_with_file_on(DurableWrite::Fua, 2);
    write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    let failing = begin(&mut disk, inode, BLOCK, &[NEW; BLOCK_BYTES]);
    disk.end_write(failing, BLOCK);
    let failing = disk.begin_sync_of_write(inode, failing);
    disk.fail_sync(failing);
    sync(&mut disk, inode, SyncKind::All);
    let outcomes: Vec<Vec<u8>> = after_cuts(&disk).iter().filter_map(sectors).collect();
    assert!(outcomes.iter().all(|s| s[..8] == [NEW; 8]), "the sync saved the other");
    assert!(outcomes.iter().any(|s| s[8..] == [OLD; 8]), "the sync saved what had failed");
    assert!(outcomes.iter().any(|s| s[8..] == [NEW; 8]), "it never survived by itself");
}

#[test]
fn what_a_failed_sync_lost_no_second_sync_saves() {
    for direct in ["direct", "cached"] {
        let (mut disk, inode) = disk_with_file(1);
        match direct {
            "direct" => write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]),
            _ => disk.write_cached(inode, 0, &[NEW; BLOCK_BYTES], &mut Rng::new(0)).expect("room"),
        }
        let failing = disk.begin_sync(inode, SyncKind::Data);
        disk.fail_sync(failing);
        sync(&mut disk, inode, SyncKind::All);
        assert_eq!(sectors(&disk), Some(vec![NEW; 8]), "readers see it still");
        let lost = |d: &Disk| sectors(d).is_some_and(|s| s.contains(&OLD));
        assert!(after_cuts(&disk).iter().any(lost), "{direct}: the second sync saved it");
    }
}

#[test]
fn the_names_that_a_failed_sync_lost_no_second_sync_saves() {
    for dir in ["own", "everything"] {
        let (mut disk, _) = disk_with_file(1);
        create(&mut disk, "/new");
        fail(&mut disk, dir);
        sync(&mut disk, ROOT, SyncKind::All);
        sync_fs(&mut disk);
        let exists = |disk: &Disk| disk.exists(Path::new("/new")).is_ok();
        let outcomes = after_cuts(&disk);
        assert!(exists(&disk), "processes see it still");
        assert!(!outcomes.iter().all(exists), "{dir}: a second sync saved it");
        assert!(outcomes.iter().any(exists), "{dir}: it never survived by itself");
    }
}

/// A sync of the root's names that fails: of the directory itself, or of everything.
fn fail(disk: &mut Disk, what: &str) {
    let failing = match what {
        "own" => disk.begin_sync(ROOT, SyncKind::All),
        _ => disk.begin_sync_fs(),
    };
    disk.fail_sync(failing);
}

#[test]
fn the_size_that_a_failed_sync_lost_no_second_sync_saves() {
    for what in [Some(SyncKind::Data), Some(SyncKind::All), None] {
        let (mut disk, inode) = disk_with_file(1);
        disk.allocate(inode, 0..4 * BLOCK).expect("room");
        let failing = match what {
            Some(kind) => disk.begin_sync(inode, kind),
            None => disk.begin_sync_fs(),
        };
        disk.fail_sync(failing);
        sync(&mut disk, inode, SyncKind::All);
        sync_fs(&mut disk);
        assert_eq!(disk_size(&disk), 4 * BLOCK, "processes see it still");
        let outcomes = after_cuts(&disk);
        let long = |disk: &Disk| disk_size(disk) == 4 * BLOCK;
        assert!(!outcomes.iter().all(long), "{what:?}: a second sync saved it");
        assert!(outcomes.iter().any(long), "{what:?}: it never survived by itself");
    }
}

#[test]
fn the_pages_that_a_failed_sync_of_everything_lost_no_second_sync_saves() {
    let (mut disk, inode) = disk_with_file(1);
    disk.write_cached(inode, 0, &[NEW; BLOCK_BYTES], &mut Rng::new(0)).expect("room");
    let failing = disk.begin_sync_fs();
    disk.fail_sync(failing);
    sync_fs(&mut disk);
    sync(&mut disk, inode, SyncKind::All);
    assert_eq!(sectors(&disk), Some(vec![NEW; 8]), "readers see them still");
    let lost = |d: &Disk| sectors(d).is_some_and(|s| s.contains(&OLD));
    assert!(after_cuts(&disk).iter().any(lost), "a second sync saved them");
}

#[test]
fn what_a_failed_sync_of_everything_lost_is_reported_once_by_each_files_own_sync() {
    let (mut disk, clean) = disk_with_file(1);
    let new = create(&mut disk, "/new");
    let failing = disk.begin_sync_fs();
    write(&mut disk, new, 0, &[NEW; BLOCK_BYTES]); // after it was submitted: not its affair
    disk.fail_sync(failing);
    let owes = |disk: &mut Disk, inode: u64| {
        let sync = disk.begin_sync(inode, SyncKind::All);
        disk.take_error(&sync)
    };
    let again = disk.begin_sync_fs();
    assert!(!disk.take_error(&again), "only the first such sync reports it");
    assert_eq!([clean, new].map(|inode| owes(&mut disk, inode)), [false, false]);
    assert_eq!([ROOT, ROOT].map(|inode| owes(&mut disk, inode)), [true, false]);
    let failing = disk.begin_sync_fs();
    disk.fail_sync(failing);
    assert_eq!([new, new].map(|inode| owes(&mut disk, inode)), [true, false]);
}

#[test]
fn what_is_synced_after_a_failed_sync_is_saved() {
    for what in ["own", "everything"] {
        let (mut disk, _) = disk_with_file(1);
        disk.unlink(path(), UnlinkKind::File).expect("there");
        fail(&mut disk, what);
        let new = create(&mut disk, "/journal");
        write(&mut disk, new, 0, &[NEW; BLOCK_BYTES]);
        sync(&mut disk, new, SyncKind::All);
        sync(&mut disk, ROOT, SyncKind::All);
        for cut in after_cuts(&disk) {
            assert_eq!(read(&cut, path()), Ok(vec![NEW; BLOCK_BYTES]), "{what}");
        }
        create(&mut disk, "/later");
        let later = |d: &Disk| d.exists(Path::new("/later")).is_ok();
        assert!(!after_cuts(&disk).iter().all(later), "{what}: nothing saved that name");
    }
}

#[test]
fn blocks_that_are_placed_after_a_lost_truncation_take_the_old_ones_place() {
    let (mut disk, inode) = disk_with_file(3);
    disk.truncate(inode, 0).expect("a file");
    let failing = disk.begin_sync(inode, SyncKind::All);
    disk.fail_sync(failing);
    write(&mut disk, inode, BLOCK, &[NEW; BLOCK_BYTES]);
    sync(&mut disk, inode, SyncKind::All);
    let mut came_back = 0;
    for cut in after_cuts(&disk) {
        let bytes = read(&cut, path()).expect("readable");
        assert!(whole(&bytes[BLOCK_BYTES..2 * BLOCK_BYTES], NEW));
        came_back += usize::from(bytes.len() == 3 * BLOCK_BYTES && bytes[0] == OLD);
    }
    assert!((1..SEEDS as usize).contains(&came_back), "{came_back}");
}

#[test]
fn a_rename_after_a_lost_one_leaves_one_name() {
    let (mut disk, _) = disk_with_file(1);
    disk.rename(path(), Path::new("/second")).expect("there");
    fail(&mut disk, "own");
    disk.rename(Path::new("/second"), Path::new("/third")).expect("there");
    sync(&mut disk, ROOT, SyncKind::All);
    for cut in after_cuts(&disk) {
        let names: Vec<PathBuf> = cut.files().into_iter().map(|(path, _)| path).collect();
        assert_eq!(names, [Path::new("/third")]);
    }
}

#[test]
fn a_version_that_a_failed_sync_lost_does_not_hide_a_later_one() {
    let (mut disk, inode) = disk_with_file(1);
    write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    let failing = disk.begin_sync(inode, SyncKind::Data);
    disk.fail_sync(failing);
    write(&mut disk, inode, 0, &[99; BLOCK_BYTES]);
    sync(&mut disk, inode, SyncKind::Data);
    assert_eq!(sectors(&disk), Some(vec![99; 8]));
    assert!(after_cuts(&disk).iter().all(|d| sectors(d) == Some(vec![99; 8])));
}

#[test]
fn fdatasync_may_leave_a_file_as_long_as_it_was_before_it_was_cut() {
    let (mut disk, inode) = disk_with_file(2);
    disk.truncate(inode, BLOCK).expect("a file");
    sync(&mut disk, inode, SyncKind::Data);
    let long = |d: &Disk| disk_size(d) == 2 * BLOCK;
    assert!(after_cuts(&disk).iter().any(long));
    sync(&mut disk, inode, SyncKind::All);
    assert!(!after_cuts(&disk).iter().any(long));
}

fn disk_size(disk: &Disk) -> u64 {
    disk.names.find(path()).map_or(0, |entry| disk.size(entry.inode))
}

#[test]
fn what_truncation_cut_off_reads_as_zeros_when_the_file_grows_again() {
    let (mut disk, inode) = disk_with_file(2);
    disk.truncate(inode, 1000).expect("a file");
    disk.truncate(inode, 2 * BLOCK).expect("a file");
    let bytes = read(&disk, path()).expect("readable");
    assert!(whole(&bytes[..1000], OLD) && whole(&bytes[1000..], 0));
}

#[test]
fn a_write_that_a_truncation_overtook_brings_nothing_beyond_the_new_end() {
    for (size, landed) in [(0, 3 * BLOCK), (BLOCK, 3 * BLOCK), (BLOCK + 700, 3 * BLOCK), (700, 0)] {
        let (mut disk, inode) = disk_with_file(1);
        let late = begin(&mut disk, inode, 0, &[NEW; 3 * BLOCK_BYTES]);
        disk.truncate(inode, size).expect("a file");
        disk.allocate(inode, 0..2 * BLOCK).expect("room");
        disk.end_write(late, landed);
        sync(&mut disk, inode, SyncKind::All);
        for disk in after_cuts(&disk).into_iter().chain([disk]) {
            let bytes = read(&disk, path()).expect("readable");
            assert_eq!(bytes.len(), 2 * BLOCK_BYTES, "the allocation's size, not the write's");
            let (kept, beyond) = bytes.split_at(size as usize);
            assert!(landed == 0 || whole(kept, NEW), "cut to {size}");
            assert!(whole(beyond, 0), "cut to {size}, and {landed} bytes landed");
        }
    }
}

#[test]
fn a_write_of_which_some_sectors_landed_leaves_the_others_alone() {
    let (mut disk, inode) = disk_with_file(2);
    let torn = begin(&mut disk, inode, 0, &[NEW; 2 * BLOCK_BYTES]);
    disk.end_write(torn, BLOCK + 3 * SECTOR);
    assert_eq!(sectors(&disk), Some([[NEW; 11].as_slice(), &[OLD; 5]].concat()));
}

#[test]
fn a_disk_that_was_cut_can_be_cut_again_and_has_nothing_left_to_lose() {
    let (mut disk, inode) = disk_with_file(4);
    write(&mut disk, inode, 0, &[NEW; 2 * BLOCK_BYTES]);
    create(&mut disk, "/new");
    for once in after_cuts(&disk).into_iter().take(20) {
        for twice in after_cuts(&once).into_iter().take(5) {
            assert_eq!(read(&once, path()), read(&twice, path()));
            assert_eq!(once.files(), twice.files());
        }
    }
}

#[test]
fn a_full_disk_refuses_new_blocks_and_takes_writes_in_place() {
    let (mut disk, inode) = disk_with_file(4);
    disk.set_capacity(5 * BLOCK);
    assert_eq!(disk.allocate(inode, 0..6 * BLOCK), Err(libc::ENOSPC));
    write(&mut disk, inode, 4 * BLOCK, &[NEW; BLOCK_BYTES]);
    let full = disk.begin_write(inode, 5 * BLOCK, vec![NEW; BLOCK_BYTES].into());
    assert_eq!(full.err(), Some(libc::ENOSPC));
    write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    disk.unlink(path(), UnlinkKind::File).expect("there");
    disk.close(inode);
    sync(&mut disk, ROOT, SyncKind::All);
    let other = create(&mut disk, "/other");
    disk.allocate(other, 0..5 * BLOCK).expect("the removed file's room");
}

#[test]
fn an_image_keeps_its_instant() {
    let (mut disk, inode) = disk_with_file(1);
    let image = Rc::new(disk.clone());
    write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    sync(&mut disk, inode, SyncKind::All);
    disk.unlink(path(), UnlinkKind::File).expect("there");
    assert_eq!(read(&image, path()), Ok(vec![OLD; BLOCK_BYTES]));
}

#[test]
fn rot_turns_one_bit_over_wherever_the_byte_is() {
    let (mut disk, inode) = disk_with_file(1);
    assert!(disk.flip(path(), 700));
    write(&mut disk, inode, 0, &[NEW; BLOCK_BYTES]);
    assert!(disk.flip(path(), 701));
    assert!(!disk.flip(path(), BLOCK) && !disk.flip(Path::new("/none"), 0));
    let bytes = read(&disk, path()).expect("readable");
    let wrong: Vec<usize> = (0..BLOCK_BYTES).filter(|at| bytes[*at] != NEW).collect();
    assert_eq!(wrong, vec![701]);
}
