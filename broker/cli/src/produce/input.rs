//! Reads files and the standard input on a thread of its own, in pieces of whole records.
//!
//! A piece goes out as soon as it holds a whole record: who types a line wants it sent. The owner
//! gives the buffers, and so decides how far ahead is read.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;

/// What one read asks for, in bytes.
const READ_BYTES: usize = 256 << 10;
/// The longest record, in bytes. A broker as it is shipped takes requests of up to 100 MiB, and
/// closes the connection of a longer one without a word.
const RECORD_MAX_BYTES: usize = 96 << 20;

/// Where records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// What was read.
#[derive(Debug)]
pub enum InputEvent {
    /// What follows comes from here.
    Begins(Source),
    /// Whole records with a delimiter behind each, but perhaps the last of a source. Without a
    /// delimiter a source is one record.
    Piece(Vec<u8>),
    /// Nothing more comes.
    Ended(Result<(), InputError>),
}

/// Why reading ended early.
#[derive(Debug)]
pub enum InputError {
    /// A source can't be read.
    Io {
        /// Which.
        source: Source,
        /// Why.
        error: io::Error,
    },
    /// A record does not end.
    TooLong {
        /// Where.
        source: Source,
    },
}

/// Whether all sources can be opened: better known before anything is written.
pub fn check(sources: &[Source]) -> Result<(), InputError> {
    for source in sources {
        if let Source::File(path) = source {
            let opened = File::open(path);
            opened.map_err(|error| InputError::Io { source: source.clone(), error })?;
        }
    }
    Ok(())
}

/// Starts to read. Each buffer that `buffers` brings is filled once.
pub fn start<E: From<InputEvent> + Send + 'static>(
    sources: Vec<Source>,
    delimiter: Vec<u8>,
    buffers: Receiver<Vec<u8>>,
    events: Sender<E>,
) {
    let input = Input { delimiter, buffers, events };
    thread::spawn(move || {
        let outcome = sources.into_iter().try_for_each(|source| input.read(source));
        let outcome = match outcome {
            Ok(()) => Ok(()),
            Err(Stop::Failed(error)) => Err(error),
            Err(Stop::Unheard) => return,
        };
        // Nobody listens any more: the program ends.
        drop(input.events.send(InputEvent::Ended(outcome).into()));
    });
}

struct Input<E> {
    delimiter: Vec<u8>,
    buffers: Receiver<Vec<u8>>,
    events: Sender<E>,
}

enum Stop {
    Failed(InputError),
    Unheard,
}

impl<E: From<InputEvent>> Input<E> {
    fn read(&self, source: Source) -> Result<(), Stop> {
        let failed = |error| Stop::Failed(InputError::Io { source: source.clone(), error });
        self.tell(InputEvent::Begins(source.clone()))?;
        match &source {
            Source::Stdin => self.read_from(io::stdin().lock(), &source),
            Source::File(path) => self.read_from(File::open(path).map_err(failed)?, &source),
        }
    }

    fn read_from(&self, mut from: impl Read, source: &Source) -> Result<(), Stop> {
        let mut piece = self.buffer()?;
        loop {
            let before = piece.len();
            piece.resize(before + READ_BYTES, 0);
            let read = from.read(&mut piece[before..]);
            piece.truncate(before + read.as_ref().copied().unwrap_or(0));
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let source = source.clone();
                    return Err(Stop::Failed(InputError::Io { source, error }));
                }
                // An empty piece brings its buffer back.
                Ok(0) => return self.tell(InputEvent::Piece(piece)),
                Ok(_) => {}
            }
            // A delimiter of several bytes may have begun before this read.
            let begin = before.saturating_sub(self.delimiter.len().saturating_sub(1));
            match last(&piece[begin..], &self.delimiter) {
                Some(at) => {
                    let rest = piece.split_off(begin + at + self.delimiter.len());
                    self.tell(InputEvent::Piece(piece))?;
                    piece = self.buffer()?;
                    piece.extend_from_slice(&rest);
                }
                None if piece.len() > RECORD_MAX_BYTES => {
                    return Err(Stop::Failed(InputError::TooLong { source: source.clone() }));
                }
                None => {}
            }
        }
    }

    fn buffer(&self) -> Result<Vec<u8>, Stop> {
        let mut buffer = self.buffers.recv().map_err(|_| Stop::Unheard)?;
        buffer.clear();
        Ok(buffer)
    }

    fn tell(&self, event: InputEvent) -> Result<(), Stop> {
        self.events.send(event.into()).map_err(|_| Stop::Unheard)
    }
}

fn last(bytes: &[u8], delimiter: &[u8]) -> Option<usize> {
    match delimiter {
        [one] => bytes.iter().rposition(|byte| byte == one),
        [] => None,
        _ => bytes.windows(delimiter.len()).rposition(|window| window == delimiter),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("the standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { source, error } => write!(f, "{source} cannot be read: {error}"),
            Self::TooLong { source } => write!(
                f,
                "a record of {source} is longer than {} MiB; is --delimiter what ends a record \
                 there?",
                RECORD_MAX_BYTES >> 20
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// A source that gives a few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(into.len());
            let (given, rest) = self.0.split_at(length);
            into[..length].copy_from_slice(given);
            self.0 = rest;
            Ok(length)
        }
    }

    fn pieces(bytes: &[u8], at_once: usize, delimiter: &[u8]) -> Vec<Vec<u8>> {
        let (give, buffers) = channel();
        (0..1_000).for_each(|_| give.send(Vec::new()).expect("we hold the other end"));
        let (events, heard) = channel::<InputEvent>();
        let input = Input { delimiter: delimiter.to_vec(), buffers, events };
        let outcome = input.read_from(Drops(bytes, at_once), &Source::Stdin);
        assert!(outcome.is_ok());
        drop(input);
        let piece = |event| match event {
            InputEvent::Piece(piece) => piece,
            other => panic!("{other:?}"),
        };
        heard.iter().map(piece).collect()
    }

    #[test]
    fn pieces_hold_whole_records_and_lose_nothing() {
        let texts: [&[u8]; 5] =
            [b"", b"\n", b"one", b"one\ntwo\n\nthree\n", b"one\r\ntwo\r\nthree"];
        for text in texts {
            for delimiter in [&b"\n"[..], b"\r\n"] {
                for at_once in 1..text.len().max(2) {
                    let pieces = pieces(text, at_once, delimiter);
                    assert_eq!(pieces.concat(), text);
                    let (_, whole) = pieces.split_last().expect("the last one ends the source");
                    assert!(whole.iter().all(|piece| piece.ends_with(delimiter)), "{pieces:?}");
                }
            }
        }
    }

    #[test]
    fn a_line_goes_out_before_the_next_one_is_read() {
        assert_eq!(pieces(b"one\ntwo\nthr", 4, b"\n"), [&b"one\n"[..], b"two\n", b"thr"]);
    }
}
