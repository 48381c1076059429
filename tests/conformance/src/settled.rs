//! How many records lie in segments on disk, counted from the outside by Kafka's batch headers.
//!
//! ```text
//! base offset   i64 BE   0
//! batch length  i32 BE   8    the bytes behind this field
//! ...
//! last delta    i32 BE   23   the batch holds this many records and one
//! ```

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const LENGTH_AT: usize = 8;
const LAST_DELTA_AT: usize = 23;
const HEADER_BYTES: usize = 27;
/// What stands before the bytes that the length counts.
const PREFIX_BYTES: i64 = 12;

/// The number of records in all segments below `data`, those of internal topics excepted.
///
/// A file that is being written may end in zeroes or in a part of a batch: counting ends there.
pub fn records(data: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(data) else { return 0 };
    let mut count = 0;
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            count += if name.starts_with("__") { 0 } else { records(&path) };
        } else if is_segment(&name) {
            count += segment_records(&path);
        }
    }
    count
}

/// Kafka names a segment after its first offset, in twenty digits.
fn is_segment(name: &str) -> bool {
    let stem = name.strip_suffix(".log").unwrap_or("");
    stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit())
}

fn segment_records(path: &Path) -> u64 {
    // It may have been deleted since it was listed.
    let Ok(mut file) = File::open(path) else { return 0 };
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let (mut at, mut count) = (0, 0);
    let mut header = [0; HEADER_BYTES];
    while at + HEADER_BYTES as u64 <= size {
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut header));
        let length = i64::from(int_at(&header, LENGTH_AT));
        let end = at + (PREFIX_BYTES + length.max(0)) as u64;
        if read.is_err() || length <= 0 || end > size {
            break;
        }
        count += int_at(&header, LAST_DELTA_AT) as u64 + 1;
        at = end;
    }
    count
}

fn int_at(header: &[u8; HEADER_BYTES], at: usize) -> i32 {
    let bytes = header[at..at + 4].try_into().expect("the slice has four bytes");
    i32::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::records;
    use crate::workspace;

    fn batch(records: u32) -> Vec<u8> {
        let mut bytes = vec![7; 80];
        bytes[8..12].copy_from_slice(&68_i32.to_be_bytes());
        bytes[23..27].copy_from_slice(&(records - 1).to_be_bytes());
        bytes
    }

    #[test]
    fn records_of_whole_batches_are_counted_and_zeroes_and_torn_batches_are_not() {
        let folder = workspace::fresh_folder("settled");
        let partition = folder.join("flights-0");
        let internal = folder.join("__consumer_offsets-0");
        for made in [&partition, &internal] {
            std::fs::create_dir_all(made).expect("target can be written");
            let torn = [batch(3), batch(5), batch(9)[..70].to_vec()].concat();
            let zeroes = [batch(2), vec![0; 500]].concat();
            std::fs::write(made.join("00000000000000000000.log"), torn).expect("as above");
            std::fs::write(made.join("00000000000000000008.log"), zeroes).expect("as above");
            std::fs::write(made.join("notes.log"), batch(7)).expect("as above");
        }
        assert_eq!(records(&folder), 10);
        std::fs::remove_dir_all(&folder).expect("it was just made");
    }
}
