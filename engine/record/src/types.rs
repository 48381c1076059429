//! The numbers that a batch header carries, each as a type of its own so that none is mistaken.

use std::fmt;

/// A record's place in its partition, counted in records from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

/// The epoch of the leader that appended a batch; -1 where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaderEpoch(pub i32);

/// The id that InitProducerId gave to a producer; -1 for a producer without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub i64);

/// The epoch of a producer id; -1 for a producer without an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerEpoch(pub i16);

/// A producer's count of the records it sent to a partition; -1 for a producer without an id.
///
/// It runs from 0 to 2^31-1 and then starts again at 0 (KIP-98), so its order is not an order in
/// time: compare with [`Sequence::next`], never with `<`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub i32);

/// Milliseconds since 1970-01-01 UTC; -1 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Who set the timestamps of a batch: attribute bit 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer; each record has its own.
    #[default]
    CreateTime,
    /// The leader at the append; every record counts as having the batch's max timestamp.
    LogAppendTime,
}

impl Offset {
    /// The offset `count` records further on.
    ///
    /// It wraps at the end of i64 instead of panicking, because both numbers may be hostile.
    pub fn plus(self, count: i32) -> Offset {
        Offset(self.0.wrapping_add(i64::from(count)))
    }
}

impl LeaderEpoch {
    /// "Not known": what producers put into a batch.
    pub const NONE: LeaderEpoch = LeaderEpoch(-1);
}

impl ProducerId {
    /// "No producer id": the batch is not idempotent.
    pub const NONE: ProducerId = ProducerId(-1);
}

impl ProducerEpoch {
    /// "No producer epoch".
    pub const NONE: ProducerEpoch = ProducerEpoch(-1);
}

impl Timestamp {
    /// "No timestamp": legal in a record, and never found by a lookup of a time since 1970.
    pub const NONE: Timestamp = Timestamp(-1);
}

impl Sequence {
    /// "No sequence".
    pub const NONE: Sequence = Sequence(-1);

    /// The sequence `count` records further on, 2^31-1 being followed by 0.
    ///
    /// Both must be at least 0: checked by whoever lets a batch in, asserted here.
    pub fn plus(self, count: i32) -> Sequence {
        assert!(self.0 >= 0 && count >= 0, "sequence {} plus {count}", self.0);
        let sum = i64::from(self.0) + i64::from(count);
        Sequence(i32::try_from(sum & i64::from(i32::MAX)).expect("masked to 31 bits"))
    }

    /// The sequence that must follow this one.
    pub fn next(self) -> Sequence {
        self.plus(1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for LeaderEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ProducerEpoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_starts_again_at_zero_after_its_maximum() {
        assert_eq!(Sequence(0).next(), Sequence(1));
        assert_eq!(Sequence(i32::MAX).next(), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).plus(2), Sequence(0));
        assert_eq!(Sequence(i32::MAX).plus(i32::MAX), Sequence(i32::MAX - 1));
        assert_eq!(Sequence(7).plus(0), Sequence(7));
    }

    #[test]
    fn numbers_print_as_numbers() {
        assert_eq!(format!("{} {} {}", Offset(7), LeaderEpoch(-1), Timestamp(3)), "7 -1 3");
        assert_eq!(format!("{:>4}", Offset(7)), "   7");
    }
}
