//! Every rule of a produced batch, each broken alone.

use super::*;
use crate::batch::{
    ATTRIBUTES_AT, BASE_SEQUENCE_AT, BASE_TIMESTAMP_AT, CONTROL_BIT, CRC_AT, HEADER_SIZE_BYTES,
    LAST_OFFSET_DELTA_AT, LOG_APPEND_TIME_BIT, MAX_TIMESTAMP_AT, PRODUCER_EPOCH_AT, PRODUCER_ID_AT,
    RECORD_COUNT_AT, TRANSACTIONAL_BIT,
};
use crate::testing::{ALL_CODECS, Random, sample_batch};
use crate::{BatchBuilder, Compression, ErrorClass, Record, crc, parse_single};

const LIMITS: ProducedLimits = ProducedLimits { batch_size_max_bytes: 1 << 20 };

fn idempotent(base_sequence: i32) -> Vec<u8> {
    let mut builder =
        BatchBuilder::new().producer(ProducerId(9), ProducerEpoch(0), Sequence(base_sequence));
    for timestamp in [30, 10, 20] {
        let timestamp = Timestamp(timestamp);
        builder.push(&Record { timestamp, value: Some(b"v"), ..Record::default() });
    }
    builder.build().expect("small")
}

fn validate(bytes: &[u8]) -> Result<BatchFacts, BatchError> {
    validate_produced(&parse_single(bytes)?, &LIMITS)
}

/// Overwrites bytes and makes the CRC right again.
fn patched(mut bytes: Vec<u8>, at: usize, patch: &[u8]) -> Vec<u8> {
    bytes[at..at + patch.len()].copy_from_slice(patch);
    let crc = crc::crc32c(&bytes[ATTRIBUTES_AT..]);
    bytes[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    bytes
}

fn check(at: usize, patch: &[u8], expect: BatchError, class: ErrorClass) {
    assert_eq!(validate(&patched(idempotent(0), at, patch)), Err(expect));
    assert_eq!(expect.class(), class);
    assert!(!expect.to_string().is_empty());
}

#[test]
fn honest_batches_of_every_codec_pass() {
    for &codec in ALL_CODECS {
        for count in [1, 2, 50] {
            let bytes = sample_batch(codec, count);
            let facts = validate(&bytes).expect("an honest batch");
            assert_eq!(facts.compression, codec);
            assert_eq!(facts.producer, None);
            assert_eq!(usize::try_from(facts.record_count), Ok(count));
        }
    }
    let facts = validate(&idempotent(i32::MAX)).expect("a wrapping batch");
    let producer = facts.producer.expect("it has one");
    assert_eq!(
        (producer.first_sequence, producer.last_sequence),
        (Sequence(i32::MAX), Sequence(1))
    );
    assert_eq!((facts.base_timestamp, facts.max_timestamp), (Timestamp(30), Timestamp(30)));
}

#[test]
fn size_limit_is_inclusive_and_comes_before_the_crc() {
    let mut bytes = idempotent(0);
    let size_bytes = bytes.len();
    let batch = parse_single(&bytes).expect("whole");
    let exact = ProducedLimits { batch_size_max_bytes: size_bytes };
    assert!(validate_produced(&batch, &exact).is_ok());
    bytes[70] ^= 1;
    let batch = parse_single(&bytes).expect("whole");
    let less = ProducedLimits { batch_size_max_bytes: size_bytes - 1 };
    let expect = BatchError::TooLarge { size_bytes, max_bytes: size_bytes - 1 };
    assert_eq!(validate_produced(&batch, &less), Err(expect));
    assert_eq!(expect.class(), ErrorClass::TooLarge);
    let error = validate_produced(&batch, &exact).expect_err("damaged");
    assert_eq!(error.class(), ErrorClass::Corrupt);
}

#[test]
fn count_must_be_the_offsets() {
    let record_count =
        |count, last_offset_delta| BatchError::RecordCount { count, last_offset_delta };
    for count in [2, 4, 0, -1, i32::MAX, i32::MIN] {
        let error = record_count(count, 2);
        check(RECORD_COUNT_AT, &count.to_be_bytes(), error, ErrorClass::InvalidRecord);
    }
    for delta in [1, 3, -1, i32::MAX, i32::MIN] {
        let error = record_count(3, delta);
        check(LAST_OFFSET_DELTA_AT, &delta.to_be_bytes(), error, ErrorClass::InvalidRecord);
    }
    let empty = BatchBuilder::new().build().expect("small");
    assert_eq!(validate(&empty), Err(record_count(0, 0)));
}

#[test]
fn marks_that_only_a_broker_sets_are_refused() {
    let attributes = |bits: i16| bits.to_be_bytes();
    check(
        ATTRIBUTES_AT,
        &attributes(CONTROL_BIT | TRANSACTIONAL_BIT),
        BatchError::ControlFromClient,
        ErrorClass::InvalidRecord,
    );
    check(
        ATTRIBUTES_AT,
        &attributes(DELETE_HORIZON_BIT),
        BatchError::DeleteHorizonFromClient,
        ErrorClass::InvalidRecord,
    );
    check(
        ATTRIBUTES_AT,
        &attributes(LOG_APPEND_TIME_BIT),
        BatchError::LogAppendTimeFromClient,
        ErrorClass::InvalidTimestamp,
    );
    for id in [5, 6, 7] {
        check(
            ATTRIBUTES_AT,
            &attributes(i16::from(id)),
            BatchError::UnknownCompression { id },
            ErrorClass::UnsupportedCompression,
        );
    }
}

/// They used to be refused, even where the leader writes its own over them.
#[test]
fn timestamps_below_minus_one_are_let_through_and_count_as_none() {
    for (at, value, largest) in
        [(BASE_TIMESTAMP_AT, -2, -1), (MAX_TIMESTAMP_AT, i64::MIN, 30), (MAX_TIMESTAMP_AT, -1, 30)]
    {
        let bytes = patched(idempotent(0), at, &value.to_be_bytes());
        assert_eq!(validate(&bytes).expect("let through").max_timestamp, Timestamp(largest));
    }
    for &codec in ALL_CODECS {
        let low = patched(sample_batch(codec, 1), BASE_TIMESTAMP_AT, &(-5i64).to_be_bytes());
        let low = patched(low, MAX_TIMESTAMP_AT, &(-9i64).to_be_bytes());
        assert_eq!(validate(&low).expect("let through").max_timestamp, Timestamp::NONE);
    }
}

#[test]
fn producer_id_needs_epoch_and_sequence() {
    check(
        PRODUCER_ID_AT,
        &(-2i64).to_be_bytes(),
        BatchError::ProducerIdOutOfRange { producer_id: -2 },
        ErrorClass::InvalidRecord,
    );
    check(
        PRODUCER_EPOCH_AT,
        &(-1i16).to_be_bytes(),
        BatchError::ProducerEpochMissing { producer_epoch: -1 },
        ErrorClass::InvalidRecord,
    );
    check(
        BASE_SEQUENCE_AT,
        &(-1i32).to_be_bytes(),
        BatchError::SequenceMissing { base_sequence: -1 },
        ErrorClass::InvalidRecord,
    );
    let transactional = patched(
        sample_batch(Compression::None, 2),
        ATTRIBUTES_AT,
        &TRANSACTIONAL_BIT.to_be_bytes(),
    );
    assert_eq!(validate(&transactional), Err(BatchError::TransactionalWithoutProducerId));
}

#[test]
fn offsets_from_a_client_are_refused() {
    let mut bytes = idempotent(0);
    bytes[7] = 5;
    assert_eq!(validate(&bytes), Err(BatchError::BaseOffsetFromClient { base_offset: 5 }));
}

#[test]
fn records_that_no_consumer_could_read_are_refused() {
    let mut gap = BatchBuilder::new();
    gap.push_at(0, &Record::default());
    gap.push_at(2, &Record::default());
    let gap = patched(gap.build().expect("small"), LAST_OFFSET_DELTA_AT, &1i32.to_be_bytes());
    let beyond = RecordFault::OffsetDelta { delta: 2, after: 0, last_offset_delta: 1 };
    let record = |index, fault| BatchError::Records(RecordsError::Record { index, fault });
    assert_eq!(validate(&gap), Err(record(1, beyond)));

    let mut late = BatchBuilder::new().last_offset_delta(1);
    late.push_at(1, &Record::default());
    let late = patched(late.build().expect("small"), LAST_OFFSET_DELTA_AT, &0i32.to_be_bytes());
    let beyond = RecordFault::OffsetDelta { delta: 1, after: -1, last_offset_delta: 0 };
    assert_eq!(validate(&late), Err(record(0, beyond)));

    let honest = idempotent(0);
    let first = HEADER_SIZE_BYTES;
    let cases = [
        (first, 0x7f, RecordFault::NegativeLength { length: -64 }),
        (first, 0x02, RecordFault::Truncated),
        (first + 4, 0x03, RecordFault::NegativeLength { length: -2 }),
        (first + 7, 0x7e, RecordFault::HeaderCount { count: 63 }),
    ];
    for (at, byte, fault) in cases {
        let error = validate(&patched(honest.clone(), at, &[byte])).expect_err("a broken record");
        assert_eq!(error, record(0, fault), "byte {at}");
        assert_eq!(error.class(), ErrorClass::InvalidRecord);
    }
}

#[test]
fn a_count_that_no_compressed_bytes_can_hold_is_refused() {
    for &codec in ALL_CODECS {
        let bytes = patched(sample_batch(codec, 3), RECORD_COUNT_AT, &i32::MAX.to_be_bytes());
        let bytes = patched(bytes, LAST_OFFSET_DELTA_AT, &(i32::MAX - 1).to_be_bytes());
        let error = validate(&bytes).expect_err("2,147,483,647 records");
        assert_eq!(error.class(), ErrorClass::InvalidRecord, "{codec}: {error}");
    }
}

#[test]
fn a_codec_never_gives_more_than_its_bound() {
    for &codec in ALL_CODECS {
        let plain = vec![7; 1 << 20];
        let stored = codec.compress(plain.clone()).expect("compressible");
        assert!(codec.most_bytes(stored.len()) >= plain.len(), "{codec}: {}", stored.len());
    }
}

#[test]
fn the_facts_have_the_largest_timestamp_whatever_the_header_says() {
    for claimed in [-1i64, 0, 10, 29, 31, i64::MAX] {
        let bytes = patched(idempotent(0), MAX_TIMESTAMP_AT, &claimed.to_be_bytes());
        assert_eq!(validate(&bytes).expect("let through").max_timestamp, Timestamp(30));
    }
}

#[test]
fn the_facts_have_the_smallest_timestamp_of_the_records_that_have_one() {
    let facts = validate(&idempotent(0)).expect("sound");
    assert_eq!((facts.base_timestamp, facts.min_timestamp), (Timestamp(30), Timestamp(10)));
    // The records are 20 and 10 earlier than what the header says is the first.
    for (base, smallest) in [(1000, 980), (20, 0), (15, 5), (0, 0), (-1, -1)] {
        let bytes = patched(idempotent(0), BASE_TIMESTAMP_AT, &i64::to_be_bytes(base));
        let facts = validate(&bytes).expect("let through");
        assert_eq!(facts.min_timestamp, Timestamp(smallest), "{base}");
    }
    for &codec in &ALL_CODECS[1..] {
        let facts = validate(&sample_batch(codec, 3)).expect("sound");
        assert_eq!(facts.min_timestamp, facts.base_timestamp, "{codec}: all that is looked at");
    }
}

#[test]
fn mutated_batches_never_panic_and_never_pass_the_crc() {
    let mut random = Random::new(3);
    for round in 0..40_000 {
        let mut bytes = sample_batch(ALL_CODECS[round % ALL_CODECS.len()], 1 + round % 7);
        let whole = bytes.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = random.byte();
        }
        let Ok(batch) = parse_single(&bytes) else { continue };
        // The leader epoch may say anything; all others must be found out.
        let same = bytes[CRC_AT..] == whole[CRC_AT..] && bytes[..8] == [0; 8];
        assert_eq!(validate_produced(&batch, &LIMITS).is_ok(), same, "round {round}");
    }
}
