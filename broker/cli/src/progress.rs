//! One line on a terminal that says how far a longer piece of work is.

use std::io::{self, IsTerminal, Stderr, Write};
use std::time::{Duration, Instant};

/// Work that is over sooner says nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the line changes.
const STEP: Duration = Duration::from_millis(200);

/// Records and bytes that have passed, and since when.
#[derive(Debug)]
pub struct Progress<W = Stderr> {
    began: Instant,
    drawn: Option<Instant>,
    /// Where the line is drawn, if it is.
    screen: Option<W>,
    records: u64,
    bytes: u64,
}

impl Progress {
    /// Begins now. The line is drawn only if the standard error is a terminal, and nothing else
    /// stands there: `elsewhere` is the other stream that the command uses, if it uses one.
    pub fn begin(elsewhere: Option<&dyn IsTerminal>) -> Self {
        let is_shared = elsewhere.is_some_and(|stream| stream.is_terminal());
        let screen = Some(io::stderr()).filter(|stderr| stderr.is_terminal() && !is_shared);
        Self::on(screen, Instant::now())
    }
}

impl<W: Write> Progress<W> {
    fn on(screen: Option<W>, began: Instant) -> Self {
        Self { began, drawn: None, screen, records: 0, bytes: 0 }
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
        self.draw_at(Instant::now(), whole);
    }

    fn draw_at(&mut self, now: Instant, whole: Option<u64>) {
        let took = now.duration_since(self.began);
        let is_due = self.drawn.is_none_or(|drawn| now.duration_since(drawn) >= STEP);
        if let Some(screen) = &mut self.screen
            && is_due
            && took >= PATIENCE
        {
            self.drawn = Some(now);
            let part = whole.filter(|whole| *whole > 0);
            let part = part.map(|whole| format!("{:>3} %  ", self.records * 100 / whole));
            let sum = sum(self.records, self.bytes, took);
            let line = format!("\r{}{sum}\x1b[K", part.unwrap_or_default());
            // A terminal that is gone needs no line.
            let _ = screen.write_all(line.as_bytes());
        }
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if let Some(screen) = &mut self.screen
            && self.drawn.take().is_some()
        {
            let _ = screen.write_all(b"\r\x1b[K");
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
    fn the_line_is_drawn_after_a_second_and_again_after_a_step_and_taken_away() {
        let began = Instant::now();
        let mut progress = Progress::on(Some(Vec::new()), began);
        let drawn = |progress: &mut Progress<Vec<u8>>, ms: u64, whole| {
            progress.draw_at(began + Duration::from_millis(ms), whole);
            let screen = progress.screen.as_mut().expect("it has one");
            String::from_utf8(std::mem::take(screen)).expect("text")
        };
        progress.add(1_000, 2_000_000);
        assert_eq!(drawn(&mut progress, 999, None), "");
        progress.clear();
        let first = "\r1,000 records, 2.0 MB in 1.0 s, 2.0 MB/s\x1b[K";
        assert_eq!(drawn(&mut progress, 1_000, None), first);
        assert_eq!(drawn(&mut progress, 1_199, None), "");
        progress.add(500, 1_000_000);
        let second = "\r 75 %  1,500 records, 3.0 MB in 1.2 s, 2.5 MB/s\x1b[K";
        assert_eq!(drawn(&mut progress, 1_200, Some(2_000)), second);
        progress.clear();
        // It stands there no more, and comes again at once.
        progress.clear();
        let third = "\r\x1b[K\r1,500 records, 3.0 MB in 1.2 s, 2.5 MB/s\x1b[K";
        assert_eq!(drawn(&mut progress, 1_201, None), third);
    }

    #[test]
    fn without_a_screen_nothing_is_drawn_and_all_is_counted() {
        let mut progress = Progress::<Vec<u8>>::on(None, Instant::now());
        progress.add(3, 4);
        progress.draw_at(progress.began + Duration::from_secs(9), None);
        progress.clear();
        assert_eq!((progress.drawn, progress.records(), progress.bytes), (None, 3, 4));
    }

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
