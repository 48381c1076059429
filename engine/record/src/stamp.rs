//! What a leader writes into a batch before it appends it.

use crate::batch::{
    ATTRIBUTES_AT, BASE_OFFSET_AT, CRC_AT, HEADER_SIZE_BYTES, LEADER_EPOCH_AT, LENGTH_AT,
    LOG_APPEND_TIME_BIT, MAX_TIMESTAMP_AT, PRODUCER_ID_AT,
};
use crate::crc;
use crate::types::{LeaderEpoch, Offset, Timestamp};

/// Writes the base offset and the leader epoch: 12 bytes, none of them under the CRC.
///
/// `header` is the batch or its first 61 bytes. Shorter, or numbers below 0, are the caller's
/// error.
pub fn assign(header: &mut [u8], base_offset: Offset, leader_epoch: LeaderEpoch) {
    assert!(header.len() >= HEADER_SIZE_BYTES, "a header of {} bytes", header.len());
    assert!(base_offset >= Offset(0), "base offset {base_offset}");
    assert!(leader_epoch >= LeaderEpoch(0), "leader epoch {leader_epoch}");
    header[BASE_OFFSET_AT..LENGTH_AT].copy_from_slice(&base_offset.0.to_be_bytes());
    header[LEADER_EPOCH_AT..LEADER_EPOCH_AT + 4].copy_from_slice(&leader_epoch.0.to_be_bytes());
}

/// Sets log append time: attribute bit 3, the max timestamp, and the CRC that follows from them.
///
/// `bytes` is exactly one whole batch (its length is what the CRC needs). The records keep their
/// own timestamps, which readers then ignore. A CRC that was wrong before stays wrong.
pub fn stamp_log_append_time(bytes: &mut [u8], now: Timestamp) {
    restamp(bytes, LOG_APPEND_TIME_BIT, now);
}

/// Makes the header say the largest timestamp of the records, and the CRC fit, if a producer left
/// it wrong: look-ups by time believe the header.
pub fn correct_max_timestamp(bytes: &mut [u8], max_timestamp: Timestamp) {
    if bytes[MAX_TIMESTAMP_AT..PRODUCER_ID_AT] != max_timestamp.0.to_be_bytes() {
        restamp(bytes, 0, max_timestamp);
    }
}

fn restamp(bytes: &mut [u8], attribute: i16, max_timestamp: Timestamp) {
    assert!(bytes.len() >= HEADER_SIZE_BYTES, "a batch of {} bytes", bytes.len());
    let changed = ATTRIBUTES_AT..PRODUCER_ID_AT;
    let mut old = [0; PRODUCER_ID_AT - ATTRIBUTES_AT];
    old.copy_from_slice(&bytes[changed.clone()]);

    let attributes = i16::from_be_bytes([old[0], old[1]]) | attribute;
    bytes[ATTRIBUTES_AT..ATTRIBUTES_AT + 2].copy_from_slice(&attributes.to_be_bytes());
    bytes[MAX_TIMESTAMP_AT..PRODUCER_ID_AT].copy_from_slice(&max_timestamp.0.to_be_bytes());

    let mut whole = [0; 4];
    whole.copy_from_slice(&bytes[CRC_AT..ATTRIBUTES_AT]);
    let following_bytes = bytes.len() - PRODUCER_ID_AT;
    let crc = crc::with_prefix_replaced(
        u32::from_be_bytes(whole),
        &old,
        &bytes[changed],
        following_bytes,
    );
    bytes[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchView, Compression, TimestampType, parse_single, testing};

    fn view(bytes: &[u8]) -> BatchView<'_> {
        parse_single(bytes).expect("one whole batch")
    }

    #[test]
    fn assigning_changes_twelve_bytes_and_not_the_crc() {
        let before = testing::sample_batch(Compression::None, 7);
        let mut after = before.clone();
        assign(&mut after, Offset(1 << 40), LeaderEpoch(9));
        assert_eq!(view(&after).base_offset(), Offset(1 << 40));
        assert_eq!(view(&after).last_offset(), Offset((1 << 40) + 6));
        assert_eq!(view(&after).leader_epoch(), LeaderEpoch(9));
        view(&after).validate_crc().expect("the CRC still holds");
        assert_eq!(before[8..12], after[8..12]);
        assert_eq!(before[16..], after[16..]);
    }

    #[test]
    fn stamped_batch_has_a_valid_crc_and_nothing_else_changed() {
        for count in 1..200 {
            let before = testing::sample_batch(Compression::None, count);
            let mut after = before.clone();
            stamp_log_append_time(&mut after, Timestamp(77));
            view(&after).validate_crc().expect("the CRC was carried over");
            assert_eq!(view(&after).timestamp_type(), TimestampType::LogAppendTime);
            assert_eq!(view(&after).max_timestamp(), Timestamp(77));
            assert_eq!(before[..17], after[..17]);
            assert_eq!(before[23..35], after[23..35]);
            assert_eq!(before[43..], after[43..]);
        }
    }

    #[test]
    fn a_wrong_max_timestamp_is_corrected_and_a_right_one_is_left_alone() {
        let right = testing::sample_batch(Compression::None, 5);
        let max_timestamp = view(&right).max_timestamp();
        let mut bytes = right.clone();
        correct_max_timestamp(&mut bytes, Timestamp(-1));
        assert_ne!(bytes, right);
        view(&bytes).validate_crc().expect("the CRC was carried over");
        correct_max_timestamp(&mut bytes, max_timestamp);
        assert_eq!(bytes, right);
        let last = bytes.len() - 1;
        bytes[last] ^= 4;
        let damaged = bytes.clone();
        correct_max_timestamp(&mut bytes, max_timestamp);
        assert_eq!(bytes, damaged);
    }

    #[test]
    fn stamping_does_not_bless_damaged_bytes() {
        let mut bytes = testing::sample_batch(Compression::None, 5);
        let last = bytes.len() - 1;
        bytes[last] ^= 4;
        stamp_log_append_time(&mut bytes, Timestamp(77));
        assert!(view(&bytes).validate_crc().is_err());
    }
}
