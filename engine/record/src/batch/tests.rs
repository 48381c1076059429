//! Golden batches, and what the frame check refuses.
//!
//! The golden bytes were written once by kafka-python 3.0.12's record batch builder, with the
//! python packages crc32c, python-snappy, lz4 and zstandard; three records, the same in every
//! codec, the uncompressed one by a transactional producer whose sequence is about to wrap.

use super::*;
use crate::{BatchBuilder, Header, ReadLimits, Record, assign, parse_single, records, testing};

const GOLDEN_NONE: &str = "
    00000000000000000000019e00000000027058f5480010000000020000018bcfe568000000018bcfe568fa000000
    000000126700037ffffffe00000003ea020000000a6b65792d30c00276616c75652d302076616c75652d30207661
    6c75652d302076616c75652d302076616c75652d302076616c75652d302076616c75652d302076616c75652d3020
    76616c75652d302076616c75652d302076616c75652d302076616c75652d302076616c75652d302076616c75652d
    302076616c75652d302076616c75652d302076616c75652d302076616c75652d302076616c75652d302076616c75
    652d302006026802310268010000d00200f4030201c00276616c75652d312076616c75652d312076616c75652d31
    2076616c75652d312076616c75652d312076616c75652d312076616c75652d312076616c75652d312076616c7565
    2d312076616c75652d312076616c75652d312076616c75652d312076616c75652d312076616c75652d312076616c
    75652d312076616c75652d312076616c75652d312076616c75652d312076616c75652d312076616c75652d312000
    160001040a6b65792d320100";
#[cfg(feature = "codecs")]
const GOLDEN_GZIP: &str = "
    00000000000000000000007f00000000024a33bec40001000000020000018bcfe568000000018bcfe568faffffff
    ffffffffffffffffffffff000000031f8b0800ac63016b02ff7bc5c4c0c0c0959d5aa96b7080a92c31a73455d740
    61b0d26c4c194c864c198c0c0c179818be303331c29c6ca8305869063106461670f81a313200000d991ff46d0100
    00";
#[cfg(feature = "codecs")]
const GOLDEN_SNAPPY: &str = "
    00000000000000000000009500000000021a659f890002000000020000018bcfe568000000018bcfe568faffffff
    ffffffffffffffffffffff0000000382534e4150505900000000010000000100000050ed0250ea020000000a6b65
    792d30c00276616c75652d3020fe0800fe08005e08004006026802310268010000d00200f403020111b300310db3
    fe0800fe08004608003000160001040a6b65792d320100";
#[cfg(feature = "codecs")]
const GOLDEN_LZ4: &str = "
    00000000000000000000008d00000000025d43d7950003000000020000018bcfe568000000018bcfe568faffffff
    ffffffffffffffffffffff0000000304224d1868406d010000000000004845000000ff06ea020000000a6b65792d
    30c00276616c75652d3020080085f40206026802310268010000d00200f4030201b3001331b3000f08007fd00016
    0001040a6b65792d32010000000000";
#[cfg(feature = "codecs")]
const GOLDEN_ZSTD: &str = "
    00000000000000000000007e000000000267b4680c0004000000020000018bcfe568000000018bcfe568faffffff
    ffffffffffffffffffffff0000000328b52ffd606d001d02004403ea020000000a6b65792d30c00276616c75652d
    302006026802310268010000d00200f40302013100160001040a6b65792d32010004000f4001f26d33c45a195598";

const LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 1 << 20 };

#[cfg(feature = "codecs")]
fn check_golden(hex: &str, compression: Compression) {
    let bytes = testing::from_hex(hex);
    let batch = parse_single(&bytes).expect("one whole batch");
    batch.validate_crc().expect("kafka-python's CRC");
    assert_eq!(batch.compression(), Ok(compression));
    // kafka-python leaves the epoch of the leader, which is not the producer's to say, at 0.
    assert_eq!(batch.leader_epoch(), LeaderEpoch(0));
    assert_eq!(batch.last_offset(), Offset(2));
    assert_eq!(batch.base_timestamp(), Timestamp(1_700_000_000_000));
    assert_eq!(batch.max_timestamp(), Timestamp(1_700_000_000_250));
    let decoded = records(&batch, &LIMITS).expect("readable");
    let found: Vec<_> = decoded.iter().map(|record| record.expect("well formed")).collect();

    assert_eq!(found.len(), 3);
    assert_eq!(found[0].offset, Offset(0));
    assert_eq!(found[0].timestamp, Timestamp(1_700_000_000_000));
    assert_eq!(found[0].key, Some(b"key-0".as_slice()));
    assert_eq!(found[0].value, Some(b"value-0 ".repeat(20).as_slice()));
    let headers: Vec<_> = found[0].headers.iter().map(|h| (h.key, h.value)).collect();
    let expect: [(&[u8], Option<&[u8]>); 3] = [(b"h", Some(b"1")), (b"h", None), (b"", Some(b""))];
    assert_eq!(headers, expect);
    assert_eq!((found[1].offset, found[1].key), (Offset(1), None));
    assert_eq!(found[1].timestamp, Timestamp(1_700_000_000_250));
    assert_eq!(found[1].value, Some(b"value-1 ".repeat(20).as_slice()));
    assert_eq!((found[2].offset, found[2].value), (Offset(2), None));
    assert_eq!(found[2].timestamp, Timestamp(1_699_999_999_999));
    assert_eq!(found[2].headers.count(), 0);
}

#[cfg(feature = "codecs")]
#[test]
fn golden_batch_of_every_codec_is_read() {
    check_golden(GOLDEN_NONE, Compression::None);
    check_golden(GOLDEN_GZIP, Compression::Gzip);
    check_golden(GOLDEN_SNAPPY, Compression::Snappy);
    check_golden(GOLDEN_LZ4, Compression::Lz4);
    check_golden(GOLDEN_ZSTD, Compression::Zstd);
}

#[test]
fn builder_writes_the_golden_bytes() {
    let mut builder = BatchBuilder::new()
        .leader_epoch(LeaderEpoch(0))
        .producer(ProducerId(4711), ProducerEpoch(3), Sequence(i32::MAX - 1))
        .transactional();
    let headers = [
        Header { key: b"h", value: Some(b"1") },
        Header { key: b"h", value: None },
        Header { key: b"", value: Some(b"") },
    ];
    builder.push(&Record {
        timestamp: Timestamp(1_700_000_000_000),
        key: Some(b"key-0"),
        value: Some(&b"value-0 ".repeat(20)),
        headers: &headers,
    });
    builder.push(&Record {
        timestamp: Timestamp(1_700_000_000_250),
        value: Some(&b"value-1 ".repeat(20)),
        ..Record::default()
    });
    builder.push(&Record {
        timestamp: Timestamp(1_699_999_999_999),
        key: Some(b"key-2"),
        ..Record::default()
    });
    assert_eq!(builder.build().expect("small"), testing::from_hex(GOLDEN_NONE));
}

#[test]
fn facts_carry_what_the_header_says() {
    let bytes = testing::from_hex(GOLDEN_NONE);
    let facts = parse_single(&bytes).expect("whole").facts().expect("sound");
    assert_eq!(
        facts,
        BatchFacts {
            size_bytes: 426,
            record_count: 3,
            last_offset_delta: 2,
            base_timestamp: Timestamp(1_700_000_000_000),
            min_timestamp: Timestamp(1_700_000_000_000),
            max_timestamp: Timestamp(1_700_000_000_250),
            timestamp_type: TimestampType::CreateTime,
            compression: Compression::None,
            producer: Some(ProducerFacts {
                id: ProducerId(4711),
                epoch: ProducerEpoch(3),
                first_sequence: Sequence(i32::MAX - 1),
                last_sequence: Sequence(0),
            }),
            is_transactional: true,
            is_control: false,
        }
    );
}

#[test]
fn marker_without_sequence_has_facts() {
    let mut builder = BatchBuilder::new()
        .producer(ProducerId(5), ProducerEpoch(0), Sequence::NONE)
        .transactional()
        .control();
    builder.push(&Record { key: Some(&[0, 0, 0, 1]), ..Record::default() });
    let bytes = builder.build().expect("small");
    let facts = parse_single(&bytes).expect("whole").facts().expect("sound");
    assert!(facts.is_control);
    let producer = facts.producer.expect("a marker names its producer");
    assert_eq!((producer.first_sequence, producer.last_sequence), (Sequence::NONE, Sequence::NONE));
}

#[test]
fn delete_horizon_is_not_a_timestamp_of_a_record() {
    let mut builder = BatchBuilder::new().delete_horizon(Timestamp(9_000)).last_offset_delta(4);
    builder.push_at(2, &Record { timestamp: Timestamp(1_000), ..Record::default() });
    let bytes = builder.build().expect("small");
    let batch = parse_single(&bytes).expect("whole");
    assert_eq!(batch.delete_horizon(), Some(Timestamp(9_000)));
    assert_eq!(batch.facts().expect("sound").max_timestamp, Timestamp(1_000));
    let decoded = records(&batch, &LIMITS).expect("readable");
    let record = decoded.iter().next().expect("one record").expect("well formed");
    assert_eq!((record.timestamp, record.offset), (Timestamp(1_000), Offset(2)));
}

#[test]
fn every_cut_of_a_batch_is_partial() {
    let bytes = testing::sample_batch(Compression::None, 9);
    for cut in 0..bytes.len() {
        let Err(BatchError::Partial { needed_bytes, available_bytes }) =
            BatchView::parse(&bytes[..cut])
        else {
            panic!("a batch cut at {cut} was taken");
        };
        assert_eq!(available_bytes, cut);
        let known = if cut > MAGIC_AT { bytes.len() } else { HEADER_SIZE_BYTES };
        assert_eq!(needed_bytes, known);
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    let mut bytes = testing::sample_batch(Compression::None, 2);
    for length in [i32::MIN, -1, 0, 48] {
        bytes[LENGTH_AT..LEADER_EPOCH_AT].copy_from_slice(&length.to_be_bytes());
        assert_eq!(BatchView::parse(&bytes), Err(BatchError::LengthTooSmall { length }));
    }
    bytes[LENGTH_AT..LEADER_EPOCH_AT].copy_from_slice(&i32::MAX.to_be_bytes());
    assert_eq!(
        BatchView::parse(&bytes),
        Err(BatchError::Partial { needed_bytes: (1 << 31) + 11, available_bytes: bytes.len() })
    );
}

#[test]
fn other_formats_are_told_apart_from_damage() {
    // A format 1 message is shorter than a format 2 header.
    let mut message = vec![0; 34];
    message[MAGIC_AT] = 1;
    assert_eq!(BatchView::parse(&message), Err(BatchError::UnsupportedMagic { magic: 1 }));
    message[MAGIC_AT] = 0x83;
    assert_eq!(BatchView::parse(&message), Err(BatchError::UnsupportedMagic { magic: -125 }));
}

#[test]
fn a_second_batch_is_not_alone() {
    let mut bytes = testing::sample_batch(Compression::None, 2);
    bytes.push(0);
    assert_eq!(parse_single(&bytes), Err(BatchError::NotAlone { extra_bytes: 1 }));
}

#[test]
fn crc_covers_every_byte_from_the_attributes_on() {
    let mut bytes = testing::sample_batch(Compression::None, 3);
    assign(&mut bytes, Offset(5), LeaderEpoch(6));
    for at in CRC_AT..bytes.len() {
        bytes[at] ^= 0x10;
        let view = parse_single(&bytes).expect("the frame is whole");
        assert!(matches!(view.validate_crc(), Err(BatchError::CrcMismatch { .. })), "byte {at}");
        bytes[at] ^= 0x10;
    }
    parse_single(&bytes).expect("whole").validate_crc().expect("as it was");
}
