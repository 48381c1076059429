//! The manifest's bytes: record headers and entries (`docs/storage-format.md`, section 4).

use crate::block::crc;
use crate::fields::{COUNT_MAX, Fields};
use crate::journal::{EntryPlace, ReplayFrom};
use crate::leader_epochs::{EpochStart, LeaderEpochs};
use crate::log_id::{LABEL_BYTES_MAX, LogId};
use crate::producer_state::{Producer, ProducerBatch, WINDOW_BATCHES};
use crate::segment::SegmentState;
use record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// A record's first bytes.
pub const MAGIC: [u8; 8] = *b"RMMANFST";
/// The one version there is.
pub const FORMAT_VERSION: u16 = 1;
/// Before the entries of each record.
pub const RECORD_HEADER_SIZE_BYTES: usize = 96;
/// Before the body of each entry.
pub const ENTRY_HEADER_SIZE_BYTES: usize = 28;

/// Of kind 1 without the label, of kind 5 without the batches; then one batch and one epoch.
const LOG_ENTRY_SIZE_BYTES: usize = 30;
const PRODUCER_SIZE_BYTES: usize = 20;
const PRODUCER_BATCH_SIZE_BYTES: usize = 24;
const EPOCH_SIZE_BYTES: usize = 12;

/// What stands before a record's entries.
///
/// ```text
///  at  bytes
///   0    8   magic
///   8    2   format version          10    2   shard
///  12    4   entry count             16    8   number
///  24    8   file                    32    8   position
///  40    4   length                  44    4   previous CRC
///  48    8   replay sequence         56    4   replay file
///  60    4   replay block            64    4   replay previous CRC
///  68   20   zero
///  88    4   entries CRC             92    4   CRC of bytes 0 … 91
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// Whose manifest it is.
    pub shard: u16,
    /// How many entries follow.
    pub entry_count: u32,
    /// Rises by one with every record of the shard, across files.
    pub number: u64,
    /// The number in the file's name.
    pub file: u64,
    /// Where in the file this header stands.
    pub position: u64,
    /// Header and entries, without the padding.
    pub length: u32,
    /// The CRC field of the record before it in the file, 0 before the first.
    pub previous_crc: u32,
    /// Where the replay of the journal begins.
    pub replay: ReplayFrom,
    /// Of the entries alone.
    pub entries_crc: u32,
}

/// What stands at a place where a record could stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtRecord {
    /// Zeros, the middle of a record, or damage.
    NoHeader,
    /// A header in every respect; its entries may still be damaged.
    Header {
        /// What it says.
        header: RecordHeader,
        /// Its own CRC, which the next record carries.
        crc: u32,
    },
    /// A header whose format only a newer version knows, but for what no version may move: magic,
    /// version, place and CRC.
    Newer {
        /// The version that it states.
        version: u16,
        /// Where it stands.
        place: RecordPlace,
    },
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// Whose manifest it is.
    pub shard: u16,
    /// The number in the file's name.
    pub file: u64,
    /// Bytes from the file's start.
    pub position: u64,
}

/// One statement about one log. A later one about the same thing replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestEntry {
    /// The log that it is about.
    pub log: LogId,
    /// What it says.
    pub change: Change,
}

/// What a manifest entry says of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Kind 1: the log is there, and this far it is settled.
    Log(LogEntry),
    /// Kind 2: a segment's state.
    Segment(SegmentState),
    /// Kind 3: the segment with that base offset is not part of the log any more.
    SegmentRemoved(Offset),
    /// Kind 4: the whole list of epochs.
    LeaderEpochs(LeaderEpochs),
    /// Kind 5: the state of one producer.
    Producer(ProducerId, Producer),
    /// Kind 6: producers that are not remembered any more.
    ProducersForgotten(Vec<ProducerId>),
    /// Kind 7: the log's tombstone is done with and its folder gone.
    LogRemoved,
}

/// The body of an entry of kind 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The first offset that may be read.
    pub log_start_offset: Offset,
    /// The offset behind the last settled batch.
    pub settled_end_offset: Offset,
    /// The first journal entry of the log that its settled state does not contain.
    pub replay: EntryPlace,
    /// The topic's name when the log was made, at most 200 bytes.
    pub label: String,
}

impl RecordHeader {
    /// The header's bytes. The last four are the CRC that the next record carries.
    pub fn encode(&self) -> [u8; RECORD_HEADER_SIZE_BYTES] {
        let mut out = [0; RECORD_HEADER_SIZE_BYTES];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&MAGIC);
        put(&FORMAT_VERSION.to_le_bytes());
        put(&self.shard.to_le_bytes());
        put(&self.entry_count.to_le_bytes());
        put(&self.number.to_le_bytes());
        put(&self.file.to_le_bytes());
        put(&self.position.to_le_bytes());
        put(&self.length.to_le_bytes());
        put(&self.previous_crc.to_le_bytes());
        put(&self.replay.sequence.to_le_bytes());
        put(&self.replay.file.to_le_bytes());
        put(&self.replay.block.to_le_bytes());
        put(&self.replay.previous_crc.to_le_bytes());
        put(&[0; 20]);
        put(&self.entries_crc.to_le_bytes());
        let checksum = crc(&out[..RECORD_HEADER_SIZE_BYTES - 4]);
        out[RECORD_HEADER_SIZE_BYTES - 4..].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// The CRC field of an encoded header, which the next record carries.
    pub fn crc_of(encoded: &[u8; RECORD_HEADER_SIZE_BYTES]) -> u32 {
        let (_, field) = encoded.split_last_chunk().expect("a header is longer than its CRC");
        u32::from_le_bytes(*field)
    }

    /// Reads what stands at the front of `bytes`: 96 of them suffice.
    pub fn at(bytes: &[u8]) -> AtRecord {
        RecordHeader::read(bytes).unwrap_or(AtRecord::NoHeader)
    }

    fn read(bytes: &[u8]) -> Option<AtRecord> {
        let bytes = bytes.first_chunk::<RECORD_HEADER_SIZE_BYTES>()?;
        let (covered, stored) = bytes.split_last_chunk()?;
        let own_crc = u32::from_le_bytes(*stored);
        if !covered.starts_with(&MAGIC) || crc(covered) != own_crc {
            return None;
        }
        let mut reader = Fields::new(&covered[MAGIC.len()..]);
        let version = reader.u16()?;
        let (shard, entry_count, number) = (reader.u16()?, reader.u32()?, reader.u64()?);
        let (file, position) = (reader.u64()?, reader.u64()?);
        if version > FORMAT_VERSION {
            let place = RecordPlace { shard, file, position };
            return Some(AtRecord::Newer { version, place });
        }
        let header = RecordHeader {
            shard,
            entry_count,
            number,
            file,
            position,
            length: reader.u32()?,
            previous_crc: reader.u32()?,
            replay: ReplayFrom {
                sequence: reader.u64()?,
                file: reader.u32()?,
                block: reader.u32()?,
                previous_crc: reader.u32()?,
            },
            entries_crc: {
                reader.zeros::<20>()?;
                reader.u32()?
            },
        };
        let is_sound = version == FORMAT_VERSION
            && usize::try_from(header.length).ok()? >= RECORD_HEADER_SIZE_BYTES
            && header.number <= COUNT_MAX
            && (1..=COUNT_MAX).contains(&header.replay.sequence);
        is_sound.then_some(AtRecord::Header { header, crc: own_crc })
    }

    /// Where it stands.
    pub fn place(&self) -> RecordPlace {
        RecordPlace { shard: self.shard, file: self.file, position: self.position }
    }
}

impl ManifestEntry {
    /// Appends the entry to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([self.change.kind(), 0, 0, 0]);
        out.extend([0; 4]);
        out.extend(self.log.topic_id);
        out.extend(self.log.partition.to_le_bytes());
        self.change.encode(out);
        let length = u32::try_from(out.len() - start).expect("an entry stays far below 4 GiB");
        out[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
    }

    /// How many bytes [`ManifestEntry::encode`] appends.
    pub fn encoded_bytes(&self) -> usize {
        let body = match &self.change {
            Change::Log(entry) => LOG_ENTRY_SIZE_BYTES + entry.label.len(),
            Change::Segment(state) => state.encoded_bytes(),
            Change::SegmentRemoved(_) => 8,
            Change::LeaderEpochs(epochs) => 4 + epochs.starts().len() * EPOCH_SIZE_BYTES,
            Change::Producer(_, producer) => {
                PRODUCER_SIZE_BYTES + producer.batches.len() * PRODUCER_BATCH_SIZE_BYTES
            }
            Change::ProducersForgotten(ids) => 4 + ids.len() * 8,
            Change::LogRemoved => 0,
        };
        ENTRY_HEADER_SIZE_BYTES + body
    }

    /// Takes one entry off the front of `bytes`, and answers with the bytes behind it; None if
    /// they do not begin with a whole one.
    pub fn decode(bytes: &[u8]) -> Option<(ManifestEntry, &[u8])> {
        let mut reader = Fields::new(bytes);
        let kind = reader.u8()?;
        reader.zeros::<3>()?;
        let length = usize::try_from(reader.u32()?).ok()?;
        let log = LogId { topic_id: reader.array()?, partition: reader.u32()? };
        let body = bytes.get(ENTRY_HEADER_SIZE_BYTES..length)?;
        let change = Change::decode(kind, &mut Fields::new(body))?;
        Some((ManifestEntry { log, change }, &bytes[length..]))
    }
}

impl Change {
    fn kind(&self) -> u8 {
        match self {
            Change::Log(_) => 1,
            Change::Segment(_) => 2,
            Change::SegmentRemoved(_) => 3,
            Change::LeaderEpochs(_) => 4,
            Change::Producer(..) => 5,
            Change::ProducersForgotten(_) => 6,
            Change::LogRemoved => 7,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Change::Log(entry) => entry.encode(out),
            Change::Segment(state) => state.encode(out),
            Change::SegmentRemoved(base_offset) => out.extend(base_offset.0.to_le_bytes()),
            Change::LeaderEpochs(epochs) => encode_epochs(epochs, out),
            Change::Producer(id, producer) => encode_producer(*id, producer, out),
            Change::ProducersForgotten(ids) => {
                encode_count(ids.len(), out);
                ids.iter().for_each(|id| out.extend(id.0.to_le_bytes()));
            }
            Change::LogRemoved => {}
        }
    }

    /// Reads a body that must end where its entry ends.
    fn decode(kind: u8, reader: &mut Fields<'_>) -> Option<Change> {
        let change = match kind {
            1 => Change::Log(LogEntry::decode(reader)?),
            2 => Change::Segment(SegmentState::decode(reader)?),
            3 => Change::SegmentRemoved(Offset(reader.i64()?)),
            4 => Change::LeaderEpochs(decode_epochs(reader)?),
            5 => {
                let (id, producer) = decode_producer(reader)?;
                Change::Producer(id, producer)
            }
            6 => {
                let count = take_count(reader, 8)?;
                let ids: Option<Vec<_>> =
                    (0..count).map(|_| reader.i64().map(ProducerId)).collect();
                Change::ProducersForgotten(ids?)
            }
            7 => Change::LogRemoved,
            _ => return None,
        };
        reader.rest().is_empty().then_some(change)
    }
}

impl LogEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        assert!(self.label.len() <= LABEL_BYTES_MAX, "a label of {} bytes", self.label.len());
        out.extend(self.log_start_offset.0.to_le_bytes());
        out.extend(self.settled_end_offset.0.to_le_bytes());
        out.extend(self.replay.sequence.to_le_bytes());
        out.extend(self.replay.entry.to_le_bytes());
        let length = u16::try_from(self.label.len()).expect("at most 200");
        out.extend(length.to_le_bytes());
        out.extend(self.label.as_bytes());
    }

    fn decode(reader: &mut Fields<'_>) -> Option<LogEntry> {
        Some(LogEntry {
            log_start_offset: Offset(reader.i64()?),
            settled_end_offset: Offset(reader.i64()?),
            replay: EntryPlace { sequence: reader.u64()?, entry: reader.u32()? },
            label: {
                let length = usize::from(reader.u16()?);
                let bytes = reader.take(length)?;
                (length <= LABEL_BYTES_MAX).then(|| std::str::from_utf8(bytes).ok())??.to_owned()
            },
        })
    }
}

/// A count of elements that take at least `element_min_bytes` each: None if the bytes left cannot
/// hold so many, so that nothing is ever allocated by a claimed length.
fn take_count(reader: &mut Fields<'_>, element_min_bytes: usize) -> Option<usize> {
    let count = usize::try_from(reader.u32()?).ok()?;
    (count <= reader.rest().len() / element_min_bytes).then_some(count)
}

fn encode_count(count: usize, out: &mut Vec<u8>) {
    out.extend(u32::try_from(count).expect("a list stays far below 2^32").to_le_bytes());
}

fn encode_epochs(epochs: &LeaderEpochs, out: &mut Vec<u8>) {
    encode_count(epochs.starts().len(), out);
    for start in epochs.starts() {
        out.extend(start.epoch.0.to_le_bytes());
        out.extend(start.start_offset.0.to_le_bytes());
    }
}

fn decode_epochs(reader: &mut Fields<'_>) -> Option<LeaderEpochs> {
    let count = take_count(reader, EPOCH_SIZE_BYTES)?;
    let mut starts = Vec::with_capacity(count);
    for _ in 0..count {
        let epoch = LeaderEpoch(reader.i32()?);
        starts.push(EpochStart { epoch, start_offset: Offset(reader.i64()?) });
    }
    LeaderEpochs::from_starts(starts)
}

fn encode_producer(id: ProducerId, producer: &Producer, out: &mut Vec<u8>) {
    out.extend(id.0.to_le_bytes());
    out.extend(producer.epoch.0.to_le_bytes());
    out.push(u8::try_from(producer.batches.len()).expect("at most five"));
    out.push(0);
    out.extend(producer.last_timestamp.0.to_le_bytes());
    for batch in &producer.batches {
        out.extend(batch.first_sequence.0.to_le_bytes());
        out.extend(batch.last_sequence.0.to_le_bytes());
        out.extend(batch.base_offset.0.to_le_bytes());
        out.extend(batch.last_offset.0.to_le_bytes());
    }
}

fn decode_producer(reader: &mut Fields<'_>) -> Option<(ProducerId, Producer)> {
    let id = ProducerId(reader.i64()?);
    let epoch = ProducerEpoch(reader.i16()?);
    let count = usize::from(reader.u8()?);
    reader.zeros::<1>()?;
    let last_timestamp = Timestamp(reader.i64()?);
    if count > WINDOW_BATCHES || reader.rest().len() != count * PRODUCER_BATCH_SIZE_BYTES {
        return None;
    }
    let mut batches = Vec::with_capacity(WINDOW_BATCHES);
    for _ in 0..count {
        let batch = ProducerBatch {
            first_sequence: Sequence(reader.i32()?),
            last_sequence: Sequence(reader.i32()?),
            base_offset: Offset(reader.i64()?),
            last_offset: Offset(reader.i64()?),
        };
        // Sequences are added to later, which asserts that they are not negative.
        if batch.first_sequence < Sequence(0) || batch.last_sequence < Sequence(0) {
            return None;
        }
        batches.push(batch);
    }
    Some((id, Producer { epoch, last_timestamp, batches }))
}

#[cfg(test)]
mod tests;
