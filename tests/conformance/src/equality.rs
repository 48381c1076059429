//! Whether what was read is what was written: the same records, whole, in the writer's order.

use std::fmt;
use std::ops::RangeInclusive;

use crate::flights::Flights;

#[cfg(test)]
mod tests;

/// What a writer put beside key and value.
#[derive(Debug, Clone)]
pub struct Stamps {
    /// The records' timestamps.
    pub times: Times,
    /// Their headers.
    pub headers: Headers,
}

/// Which timestamps a writer gave to its records.
#[derive(Debug, Clone)]
pub enum Times {
    /// Each record's own time.
    Own,
    /// The time of sending, in ms since 1970 UTC.
    Sending {
        /// From the writer's start to its end.
        between_ms: RangeInclusive<i64>,
    },
}

/// Which headers a writer gave to its records.
#[derive(Debug, Clone, Copy)]
pub enum Headers {
    /// Each record's carrier and origin.
    Own,
    /// The same for all, as kcat prints them: `name=value`, with commas.
    Same(&'static str),
}

/// The timestamps that were read, in ms: by partition, then by offset from 0.
pub type Timestamps = Vec<Vec<i64>>;

/// The first thing that was not as it was written.
#[expect(missing_docs, reason = "each variant's sentence says what its fields are")]
#[derive(Debug, PartialEq, Eq)]
pub enum Difference {
    /// The reader's output is no record.
    NotARecord { line: String },
    /// A partition that the topic does not have.
    UnknownPartition { partition: usize },
    /// Offsets of a partition must go up by one from 0.
    OffsetGap { partition: usize, expected: i64, found: i64 },
    /// Nobody wrote this value.
    Invented { partition: usize, offset: i64, value: String },
    /// An earlier record of the writer stands behind a later one; doubled records do, too.
    OutOfOrder { partition: usize, offset: i64, earlier: usize, later: usize },
    /// The same record in two partitions.
    Doubled { row: usize },
    /// Records that were written and not read, and the first of them.
    Lost { count: usize, first: usize },
    /// The key is not the written one.
    Key { row: usize, expected: Option<String>, found: Option<String> },
    /// A record with a key lies where Java's partitioner does not put it.
    WrongPartition { row: usize, expected: usize, found: usize },
    /// The timestamp is not the written one.
    Timestamp { row: usize, found_ms: i64 },
    /// The headers are not the written ones.
    Headers { row: usize, expected: String, found: String },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what was read is not what was written: {self:?}")
    }
}

/// Compares a reader's output, in the form of `read.py`, with the flights that were written.
pub fn check(
    flights: &Flights,
    partitions: usize,
    stamps: &Stamps,
    output: &[u8],
) -> Result<Timestamps, Difference> {
    let mut comparison = Comparison {
        flights,
        stamps,
        timestamps: vec![Vec::new(); partitions],
        last_rows: vec![None; partitions],
        seen: vec![false; flights.rows().len()],
    };
    let text = std::str::from_utf8(output).map_err(|error| {
        let rest = String::from_utf8_lossy(&output[error.valid_up_to()..]);
        Difference::NotARecord { line: rest.lines().next().unwrap_or_default().to_string() }
    })?;
    for line in text.lines() {
        let record = Record::parse(line);
        let record = record.ok_or_else(|| Difference::NotARecord { line: line.to_string() })?;
        comparison.add(&record)?;
    }
    let lost = comparison.seen.iter().filter(|&&seen| !seen).count();
    match comparison.seen.iter().position(|&seen| !seen) {
        Some(first) => Err(Difference::Lost { count: lost, first }),
        None => Ok(comparison.timestamps),
    }
}

struct Comparison<'a> {
    flights: &'a Flights,
    stamps: &'a Stamps,
    timestamps: Timestamps,
    /// The last row that each partition gave.
    last_rows: Vec<Option<usize>>,
    seen: Vec<bool>,
}

impl Comparison<'_> {
    fn add(&mut self, record: &Record<'_>) -> Result<(), Difference> {
        let Record { partition, offset, .. } = *record;
        let Some(timestamps) = self.timestamps.get_mut(partition) else {
            return Err(Difference::UnknownPartition { partition });
        };
        let expected = timestamps.len() as i64;
        if offset != expected {
            return Err(Difference::OffsetGap { partition, expected, found: offset });
        }
        timestamps.push(record.timestamp_ms);
        let Some(row) = self.flights.place(record.value) else {
            let value = record.value.to_string();
            return Err(Difference::Invented { partition, offset, value });
        };
        match self.last_rows[partition].replace(row) {
            Some(last) if last >= row => {
                return Err(Difference::OutOfOrder {
                    partition,
                    offset,
                    earlier: row,
                    later: last,
                });
            }
            _ => {}
        }
        if std::mem::replace(&mut self.seen[row], true) {
            return Err(Difference::Doubled { row });
        }
        self.check_parts(record, row)
    }

    /// Everything of a record but its value, by which it was found.
    fn check_parts(&self, record: &Record<'_>, row: usize) -> Result<(), Difference> {
        let flight = &self.flights.rows()[row];
        if record.key != flight.key.as_deref() {
            let found = record.key.map(str::to_string);
            return Err(Difference::Key { row, expected: flight.key.clone(), found });
        }
        if let Some(key) = &flight.key {
            let expected = java_partition(key.as_bytes(), self.timestamps.len());
            if record.partition != expected {
                let found = record.partition;
                return Err(Difference::WrongPartition { row, expected, found });
            }
        }
        let found_ms = record.timestamp_ms;
        let on_time = match &self.stamps.times {
            Times::Own => found_ms == flight.timestamp_ms,
            Times::Sending { between_ms } => between_ms.contains(&found_ms),
        };
        let headers = match self.stamps.headers {
            Headers::Own => flight.headers.as_str(),
            Headers::Same(headers) => headers,
        };
        if !on_time {
            return Err(Difference::Timestamp { row, found_ms });
        }
        if record.headers != headers {
            let (expected, found) = (headers.to_string(), record.headers.to_string());
            return Err(Difference::Headers { row, expected, found });
        }
        Ok(())
    }
}

/// One line of a reader.
struct Record<'a> {
    partition: usize,
    offset: i64,
    timestamp_ms: i64,
    key: Option<&'a str>,
    headers: &'a str,
    value: &'a str,
}

impl<'a> Record<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        let partition = fields.next()?.parse().ok()?;
        let offset = fields.next()?.parse().ok()?;
        let timestamp_ms = fields.next()?.parse().ok()?;
        let key_size: i64 = fields.next()?.parse().ok()?;
        let key = fields.next()?;
        let key = (key_size >= 0).then_some(key);
        let (headers, value) = (fields.next()?, fields.next()?);
        Some(Self { partition, offset, timestamp_ms, key, headers, value })
    }
}

/// The partition of a key by the partitioner of Kafka's Java producer.
pub fn java_partition(key: &[u8], partitions: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % partitions
}

/// MurmurHash2, 32 bits, with the seed that Kafka's clients use.
fn murmur2(key: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ key.len() as u32;
    let mut words = key.chunks_exact(4);
    for word in &mut words {
        let bytes = word.try_into().expect("a chunk has four bytes");
        let mut mixed = u32::from_le_bytes(bytes).wrapping_mul(MULTIPLIER);
        mixed = (mixed ^ (mixed >> 24)).wrapping_mul(MULTIPLIER);
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, &byte) in rest.iter().enumerate() {
            hash ^= u32::from(byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}
