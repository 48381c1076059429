//! How many records lie in segments on disk, counted from the outside by Kafka's batch headers.
//!
//! ```text
//! base offset   i64 BE   0
//! batch length  i32 BE   8    the bytes behind this field
//! ...
//! last delta    i32 BE   23   the batch holds this many records and one
//! ```
//!
//! A broker may allocate a segment in advance, so that zeroes follow what it holds; and it may keep
//! the end of the last batch, less than a block, elsewhere.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::segments::{self, Part};

const LENGTH_AT: usize = 8;
const LAST_DELTA_AT: usize = 23;
const HEADER_BYTES: usize = 27;
/// What stands before the bytes that the length counts.
const PREFIX_BYTES: u64 = 12;
/// What is read at once to find where zeroes begin.
const STEP_BYTES: u64 = 64 << 10;

/// The number of records in the segments of each topic below `data`. Of a batch that is there in
/// part, as large a part of its records counts.
pub fn records(data: &Path) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for file in segments::files(data) {
        if file.part == Part::Log {
            // It may have been deleted since it was listed.
            let count = segment_records(&data.join(&file.path)).unwrap_or(0);
            *counts.entry(file.topic).or_default() += count;
        }
    }
    counts
}

fn segment_records(path: &Path) -> io::Result<u64> {
    let file = File::open(path)?;
    let end = content_end(&file)?;
    let (mut at, mut count) = (0, 0);
    let mut header = [0; HEADER_BYTES];
    while at + HEADER_BYTES as u64 <= end {
        file.read_exact_at(&mut header, at)?;
        let length = int_at(&header, LENGTH_AT);
        let Some(length) = u64::try_from(length).ok().filter(|&length| length > 0) else { break };
        let size = PREFIX_BYTES + length;
        let records = int_at(&header, LAST_DELTA_AT).max(0) as u64 + 1;
        count += records * size.min(end - at) / size;
        at += size;
    }
    Ok(count)
}

/// Where the file ends but for zeroes.
fn content_end(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut buffer = vec![0; STEP_BYTES as usize];
    while end > 0 {
        let start = (end - 1) / STEP_BYTES * STEP_BYTES;
        let step = &mut buffer[..(end - start) as usize];
        file.read_exact_at(step, start)?;
        if let Some(last) = step.iter().rposition(|&byte| byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn int_at(header: &[u8; HEADER_BYTES], at: usize) -> i32 {
    let bytes = header[at..at + 4].try_into().expect("the slice has four bytes");
    i32::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::{STEP_BYTES, records};
    use crate::workspace;

    fn batch(records: u32) -> Vec<u8> {
        let mut bytes = vec![7; 80];
        bytes[8..12].copy_from_slice(&68_i32.to_be_bytes());
        bytes[23..27].copy_from_slice(&(records - 1).to_be_bytes());
        bytes
    }

    #[test]
    fn records_are_counted_by_topic_and_of_a_torn_batch_in_part_and_of_zeroes_none() {
        let data = workspace::fresh_folder("settled");
        let torn = [batch(3), batch(5), batch(9)[..50].to_vec()].concat();
        let zeroes = [batch(2), vec![0; 3 * STEP_BYTES as usize]].concat();
        for (folder, name, content) in [
            ("flights-0.id", "00000000000000000000.log", &torn),
            ("flights-0.id", "00000000000000000017.log", &zeroes),
            ("flights-1.id", "00000000000000000000.log", &vec![0; 4096]),
            ("other-0.id", "00000000000000000000.log", &zeroes),
        ] {
            let folder = data.join(folder);
            std::fs::create_dir_all(&folder).expect("target can be written");
            std::fs::write(folder.join(name), content).expect("target can be written");
        }
        let found = records(&data);
        assert_eq!((found["flights"], found["other"]), (3 + 5 + 9 * 50 / 80 + 2, 2));
        std::fs::remove_dir_all(&data).expect("it was just made");
    }
}
