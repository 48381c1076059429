//! Every case of the decision table, on journals drawn by hand.

use super::*;
use crate::block::BLOCK_BYTES;

const BLOCK: u64 = BLOCK_BYTES as u64;
const FILE: u64 = 4 * BLOCK;

/// A journal that is written commit by commit, each a block long.
struct Drawn {
    files: Vec<FileFound>,
    generation: u64,
    last_crc: u32,
}

impl Drawn {
    fn new(files: u32) -> Drawn {
        let file = |number| FileFound {
            number,
            size_bytes: FILE,
            commits: Vec::new(),
            tombstones: Vec::new(),
            truncations: Vec::new(),
        };
        Drawn { files: (0..files).map(file).collect(), generation: 1, last_crc: 0 }
    }

    /// Overwrites what stands there.
    fn put(&mut self, file: u32, block: u64, sequence: u64, mark: u64) -> &mut CommitFound {
        let kind = if sequence == 1 { CommitKind::Opening } else { CommitKind::Entries };
        self.put_kind(kind, file, block, sequence, mark)
    }

    fn put_kind(
        &mut self,
        kind: CommitKind,
        file: u32,
        block: u64,
        sequence: u64,
        mark: u64,
    ) -> &mut CommitFound {
        let header = CommitHeader {
            shard: 0,
            kind,
            generation: self.generation,
            sequence,
            file,
            entry_count: 0,
            position: block * BLOCK,
            length: 96,
            previous_crc: self.last_crc,
            mark,
            manifest_mark: mark / 2,
            journal_id: 9,
            begun_ms: 0,
        };
        let crc = header.encode(0).1;
        self.last_crc = crc;
        let commits = &mut self.files[file as usize].commits;
        commits.retain(|c| c.header.position != header.position);
        let at = commits.partition_point(|c| c.header.position < header.position);
        commits.insert(at, CommitFound { header, crc, entries: EntriesFound::Whole });
        &mut commits[at]
    }

    fn remove(&mut self, file: u32, block: u64) {
        self.files[file as usize].commits.retain(|c| c.header.position != block * BLOCK);
    }

    fn follow(&self) -> Result<Chain, Rot> {
        follow(&self.files, None)
    }
}

/// Commits 1 to 6: four in file 0, two in file 1; 4 is marked.
fn six() -> Drawn {
    let mut drawn = Drawn::new(3);
    for n in 1..=6 {
        let (file, block) = if n <= 4 { (0, n - 1) } else { (1, n - 5) };
        drawn.put(file, block, n, n.saturating_sub(2));
    }
    drawn
}

#[test]
fn an_empty_ring_is_a_journal_that_has_not_begun() {
    let chain = Drawn::new(3).follow().expect("no rot");
    assert_eq!((chain.last_sequence(), chain.last_crc, chain.generation), (0, 0, 0));
    assert_eq!(chain.end, None);
    assert_eq!(follow(&[], None).expect("no rot").last_sequence(), 0);
}

#[test]
fn the_chain_goes_over_files_and_ends_where_nothing_follows() {
    let drawn = six();
    let chain = drawn.follow().expect("no rot");
    assert_eq!((chain.last_sequence(), chain.last_crc), (6, drawn.last_crc));
    assert_eq!(chain.end, Some(Place { file: 1, position: 2 * BLOCK }));
    assert_eq!((chain.generation, chain.manifest_mark), (1, 2));
}

#[test]
fn a_torn_commit_above_all_marks_is_the_end_and_its_place_is_used_again() {
    for headless in [false, true] {
        let mut drawn = six();
        if headless {
            drawn.remove(1, 0);
        } else {
            drawn.files[1].commits[0].entries = EntriesFound::Torn;
        }
        // Commit 6 is a ghost: whole, but behind a torn one.
        let chain = drawn.follow().expect("5 was never marked");
        assert_eq!(chain.last_sequence(), 4);
        // File 0 is full, so the next commit will find another file by itself.
        assert_eq!(chain.end, Some(Place { file: 0, position: FILE }));
    }
    let mut drawn = six();
    drawn.remove(1, 1);
    let chain = drawn.follow().expect("6 was never marked");
    assert_eq!(chain.end, Some(Place { file: 1, position: BLOCK }));
}

#[test]
fn a_damaged_commit_at_or_below_a_mark_is_rot_with_its_place() {
    for n in 1..=4u64 {
        let mut drawn = six();
        drawn.files[0].commits[n as usize - 1].entries = EntriesFound::Torn;
        let rot = drawn.follow().expect_err("4 is marked");
        assert_eq!((rot.sequence(), rot.marked()), (n, 4));
        assert_eq!((rot.file(), rot.position()), (0, (n - 1) * BLOCK), "commit {n}");
        assert!(rot.to_string().contains("journal-00000.rj at position"), "{rot}");
    }
    // At the front of a file even the header may be gone.
    let mut drawn = six();
    drawn.put(1, 2, 7, 5);
    drawn.remove(1, 0);
    let rot = drawn.follow().expect_err("5 is marked");
    assert_eq!((rot.sequence(), rot.file(), rot.position()), (5, 1, 0));
}

#[test]
fn a_mark_counts_even_in_a_commit_that_the_chain_does_not_reach() {
    let mut drawn = six();
    drawn.put(1, 2, 7, 6).entries = EntriesFound::Torn;
    drawn.remove(1, 0);
    let rot = drawn.follow().expect_err("6 is marked by 7, which is behind the damage");
    assert_eq!((rot.sequence(), rot.marked()), (5, 6));
}

#[test]
fn a_ghost_does_not_continue_the_next_generation() {
    let mut drawn = six();
    drawn.remove(1, 0); // 5 is torn, 6 stands behind it at file 1, block 1
    drawn.last_crc = drawn.files[0].commits[3].crc;
    drawn.generation = 2;
    drawn.put_kind(CommitKind::Opening, 1, 0, 5, 4);
    let chain = drawn.follow().expect("no rot");
    assert_eq!((chain.last_sequence(), chain.generation), (5, 2));
    assert_eq!(chain.end, Some(Place { file: 1, position: BLOCK }));
    // Not even one with the right chain value: the generation decides.
    let opening = drawn.last_crc;
    drawn.files[1].commits[1].header.previous_crc = opening;
    assert_eq!(drawn.follow().expect("no rot").last_sequence(), 5);
}

#[test]
fn a_generation_rises_by_an_opening_only() {
    let mut drawn = six();
    drawn.generation = 2;
    drawn.put(1, 2, 7, 4);
    assert_eq!(drawn.follow().expect("no rot").last_sequence(), 6);
    let mut drawn = six();
    drawn.put_kind(CommitKind::Opening, 1, 2, 7, 4);
    assert_eq!(drawn.follow().expect("no rot").last_sequence(), 6, "same generation again");
    let mut drawn = six();
    drawn.generation = 5;
    drawn.put_kind(CommitKind::Opening, 1, 2, 7, 4);
    assert_eq!(drawn.follow().expect("no rot").generation, 5);
}

#[test]
fn commits_of_an_earlier_round_are_not_the_journals_end() {
    let mut drawn = six();
    for (block, n) in [(2, 7), (3, 8)] {
        drawn.put(1, block, n, n - 1);
    }
    for (block, n) in [(0, 9), (1, 10)] {
        drawn.put(0, block, n, n - 1); // file 0 is used again; 3 and 4 stand behind
    }
    let first = drawn.files[1].commits[0].header;
    let from = ReplayFrom { sequence: 5, file: 1, block: 0, previous_crc: first.previous_crc };
    let chain = follow(&drawn.files, Some(from)).expect("no rot");
    assert_eq!((chain.first_sequence, chain.last_sequence()), (5, 10));
    assert_eq!(chain.end, Some(Place { file: 0, position: 2 * BLOCK }));
    let rot = drawn.follow().expect_err("without a manifest the first six are missed");
    assert_eq!(rot.sequence(), 1);
}

#[test]
fn a_replay_may_begin_with_the_commit_that_is_next() {
    let drawn = six();
    let next = |block, previous_crc| ReplayFrom { sequence: 7, file: 1, block, previous_crc };
    let from = next(2, drawn.last_crc);
    let chain = follow(&drawn.files, Some(from)).expect("7 was never marked");
    assert_eq!((chain.last_sequence(), chain.last_crc), (6, drawn.last_crc));
    assert_eq!(chain.end, Some(from.place()));
    // It may have been too long for its file, and stand at the front of the next.
    let mut drawn = six();
    drawn.put(2, 0, 7, 6);
    let chain = follow(&drawn.files, Some(from)).expect("no rot");
    assert_eq!((chain.last_sequence(), chain.commits[0].place.file), (7, 2));
}

#[test]
fn another_commit_where_the_replay_begins_is_rot() {
    let drawn = six();
    let from = ReplayFrom { sequence: 3, file: 0, block: 2, previous_crc: 0x0bad };
    let rot = follow(&drawn.files, Some(from)).expect_err("4 is marked");
    assert_eq!((rot.sequence(), rot.file(), rot.position()), (3, 0, 2 * BLOCK));
}

#[test]
fn of_two_commits_that_fit_the_later_generation_counts() {
    // A torn commit that a read error hid, and that is whole again, beside the opening that took
    // its sequence.
    let mut drawn = six();
    drawn.remove(1, 1);
    let fork = drawn.files[1].commits[0].crc;
    drawn.last_crc = fork;
    drawn.put(2, 0, 6, 4);
    drawn.last_crc = fork;
    drawn.generation = 2;
    drawn.put_kind(CommitKind::Opening, 1, 1, 6, 5);
    let chain = drawn.follow().expect("no rot");
    assert_eq!((chain.last_sequence(), chain.generation), (6, 2));
    assert_eq!(chain.end, Some(Place { file: 1, position: 2 * BLOCK }));
}

#[test]
fn tombstones_are_collected_from_the_chain_alone() {
    let log = |n| LogId { topic_id: [n; 16], partition: 0 };
    let mut drawn = six();
    drawn.files[0].tombstones = vec![(2 * BLOCK, log(3))];
    drawn.files[1].tombstones = vec![(0, log(5)), (BLOCK, log(6))];
    drawn.files[1].commits[1].entries = EntriesFound::Torn;
    assert_eq!(drawn.follow().expect("no rot").tombstones, [(3, log(3)), (5, log(5))]);
}
