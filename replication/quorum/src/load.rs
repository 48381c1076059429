//! Reads the metadata log back into an image.

use std::fmt;

use metadata::{DecodeError, MetadataEntry, MetadataImage};
use record::{BatchError, Offset, ReadLimits, RecordsError};
use storage::{Log, LogReadError};

/// How much of the log is looked at in one piece.
const READ_SIZE: u32 = 1024 * 1024;
/// A metadata record is a few hundred bytes to a topic with thousands of partitions; more than this
/// in one batch is no metadata.
const BATCH_SIZE_MAX: usize = 64 * 1024 * 1024;

/// Why the metadata can't be read back.
#[derive(Debug)]
pub enum LoadError {
    /// The log does not answer.
    Read(LogReadError),
    /// A batch is damaged.
    Batch(Offset, BatchError),
    /// The records of a batch are damaged.
    Records(Offset, RecordsError),
    /// A record is none of ours.
    Entry(Offset, DecodeError),
    /// A record that says that it stands elsewhere.
    Misplaced(Offset),
    /// The log has no batch where it goes on.
    Missing {
        /// Where.
        at: Offset,
        /// Where the log ends.
        end: Offset,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the metadata log __cluster_metadata-0 ")?;
        match self {
            // It says itself what to do.
            LoadError::Read(e @ LogReadError::Segment(_)) => {
                return write!(f, "can't be read: {e}");
            }
            // A newer broker wrote it, which is no damage.
            LoadError::Entry(at, e @ DecodeError::Version(_)) => {
                return write!(f, "can't be understood at offset {at}: {e}");
            }
            LoadError::Read(e) => write!(f, "can't be read: {e}"),
            // Their own words tell a producer what to do.
            LoadError::Batch(at, BatchError::CrcMismatch { stored, computed }) => write!(
                f,
                "is damaged at offset {at}: the batch says that its CRC is {stored:#010x}, and its \
                 bytes give {computed:#010x}"
            ),
            LoadError::Batch(at, e) => write!(f, "is damaged at offset {at} ({e:?})"),
            LoadError::Records(at, e) => write!(f, "is damaged at offset {at} ({e:?})"),
            LoadError::Entry(at, e) => write!(f, "can't be understood at offset {at} ({e})"),
            LoadError::Misplaced(at) => write!(f, "has another offset's record at offset {at}"),
            LoadError::Missing { at, end } => {
                write!(f, "ends at offset {end} and has nothing at offset {at}")
            }
        }?;
        write!(f, ": restore the data folder from a copy; `ringmain log dump` shows what is there")
    }
}

impl std::error::Error for LoadError {}

/// Applies every record of the log, in order.
pub(crate) async fn load(log: &Log) -> Result<MetadataImage, LoadError> {
    let mut image = MetadataImage::default();
    let end = log.log_end_offset();
    let mut next = log.log_start_offset();
    while next < end {
        let bytes = log.read_whole(next, end, READ_SIZE).await.map_err(LoadError::Read)?;
        next = apply_piece(&mut image, &bytes, next, end)?;
    }
    Ok(image)
}

/// Applies what was read at `at`; returns where to read on.
fn apply_piece(
    image: &mut MetadataImage,
    bytes: &[u8],
    at: Offset,
    end: Offset,
) -> Result<Offset, LoadError> {
    let mut next = at;
    for batch in record::split(bytes) {
        let batch = batch.map_err(|e| LoadError::Batch(next, e))?;
        apply_batch(image, &batch)?;
        next = batch.last_offset().plus(1);
    }
    // Without a batch the same place would be read for ever.
    if next > at { Ok(next) } else { Err(LoadError::Missing { at, end }) }
}

fn apply_batch(image: &mut MetadataImage, batch: &record::BatchView<'_>) -> Result<(), LoadError> {
    let at = batch.base_offset();
    batch.validate_crc().map_err(|e| LoadError::Batch(at, e))?;
    let limits = ReadLimits { decompressed_size_max_bytes: BATCH_SIZE_MAX };
    let records = record::records(batch, &limits).map_err(|e| LoadError::Records(at, e))?;
    for record in records.iter() {
        let record = record.map_err(|e| LoadError::Records(at, e))?;
        let value = record.value.unwrap_or_default();
        let entry = MetadataEntry::decode(value).map_err(|e| LoadError::Entry(record.offset, e))?;
        if entry.position.index != record.offset.0 as u64 {
            return Err(LoadError::Misplaced(record.offset));
        }
        // A record that was refused when it was proposed is refused again, by the same rule.
        let _refused_again = image.apply(entry.position, &entry.record);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_finds_nothing_below_the_end_is_an_error_with_its_place() {
        let mut image = MetadataImage::default();
        let error = apply_piece(&mut image, &[], Offset(3), Offset(9)).expect_err("nothing there");
        assert!(matches!(error, LoadError::Missing { at: Offset(3), end: Offset(9) }));
        let words = error.to_string();
        assert!(words.contains("nothing at offset 3") && words.contains("restore"), "{words}");
    }

    /// The operator used to be told to send the batch again.
    #[test]
    fn damage_tells_an_operator_what_to_do_and_nothing_that_a_producer_would() {
        let damaged = [
            LoadError::Batch(Offset(3), BatchError::CrcMismatch { stored: 1, computed: 2 }),
            LoadError::Batch(Offset(3), BatchError::LengthTooSmall { length: 7 }),
            LoadError::Records(Offset(3), RecordsError::TrailingBytes { extra_bytes: 9 }),
            LoadError::Misplaced(Offset(3)),
            LoadError::Read(LogReadError::Batch(Offset(3))),
        ];
        for error in damaged {
            let words = error.to_string();
            assert!(words.contains(" 3") && words.contains("restore the data folder"), "{words}");
            assert!(!words.contains("again") && !words.contains("producer"), "{words}");
        }
    }
}
