//! One line on a terminal that says how far a longer piece of work is.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Work that is over sooner says nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line changes.
const STEP: Duration = Duration::from_millis(200);

/// Records and bytes that have passed, and since when.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    drawn: Option<Instant>,
    is_seen: bool,
    records: u64,
    bytes: u64,
}

impl Progress {
    /// Begins now. The line is drawn only if the standard error is a terminal, and nobody else
    /// writes there: `elsewhere` is the command's other stream.
    pub fn begin(elsewhere: &impl IsTerminal) -> Self {
        let is_seen = io::stderr().is_terminal() && !elsewhere.is_terminal();
        Self { began: Instant::now(), drawn: None, is_seen, records: 0, bytes: 0 }
    }

    /// So many more have passed.
    pub fn add(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
    }

    /// Records that have passed.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Draws the line if it is time to; of `whole` records, if that is known.
    pub fn draw(&mut self, whole: Option<u64>) {
        let now = Instant::now();
        let is_due = self.drawn.is_none_or(|drawn| now.duration_since(drawn) >= STEP);
        if self.is_seen && is_due && now.duration_since(self.began) >= PATIENCE {
            self.drawn = Some(now);
            let part = whole.filter(|whole| *whole > 0);
            let part = part.map(|whole| format!("{:>3} %  ", self.records * 100 / whole));
            let line = format!("\r{}{}\x1b[K", part.unwrap_or_default(), self.sum());
            // A terminal that is gone needs no line.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }

    /// `336,776 records, 75.3 MB in 0.6 s, 120.4 MB/s`.
    pub fn sum(&self) -> String {
        sum(self.records, self.bytes, self.began.elapsed())
    }
}

fn sum(records: u64, bytes: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let size = match bytes {
        0..1_000_000 => counted(bytes, "byte"),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    };
    let rate = bytes as f64 / seconds.max(0.001) / 1e6;
    format!("{}, {size} in {seconds:.1} s, {rate:.1} MB/s", counted(records, "record"))
}

/// `1 record`, `2,000 records`.
pub fn counted(number: u64, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {thing}{s}", grouped(number))
}

/// A number with commas between its thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let numbers = [(0, "0"), (999, "999"), (1_000, "1,000"), (336_776, "336,776")];
        for (number, text) in numbers {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(grouped(12_345_678), "12,345,678");
    }

    #[test]
    fn a_sum_names_records_bytes_and_seconds() {
        let many = sum(336_776, 75_300_000, Duration::from_millis(625));
        assert_eq!(many, "336,776 records, 75.3 MB in 0.6 s, 120.5 MB/s");
        let one = sum(1, 12, Duration::from_millis(40));
        assert_eq!(one, "1 record, 12 bytes in 0.0 s, 0.0 MB/s");
    }
}
