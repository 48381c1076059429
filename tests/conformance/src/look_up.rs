//! Whether offsets by time are right: held against the timestamps of the records themselves.

use crate::equality::Timestamps;

/// How many times between the first and the last record are asked for.
const QUANTILES: usize = 16;

/// The offset that a client is told where no record is that late.
const END: i64 = -1;

/// The times to ask for, in ms: before all records, at many of them, just behind them, after all.
pub fn questions(timestamps: &Timestamps) -> Vec<i64> {
    let mut sorted = timestamps.concat();
    sorted.sort_unstable();
    let mut times = vec![0];
    for quantile in 0..=QUANTILES {
        let time = sorted[(sorted.len() - 1) * quantile / QUANTILES];
        times.extend([time, time + 1]);
    }
    times.dedup();
    times
}

/// The answer to each time, in each partition: the first offset whose record is not earlier.
///
/// The first by offset, not by time: producers set their own times, and later records may be older.
pub fn expected(timestamps: &Timestamps, times: &[i64]) -> Vec<(usize, i64, i64)> {
    let mut answers = Vec::new();
    for &time in times {
        for (partition, found) in timestamps.iter().enumerate() {
            let offset = found.iter().position(|&timestamp| timestamp >= time);
            answers.push((partition, time, offset.map_or(END, |offset| offset as i64)));
        }
    }
    answers
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
    use super::{answers, expected, questions};

    #[test]
    fn the_first_offset_that_is_not_earlier_is_expected_though_times_jump() {
        let timestamps = vec![vec![10, 30, 20, 40], vec![]];
        let found = expected(&timestamps, &[0, 15, 30, 35, 41]);
        let offsets = |partition| {
            let of_it = found.iter().filter(|(p, _, _)| *p == partition);
            of_it.map(|(_, _, offset)| *offset).collect::<Vec<_>>()
        };
        assert_eq!(offsets(0), [0, 1, 1, 3, -1]);
        assert_eq!(offsets(1), [-1; 5]);
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
