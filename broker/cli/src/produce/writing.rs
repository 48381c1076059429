//! The writing itself: lines in, batches out, and nothing held without a bound.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use super::input::{self, InputEvent, Source};
use super::line::{self, Lines};
use super::{Failure, ProduceFailure, now_ms};
use crate::client::cluster::Cluster;
use crate::client::producer::link::LinkEvent;
use crate::client::producer::{News, ProduceError, Producer, ProducerConfig, Written};
use crate::ending::{self, Ending, Interrupted};
use crate::fault::{self, Notice};
use crate::options::Reader;
use crate::progress::Progress;

/// Pieces of the input that are read ahead.
const PIECES: usize = 8;

/// What was written.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Records.
    pub records: u64,
    /// By partition.
    pub written: BTreeMap<i32, Written>,
    /// All of it for a person.
    pub sum: String,
}

/// Input that is being written.
pub struct Writing {
    producer: Producer<Event>,
    lines: Lines,
    reader: Reader,
    events: Receiver<Event>,
    buffers: Sender<Vec<u8>>,
    /// What was read and not pushed.
    pieces: VecDeque<Piece>,
    /// Lines that were pushed.
    lines_read: u64,
    has_ended: bool,
    /// Why reading ended early; what was read before is written all the same.
    broken: Option<Failure>,
    ending: Ending,
    progress: Progress,
    /// The sources so far, each with the number of lines before it.
    sources: Vec<(Source, u64)>,
}

enum Piece {
    Begins(Source),
    Lines(Vec<u8>),
}

enum Event {
    Input(InputEvent),
    Link(LinkEvent),
    Interrupted,
}

impl From<InputEvent> for Event {
    fn from(event: InputEvent) -> Self {
        Self::Input(event)
    }
}

impl From<LinkEvent> for Event {
    fn from(event: LinkEvent) -> Self {
        Self::Link(event)
    }
}

impl From<Interrupted> for Event {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl Writing {
    /// Opens the producer, then begins to read.
    pub fn begin(
        cluster: Cluster,
        topic: &str,
        config: ProducerConfig,
        (lines, reader): (Lines, Reader),
        sources: Vec<Source>,
    ) -> Result<Self, Failure> {
        let (sender, events) = channel();
        let producer = Producer::open(cluster, topic, config, sender.clone());
        let producer = producer.map_err(Failure::Produce)?;
        ending::listen(sender.clone());
        let (buffers, given) = channel();
        for _ in 0..PIECES {
            buffers.send(Vec::new()).expect("the other end is in our hands");
        }
        // What is typed stands on the terminal; with files nothing is.
        let stdin = io::stdin();
        let typed = sources.contains(&Source::Stdin).then_some(&stdin as &dyn IsTerminal);
        let progress = Progress::begin(typed);
        input::start(sources, lines.delimiter.clone(), given, sender);
        Ok(Self {
            producer,
            lines,
            reader,
            events,
            buffers,
            pieces: VecDeque::new(),
            lines_read: 0,
            has_ended: false,
            broken: None,
            ending: Ending::Done,
            progress,
            sources: Vec::new(),
        })
    }

    /// Writes until the input ends and all is acknowledged.
    pub fn run(mut self) -> Result<Outcome, ProduceFailure> {
        let outcome = self.write_all();
        self.progress.clear();
        let acknowledged = self.progress.records();
        let open = self.producer.unacknowledged();
        outcome.map_err(|why| ProduceFailure { why: Box::new(why), acknowledged, open })?;
        Ok(Outcome {
            ending: self.ending,
            records: acknowledged,
            written: self.producer.written().clone(),
            sum: self.progress.sum(),
        })
    }

    fn write_all(&mut self) -> Result<(), Failure> {
        loop {
            while self.producer.has_room()
                && let Some(piece) = self.pieces.pop_front()
            {
                self.push(piece);
                self.producer.dispatch().map_err(|error| self.named(error))?;
            }
            let is_all = self.pieces.is_empty() && self.has_ended;
            // Batches that are open take room, too, and many partitions may have one.
            let closed = if is_all || !self.producer.has_room() {
                self.producer.close_all()
            } else if self.pieces.is_empty() {
                self.producer.close_ready()
            } else {
                Ok(())
            };
            let sent = closed.and_then(|()| self.producer.dispatch());
            sent.map_err(|error| self.named(error))?;
            if is_all && self.producer.unacknowledged() == 0 {
                return self.broken.take().map_or(Ok(()), Err);
            }
            self.wait()?;
            self.tell_news();
            self.progress.draw(None);
        }
    }

    /// Takes what has come, at least one thing if it comes in time.
    fn wait(&mut self) -> Result<(), Failure> {
        let mut next = match self.events.recv_timeout(self.producer.patience()) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => unreachable!("the producer holds a sender"),
        };
        while let Some(event) = next.take() {
            match event {
                Event::Link(event) => {
                    let heard = self.producer.hear(event).map_err(|error| self.named(error))?;
                    self.progress.add(heard.records, heard.bytes);
                }
                Event::Interrupted => {
                    self.has_ended = true;
                    self.ending = Ending::Interrupted;
                }
                // What comes behind an interruption, or behind a line that is none.
                Event::Input(_) if self.has_ended => {}
                Event::Input(InputEvent::Begins(source)) => {
                    self.pieces.push_back(Piece::Begins(source));
                }
                Event::Input(InputEvent::Piece(piece)) => {
                    self.pieces.push_back(Piece::Lines(piece));
                }
                Event::Input(InputEvent::Ended(outcome)) => {
                    self.has_ended = true;
                    self.broken = outcome.err().map(Failure::Input);
                }
            }
            next = self.events.try_recv().ok();
        }
        Ok(())
    }

    fn tell_news(&mut self) {
        let notice = match self.producer.news() {
            None => return,
            Some(News::Away(error)) => Notice::trying_again(error),
            Some(News::Back) => Notice::going_on(),
        };
        self.progress.clear();
        fault::say(&notice, self.reader);
    }

    fn push(&mut self, piece: Piece) {
        let bytes = match piece {
            Piece::Begins(source) => {
                self.sources.push((source, self.lines_read));
                return;
            }
            Piece::Lines(bytes) => bytes,
        };
        let now_ms = now_ms();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (line, behind) =
                line::split(rest, &self.lines.delimiter).unwrap_or((rest, &[][..]));
            rest = behind;
            self.lines_read += 1;
            if self.lines.is_passed_over(line) {
                continue;
            }
            let number = self.lines_read;
            let pushed = self.lines.read(line, now_ms, |record, partition| {
                self.producer.push(record, partition, number)
            });
            let line = || self.place(number);
            let failure = match pushed {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => Failure::Refused { line: line(), error },
                Err(error) => Failure::Line { line: line(), error },
            };
            self.pieces.clear();
            self.has_ended = true;
            self.broken = Some(failure);
            return;
        }
        // Without a reader nobody needs buffers any more.
        drop(self.buffers.send(bytes));
    }

    /// An error with the line that it is about, if it is about one.
    fn named(&self, error: ProduceError) -> Failure {
        match error {
            ProduceError::Refused { ref from, .. } => {
                let (first, last) = (*from.start(), *from.end());
                let line = match first == last {
                    true => self.place(first),
                    false => format!("between {} and {}", self.place(first), self.place(last)),
                };
                Failure::Refused { line, error }
            }
            other => Failure::Produce(other),
        }
    }

    /// `line 17 of flights.tsv`, for a number among all lines.
    fn place(&self, number: u64) -> String {
        match self.sources.iter().rev().find(|(_, before)| *before < number) {
            Some((source, before)) => format!("line {} of {source}", number - before),
            None => format!("line {number}"),
        }
    }
}
