//! Record batches: checks agree with what can be read, a leader's stamps keep the checksum, and
//! records that were read and built again are the same records.

use record::{
    BatchBuilder, BatchError, BatchView, Compression, HEADER_SIZE_BYTES, Header, LeaderEpoch,
    MAGIC, Offset, ProducedLimits, ReadLimits, Record, RecordsError, Timestamp, TimestampType,
    assign, correct_max_timestamp, parse_single, records, split, stamp_log_append_time,
    validate_produced,
};

use crate::sample;
use crate::sealed::{Mending, mending};

/// Of compressed batches so much is read, in bytes.
const LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 256 << 10 };
const PRODUCED: ProducedLimits = ProducedLimits { batch_size_max_bytes: 1 << 20 };
const LENGTH_AT: usize = 8;
const LENGTH_END: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const CRC_END: usize = 21;

/// A record that was read, in full.
#[derive(Clone, Debug, PartialEq)]
struct Read<'a> {
    offset_delta: i32,
    timestamp: Timestamp,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: Vec<Header<'a>>,
}

pub(crate) fn run(bytes: &[u8]) {
    let (mending, bytes) = mending(bytes);
    let bytes = mended(mending, bytes);
    let mut walk = split(&bytes);
    let mut taken = 0;
    for batch in walk.by_ref() {
        match batch {
            Ok(batch) => {
                taken += batch.size_bytes();
                look_into(&batch);
            }
            Err(error) => assert!(!error.to_string().is_empty(), "{error:?} says nothing"),
        }
    }
    assert_eq!(walk.rest(), &bytes[taken..], "the rest is what no batch was taken from");
}

/// Batches with their checksums right; and, with lengths right too, the last takes what is left.
fn mended(mending: Mending, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if mending == Mending::None {
        return bytes;
    }
    let mut at = 0;
    while bytes.len() - at >= HEADER_SIZE_BYTES {
        let rest = &mut bytes[at..];
        let size = match BatchView::parse(rest) {
            Ok((batch, _)) => batch.size_bytes(),
            Err(_) if mending == Mending::Checksums => break,
            Err(_) => {
                let length = u32::try_from(rest.len() - LENGTH_END).expect("an input is small");
                rest[LENGTH_AT..LENGTH_END].copy_from_slice(&length.to_be_bytes());
                rest[MAGIC_AT] = MAGIC.cast_unsigned();
                rest.len()
            }
        };
        let crc = crc32c::crc32c(&rest[CRC_END..size]);
        rest[CRC_AT..CRC_END].copy_from_slice(&crc.to_be_bytes());
        at += size;
    }
    bytes
}

fn look_into(batch: &BatchView<'_>) {
    assert_eq!(parse_single(batch.bytes()), Ok(*batch));
    let facts = batch.facts();
    if let Ok(facts) = &facts {
        assert_eq!(facts.size_bytes, batch.bytes().len());
        assert!(facts.record_count >= 0 && facts.last_offset_delta >= 0, "{facts:?}");
    }
    let decoded = records(batch, &LIMITS);
    let read = decoded.as_ref().map_err(|error| *error).and_then(|decoded| {
        let compressed = batch.compression() != Ok(Compression::None);
        let limit = LIMITS.decompressed_size_max_bytes;
        assert!(!compressed || decoded.size_bytes() <= limit, "{} bytes", decoded.size_bytes());
        read_all(batch, decoded)
    });
    if let Ok(read) = &read {
        is_built_again(batch, read);
    }
    if let Ok(valid) = validate_produced(batch, &PRODUCED) {
        let delta = valid.last_offset_delta;
        assert_eq!(valid.record_count, delta + 1, "a batch that is let in counts its offsets");
        if valid.compression == Compression::None {
            let read = read.expect("who lets it in has read it");
            let largest = read.iter().map(|record| record.timestamp).max();
            assert_eq!(
                largest.map(|largest| largest.max(Timestamp::NONE)),
                Some(valid.max_timestamp)
            );
        }
        is_stamped(batch, valid.max_timestamp);
    }
}

/// Every record, unless one breaks the format.
fn read_all<'a>(
    batch: &BatchView<'_>,
    decoded: &'a record::Records<'_>,
) -> Result<Vec<Read<'a>>, RecordsError> {
    let mut read: Vec<Read<'a>> = Vec::new();
    let mut size_bytes = 0;
    for record in decoded {
        let record = record?;
        let headers: Vec<Header<'a>> = record.headers.iter().collect();
        assert_eq!(headers.len(), record.headers.count(), "headers as many as were counted");
        assert_eq!(record.offset, batch.base_offset().plus(record.offset_delta));
        assert!(read.last().is_none_or(|last| last.offset_delta < record.offset_delta));
        assert!(record.offset_delta <= batch.last_offset_delta(), "{record:?}");
        size_bytes += record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        size_bytes += headers.iter().map(|header| header.key.len()).sum::<usize>();
        let (offset_delta, timestamp) = (record.offset_delta, record.timestamp);
        let (key, value) = (record.key, record.value);
        read.push(Read { offset_delta, timestamp, key, value, headers });
    }
    assert!(size_bytes <= decoded.size_bytes(), "{size_bytes} bytes out of fewer");
    assert_eq!(i64::try_from(read.len()), Ok(i64::from(batch.record_count())));
    Ok(read)
}

/// Builds a batch of the same records with the same codec, and reads it.
fn is_built_again(batch: &BatchView<'_>, read: &[Read<'_>]) {
    let Ok(compression) = batch.compression() else { return };
    // The builder refuses the one delta behind which there is no other.
    if read.last().is_some_and(|last| last.offset_delta == i32::MAX) {
        return;
    }
    let mut builder = BatchBuilder::new().base_offset(batch.base_offset()).compression(compression);
    for record in read {
        let Read { offset_delta, timestamp, key, value, headers } = record;
        let (timestamp, key, value) = (*timestamp, *key, *value);
        builder.push_at(*offset_delta, &Record { timestamp, key, value, headers });
    }
    let built = builder.build().expect("an input is small");
    let again = parse_single(&built).expect("one whole batch");
    again.validate_crc().expect("the builder's own checksum");
    let decoded = records(&again, &ReadLimits { decompressed_size_max_bytes: usize::MAX >> 1 });
    let decoded = decoded.expect("the builder's own records");
    assert_eq!(read_all(&again, &decoded).expect("the builder's own records"), read);
}

/// What a leader writes into it leaves the checksum right.
fn is_stamped(batch: &BatchView<'_>, max_timestamp: Timestamp) {
    let mut bytes = batch.bytes().to_vec();
    let check = |bytes: &[u8]| -> Result<(), BatchError> { parse_single(bytes)?.validate_crc() };
    assign(&mut bytes, Offset(7), LeaderEpoch(3));
    assert_eq!(check(&bytes), Ok(()));
    correct_max_timestamp(&mut bytes, max_timestamp);
    assert_eq!(check(&bytes), Ok(()));
    let view = parse_single(&bytes).expect("it was one before");
    assert_eq!((view.base_offset(), view.max_timestamp()), (Offset(7), max_timestamp));
    stamp_log_append_time(&mut bytes, Timestamp(1_700_000_000_000));
    assert_eq!(check(&bytes), Ok(()));
    let view = parse_single(&bytes).expect("it was one before");
    assert_eq!(view.timestamp_type(), TimestampType::LogAppendTime);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let codecs = (0..=4).filter_map(Compression::from_id);
    let mut seeds: Vec<Vec<u8>> =
        codecs.map(|codec| Mending::All.before(&sample::batch(0, 12, codec))).collect();
    let two = [sample::batch(0, 1, Compression::None), sample::batch(1, 3, Compression::Lz4)];
    seeds.push(Mending::Checksums.before(&two.concat()));
    seeds.push(Mending::None.before(&sample::rich_batch()));
    seeds
}
