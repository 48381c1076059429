//! Round trips, and record bytes that lie in every field.

use super::*;
use crate::batch::{ATTRIBUTES_AT, HEADER_SIZE_BYTES, RECORD_COUNT_AT};
use crate::testing::{ALL_CODECS, Random, sample_batch};
use crate::{BatchBuilder, Compression, Record, parse_single};

const LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 1 << 20 };

/// Reads everything there is, headers included, and counts the records.
fn read_all(bytes: &[u8]) -> Result<usize, RecordsError> {
    let batch = parse_single(bytes).expect("the frame is whole");
    let decoded = records(&batch, &LIMITS)?;
    let mut count = 0;
    for record in &decoded {
        let record = record?;
        assert_eq!(record.headers.iter().count(), record.headers.count());
        count += 1;
    }
    Ok(count)
}

/// A batch around the given record bytes, with this count and room for its offsets.
fn batch_of(payload: &[u8], count: i32) -> Vec<u8> {
    let mut bytes = BatchBuilder::new().last_offset_delta(1_000).build().expect("small");
    bytes[RECORD_COUNT_AT..HEADER_SIZE_BYTES].copy_from_slice(&count.to_be_bytes());
    bytes.extend_from_slice(payload);
    let length = i32::try_from(bytes.len() - 12).expect("small");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes
}

fn check_fault(payload: &[u8], fault: RecordFault) {
    let error = read_all(&batch_of(payload, 1)).expect_err("a faulty record");
    assert_eq!(error, RecordsError::Record { index: 0, fault });
    assert!(!error.to_string().is_empty());
}

#[test]
fn records_of_every_codec_come_back_as_they_were() {
    let mut random = Random::new(4);
    for round in 0..300 {
        let mut keys = Vec::new();
        for _ in 0..random.below(40) {
            let (key_length, value_length) = (random.below(20), random.below(3_000));
            let value = vec![random.byte(); value_length];
            let delta = 1 + random.below(3);
            keys.push((random.bytes(key_length), value, random.next(), delta));
        }
        let mut builder = BatchBuilder::new()
            .base_offset(Offset(77))
            .compression(ALL_CODECS[round % ALL_CODECS.len()]);
        let mut next = 0;
        let mut expect = Vec::new();
        for (key, value, number, delta) in &keys {
            next += i32::try_from(*delta).expect("small");
            let headers = [Header { key, value: Some(value) }, Header { key, value: None }];
            let timestamp = Timestamp(number.cast_signed());
            let stored_key = (number % 2 == 0).then_some(key.as_slice());
            let stored_value = (number % 3 == 0).then_some(value.as_slice());
            let header_count = usize::try_from(number % 3).expect("small");
            builder.push_at(
                next,
                &Record {
                    timestamp,
                    key: stored_key,
                    value: stored_value,
                    headers: &headers[..header_count],
                },
            );
            let offset = Offset(77).plus(next);
            expect.push((offset, timestamp, stored_key, stored_value, header_count));
        }
        let bytes = builder.build().expect("small");
        let batch = parse_single(&bytes).expect("whole");
        let decoded = records(&batch, &LIMITS).expect("readable");
        let found: Vec<_> = decoded
            .iter()
            .map(|record| record.expect("well formed"))
            .map(|record| {
                (record.offset, record.timestamp, record.key, record.value, record.headers.count())
            })
            .collect();
        assert_eq!(found, expect, "round {round}");
    }
}

#[test]
fn log_append_time_hides_the_records_own_timestamps() {
    let mut bytes = sample_batch(Compression::None, 4);
    crate::stamp_log_append_time(&mut bytes, Timestamp(5));
    let batch = parse_single(&bytes).expect("whole");
    let decoded = records(&batch, &LIMITS).expect("readable");
    for record in &decoded {
        assert_eq!(record.expect("well formed").timestamp, Timestamp(5));
    }
}

#[test]
fn empty_batch_of_any_codec_has_no_records() {
    for &codec in ALL_CODECS {
        let builder = BatchBuilder::new().compression(codec).last_offset_delta(9);
        assert_eq!(read_all(&builder.build().expect("small")), Ok(0));
    }
}

#[test]
fn impossible_counts_are_refused_before_any_record_is_read() {
    for &codec in ALL_CODECS {
        for count in [-1, i32::MIN, i32::MAX, 100_000] {
            let mut bytes = sample_batch(codec, 3);
            bytes[RECORD_COUNT_AT..HEADER_SIZE_BYTES].copy_from_slice(&count.to_be_bytes());
            let error = read_all(&bytes).expect_err("an impossible count");
            assert!(matches!(error, RecordsError::CountImpossible { .. }), "{error}");
        }
    }
}

#[test]
fn count_that_does_not_fit_the_bytes_is_found() {
    let mut bytes = sample_batch(Compression::None, 9);
    bytes[RECORD_COUNT_AT..HEADER_SIZE_BYTES].copy_from_slice(&8i32.to_be_bytes());
    assert!(matches!(read_all(&bytes), Err(RecordsError::TrailingBytes { .. })));
    bytes[RECORD_COUNT_AT..HEADER_SIZE_BYTES].copy_from_slice(&10i32.to_be_bytes());
    let fault = RecordFault::Truncated;
    assert_eq!(read_all(&bytes), Err(RecordsError::Record { index: 9, fault }));
}

#[test]
fn each_field_of_a_record_is_checked() {
    // length, attributes, timestamp, offset, key length, value length, header count
    let sound = [12, 0, 0, 0, 1, 1, 0];
    assert_eq!(read_all(&batch_of(&sound, 1)), Ok(1));
    check_fault(&[0x80; 7], RecordFault::VarintTooLong);
    check_fault(&[14, 0, 0, 0, 1, 1, 0], RecordFault::Truncated);
    check_fault(&[1, 0, 0, 0, 1, 1, 0], RecordFault::NegativeLength { length: -1 });
    check_fault(&[0, 0, 0, 0, 1, 1, 0], RecordFault::Truncated);
    check_fault(&[10, 0, 0, 0, 1, 1, 0], RecordFault::Truncated);
    check_fault(&[14, 0, 0, 0, 1, 1, 0, 0], RecordFault::LengthMismatch { unread_bytes: 1 });
    check_fault(&[12, 0, 0, 0, 3, 1, 0], RecordFault::NegativeLength { length: -2 });
    check_fault(&[12, 0, 0, 0, 1, 3, 0], RecordFault::NegativeLength { length: -2 });
    check_fault(&[12, 0, 0, 0, 2, 1, 0], RecordFault::Truncated);
    check_fault(&[12, 0, 0, 0, 1, 1, 1], RecordFault::HeaderCount { count: -1 });
    check_fault(&[14, 0, 0, 0, 1, 1, 2, 0], RecordFault::HeaderCount { count: 1 });
    check_fault(&[16, 0, 0, 0, 1, 1, 2, 1, 0], RecordFault::NegativeLength { length: -1 });
    let huge = [22, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0];
    check_fault(&huge, RecordFault::HeaderCount { count: i32::MAX });
    let delta = |delta| RecordFault::OffsetDelta { delta, after: -1, last_offset_delta: 1_000 };
    check_fault(&[12, 0, 0, 1, 1, 1, 0], delta(-1));
    check_fault(&[14, 0, 0, 0xd2, 0x0f, 1, 1, 0], delta(1_001));
}

#[test]
fn repeated_offset_delta_is_refused() {
    let record = [12, 0, 0, 0, 1, 1, 0];
    let fault = RecordFault::OffsetDelta { delta: 0, after: 0, last_offset_delta: 1_000 };
    let expect = Err(RecordsError::Record { index: 1, fault });
    assert_eq!(read_all(&batch_of(&[record, record].concat(), 2)), expect);
}

#[test]
fn unknown_codec_is_refused() {
    let mut bytes = sample_batch(Compression::None, 1);
    bytes[ATTRIBUTES_AT + 1] = 7;
    assert_eq!(read_all(&bytes), Err(RecordsError::UnknownCompression { id: 7 }));
}

#[test]
fn cut_records_of_every_codec_never_panic_and_never_count_too_many() {
    for &codec in ALL_CODECS {
        let whole = sample_batch(codec, 12);
        for cut in HEADER_SIZE_BYTES..whole.len() {
            let mut bytes = whole[..cut].to_vec();
            let length = i32::try_from(cut - 12).expect("small");
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            match read_all(&bytes) {
                // Only a frame's own trailer may be missing: every record was there.
                Ok(count) => assert_eq!(count, 12, "{codec} cut at {cut}"),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[test]
fn mutated_records_of_every_codec_never_panic() {
    let mut random = Random::new(5);
    for round in 0..60_000 {
        let mut bytes = sample_batch(ALL_CODECS[round % ALL_CODECS.len()], 1 + round % 16);
        for _ in 0..=random.below(4) {
            let at = RECORD_COUNT_AT + random.below(bytes.len() - RECORD_COUNT_AT);
            bytes[at] = random.byte();
        }
        if let Ok(count) = read_all(&bytes) {
            assert!(count <= bytes.len() * 1_000, "round {round}: {count} records");
        }
    }
}

#[cfg(not(feature = "codecs"))]
#[test]
fn build_without_codecs_says_so() {
    let mut bytes = sample_batch(Compression::None, 1);
    bytes[ATTRIBUTES_AT + 1] = 4;
    let compression = Compression::Zstd;
    assert_eq!(read_all(&bytes), Err(RecordsError::CodecAbsent { compression }));
    let mut builder = BatchBuilder::new().compression(compression);
    builder.push(&Record::default());
    assert_eq!(builder.build(), Err(crate::BuildError::CodecAbsent { compression }));
}
