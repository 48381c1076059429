//! The sizes of a journal and of the tail before it, checked before anything is opened.

use super::format::{COMMIT_HEADER_BYTES, ENTRY_HEADER_BYTES};
use crate::block::BLOCK_BYTES;
use std::fmt;
use std::time::Duration;

/// The sizes of one shard's journal and tail.
#[derive(Clone, Debug)]
pub struct JournalConfig {
    /// One file of the ring (`ringmain.journal.file.bytes`), in bytes; whole blocks.
    pub file_bytes: u64,
    /// How many files a fresh journal makes, at least 2.
    pub files_min: u32,
    /// How many files it may grow to; what a start can read back in two seconds.
    pub files_max: u32,
    /// Journal space that only entries which free space may use, in bytes.
    pub reserve_bytes: u64,
    /// One piece of the tail's memory, in bytes; whole blocks.
    pub chunk_bytes: usize,
    /// All of the tail's memory, in bytes.
    pub tail_bytes: u64,
    /// How many commits may be on their way to the disk at once.
    pub in_flight_max: usize,
    /// How long after its last sync an idle journal writes a mark
    /// (`ringmain.journal.mark.delay.ms`).
    pub mark_delay: Duration,
}

impl Default for JournalConfig {
    fn default() -> JournalConfig {
        JournalConfig {
            file_bytes: 16 << 20,
            files_min: 4,
            // 512 MiB are read at 0.9 GB/s and more (measured), so in 0.6 s, and replayed in 2.
            files_max: 32,
            reserve_bytes: 1 << 20,
            chunk_bytes: 256 << 10,
            tail_bytes: 64 << 20,
            in_flight_max: 4,
            mark_delay: Duration::from_millis(5),
        }
    }
}

impl JournalConfig {
    /// The longest payload of one entry: it fits one journal file and a quarter of the tail.
    pub fn largest_payload_bytes(&self) -> usize {
        let commit = self.file_bytes.min(self.tail_bytes / 4).min(u64::from(u32::MAX));
        let commit = usize::try_from(commit).unwrap_or(usize::MAX) / BLOCK_BYTES * BLOCK_BYTES;
        commit.saturating_sub(COMMIT_HEADER_BYTES + ENTRY_HEADER_BYTES)
    }

    /// The size of the very first file of a ring. A fresh broker opens its port when that is there;
    /// files of full size follow in the background, and the first is removed when it is recycled.
    pub fn first_file_bytes(&self) -> u64 {
        self.file_bytes.min(4 * self.reserve_bytes)
    }

    /// Refuses sizes that contradict each other, naming the first.
    pub fn check(&self) -> Result<(), ConfigError> {
        let block = BLOCK_BYTES as u64;
        let smallest_ring = u64::from(self.files_min) * self.file_bytes;
        let whole_blocks = |bytes: u64| bytes > 0 && bytes.is_multiple_of(block);
        let rules = [
            (whole_blocks(self.file_bytes), ConfigError::FileBytes(self.file_bytes)),
            (self.file_bytes >= 4 * block, ConfigError::FileBytes(self.file_bytes)),
            // A scan holds one file in memory, and a commit's length is a u32.
            (self.file_bytes <= 1 << 30, ConfigError::FileBytes(self.file_bytes)),
            (whole_blocks(self.chunk_bytes as u64), ConfigError::ChunkBytes(self.chunk_bytes)),
            (
                (2..=self.files_max).contains(&self.files_min),
                ConfigError::Files { min: self.files_min, max: self.files_max },
            ),
            (
                self.reserve_bytes >= 4 * block && self.reserve_bytes <= smallest_ring / 4,
                ConfigError::ReserveBytes { reserve: self.reserve_bytes, ring: smallest_ring },
            ),
            (
                self.tail_bytes / 4 >= self.chunk_bytes as u64,
                ConfigError::TailBytes { tail: self.tail_bytes, chunk: self.chunk_bytes },
            ),
            ((1..=64).contains(&self.in_flight_max), ConfigError::InFlightMax(self.in_flight_max)),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

/// A size that a journal cannot be run with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Not whole blocks, or out of range.
    FileBytes(u64),
    /// Not whole blocks.
    ChunkBytes(usize),
    /// Fewer than two files, or a maximum below the minimum.
    Files {
        /// `files_min`.
        min: u32,
        /// `files_max`.
        max: u32,
    },
    /// Too small to be of use, or most of the journal.
    ReserveBytes {
        /// `reserve_bytes`.
        reserve: u64,
        /// The smallest ring.
        ring: u64,
    },
    /// Less than four chunks.
    TailBytes {
        /// `tail_bytes`.
        tail: u64,
        /// `chunk_bytes`.
        chunk: usize,
    },
    /// None, or more than a ring of commits makes sense for.
    InFlightMax(usize),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::FileBytes(bytes) => write!(
                f,
                "ringmain.journal.file.bytes is {bytes}: set a multiple of 4096 from 16384 to 1 GiB"
            ),
            ConfigError::ChunkBytes(bytes) => {
                write!(f, "a tail chunk of {bytes} bytes: set a multiple of 4096")
            }
            ConfigError::Files { min, max } => {
                write!(f, "a journal of {min} to {max} files: set at least 2, and a larger maximum")
            }
            ConfigError::ReserveBytes { reserve, ring } => write!(
                f,
                "a journal reserve of {reserve} bytes in a ring of {ring}: \
                 set 16384 to a quarter of the ring"
            ),
            ConfigError::TailBytes { tail, chunk } => {
                write!(f, "a tail of {tail} bytes in chunks of {chunk}: set at least four chunks")
            }
            ConfigError::InFlightMax(count) => {
                write!(f, "{count} journal commits in flight: set 1 to 64")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_consistent_and_a_batch_fits_a_file_and_a_quarter_of_the_tail() {
        let config = JournalConfig::default();
        assert_eq!(config.check(), Ok(()));
        assert_eq!(config.largest_payload_bytes(), (16 << 20) - 136);
        let small_tail = JournalConfig { tail_bytes: 1 << 20, ..config };
        assert_eq!(small_tail.largest_payload_bytes(), (256 << 10) - 136);
    }

    #[test]
    fn contradictory_sizes_are_refused_by_name() {
        let good = JournalConfig::default();
        for (bad, name) in [
            (JournalConfig { file_bytes: 5000, ..good.clone() }, "file.bytes"),
            (JournalConfig { file_bytes: 2 << 30, ..good.clone() }, "file.bytes"),
            (JournalConfig { files_min: 1, ..good.clone() }, "1 to 32 files"),
            (JournalConfig { files_max: 3, ..good.clone() }, "4 to 3 files"),
            (JournalConfig { reserve_bytes: 32 << 20, ..good.clone() }, "reserve"),
            (JournalConfig { tail_bytes: 1 << 18, ..good.clone() }, "tail"),
            (JournalConfig { in_flight_max: 0, ..good.clone() }, "in flight"),
        ] {
            let error = bad.check().expect_err(name).to_string();
            assert!(error.contains(name), "{error}");
        }
    }
}
