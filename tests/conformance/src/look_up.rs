//! Whether offsets by time are right: held against the timestamps of the records themselves.

use std::path::Path;

use crate::client::Client;
use crate::equality::Timestamps;

/// How many questions are asked of one topic, about: each is a time in a partition, for which a
/// broker may have to decompress a batch.
const QUESTIONS: usize = 200;
/// How many partitions of a topic are asked, at most.
const PARTITIONS_MAX: usize = 10;

/// The offset that a client is told where no record is that late.
const END: i64 = -1;

/// Asks the broker for the first offsets at and after many times, and says which answer is the
/// first that the records' own timestamps contradict.
///
/// # Panics
///
/// If the client fails.
pub fn first_wrong(
    folder: &Path,
    address: &str,
    topic: &str,
    timestamps: &Timestamps,
) -> Option<String> {
    let times = questions(timestamps);
    let partitions = asked(timestamps);
    let (partition_list, time_list) = (list(&partitions), list(&times));
    let arguments = [address, topic, &partition_list, &time_list];
    let output = Client::python(folder, "look_up", &arguments).output();
    let mut found = answers(&output);
    let mut expected = expected(timestamps, &partitions, &times);
    found.sort_unstable();
    expected.sort_unstable();
    if found.len() != expected.len() {
        return Some(format!("{} answers to {} questions", found.len(), expected.len()));
    }
    let mut pairs = expected.iter().zip(&found);
    pairs.find(|(expected, found)| expected != found).map(|(expected, found)| {
        format!("(partition, time, offset) should be {expected:?} and is {found:?}")
    })
}

/// The times to ask for, in ms: before all records, just before, at and just behind many of them,
/// after all.
pub fn questions(timestamps: &Timestamps) -> Vec<i64> {
    let mut sorted = timestamps.concat();
    sorted.sort_unstable();
    let quantiles = QUESTIONS / 3 / timestamps.len().min(PARTITIONS_MAX);
    let mut times = vec![0];
    for quantile in 0..=quantiles {
        let time = sorted[(sorted.len() - 1) * quantile / quantiles];
        times.extend([time - 1, time, time + 1]);
    }
    times.sort_unstable();
    times.dedup();
    times
}

/// The partitions that are asked, from the first to the last.
fn asked(timestamps: &Timestamps) -> Vec<usize> {
    let count = timestamps.len().min(PARTITIONS_MAX);
    (0..count).map(|place| place * (timestamps.len() - 1) / (count - 1).max(1)).collect()
}

/// The answer to each time, in each of `partitions`: the first offset whose record is not earlier.
///
/// The first by offset, not by time: producers set their own times, and later records may be older.
pub fn expected(
    timestamps: &Timestamps,
    partitions: &[usize],
    times: &[i64],
) -> Vec<(usize, i64, i64)> {
    let mut answers = Vec::new();
    for &time in times {
        for &partition in partitions {
            let found = &timestamps[partition];
            let offset = found.iter().position(|&timestamp| timestamp >= time);
            answers.push((partition, time, offset.map_or(END, |offset| offset as i64)));
        }
    }
    answers
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

/// The answers that `look_up.py` printed.
///
/// # Panics
///
/// If it printed something else.
pub fn answers(output: &[u8]) -> Vec<(usize, i64, i64)> {
    let text = std::str::from_utf8(output).expect("look_up.py prints numbers");
    let answer = |line: &str| {
        let mut fields = line.split('\t');
        let partition = fields.next()?.parse().ok()?;
        let time = fields.next()?.parse().ok()?;
        Some((partition, time, fields.next()?.parse().ok()?))
    };
    text.lines().map(|line| answer(line).unwrap_or_else(|| panic!("no answer: {line}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::{answers, asked, expected, questions};

    #[test]
    fn the_first_offset_that_is_not_earlier_is_expected_though_times_jump() {
        let timestamps = vec![vec![10, 30, 20, 40], vec![]];
        let found = expected(&timestamps, &[0, 1], &[0, 15, 30, 35, 41]);
        let offsets = |partition| {
            let of_it = found.iter().filter(|(p, _, _)| *p == partition);
            of_it.map(|(_, _, offset)| *offset).collect::<Vec<_>>()
        };
        assert_eq!(offsets(0), [0, 1, 1, 3, -1]);
        assert_eq!(offsets(1), [-1; 5]);
    }

    #[test]
    fn the_first_and_the_last_partition_are_asked_and_not_too_many_between() {
        let partitions = |count| asked(&vec![Vec::new(); count]);
        assert_eq!(partitions(1), [0]);
        assert_eq!(partitions(6), [0, 1, 2, 3, 4, 5]);
        assert_eq!(partitions(100), [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]);
    }

    #[test]
    fn questions_reach_from_before_the_first_to_after_the_last_record() {
        let times = questions(&vec![vec![5, 9], vec![7]]);
        assert_eq!((times.first(), times.last()), (Some(&0), Some(&10)));
    }

    #[test]
    fn answers_are_read_as_printed() {
        assert_eq!(answers(b"0\t15\t3\n1\t15\t-1\n"), [(0, 15, 3), (1, 15, -1)]);
    }
}
