//! One line on stderr: time, level, shard, words.
//!
//! Whoever says something never waits for whoever reads it: a thread of its own writes, from a
//! queue of bounded length. What finds it full is lost, and counted.

use crate::calls::unix_ms;
use std::fmt::{self, Display};
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that may wait for a reader of stderr: more than a pipe's 64 KiB hold.
const WAITING_MAX: usize = 1024;
/// How long the process waits, when it ends, for what it has said to be read.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Somebody must do something.
    Error,
    /// Somebody should look.
    Warn,
    /// What happened.
    Info,
    /// For those who look for a fault.
    Debug,
}

impl Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
        })
    }
}

/// Says a line, whole: lines of several shards never mix. A stderr that nobody reads, or that is
/// closed, is not worth stopping a shard for.
pub(crate) fn write_line(unix_ms: i64, level: Level, source: &dyn Display, line: &dyn Display) {
    scribe().say(format!("{} {level:<5} {source} {line}\n", Utc(unix_ms)));
}

/// One line in the log by a thread that is no shard; `source` says which.
pub fn say(level: Level, source: &str, line: fmt::Arguments<'_>) {
    write_line(unix_ms(), level, &source, &line);
}

/// Says what the process ends with. It waits for a place in the queue, and then to be written,
/// for a second at most: a stderr that nobody reads does not keep anybody alive.
pub(crate) fn write_last(unix_ms: i64, source: &dyn Display, line: &dyn Display) {
    let line = format!("{} {:<5} {source} {line}\n", Utc(unix_ms), Level::Error);
    scribe().say_last(line, FLUSH_TIME);
}

/// Waits until all that was said is written, or for a second: for those who end the process.
pub(crate) fn flush() {
    scribe().flush(FLUSH_TIME);
}

fn scribe() -> &'static Scribe {
    static SCRIBE: OnceLock<Scribe> = OnceLock::new();
    SCRIBE.get_or_init(|| Scribe::writing_to(std::io::stderr()))
}

/// The one end of the queue to the thread that writes.
struct Scribe {
    notes: SyncSender<Note>,
    /// Lines that found the queue full, since that was last said.
    lost: AtomicU64,
}

enum Note {
    Line(String),
    /// All before it is written once this is answered.
    Flush(SyncSender<()>),
}

impl Scribe {
    fn writing_to(out: impl Write + Send + 'static) -> Scribe {
        let (notes, queue) = sync_channel(WAITING_MAX);
        let thread = thread::Builder::new().name("ringmain-log".to_owned());
        let thread = thread.spawn(move || write_all(queue, out));
        thread.expect("a process that runs shards can start one more thread");
        Scribe { notes, lost: AtomicU64::new(0) }
    }

    fn say(&self, line: String) {
        self.own_up();
        if self.notes.try_send(Note::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Says how many lines are missing, where they are.
    ///
    /// False if there is no place for that yet.
    fn own_up(&self) -> bool {
        let count = self.lost.swap(0, Ordering::Relaxed);
        let line = || Note::Line(format!("{count} lines are missing here: nobody read stderr\n"));
        if count > 0 && self.notes.try_send(line()).is_err() {
            self.lost.fetch_add(count, Ordering::Relaxed);
            return false;
        }
        true
    }

    fn say_last(&self, line: String, time: Duration) {
        let end = Instant::now() + time;
        self.queue(Note::Line(line), end);
        self.flush(end.saturating_duration_since(Instant::now()));
    }

    /// Puts a note into the queue when there is a place, if there is one before `end`.
    fn queue(&self, note: Note, end: Instant) {
        let mut note = note;
        loop {
            if self.own_up() {
                match self.notes.try_send(note) {
                    Err(TrySendError::Full(back)) => note = back,
                    Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                }
            }
            if Instant::now() >= end {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn flush(&self, time: Duration) {
        let end = Instant::now() + time;
        let (answer, answered) = sync_channel(1);
        self.queue(Note::Flush(answer), end);
        // No answer within the time means that nobody reads.
        let _ = answered.recv_timeout(end.saturating_duration_since(Instant::now()));
    }
}

/// Errors of the writing are nobody's to hear: this is where they would be said.
fn write_all(notes: Receiver<Note>, mut out: impl Write) {
    for note in notes {
        match note {
            Note::Line(line) => drop(out.write_all(line.as_bytes())),
            Note::Flush(answer) => drop(answer.try_send(())),
        }
    }
}

/// Unix milliseconds as `2026-01-31T12:34:56.789Z`.
pub(crate) struct Utc(pub(crate) i64);

impl Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        // Days since 0000-03-01, so that a leap day is the last of its year and of its 400 years.
        let shifted = days + 719_468;
        let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            ms % 1_000
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stderr whose reader is away until it is told to read.
    struct Pipe(Receiver<()>, SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            // It comes back when the test lets go of its end, and stays.
            let _ = self.0.recv();
            self.1.try_send(bytes.to_vec()).expect("the test's queue is long enough");
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stderr_that_nobody_reads_holds_nobody_up_and_what_is_lost_is_counted() {
        let (reader, away) = sync_channel(0);
        let (out, written) = sync_channel(4 * WAITING_MAX);
        let scribe = Scribe::writing_to(Pipe(away, out));
        for number in 0..2 * WAITING_MAX {
            scribe.say(format!("{number}\n"));
        }
        scribe.flush(Duration::from_millis(1));
        drop(reader);
        scribe.flush(Duration::from_secs(60));
        scribe.say("the end\n".to_owned());
        scribe.flush(Duration::from_secs(60));
        let text = String::from_utf8(written.try_iter().flatten().collect()).unwrap();
        let (kept, rest) = text.split_at(text.find(" lines are missing here").expect("it is said"));
        let mut kept: Vec<usize> = kept.lines().map(|line| line.parse().unwrap()).collect();
        let lost = kept.pop().expect("how many");
        assert_eq!(kept, (0..2 * WAITING_MAX - lost).collect::<Vec<_>>());
        assert!(lost > 0 && rest.ends_with("\nthe end\n"), "{rest}");
    }

    #[test]
    fn moments_print_as_utc() {
        let check = |ms: i64, text: &str| assert_eq!(Utc(ms).to_string(), text);
        check(0, "1970-01-01T00:00:00.000Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_709_251_199_999, "2024-02-29T23:59:59.999Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    }
}
