//! One partition's batches from the first record to the acknowledgement, without a socket.
//!
//! ```text
//! closed:  [ sent | sent | sent | waiting | waiting ]   open: records
//!            answered in any order   sent from the left
//! ```
//!
//! Sequences are given when a batch is closed, and stay: so a batch may be sent again, and the
//! broker writes it once. When one fails, nothing is sent until all that was sent is answered; then
//! all that is left goes again from the left.
//!
//! A broker takes any sequence from a producer that it does not know. If the first batch failed
//! because its partition was not there yet, and the second one came a moment later and was written,
//! the first would be out of order for ever. So one goes alone, at the beginning and after every
//! failure; behind its acknowledgement several may be on their way.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use protocol::ErrorCode;
use record::{
    BatchBuilder, BatchView, BuildError, Compression, Header, ProducerEpoch, ProducerId,
    ReadLimits, Record, Sequence,
};

/// What all batches of a producer have in common.
#[derive(Clone, Copy, Debug)]
pub struct BatchKind {
    /// The producer's id and epoch, from the broker.
    pub producer: (ProducerId, ProducerEpoch),
    /// The codec.
    pub compression: Compression,
    /// Where a batch ends, in bytes before compression; a larger record has a batch of its own.
    pub size_max_bytes: usize,
}

/// A partition's batches.
#[derive(Debug)]
pub struct Queue {
    kind: BatchKind,
    open: Option<Open>,
    next_sequence: Sequence,
    closed: VecDeque<Batch>,
    /// Something failed: nothing is sent until all that was sent is answered.
    is_draining: bool,
    /// Something was acknowledged since the beginning or the last failure.
    is_known: bool,
}

/// A batch that takes more.
#[derive(Debug)]
struct Open {
    builder: BatchBuilder,
    /// Where its records stood in the input.
    from: Vec<u64>,
    content_bytes: u64,
}

#[derive(Debug)]
struct Batch {
    bytes: Vec<u8>,
    record_count: i32,
    content_bytes: u64,
    base_sequence: Sequence,
    /// Where its records stood in the input.
    from: Vec<u64>,
    /// The request that carries it now.
    sent_in: Option<u64>,
}

/// What an answer meant for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// So many records are acknowledged.
    Acknowledged {
        /// How many.
        record_count: i32,
        /// The bytes of their keys, values and headers.
        content_bytes: u64,
    },
    /// They will be sent again, a little later.
    Again,
    /// They will be sent again, in smaller batches.
    Split,
    /// One of them can't be written; this is where they stood in the input.
    Fatal {
        /// Counted by the owner.
        from: RangeInclusive<u64>,
    },
}

impl Queue {
    /// Nothing yet.
    pub fn new(kind: BatchKind) -> Self {
        Self {
            kind,
            open: None,
            next_sequence: Sequence(0),
            closed: VecDeque::new(),
            is_draining: false,
            is_known: false,
        }
    }

    /// Adds a record, which stood at `from` in the input. Answers whether that closed a batch.
    pub fn push(&mut self, record: &Record<'_>, from: u64) -> Result<Filled, BuildError> {
        let mut filled = Filled::No;
        let about = size_bytes(record);
        let is_full = |open: &Open| open.builder.size_bytes() + about > self.kind.size_max_bytes;
        if self.open.as_ref().is_some_and(is_full) {
            self.close()?;
            filled = Filled::Yes;
        }
        self.open.get_or_insert_with(Open::new).push(record, from);
        Ok(filled)
    }

    /// Closes the open batch, if there is one.
    pub fn close(&mut self) -> Result<Filled, BuildError> {
        let Some(open) = self.open.take() else { return Ok(Filled::No) };
        let base_sequence = self.next_sequence;
        let batch = self.finish(open, base_sequence)?;
        self.next_sequence = base_sequence.plus(batch.record_count);
        self.closed.push_back(batch);
        Ok(Filled::Yes)
    }

    /// Whether the open batch may as well be sent: nothing else of the partition is on its way.
    pub fn is_ready_to_close(&self) -> bool {
        self.open.is_some() && self.closed.is_empty()
    }

    /// The bytes of the next batch to send, if one may be sent; it counts as sent in `request`.
    pub fn send(&mut self, request: u64) -> Option<&[u8]> {
        let at = self.next()?;
        let batch = &mut self.closed[at];
        batch.sent_in = Some(request);
        Some(&batch.bytes)
    }

    /// The size of the next batch to send, if one may be sent.
    pub fn next_size_bytes(&self) -> Option<usize> {
        self.next().map(|at| self.closed[at].bytes.len())
    }

    /// Takes the broker's answer to what `request` carried of this partition.
    pub fn answered(&mut self, request: u64, code: i16) -> Result<Answer, BuildError> {
        let Some(at) = self.closed.iter().position(|batch| batch.sent_in == Some(request)) else {
            return Ok(Answer::Again);
        };
        let batch = &mut self.closed[at];
        let (record_count, content_bytes) = (batch.record_count, batch.content_bytes);
        let answer = match ErrorCode::from_number(code) {
            // A batch that was written by an earlier try.
            Some(ErrorCode::None | ErrorCode::DuplicateSequenceNumber) => {
                self.closed.remove(at);
                self.is_known = !self.is_draining;
                Answer::Acknowledged { record_count, content_bytes }
            }
            Some(ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge)
                if record_count > 1 =>
            {
                self.split(at)?;
                Answer::Split
            }
            // Because of one before it that failed.
            Some(ErrorCode::OutOfOrderSequenceNumber) if at > 0 => self.again(at),
            Some(code) if code.is_retriable() => self.again(at),
            _ => return Ok(Answer::Fatal { from: batch.places() }),
        };
        self.is_draining &= self.closed.iter().any(|batch| batch.sent_in.is_some());
        Ok(answer)
    }

    /// The request will have no answer: its connection is gone.
    pub fn lost(&mut self, request: u64) {
        let found = self.closed.iter().position(|batch| batch.sent_in == Some(request));
        if let Some(at) = found {
            self.again(at);
            self.is_draining = self.closed.iter().any(|batch| batch.sent_in.is_some());
        }
    }

    /// Bytes that are kept until they are acknowledged.
    pub fn held_bytes(&self) -> usize {
        let closed: usize = self.closed.iter().map(Batch::held_bytes).sum();
        closed + self.open.as_ref().map_or(0, Open::held_bytes)
    }

    /// Where the next batch to send is, if one may be sent.
    fn next(&self) -> Option<usize> {
        let at = self.closed.iter().position(|batch| batch.sent_in.is_none())?;
        let may_be_sent = !self.is_draining && (self.is_known || at == 0);
        may_be_sent.then_some(at)
    }

    fn again(&mut self, at: usize) -> Answer {
        self.closed[at].sent_in = None;
        self.drain();
        Answer::Again
    }

    fn drain(&mut self) {
        self.is_draining = true;
        self.is_known = false;
    }

    /// Two batches in place of one, with the same sequences: what follows need not change.
    fn split(&mut self, at: usize) -> Result<(), BuildError> {
        let Some(whole) = self.closed.remove(at) else { return Ok(()) };
        let (view, _) = BatchView::parse(&whole.bytes).expect("it was built here");
        let no_limit = ReadLimits { decompressed_size_max_bytes: usize::MAX };
        let records = record::records(&view, &no_limit).expect("it was built here");
        let half = whole.record_count / 2;
        let (mut first, mut second) = (Open::new(), Open::new());
        for ((index, found), from) in (0..).zip(&records).zip(whole.from) {
            let found = found.expect("it was built here");
            let headers: Vec<Header<'_>> = found.headers.iter().collect();
            let record = Record {
                timestamp: found.timestamp,
                key: found.key,
                value: found.value,
                headers: &headers,
            };
            if index < half { first.push(&record, from) } else { second.push(&record, from) }
        }
        let first = self.finish(first, whole.base_sequence)?;
        let second = self.finish(second, whole.base_sequence.plus(half))?;
        self.closed.insert(at, second);
        self.closed.insert(at, first);
        self.drain();
        Ok(())
    }

    fn finish(&self, open: Open, base_sequence: Sequence) -> Result<Batch, BuildError> {
        let Open { builder, from, content_bytes } = open;
        let (id, epoch) = self.kind.producer;
        let record_count = builder.record_count();
        let builder = builder.compression(self.kind.compression);
        let bytes = builder.producer(id, epoch, base_sequence).build()?;
        Ok(Batch { bytes, record_count, content_bytes, base_sequence, from, sent_in: None })
    }
}

impl Open {
    fn new() -> Self {
        Self { builder: BatchBuilder::new(), from: Vec::new(), content_bytes: 0 }
    }

    fn push(&mut self, record: &Record<'_>, from: u64) {
        self.builder.push(record);
        self.from.push(from);
        self.content_bytes += content_bytes(record) as u64;
    }

    fn held_bytes(&self) -> usize {
        self.builder.size_bytes() + size_of_val(&self.from[..])
    }
}

impl Batch {
    /// Where the first and the last of its records stood in the input; it has one at least.
    fn places(&self) -> RangeInclusive<u64> {
        let first = self.from.first().copied().unwrap_or_default();
        first..=self.from.last().copied().unwrap_or(first)
    }

    fn held_bytes(&self) -> usize {
        self.bytes.len() + size_of_val(&self.from[..])
    }
}

/// Whether a batch was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// It goes on.
    No,
    /// The next record begins another one.
    Yes,
}

/// About the bytes of a record in a batch, rather more.
fn size_bytes(record: &Record<'_>) -> usize {
    /// Its length, attributes, timestamp, offset, the lengths of key and value, the header count.
    const FRAME: usize = 5 + 1 + 10 + 5 + 5 + 5 + 5;
    const HEADER_FRAME: usize = 5 + 5;
    FRAME + HEADER_FRAME * record.headers.len() + content_bytes(record)
}

/// The bytes of a record's key, value and headers.
fn content_bytes(record: &Record<'_>) -> usize {
    let of = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
    let headers: usize = record.headers.iter().map(|h| h.key.len() + of(h.value)).sum();
    of(record.key) + of(record.value) + headers
}

#[cfg(test)]
mod tests;
