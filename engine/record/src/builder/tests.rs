//! What the builder promises beyond the golden bytes.

use super::*;
use crate::testing::ALL_CODECS;
use crate::{ReadLimits, parse_single, records};

const LIMITS: ReadLimits = ReadLimits { decompressed_size_max_bytes: 1 << 20 };

#[test]
fn every_header_field_is_written_where_the_view_reads_it() {
    for &codec in ALL_CODECS {
        let mut builder = BatchBuilder::new()
            .base_offset(Offset(100))
            .leader_epoch(LeaderEpoch(7))
            .compression(codec)
            .timestamp_type(TimestampType::LogAppendTime)
            .producer(ProducerId(1 << 40), ProducerEpoch(12), Sequence(34))
            .transactional()
            .control()
            .last_offset_delta(20);
        builder.push_at(3, &Record { timestamp: Timestamp(50), ..Record::default() });
        builder.push(&Record { timestamp: Timestamp(40), ..Record::default() });
        assert_eq!(builder.record_count(), 2);
        let bytes = builder.build().expect("small");
        let batch = parse_single(&bytes).expect("whole");
        batch.validate_crc().expect("the CRC is right");
        assert_eq!((batch.base_offset(), batch.last_offset()), (Offset(100), Offset(120)));
        assert_eq!(batch.leader_epoch(), LeaderEpoch(7));
        assert_eq!(batch.compression(), Ok(codec));
        assert_eq!(batch.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(batch.producer_id(), ProducerId(1 << 40));
        assert_eq!(batch.producer_epoch(), ProducerEpoch(12));
        assert_eq!(batch.base_sequence(), Sequence(34));
        assert!(batch.is_transactional() && batch.is_control());
        assert_eq!(batch.delete_horizon(), None);
        assert_eq!((batch.base_timestamp(), batch.max_timestamp()), (Timestamp(50), Timestamp(50)));
        assert_eq!(batch.record_count(), 2);
        let decoded = records(&batch, &LIMITS).expect("readable");
        let offsets: Vec<_> = decoded.iter().map(|r| r.expect("well formed").offset).collect();
        assert_eq!(offsets, [Offset(103), Offset(104)]);
    }
}

#[test]
fn size_before_compression_is_the_size_without() {
    let mut builder = BatchBuilder::new();
    for value in [b"a".as_slice(), b"bb", &[0; 1_000]] {
        builder.push(&Record { value: Some(value), ..Record::default() });
    }
    let size_bytes = builder.size_bytes();
    assert_eq!(builder.build().expect("small").len(), size_bytes);
}
