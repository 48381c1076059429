//! When a log goes on in a new segment.

use crate::segment::Segment;
use record::{BatchFacts, Offset, Timestamp};

const OFFSET_ENTRY_BYTES: u64 = 8;
const TIME_ENTRY_BYTES: u64 = 12;

/// The settings of a log that its segments follow, by Kafka's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentConfig {
    /// `segment.bytes`: the size that a `.log` should not exceed.
    pub segment_bytes: u32,
    /// `segment.ms`: the age at which a segment ends, counted from its first batch's timestamp to
    /// the next one's.
    pub segment_ms: i64,
    /// `segment.index.bytes`: the size of an index at which it is full.
    pub segment_index_bytes: u32,
    /// `index.interval.bytes`: how much is appended between two index entries.
    pub index_interval_bytes: u32,
}

/// Which rule ended a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollReason {
    /// The batch would make it larger than `segment.bytes`.
    Size,
    /// It is older than `segment.ms`.
    Age,
    /// One of its indexes is full.
    IndexFull,
    /// The batch's last offset is too far from the base offset for an index entry.
    OffsetRange,
}

impl Default for SegmentConfig {
    /// Kafka's defaults.
    fn default() -> SegmentConfig {
        SegmentConfig {
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
        }
    }
}

impl Segment {
    /// Whether that batch must go into a new segment, and why. An empty segment takes any batch
    /// whose offsets it can index.
    pub fn roll_before(
        &self,
        facts: &BatchFacts,
        base_offset: Offset,
        now: Timestamp,
        config: &SegmentConfig,
    ) -> Option<RollReason> {
        let last_relative =
            base_offset.plus(facts.last_offset_delta).0.checked_sub(self.base_offset.0);
        if !last_relative.is_some_and(|relative| (0..=i64::from(i32::MAX)).contains(&relative)) {
            return Some(RollReason::OffsetRange);
        }
        let size = self.log.appended_bytes();
        if size == 0 {
            return None;
        }
        // Positions in an index are i32, whatever the setting says.
        let size_max = u64::from(config.segment_bytes.min(i32::MAX.cast_unsigned()));
        if size + facts.size_bytes as u64 > size_max {
            return Some(RollReason::Size);
        }
        if self.age_ms(facts.max_timestamp, now) > config.segment_ms {
            return Some(RollReason::Age);
        }
        let index_bytes = u64::from(config.segment_index_bytes);
        // One entry of the time index is kept free for the seal.
        let is_full = self.offset_index.appended_bytes() / OFFSET_ENTRY_BYTES
            >= index_bytes / OFFSET_ENTRY_BYTES
            || self.time_index.appended_entries() + 1 >= index_bytes / TIME_ENTRY_BYTES;
        is_full.then_some(RollReason::IndexFull)
    }

    /// How long the first batch has waited for the rest, in record time if it has any.
    fn age_ms(&self, next: Timestamp, now: Timestamp) -> i64 {
        let first = self.tip.get().first_timestamp;
        if first > Timestamp::NONE {
            next.0.saturating_sub(first.0)
        } else {
            now.0.saturating_sub(self.opened_at.0)
        }
    }
}
