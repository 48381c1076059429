//! Reads the logs that the Python clients leave behind into a history; their formats stand in
//! `python/produce.py` and `python/read.py`.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::str::{FromStr, SplitAsciiWhitespace};

use crate::history::{
    Bounds, Complaint, Content, Event, Extent, History, Place, Read, ReadRecord, Step, Value,
};

/// Why a client's log does not count as evidence.
#[derive(Debug)]
pub enum HistoryFileError {
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A line is not one that the client writes.
    Line(PathBuf, usize, String),
}

impl fmt::Display for HistoryFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HistoryFileError::Unreadable(path, error) => {
                write!(f, "cannot read the client log {}: {error}", path.display())
            }
            HistoryFileError::Line(path, number, line) => write!(
                f,
                "{}:{number}: {line:?} is no line of a client log: compare the script that wrote \
                 it",
                path.display()
            ),
        }
    }
}

/// Adds the log of producer `producer` to `history`.
pub(crate) fn add_producer(
    history: &mut History,
    producer: u32,
    path: &Path,
) -> Result<(), HistoryFileError> {
    parse_producer(history, producer, path, open(path)?)
}

fn parse_producer(
    history: &mut History,
    producer: u32,
    path: &Path,
    lines: impl BufRead,
) -> Result<(), HistoryFileError> {
    each_line(path, lines, |kind, words| {
        let at_ms = number(words)?;
        if kind == "X" {
            let client = format!("producer {producer}");
            history.complaints.push(Complaint { client, text: rest(words) });
            return Some(());
        }
        let value = Value { producer, partition: number(words)?, counter: number(words)? };
        let step = match kind {
            "S" => Step::Sent,
            "A" => {
                let offset: i64 = number(words)?;
                // librdkafka says a negative offset where the broker named none.
                Step::Acked { offset: (offset >= 0).then_some(offset) }
            }
            "U" => Step::Unknown,
            "F" => Step::Failed,
            _ => return None,
        };
        if matches!(step, Step::Unknown | Step::Failed) {
            // The error's name is there for people.
            words.next()?;
        }
        history.events.push(Event { at_ms, value, step });
        Some(())
    })
}

/// Adds the dump of a reader to `history`.
pub(crate) fn add_read(
    history: &mut History,
    name: &str,
    extent: Extent,
    path: &Path,
) -> Result<(), HistoryFileError> {
    let mut read = Read::new(name, extent);
    parse_read(history, &mut read, path, open(path)?)?;
    history.reads.push(read);
    Ok(())
}

fn parse_read(
    history: &mut History,
    read: &mut Read,
    path: &Path,
    lines: impl BufRead,
) -> Result<(), HistoryFileError> {
    each_line(path, lines, |kind, words| {
        if kind == "X" {
            history.complaints.push(Complaint { client: read.name.clone(), text: rest(words) });
            return Some(());
        }
        let partition = number(words)?;
        if kind == "B" {
            read.bounds.insert(partition, Bounds { start: number(words)?, end: number(words)? });
            return Some(());
        }
        let place = Place { partition, offset: number(words)? };
        let content = match kind {
            "R" => Content::Value(Value {
                producer: number(words)?,
                partition: number(words)?,
                counter: number(words)?,
            }),
            "G" => Content::Garbled(rest(words)),
            _ => return None,
        };
        read.records.push(ReadRecord { place, content });
        Some(())
    })
}

fn open(path: &Path) -> Result<BufReader<File>, HistoryFileError> {
    let file = File::open(path);
    file.map(BufReader::new).map_err(|error| HistoryFileError::Unreadable(path.into(), error))
}

/// Hands each line's first word and the words after it to `take`, which says `None` to a line that
/// it does not know.
fn each_line(
    path: &Path,
    lines: impl BufRead,
    mut take: impl FnMut(&str, &mut SplitAsciiWhitespace<'_>) -> Option<()>,
) -> Result<(), HistoryFileError> {
    for (index, line) in lines.lines().enumerate() {
        let line = line.map_err(|error| HistoryFileError::Unreadable(path.into(), error))?;
        let mut words = line.split_ascii_whitespace();
        let taken = words.next().and_then(|kind| take(kind, &mut words));
        if taken.is_none() || words.next().is_some() {
            return Err(HistoryFileError::Line(path.into(), index + 1, line));
        }
    }
    Ok(())
}

fn number<T: FromStr>(words: &mut SplitAsciiWhitespace<'_>) -> Option<T> {
    words.next()?.parse().ok()
}

fn rest(words: &mut SplitAsciiWhitespace<'_>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(text: &str) -> Result<History, HistoryFileError> {
        let mut history = History::default();
        parse_producer(&mut history, 4, Path::new("log"), text.as_bytes()).map(|()| history)
    }

    fn read(text: &str) -> Result<(History, Read), HistoryFileError> {
        let (mut history, mut read) = (History::default(), Read::new("r", Extent::Whole));
        parse_read(&mut history, &mut read, Path::new("dump"), text.as_bytes())
            .map(|()| (history, read))
    }

    #[test]
    fn every_line_of_a_producer_is_understood() {
        let text = "S 10 3 0\nA 11 3 0 77\nA 12 3 1 -1\nU 13 3 2 _TIMED_OUT\nF 14 3 3 _FATAL\n\
                    X 15 _FATAL out of order\n";
        let history = producer(text).expect("these are its lines");
        let value = Value { producer: 4, partition: 3, counter: 0 };
        let step = Step::Acked { offset: Some(77) };
        assert_eq!(history.events[1], Event { at_ms: 11, value, step });
        let steps: Vec<Step> = history.events.iter().map(|event| event.step).collect();
        let unplaced = Step::Acked { offset: None };
        assert_eq!(steps, [Step::Sent, step, unplaced, Step::Unknown, Step::Failed]);
        assert_eq!(history.complaints[0].text, "_FATAL out of order");
    }

    #[test]
    fn every_line_of_a_reader_is_understood() {
        let (history, read) =
            read("B 3 0 2\nR 3 0 4 3 9\nG 3 1 00ff\nX partition 3: gone\n").expect("its lines");
        assert_eq!(read.bounds[&3], Bounds { start: 0, end: 2 });
        let value = Value { producer: 4, partition: 3, counter: 9 };
        assert_eq!(read.records[0].content, Content::Value(value));
        assert_eq!(read.records[1].place, Place { partition: 3, offset: 1 });
        assert_eq!(history.complaints[0].client, "r");
    }

    #[test]
    fn a_torn_or_strange_line_is_refused_with_its_number() {
        for text in ["S 10 3", "A 10 3 0", "Q 1 2 3 4", "S 10 3 0 9", "S x 3 0", "", "A 1 3 0 5x"] {
            let lines = format!("S 10 3 0\n{text}\n");
            let error = producer(&lines).expect_err(text);
            assert!(matches!(error, HistoryFileError::Line(_, 2, _)), "{error}");
        }
        for text in ["R 3 0 4 3", "B 3 0", "R 3 0 4 3 9 9"] {
            let error = read(text).expect_err(text);
            assert!(matches!(error, HistoryFileError::Line(_, 1, _)), "{error}");
        }
    }
}
