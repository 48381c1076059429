//! Places in a journal, as numbers that the manifest can keep.

use crate::block::BLOCK_BYTES;
use std::fmt;

/// Where a commit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The number in the file's name.
    pub(crate) file: u32,
    /// Bytes from the file's start, a multiple of the block.
    pub(crate) position: u64,
}

/// Where a replay begins, and the chain's value there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayFrom {
    /// The first commit to be replayed.
    pub sequence: u64,
    /// Its place: the number in the name of its file.
    pub file: u32,
    /// Its place in the file, counted in blocks of 4096 bytes.
    pub block: u32,
    /// The CRC of the commit before it.
    pub previous_crc: u32,
}

/// One entry of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryPlace {
    /// Its commit.
    pub sequence: u64,
    /// Which of the commit's entries, from 0.
    pub entry: u32,
}

impl Place {
    /// Whole blocks before this place.
    pub(crate) fn block(&self) -> u32 {
        u32::try_from(self.position / BLOCK_BYTES as u64).expect("a file has at most 1 GiB")
    }
}

impl ReplayFrom {
    pub(crate) fn place(&self) -> Place {
        Place { file: self.file, position: u64::from(self.block) * BLOCK_BYTES as u64 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at position {}", file_name(self.file), self.position)
    }
}

/// `journal-00007.rj`.
pub(crate) fn file_name(number: u32) -> String {
    format!("journal-{number:05}.rj")
}

/// The number in the name of a journal file.
pub(crate) fn file_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("journal-")?.strip_suffix(".rj")?;
    let number = digits.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_and_number_are_each_others() {
        for number in [0, 7, 99_999, 100_000, u32::MAX] {
            assert_eq!(file_number(&file_name(number)), Some(number));
        }
        for name in ["journal-7.rj", "journal-00007.rj.new", "journal-+0007.rj", "manifest-1.rm"] {
            assert_eq!(file_number(name), None, "{name}");
        }
    }
}
