//! The records inside a batch, decompressed under a limit and read in place.
//!
//! ```text
//! varint   length of what follows
//! i8       attributes, unused
//! varlong  timestamp, counted from the batch's base timestamp
//! varint   offset, counted from the batch's base offset
//! varint   key length, -1 for null;    key
//! varint   value length, -1 for null;  value
//! varint   header count, then each: varint key length, key, varint value length or -1, value
//! ```

use crate::batch::BatchView;
use crate::error::{RecordFault, RecordsError};
use crate::types::{Offset, Timestamp, TimestampType};
use crate::varint;
use std::borrow::Cow;

/// The smallest record: seven one-byte fields.
pub(crate) const RECORD_SIZE_MIN_BYTES: usize = 7;
/// The smallest header: two lengths.
const HEADER_SIZE_MIN_BYTES: usize = 2;

/// What reading a batch may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// The most that the records may decompress to. It does not bind uncompressed batches: their
    /// bytes are in memory already.
    pub decompressed_size_max_bytes: usize,
}

/// A batch's records, ready to be read: its own bytes, or the decompressed ones.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    batch: BatchView<'a>,
    payload: Cow<'a, [u8]>,
}

/// One record, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Its offset in the partition.
    pub offset: Offset,
    /// Its offset counted from the batch's base offset.
    pub offset_delta: i32,
    /// Its own timestamp, or the batch's max timestamp under log append time.
    pub timestamp: Timestamp,
    /// Its key; None is null.
    pub key: Option<&'a [u8]>,
    /// Its value; None is null, a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Its headers, in their order.
    pub headers: Headers<'a>,
}

/// A record's headers: an ordered list in which keys may repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    /// Invariant: exactly `count` headers that have been read once already.
    bytes: &'a [u8],
    count: usize,
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its key. Kafka says UTF-8, and nothing checks it.
    pub key: &'a [u8],
    /// Its value; None is null.
    pub value: Option<&'a [u8]>,
}

/// The records of a batch in order; the first fault ends it.
#[derive(Clone, Debug)]
pub struct RecordsIter<'a> {
    batch: BatchView<'a>,
    rest: &'a [u8],
    state: State,
    last_delta: i32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The record with this index comes next.
    Reading(i32),
    Done,
}

/// The headers of one record in order.
#[derive(Clone, Debug)]
pub struct HeadersIter<'a> {
    rest: &'a [u8],
    left: usize,
}

/// Makes a batch's records readable, decompressing them if need be.
///
/// It checks that the payload can hold the count. The CRC is not looked at: whoever keeps batches
/// has checked it before.
pub fn records<'a>(
    batch: &BatchView<'a>,
    limits: &ReadLimits,
) -> Result<Records<'a>, RecordsError> {
    let id = batch.compression_id();
    let compression =
        crate::Compression::from_id(id).ok_or(RecordsError::UnknownCompression { id })?;
    let count = batch.record_count();
    let stored = batch.stored_records();
    // The cleaner leaves empty batches behind that keep their codec and have nothing to decode.
    let payload = if count == 0 && stored.is_empty() {
        Cow::Borrowed(stored)
    } else {
        compression.decompress(stored, limits.decompressed_size_max_bytes)?
    };
    let possible = payload.len() / RECORD_SIZE_MIN_BYTES;
    if usize::try_from(count).is_ok_and(|count| count <= possible) {
        Ok(Records { batch: *batch, payload })
    } else {
        Err(RecordsError::CountImpossible { count, payload_bytes: payload.len() })
    }
}

impl Records<'_> {
    /// Reads the records from the first one.
    pub fn iter(&self) -> RecordsIter<'_> {
        RecordsIter {
            batch: self.batch,
            rest: &self.payload,
            state: State::Reading(0),
            last_delta: -1,
        }
    }

    /// What the records take uncompressed.
    pub fn size_bytes(&self) -> usize {
        self.payload.len()
    }
}

impl<'r> IntoIterator for &'r Records<'_> {
    type Item = Result<RecordView<'r>, RecordsError>;
    type IntoIter = RecordsIter<'r>;

    fn into_iter(self) -> RecordsIter<'r> {
        self.iter()
    }
}

impl<'a> Iterator for RecordsIter<'a> {
    type Item = Result<RecordView<'a>, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        let State::Reading(index) = self.state else { return None };
        if index == self.batch.record_count() {
            self.state = State::Done;
            let extra_bytes = self.rest.len();
            return (extra_bytes != 0).then_some(Err(RecordsError::TrailingBytes { extra_bytes }));
        }
        match self.read_record() {
            Ok(record) => {
                // index < record_count, so the sum does not overflow.
                self.state = State::Reading(index + 1);
                Some(Ok(record))
            }
            Err(fault) => {
                self.state = State::Done;
                Some(Err(RecordsError::Record { index, fault }))
            }
        }
    }
}

impl<'a> RecordsIter<'a> {
    fn read_record(&mut self) -> Result<RecordView<'a>, RecordFault> {
        let length = varint::take_i32(&mut self.rest)?;
        let mut body = take_bytes(&mut self.rest, length)?;
        let (_attributes, tail) = body.split_first().ok_or(RecordFault::Truncated)?;
        body = tail;
        let timestamp_delta = varint::take_i64(&mut body)?;
        let offset_delta = self.take_offset_delta(&mut body)?;
        let key = take_nullable(&mut body)?;
        let value = take_nullable(&mut body)?;
        let headers = take_headers(&mut body)?;
        if !body.is_empty() {
            return Err(RecordFault::LengthMismatch { unread_bytes: body.len() });
        }
        let timestamp = match self.batch.timestamp_type() {
            // A hostile delta wraps, as it does in Java; the number is the producer's own.
            TimestampType::CreateTime => {
                Timestamp(self.batch.base_timestamp().0.wrapping_add(timestamp_delta))
            }
            TimestampType::LogAppendTime => self.batch.max_timestamp(),
        };
        let offset = self.batch.base_offset().plus(offset_delta);
        Ok(RecordView { offset, offset_delta, timestamp, key, value, headers })
    }

    /// Deltas grow, with gaps after compaction, and end at the header's last.
    fn take_offset_delta(&mut self, body: &mut &[u8]) -> Result<i32, RecordFault> {
        let delta = varint::take_i32(body)?;
        let (after, last_offset_delta) = (self.last_delta, self.batch.last_offset_delta());
        if delta <= after || delta > last_offset_delta {
            return Err(RecordFault::OffsetDelta { delta, after, last_offset_delta });
        }
        self.last_delta = delta;
        Ok(delta)
    }
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const EMPTY: Headers<'static> = Headers { bytes: &[], count: 0 };

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Reads them from the first one.
    pub fn iter(&self) -> HeadersIter<'a> {
        HeadersIter { rest: self.bytes, left: self.count }
    }
}

impl<'a> IntoIterator for &Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        // take_headers has read these very bytes without a fault, so `ok` never hides one.
        take_header(&mut self.rest).ok()
    }
}

fn take_headers<'a>(body: &mut &'a [u8]) -> Result<Headers<'a>, RecordFault> {
    let claimed = varint::take_i32(body)?;
    let count = usize::try_from(claimed)
        .ok()
        .filter(|count| *count <= body.len() / HEADER_SIZE_MIN_BYTES)
        .ok_or(RecordFault::HeaderCount { count: claimed })?;
    let bytes = *body;
    for _ in 0..count {
        take_header(body)?;
    }
    Ok(Headers { bytes: &bytes[..bytes.len() - body.len()], count })
}

fn take_header<'a>(body: &mut &'a [u8]) -> Result<Header<'a>, RecordFault> {
    let length = varint::take_i32(body)?;
    let key = take_bytes(body, length)?;
    Ok(Header { key, value: take_nullable(body)? })
}

/// A length of -1 is null, any other negative one a fault.
fn take_nullable<'a>(body: &mut &'a [u8]) -> Result<Option<&'a [u8]>, RecordFault> {
    match varint::take_i32(body)? {
        -1 => Ok(None),
        length => take_bytes(body, length).map(Some),
    }
}

fn take_bytes<'a>(body: &mut &'a [u8], length: i32) -> Result<&'a [u8], RecordFault> {
    let size = usize::try_from(length).map_err(|_| RecordFault::NegativeLength { length })?;
    let (taken, rest) = body.split_at_checked(size).ok_or(RecordFault::Truncated)?;
    *body = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests;
